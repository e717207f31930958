//! One `Summary` to every file and to the terminal. `report.json` is the summary itself; everything else is drawn from it.

pub mod html;
#[cfg(test)]
mod sample;
mod text;

pub use text::screen;

use crate::summary::Summary;

/// Every file that is drawn from the summary: its name and content.
///
/// # Errors
/// When the summary cannot be serialised, which would be a bug.
pub fn files(summary: &Summary) -> Result<Vec<(&'static str, Vec<u8>)>, serde_json::Error> {
    Ok(vec![("report.json", json(summary)?.into_bytes()), ("report.html", html::page(summary).into_bytes())])
}

/// `report.json`, the same bytes as the file.
///
/// # Errors
/// When the summary cannot be serialised, which would be a bug.
pub fn json(summary: &Summary) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(summary).map(|text| text + "\n")
}
