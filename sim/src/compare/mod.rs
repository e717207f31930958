//! Many runs into one answer: which is better, by how much, and how sure one may be. From summaries to numbers, from numbers to
//! words, from words to files. Runs nothing and touches no file; leaves statistics to `stats`.

mod judge;
mod model;
mod part;
mod ran;

mod answer;
mod csv;
mod html;
mod junit;
mod markdown;
mod text;
mod track;

pub use judge::judge;
pub use model::{Against, Comparison, Condition, Row, Value, Word};
pub use part::{Head, Part, PartError, Shard, merge};
pub use ran::Ran;
pub use text::screen;
pub use track::Track;

/// The JSON Schema of `compare.json`.
pub const SCHEMA: &str = include_str!("../../compare.schema.json");

/// Every file that is drawn from a comparison: its name and content.
///
/// # Errors
/// When it cannot be serialised, which would be a bug.
pub fn files(comparison: &Comparison) -> Result<Vec<(&'static str, String)>, serde_json::Error> {
    Ok(vec![
        ("compare.json", json(comparison)?),
        ("compare.html", html::page(comparison)),
        ("compare.csv", csv::table(comparison)),
        ("compare.md", markdown::summary(comparison)),
        ("junit.xml", junit::xml(comparison)),
    ])
}

/// `compare.json`, the same bytes as the file.
///
/// # Errors
/// When it cannot be serialised, which would be a bug.
pub fn json(comparison: &Comparison) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(comparison)? + "\n")
}

/// `compare.md`, the same bytes as the file.
pub fn markdown(comparison: &Comparison) -> String {
    markdown::summary(comparison)
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_of_the_tests_is_valid_by_the_schema() {
        let schema = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        for comparison in [sample::comparison(), sample::hostile()] {
            let json = serde_json::from_str(&json(&comparison).unwrap()).unwrap();
            let wrong: Vec<_> = schema.iter_errors(&json).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}
