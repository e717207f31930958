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
mod worst;

pub use judge::judge;
pub use model::{Against, Comparison, Condition, Row, Value, Word};
pub use part::{Head, Part, PartError, Shard, merge};
pub use ran::Ran;
pub use text::screen;

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
