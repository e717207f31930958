//! Figures in words: units, plurals, grouping, signs. Pure, the same for page, terminal and files; how a figure is
//! escaped or coloured is left to the formats.

/// Stands where there is no figure: nothing lies beyond that percentile.
pub const NOTHING: &str = "–";

/// Thousands apart: `18,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 request`, `2 requests`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A fixed number of decimals, thousands apart, with a true minus and never a negative zero: `−1,204.5`.
pub fn decimal(value: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, rest) = digits.split_once('.').map_or((digits.as_str(), None), |(w, r)| (w, Some(r)));
    let mut text = whole.parse().map_or_else(|_| whole.to_owned(), count);
    if let Some(rest) = rest {
        text.push('.');
        text.push_str(rest);
    }
    let is_zero = !digits.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if value < 0.0 && !is_zero { format!("−{text}") } else { text }
}

/// A difference, with its sign: `+0.8`, `−0.4`, `0.0`.
pub fn signed(value: f64, decimals: usize) -> String {
    let text = decimal(value, decimals);
    let is_zero = !text.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    if is_zero || text.starts_with('−') { text } else { format!("+{text}") }
}

/// As many decimals as the value needs, at most `most`: `0.5`, `100`.
pub fn short(value: f64, most: usize) -> String {
    let text = decimal(value, most);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The same with its sign: `+10`, `0`, `−2.5`.
pub fn signed_short(value: f64, most: usize) -> String {
    let text = short(value, most);
    if text == "0" || text.starts_with('−') { text } else { format!("+{text}") }
}

/// The same for machines: no grouping, an ASCII minus.
pub fn short_plain(value: f64, most: usize) -> String {
    short(value, most).replace(',', "").replace('−', "-")
}

/// Microseconds as milliseconds with one decimal, without the unit: `20.9`.
pub fn ms(us: f64) -> String {
    decimal(us / 1_000.0, 1)
}

/// The same for a figure that may be missing: `20.9` or `–`.
pub fn ms_or_nothing(us: Option<f64>) -> String {
    us.map_or_else(|| NOTHING.to_owned(), ms)
}

/// Microseconds in the unit that fits: `93 µs`, `2.1 ms`, `12.50 s`.
pub fn time(us: f64) -> String {
    let size = us.abs();
    if size < 999.5 {
        format!("{} µs", decimal(us, 0))
    } else if size < 9_999_950.0 {
        format!("{} ms", ms(us))
    } else {
        format!("{} s", decimal(us / 1_000_000.0, 2))
    }
}

/// Microseconds always in milliseconds, with two decimals where one would say nothing: `0.09 ms`, `13.3 ms`.
pub fn time_in_ms(us: f64) -> String {
    format!("{} ms", decimal(us / 1_000.0, if us.abs() < 999.5 { 2 } else { 1 }))
}

/// Milliseconds since the start as seconds, without the unit: `10.0018`.
pub fn seconds(ms: f64, decimals: usize) -> String {
    decimal(ms / 1_000.0, decimals)
}

/// A share of one as per cent: `66.67 %`.
pub fn percent(share: f64, decimals: usize) -> String {
    format!("{} %", decimal(share * 100.0, decimals))
}

/// A share as a reader would say it: `½`, `⅔`, otherwise `12.5 %`.
pub fn share(share: f64) -> String {
    const KNOWN: [(f64, &str); 9] = [
        (1.0 / 2.0, "½"),
        (1.0 / 3.0, "⅓"),
        (2.0 / 3.0, "⅔"),
        (1.0 / 4.0, "¼"),
        (3.0 / 4.0, "¾"),
        (1.0 / 5.0, "⅕"),
        (2.0 / 5.0, "⅖"),
        (3.0 / 5.0, "⅗"),
        (4.0 / 5.0, "⅘"),
    ];
    KNOWN
        .iter()
        .find(|(value, _)| (value - share).abs() < 1e-6)
        .map_or_else(|| format!("{} %", short(share * 100.0, 1)), |(_, sign)| (*sign).to_owned())
}

/// A number in a ring: `①`; beyond the twenty that exist, `(21)`.
pub fn ringed(n: usize) -> String {
    match u32::try_from(n) {
        Ok(n @ 1..=20) => char::from_u32(0x2460 + n - 1).map_or_else(|| format!("({n})"), String::from),
        _ => format!("({n})"),
    }
}

/// A list as one reads it aloud: `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// `a or b`, and how many more where there are many: `a or b or c or d or 6 more`.
pub fn any_of<T: AsRef<str>>(values: &[T]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<_> = values.iter().take(SHOWN).map(AsRef::as_ref).collect();
    match values.len().saturating_sub(SHOWN) {
        0 => shown.join(" or "),
        more => format!("{} or {} more", shown.join(" or "), count(more as u64)),
    }
}

/// At most `most` characters, the cut marked: `httpbin.konghq…`.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// One line without anything a terminal or a reader's eye would obey: control characters, line ends and marks that turn
/// the direction of writing are spelt out.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}') {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Microseconds as a difference of latencies: `+0.8 ms`, `−0.4 ms`; what rounds to nothing has no sign.
pub fn difference(us: f64) -> String {
    format!("{} ms", signed(us / 1_000.0, 1))
}

/// A plain number: a count when it is whole, else two decimals.
pub fn number(value: f64) -> String {
    decimal(value, if value.fract() == 0.0 { 0 } else { 2 })
}

/// `first`, `second`, ... and `11th` beyond the tenth, from 1.
pub fn ordinal(n: usize) -> String {
    const WORDS: [&str; 10] =
        ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];
    if let Some(word) = n.checked_sub(1).and_then(|i| WORDS.get(i)) {
        return (*word).to_owned();
    }
    let suffix = match (n % 10, n % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{n}{suffix}")
}

/// The one of `known` that was probably meant by `name`, if any is near enough.
pub fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Nobody mistypes more than this; the distance takes time and room of length times length.
    const LENGTH_MAX: usize = 64;
    let length = name.chars().count();
    if length > LENGTH_MAX {
        return None;
    }
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .filter(|(distance, _)| *distance <= 1 + length / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Names one after another, each in backticks: `` `a`, `b` ``; from the thirteenth on only how many there are.
pub fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 12;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", name.as_ref())).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_numbers_and_ordinals_read_as_spoken() {
        assert_eq!(
            [difference(800.0), difference(-400.0), difference(-20.0)],
            ["+0.8 ms", "−0.4 ms", "0.0 ms"]
        );
        assert_eq!([number(599.98), number(-3.0), number(18_000.0)], ["599.98", "−3", "18,000"]);
        assert_eq!([ordinal(1), ordinal(10), ordinal(11), ordinal(22)], ["first", "tenth", "11th", "22nd"]);
    }

    // Aim: a slip of the finger is recognised, another word is not, and a long list stays short. Method: one of each.
    #[test]
    fn slips_are_recognised_and_long_lists_are_cut() {
        assert_eq!(closest("wieght", &["target", "weight"]), Some("weight"));
        assert_eq!(closest("at", &["host", "weight"]), None);
        assert_eq!(closest(&"x".repeat(100_000), &["x"]), None);
        assert_eq!(quoted(&["a", "b"]), "`a`, `b`");
        assert!(quoted(&["n"; 15]).ends_with("`n` and 3 more"));
    }

    // Aim: thousands are set apart at every length. Method: the lengths around each comma.
    #[test]
    fn counts_are_grouped_by_three() {
        let seen: Vec<_> = [0, 999, 1_000, 18_000, 1_234_567, u64::MAX].map(count).into();
        assert_eq!(seen, ["0", "999", "1,000", "18,000", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    // Aim: one is singular, all else counted, zero too. Method: the three.
    #[test]
    fn only_one_is_singular() {
        assert_eq!(
            [0, 1, 1_200].map(|n| counted(n, "request")),
            ["0 requests", "1 request", "1,200 requests"]
        );
    }

    // Aim: a difference shows its sign, nothing shows none, and no negative zero appears. Method: around zero.
    #[test]
    fn signs_are_true_and_zero_has_none() {
        let seen = [0.83, -0.41, 0.0, -0.04, 0.04, -1_204.5].map(|value| signed(value, 1));
        assert_eq!(seen, ["+0.8", "−0.4", "0.0", "0.0", "0.0", "−1,204.5"]);
    }

    // Aim: the unit follows the size. Method: both sides of each border.
    #[test]
    fn a_time_takes_the_unit_that_fits() {
        let seen = [0.0, 93.2, 999.4, 999.6, 2_140.0, 612_400.0, 9_999_900.0, 12_500_000.0].map(time);
        assert_eq!(
            seen,
            ["0 µs", "93 µs", "999 µs", "1.0 ms", "2.1 ms", "612.4 ms", "9,999.9 ms", "12.50 s"]
        );
    }

    // Aim: a small time in milliseconds still says something. Method: both sides of a millisecond.
    #[test]
    fn a_time_in_milliseconds_keeps_two_figures() {
        assert_eq!([93.2, 0.0, 999.6, 13_300.0].map(time_in_ms), ["0.09 ms", "0.00 ms", "1.0 ms", "13.3 ms"]);
    }

    // Aim: shares read as fractions where one exists. Method: two that do, two that do not.
    #[test]
    fn many_values_are_not_all_named() {
        assert_eq!([any_of(&["a"; 1]), any_of(&["a"; 4])], ["a", "a or a or a or a"]);
        assert_eq!(any_of(&["a"; 1004]), "a or a or a or a or 1,000 more");
    }

    #[test]
    fn shares_read_as_fractions() {
        assert_eq!([2.0 / 3.0, 0.5, 0.05, 0.123].map(share), ["⅔", "½", "5 %", "12.3 %"]);
    }

    // Aim: no text from outside can move the cursor or turn the line. Method: an escape sequence and a direction mark.
    #[test]
    fn plain_text_cannot_command_a_terminal() {
        assert_eq!(plain("a\u{1b}[31m\nb\u{202e}c"), "a\\u{1b}[31m\\nb\\u{202e}c");
    }

    // Aim: cutting counts characters, not bytes. Method: a name of two-byte letters.
    #[test]
    fn cuts_fall_between_characters() {
        assert_eq!(cut("äöüäöü", 4), "äöü…");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    // Aim: lists read aloud. Method: none, one, two, three.
    #[test]
    fn lists_end_in_and() {
        let of = |items: &[&str]| list(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>());
        assert_eq!(
            [of(&[]), of(&["a"]), of(&["a", "b"]), of(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}
