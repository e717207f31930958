//! `junit.xml`: one test case for each threshold, as CI tabs read it. Names hold no observed figures, so that a case keeps its
//! history; message and figures stand in the element's text too, because some readers take only that. Where the run judges
//! nothing, being untrusted or stopped, every case is an error and none a failure.

use std::fmt::Write as _;

use crate::markup::{Markup, markup};
use crate::summary::{Outcome, Summary, ThresholdResult};
use crate::words;

/// The file.
pub(super) fn xml(summary: &Summary) -> String {
    let void = is_void(summary);
    let thresholds = &summary.verdict.thresholds;
    let failed = thresholds.iter().filter(|threshold| !threshold.ok).count();
    // Some readers refuse a suite without a case.
    let cases = thresholds.len().max(1);
    let (failures, errors) = if void { (0, cases) } else { (failed, 0) };
    let time = format!("{:.3}", summary.volatile.wall_s);
    let name = words::plain(&summary.scenario.name);
    let mut out = Markup::new();
    out.tag("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    markup!(out, "<testsuites name=\"sim\" tests=\"" (cases) "\" failures=\"" (failures) "\" errors=\"" (errors) "\" time=\"" (time) "\">\n");
    markup!(out, "  <testsuite name=\"" (name) "\" tests=\"" (cases) "\" failures=\"" (failures) "\" errors=\"" (errors) "\" skipped=\"0\" ");
    markup!(out, "time=\"" (time) "\" timestamp=\"" (summary.volatile.started_at) "\" file=\"" (words::plain(&summary.scenario.file)) "\">\n");
    if thresholds.is_empty() {
        case(&mut out, &name, "measurement", void.then_some(("error", summary.verdict.sentence.clone())));
    }
    for threshold in thresholds {
        let named = words::plain(&format!("{} {}", threshold.metric, threshold.expression));
        let problem = match (void, threshold.ok) {
            (true, _) => Some(("error", summary.verdict.sentence.clone())),
            (false, false) => Some(("failure", failure(summary, threshold))),
            (false, true) => None,
        };
        case(&mut out, &name, &named, problem);
    }
    out.tag("  </testsuite>\n</testsuites>\n");
    out.into_string()
}

/// Whether nothing that was seen counts as met or failed.
fn is_void(summary: &Summary) -> bool {
    summary.verdict.aborted || summary.verdict.result == Outcome::Invalid
}

fn case(out: &mut Markup, class: &str, name: &str, problem: Option<(&'static str, String)>) {
    markup!(out, "    <testcase classname=\"" (class) "\" name=\"" (name) "\" time=\"0.000\"");
    match problem {
        None => out.tag("/>\n"),
        Some((element, text)) => {
            let message = text.lines().next().unwrap_or_default().to_owned();
            markup!(out, ">\n      <" (element) " type=\"" (element) "\" message=\"" (message) "\">" (text) "</" (element) ">\n    </testcase>\n");
        }
    }
}

/// Limit, observed, margin; for drops, the causes with some ids.
fn failure(summary: &Summary, threshold: &ThresholdResult) -> String {
    let plain = words::plain;
    let mut text = format!(
        "{} should be {} but was {} ({})",
        plain(&threshold.metric),
        plain(&threshold.expression),
        plain(&threshold.observed),
        plain(&threshold.margin)
    );
    if threshold.metric.starts_with("dropped") {
        for (cause, n) in &summary.requests.dropped_by_cause {
            let ids = summary.samples.get(cause).map(|ids| plain(&ids.join(" "))).unwrap_or_default();
            let _ = write!(text, "\n{cause}: {}, such as {ids}", words::count(*n));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample::{failed, hostile, summary};
    use super::*;

    #[test]
    fn a_good_run_and_a_failed_one_read_like_this() {
        insta::assert_snapshot!("junit_pass", xml(&summary()));
        insta::assert_snapshot!("junit_fail", xml(&failed()));
    }

    #[test]
    fn what_cannot_be_trusted_or_was_stopped_is_an_error_and_no_failure() {
        let mut invalid = failed();
        invalid.verdict.result = Outcome::Invalid;
        let mut stopped = failed();
        stopped.verdict.aborted = true;
        for summary in [invalid, stopped] {
            let xml = xml(&summary);
            assert_eq!((xml.matches("<error ").count(), xml.matches("<failure").count()), (3, 0), "{xml}");
        }
    }

    #[test]
    fn a_run_without_thresholds_still_has_a_case() {
        let mut summary = summary();
        summary.verdict.thresholds.clear();
        assert!(xml(&summary).contains("tests=\"1\"") && xml(&summary).contains("name=\"measurement\""));
    }

    #[test]
    fn no_text_leaves_its_element() {
        let xml = xml(&hostile());
        assert!(!xml.contains("<script") && !xml.contains("]]>") && !xml.contains('\u{1b}'), "{xml}");
    }
}
