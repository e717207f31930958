//! `benchmark-smaller.json` and `benchmark-bigger.json`: figures for github-action-benchmark, which takes one direction for
//! each file. Names are the same from run to run; the range is half the 95 % interval.

use serde::Serialize;

use super::ReportError;
use crate::hdr::HdrError;
use crate::stats::Estimate;
use crate::summary::{Summary, quantile};
use crate::words;

/// One figure.
#[derive(Debug, Serialize)]
struct Figure {
    name: String,
    unit: &'static str,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra: Option<String>,
}

/// Figures of which less is better.
///
/// # Errors
/// When a histogram of the report cannot be read.
pub(super) fn smaller(summary: &Summary) -> Result<String, ReportError> {
    let scenario = words::plain(&summary.scenario.name);
    let mut figures = latencies(summary)?;
    let requests = &summary.requests;
    for (name, n) in [("dropped", requests.dropped), ("5xx answers", requests.target_5xx)] {
        figures.push(Figure {
            name: name.to_owned(),
            unit: "requests",
            value: n as f64,
            range: None,
            extra: Some(format!("of {} intended", words::count(requests.intended))),
        });
    }
    for (at, switch) in summary.switches.iter().enumerate() {
        let name = |what: &str| format!("switch {} {what}", at + 1);
        if let Some(value) = switch.mixed_ms {
            figures.push(Figure { name: name("mixed"), unit: "ms", value, range: None, extra: None });
        }
        if let Some(cost) = switch.latency_cost_us {
            let range = Some(plus_minus((cost.high - cost.low) / 2e3));
            let value = cost.p50 / 1e3;
            figures.push(Figure { name: name("cost p50"), unit: "ms", value, range, extra: None });
        }
    }
    if let Some(value) = summary.cpu_us_per_request.gateway {
        let name = "gateway CPU per request".to_owned();
        figures.push(Figure { name, unit: "µs", value, range: None, extra: None });
    }
    file(&scenario, figures)
}

/// Figures of which more is better.
///
/// # Errors
/// When they cannot be serialised, which would be a bug.
pub(super) fn bigger(summary: &Summary) -> Result<String, ReportError> {
    let requests = &summary.requests;
    let share = requests.answered as f64 / requests.intended.max(1) as f64;
    let rate = requests.answered as f64 / summary.scenario.duration_s.max(f64::MIN_POSITIVE);
    let figure =
        |name: &str, unit, value| Figure { name: name.to_owned(), unit, value, range: None, extra: None };
    let figures = vec![figure("answered", "%", share * 100.0), figure("answered per second", "1/s", rate)];
    file(&words::plain(&summary.scenario.name), figures)
}

fn latencies(summary: &Summary) -> Result<Vec<Figure>, HdrError> {
    let mut figures = Vec::new();
    let phases = summary.phases.iter().map(|phase| phase.name.as_str()).filter(|name| *name != "warmup");
    for phase in std::iter::once("all").chain(phases) {
        let times =
            summary.histograms.of(|name| if phase == "all" { name != "warmup" } else { name == phase })?;
        for (q, p) in [(0.5, "p50"), (0.99, "p99")] {
            let Some(Estimate { value, low, high }) = quantile(&times, q) else { continue };
            figures.push(Figure {
                name: format!("{phase} {p}"),
                unit: "ms",
                value: value / 1e3,
                range: Some(plus_minus((high - low) / 2e3)),
                extra: Some(words::counted(times.len(), "request")),
            });
        }
    }
    Ok(figures)
}

fn plus_minus(half: f64) -> String {
    format!("± {}", words::short_plain(half, 3))
}

fn file(scenario: &str, mut figures: Vec<Figure>) -> Result<String, ReportError> {
    for figure in &mut figures {
        figure.name = format!("{scenario}: {}", figure.name);
    }
    Ok(serde_json::to_string_pretty(&figures)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample::summary;
    use super::*;

    #[test]
    fn figures_are_numbers_with_stable_names() {
        let summary = summary();
        for text in [smaller(&summary).unwrap(), bigger(&summary).unwrap()] {
            let figures: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            for figure in &figures {
                let name = figure["name"].as_str().unwrap();
                assert!(name.starts_with("blue-green: ") && figure["value"].is_number(), "{figure}");
                assert!(figure["unit"].is_string());
            }
        }
        let names = smaller(&summary).unwrap();
        for name in ["all p50", "before p99", "switch 1 mixed", "switch 2 cost p50", "dropped"] {
            assert!(names.contains(&format!("blue-green: {name}\"")), "{name}: {names}");
        }
    }
}
