//! `metrics.txt`: the figures of a run as OpenMetrics text, for GitLab's metrics report and whoever else reads that. GitLab
//! compares the text of a value, so figures have three significant digits, and what only tells of the machine is left out.

use std::fmt::Write as _;

use crate::summary::{Latency, Outcome, Summary, Switch};

/// Significant digits.
const DIGITS: i32 = 3;

/// Labels of a sample: names and values.
type Labels<'a> = &'a [(&'a str, &'a str)];

/// The file.
pub(super) fn text(summary: &Summary) -> String {
    let mut out = Families { text: String::new(), scenario: summary.scenario.name.clone() };
    ledger(&mut out, summary);
    latencies(&mut out, summary);
    switches(&mut out, summary);
    weights(&mut out, summary);
    verdict(&mut out, summary);
    out.text.push_str("# EOF\n");
    out.text
}

struct Families {
    text: String,
    scenario: String,
}

impl Families {
    /// Begins a family. A unit must be the end of its name.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    /// One sample. Counts are told as they are, since a ledger is exact; see [`rounded`] for the rest.
    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl std::fmt::Display) {
        let _ = write!(self.text, "{name}{{scenario=\"{}\"", escaped(&self.scenario));
        for (label, value) in labels {
            let _ = write!(self.text, ",{label}=\"{}\"", escaped(value));
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

fn ledger(out: &mut Families, summary: &Summary) {
    let requests = &summary.requests;
    out.family("sim_requests", "counter", "", "Intended requests by what became of them.");
    for (result, n) in [("answered", requests.answered), ("dropped", requests.dropped)] {
        out.sample("sim_requests_total", &[("result", result)], n);
    }
    out.family("sim_dropped_requests", "counter", "", "Dropped requests by cause.");
    for (cause, n) in &requests.dropped_by_cause {
        out.sample("sim_dropped_requests_total", &[("cause", cause)], *n);
    }
    out.family("sim_bad_answers", "counter", "", "Answers that were not as they should be.");
    for (kind, n) in [
        ("target_5xx", requests.target_5xx),
        ("duplicate", requests.duplicates),
        ("wrong_version", requests.wrong_version),
        ("lost", requests.lost),
    ] {
        out.sample("sim_bad_answers_total", &[("kind", kind)], n);
    }
}

fn latencies(out: &mut Families, summary: &Summary) {
    const NAME: &str = "sim_response_time_seconds";
    out.family(NAME, "summary", "seconds", "From the intended send time to the last byte of the answer.");
    let mut rows = vec![("all", &summary.latency_us)];
    let phases = summary.phases.iter().filter(|phase| phase.name != "warmup");
    rows.extend(phases.map(|phase| (phase.name.as_str(), &phase.latency_us)));
    for (phase, Latency { p50, p90, p99, p999, n, .. }) in rows {
        for (quantile, us) in [("0.5", p50), ("0.9", p90), ("0.99", p99), ("0.999", p999)] {
            if let Some(us) = us {
                out.sample(NAME, &[("phase", phase), ("quantile", quantile)], rounded(us / 1e6));
            }
        }
        out.sample("sim_response_time_seconds_count", &[("phase", phase)], *n);
    }
}

/// A time of a switch.
type Seconds = fn(&Switch) -> Option<f64>;

fn switches(out: &mut Families, summary: &Summary) {
    let figures: [(&str, &str, Seconds); 3] = [
        ("sim_switch_mixed_seconds", "From the first new answer to the last old one.", |switch| {
            switch.mixed_ms.map(|ms| ms / 1e3)
        }),
        ("sim_switch_drain_seconds", "From the switch to the last old answer.", |switch| {
            switch.drain_ms.map(|ms| ms / 1e3)
        }),
        ("sim_switch_cost_seconds", "Median response time after the switch minus before.", |switch| {
            switch.latency_cost_us.map(|cost| cost.p50 / 1e6)
        }),
    ];
    for (name, help, figure) in figures {
        out.family(name, "gauge", "seconds", help);
        for (at, switch) in summary.switches.iter().enumerate() {
            if let Some(value) = figure(switch) {
                let number = (at + 1).to_string();
                out.sample(
                    name,
                    &[("switch", &number), ("from", &switch.from), ("to", &switch.to)],
                    rounded(value),
                );
            }
        }
    }
}

fn weights(out: &mut Families, summary: &Summary) {
    const NAME: &str = "sim_weight_deviation_requests";
    out.family(NAME, "gauge", "", "Largest distance from the exact share after any pick.");
    let mut largest = std::collections::BTreeMap::<&str, f64>::new();
    for row in &summary.weights {
        let most = largest.entry(&row.upstream).or_default();
        *most = most.max(row.max_prefix_deviation_requests);
    }
    for (upstream, deviation) in largest {
        out.sample(NAME, &[("upstream", upstream)], rounded(deviation));
    }
}

fn verdict(out: &mut Families, summary: &Summary) {
    const NAME: &str = "sim_threshold_met";
    out.family(NAME, "gauge", "", "1 where a threshold was met.");
    let mut seen = std::collections::BTreeSet::new();
    for threshold in &summary.verdict.thresholds {
        // The same threshold twice would be the same sample twice.
        if seen.insert((&threshold.metric, &threshold.expression)) {
            let labels = [("metric", threshold.metric.as_str()), ("limit", threshold.expression.as_str())];
            out.sample(NAME, &labels, u64::from(threshold.ok));
        }
    }
    out.family("sim_passed", "gauge", "", "1 when the run passed.");
    out.sample(
        "sim_passed",
        &[],
        u64::from(summary.verdict.result == Outcome::Pass && !summary.verdict.aborted),
    );
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Three significant digits, without an exponent.
fn rounded(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let decimals = (DIGITS - 1 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{failed, hostile};
    use super::*;

    #[test]
    fn a_failed_run_reads_like_this() {
        insta::assert_snapshot!("metrics_fail", text(&failed()));
    }

    #[test]
    fn values_have_three_digits() {
        assert_eq!(
            [0.004_273_9, 0.0, 12_345.6, 0.333_33, 1.0, -0.000_204_9].map(rounded),
            ["0.00427", "0", "12346", "0.333", "1", "-0.000205"]
        );
    }

    #[test]
    fn a_name_cannot_begin_a_line() {
        let text = text(&hostile());
        assert!(text.lines().all(|line| line.starts_with("sim_") || line.starts_with("# ")), "{text}");
        assert_eq!(text.matches("# EOF").count(), 1);
    }
}
