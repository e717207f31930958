//! `${{ env "DECK_X" }}` in a text, before it is YAML, as decK fills it in: by the text of the variable, comment lines left
//! alone.

/// What a variable's name must start with, so that a file cannot read whatever the environment holds.
const PREFIX: &str = "DECK_";

/// `text` with its variables filled in.
pub(super) fn fill(
    name: &str,
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if line.trim_start().starts_with('#') {
            out.push_str(line);
        } else {
            fill_line(&mut out, line, variable).map_err(|why| format!("{name}:{}: {why}", number + 1))?;
        }
    }
    Ok(out)
}

fn fill_line(out: &mut String, line: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${{") {
        let (inside, after) = after.split_once("}}").ok_or("`${{` is never closed by `}}`")?;
        out.push_str(before);
        out.push_str(&value(inside, variable)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(())
}

/// ` env "DECK_X" | toInt `.
fn value(inside: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut parts = inside.split('|').map(str::trim);
    let named = parts.next().and_then(|env| env.strip_prefix("env")).map(str::trim);
    let name = named.and_then(|name| name.strip_prefix('"')?.strip_suffix('"'));
    let name = name.ok_or_else(|| format!("`${{{{{inside}}}}}` is not `env \"{PREFIX}...\"`"))?;
    if !name.starts_with(PREFIX) {
        return Err(format!("environment variables in a file start with {PREFIX}, `{name}` does not"));
    }
    let value = variable(name).ok_or_else(|| format!("the environment variable `{name}` is not set"))?;
    parts.try_fold(value, |value, filter| apply(filter, value, name))
}

fn apply(filter: &str, value: String, name: &str) -> Result<String, String> {
    let not = |what: &str| format!("the environment variable `{name}` is not {what}: `{value}`");
    match filter.split_whitespace().collect::<Vec<_>>()[..] {
        ["toBool"] => match value.as_str() {
            "true" | "false" => Ok(value),
            _ => Err(not("true or false")),
        },
        ["toInt"] => value.parse::<i64>().map(|number| number.to_string()).map_err(|_| not("a whole number")),
        ["toFloat"] => value.parse::<f64>().map(|_| value.clone()).map_err(|_| not("a number")),
        ["indent", width] => {
            let width = width.parse().ok().filter(|width| *width <= 1000);
            let margin = " ".repeat(width.ok_or("`indent` takes a number of spaces up to 1000")?);
            Ok(value.lines().map(|line| format!("{margin}{line}")).collect::<Vec<_>>().join("\n"))
        }
        _ => Err(format!("there is no filter `{filter}`; toBool, toInt, toFloat and indent are known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        fill("f", text, &|name| match name {
            "DECK_HOST" => Some("green".to_owned()),
            "DECK_PORT" => Some("81".to_owned()),
            "DECK_LINES" => Some("a\nb".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn variables_are_filled_in_by_text_and_comments_left_alone() {
        let text = "host: ${{ env \"DECK_HOST\" }}-x\n# ${{ env \"DECK_NONE\" }}\nport: ${{env \"DECK_PORT\"|toInt}}\n";
        assert_eq!(filled(text).unwrap(), "host: green-x\n# ${{ env \"DECK_NONE\" }}\nport: 81\n");
        assert_eq!(filled("${{ env \"DECK_LINES\" | indent 2 }}").unwrap(), "  a\n  b");
    }

    #[test]
    fn what_cannot_be_filled_in_is_told_with_its_line() {
        for (text, why) in [
            ("a\n${{ env \"DECK_NONE\" }}", "f:2: the environment variable `DECK_NONE` is not set"),
            ("${{ env \"HOME\" }}", "f:1: environment variables in a file start with DECK_, `HOME` does not"),
            ("${{ env \"DECK_HOST\" | toInt }}", "`DECK_HOST` is not a whole number: `green`"),
            ("${{ env \"DECK_HOST\" | toBool }}", "is not true or false"),
            ("${{ env \"DECK_HOST\" | upper }}", "there is no filter `upper`"),
            ("${{ env \"DECK_HOST\" | indent 99999 }}", "up to 1000"),
            ("${{ env \"DECK_HOST\"", "never closed"),
            ("${{ get \"DECK_HOST\" }}", "is not `env"),
        ] {
            assert!(filled(text).unwrap_err().contains(why), "{text}: {:?}", filled(text));
        }
    }
}
