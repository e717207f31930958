//! decK files as one configuration. What is wrong with them is told one mistake a line, each with the name of its file.

use gateway_core::deck::{self, DeckError, Loaded, Text};
use gateway_core::entity::FieldError;

/// Reads files as one, as decK does. `variable` is asked for the environment.
///
/// # Errors
/// All mistakes, or the first reason why a file cannot be read at all.
pub fn read_deck(
    texts: &[Text<'_>],
    variable: &dyn Fn(&str) -> Option<String>,
    now_ms: u64,
) -> Result<Loaded, Vec<String>> {
    deck::read(texts, variable, now_ms).map_err(|error| match error {
        DeckError::Fields(errors) => with_names(&errors, texts, variable),
        // The YAML library shows the text as well, line by line.
        named => vec![named.to_string().lines().next().unwrap_or_default().replacen(": error: ", ": ", 1)],
    })
}

/// `kong.yaml: services[0].host: required field missing`. Places count within a file, so which file a mistake is in shows
/// when each is read alone: there it is told too.
fn with_names(
    errors: &[FieldError],
    texts: &[Text<'_>],
    variable: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let alone = |text: &Text<'_>| match deck::read(std::slice::from_ref(text), variable, 0) {
        Err(DeckError::Fields(errors)) => errors,
        _ => Vec::new(),
    };
    let mut owners: Vec<_> = texts.iter().map(|text| (text.name, alone(text))).collect();
    let all = texts.iter().map(|text| text.name).collect::<Vec<_>>().join(" + ");
    let mut told = |error: &FieldError| {
        let owner = owners.iter_mut().find_map(|(name, own)| {
            let at = own.iter().position(|own| own == error)?;
            own.remove(at);
            Some(*name)
        });
        // What only comes of reading them together is nobody's own.
        format!("{}: {error}", owner.unwrap_or(&all))
    };
    errors.iter().map(&mut told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(texts: &[(&str, &str)]) -> Vec<String> {
        let texts: Vec<_> = texts.iter().map(|&(name, text)| Text { name, text }).collect();
        read_deck(&texts, &|_| None, 0).err().unwrap_or_default()
    }

    #[test]
    fn each_mistake_has_the_name_of_its_file() {
        // Aim: files that are read as one keep their names, also where both have the same mistake at the same place.
        let wrong = "_format_version: \"3.0\"\nservices: [{ name: a, port: x, host: h }]\n";
        let also = "_format_version: \"3.0\"\nservices: [{ name: b, port: x }]\n";
        assert_eq!(
            mistakes(&[("a.yaml", wrong), ("b.yaml", also)]),
            [
                "a.yaml: services[0].port: expected an integer",
                "b.yaml: services[0].host: required field missing",
                "b.yaml: services[0].port: expected an integer",
            ]
        );
        let good = "_format_version: \"3.0\"\nupstreams: [{ name: u }]\n";
        let told = mistakes(&[("a.yaml", good), ("b.yaml", good)]);
        assert!(told[0].starts_with("a.yaml + b.yaml: upstreams[0].name: uniqueness"), "{told:?}");
        assert_eq!(mistakes(&[("a.yaml", "a: [\nb")]), ["a.yaml: line 1 column 4: unclosed bracket '['"]);
        assert_eq!(mistakes(&[("a.yaml", good)]), [""; 0]);
    }
}
