//! One `Summary` to every file and to the terminal. `report.json` is the summary itself; everything else is drawn from it.

mod annotations;
mod benchmark;
mod events;
mod figures;
mod hgrm;
mod hlog;
pub mod html;
mod json;
mod junit;
mod markdown;
mod metrics;
#[cfg(test)]
mod sample;
mod text;
mod timeseries;

pub use annotations::annotations;
pub use markdown::summary as markdown;
pub use text::screen;

use serde::Serialize as _;

use crate::chart;
use crate::hdr::HdrError;
use crate::summary::Summary;

/// The JSON Schema of `report.json`.
pub const SCHEMA: &str = include_str!("../../report.schema.json");

/// Why a file cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The summary cannot be serialised: a bug.
    #[error("cannot write report.json: {0}")]
    Json(#[from] serde_json::Error),
    /// A histogram of the summary is damaged.
    #[error("the report's latencies are damaged: {0}")]
    Histogram(#[from] HdrError),
}

/// Every file that is drawn from the summary: its name and content.
///
/// # Errors
/// When the summary holds histograms that are none.
pub fn files(summary: &Summary) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
    let text = |name: &str, content: String| (name.to_owned(), content.into_bytes());
    let charts =
        chart::alone(summary).into_iter().map(|(name, svg)| text(&format!("charts/{name}.svg"), svg));
    Ok(vec![
        text("report.json", json(summary)?),
        text("report.html", html::page(summary)),
        text("summary.md", markdown(summary)),
        text("junit.xml", junit::xml(summary)),
        ("latency.hlog".to_owned(), hlog::log(summary)?),
        text("latency.hgrm", hgrm::text(summary)?),
        ("timeseries.csv".to_owned(), timeseries::csv(summary)),
        text("events.ndjson", events::ndjson(summary)?),
        text("env.json", events::env(summary)?),
        text("metrics.txt", metrics::text(summary)),
        text("benchmark-smaller.json", benchmark::smaller(summary)?),
        text("benchmark-bigger.json", benchmark::bigger(summary)?),
    ]
    .into_iter()
    .chain(charts)
    .collect())
}

/// `report.json`, the same bytes as the file.
///
/// # Errors
/// When the summary cannot be serialised, which would be a bug.
pub fn json(summary: &Summary) -> Result<String, ReportError> {
    let mut bytes = Vec::new();
    summary.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, json::Lines::new()))?;
    bytes.push(b'\n');
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::sample::{failed, hostile, summary};
    use super::*;

    #[test]
    fn every_file_of_the_table_is_there_and_charts_need_nothing_else() {
        let files = files(&summary()).unwrap();
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        insta::assert_snapshot!(names.join("\n"));
        for (name, svg) in files.iter().filter(|(name, _)| name.starts_with("charts/")) {
            let svg = String::from_utf8_lossy(svg).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("<title id="), "{name}");
            assert!(!svg.contains("://") && !svg.contains("<script") && !svg.contains("href"), "{name}");
        }
    }

    // Aim: a report says the same however often it is drawn. Method: through report.json and back.
    #[test]
    fn everything_can_be_rebuilt_from_report_json() {
        let summary = summary();
        let again: Summary = serde_json::from_str(&json(&summary).unwrap()).unwrap();
        assert!(files(&again).unwrap() == files(&summary).unwrap());
    }

    #[test]
    fn no_chart_obeys_a_name() {
        for (name, svg) in chart::alone(&hostile()) {
            assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{name}");
        }
    }

    #[test]
    fn every_report_of_the_tests_is_valid_by_the_schema() {
        let schema = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
        for summary in [summary(), failed(), hostile()] {
            let report = serde_json::from_str(&json(&summary).unwrap()).unwrap();
            let wrong: Vec<_> = schema.iter_errors(&report).map(|e| e.to_string()).collect();
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
    }
}
