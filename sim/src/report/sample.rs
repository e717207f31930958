//! The how-to played in virtual time with the real gateway, as a summary: what the tests of the reports draw.

use crate::measure::rehearsal::{how_to, measure, play};
use crate::plan::Threshold;
use crate::plan::threshold::{parse_expression, parse_subject};
use crate::summary::{Facts, Outcome, Summary, Trust, summarise};

/// 18,000 requests, two switches, three thresholds, all met.
pub(super) fn summary() -> Summary {
    let mut plan = how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")]);
    plan.thresholds =
        [("dropped", "count == 0"), ("weights{upstream:blue}", "exact"), ("switch", "mixed < 200ms")]
            .map(|(metric_text, expression_text)| {
                let subject = parse_subject(metric_text).unwrap();
                Threshold {
                    metric: subject.metric,
                    tags: subject.tags,
                    expression: parse_expression(subject.metric, expression_text).unwrap(),
                    metric_text: metric_text.to_owned(),
                    expression_text: expression_text.to_owned(),
                    line: 0,
                }
            })
            .to_vec();
    let said = play(&plan);
    summarise(&plan, &measure(&plan, &said), Facts::default())
}

/// The same with 214 requests dropped for two causes, and the first threshold failed.
pub(super) fn failed() -> Summary {
    let mut failed = summary();
    failed.verdict.result = Outcome::Fail;
    failed.verdict.exit_code = 99;
    failed.verdict.sentence = "198 requests were refused in the 300 ms after the first switch.".into();
    let dropped = &mut failed.verdict.thresholds[0];
    (dropped.ok, dropped.observed, dropped.margin) = (false, "214".into(), "214 too many".into());
    failed.requests.dropped = 214;
    failed.requests.answered -= 214;
    for (cause, n, ids) in [
        ("refused", 198, ["42-06003", "42-06004", "42-06007"]),
        ("reset_before_response", 16, ["42-06001", "42-06002", "42-06011"]),
    ] {
        failed.requests.dropped_by_cause.insert(cause.into(), n);
        failed.samples.insert(cause.into(), ids.map(str::to_owned).to_vec());
        let mut bins = vec![0; failed.series.t_ms.len()];
        bins[20] = n;
        failed.series.dropped.insert(cause.into(), bins);
    }
    failed
}

/// The same, measured by a generator that could not keep its schedule.
pub(super) fn invalid() -> Summary {
    let mut invalid = summary();
    invalid.verdict.result = Outcome::Invalid;
    invalid.verdict.exit_code = 97;
    invalid.verdict.sentence = "the load generator could not keep its schedule".into();
    invalid.validity.result = Trust::Invalid;
    invalid.validity.reasons = vec!["released 7,412 of 9,000 /s".into()];
    invalid
}

/// Text that would break out of any format that forgets to escape.
pub(super) const HOSTILE: &str =
    "=1+1\"'<script>alert(1)</script>]]>&\u{1b}[2J\\|`**\n# x\r\n::error::x\u{202e},@all ${x}\\";

/// The failed run with such text wherever a scenario or a target can put it.
pub(super) fn hostile() -> Summary {
    let mut hostile = failed();
    let text = || HOSTILE.to_owned();
    hostile.scenario.name = text();
    hostile.scenario.summary = Some(text());
    hostile.scenario.file = text();
    hostile.scenario.text = text();
    hostile.scenario.load = text();
    hostile.scenario.overrides = vec![text()];
    hostile.verdict.sentence = text();
    hostile.validity.reasons = vec![text()];
    hostile.environment.command = text();
    for threshold in &mut hostile.verdict.thresholds {
        (threshold.metric, threshold.expression, threshold.observed) = (text(), text(), text());
    }
    hostile.verdict.thresholds[0].metric = format!("dropped{HOSTILE}");
    for switch in &mut hostile.switches {
        (switch.service, switch.from, switch.to) = (text(), text(), text());
    }
    for target in &mut hostile.targets {
        (target.name, target.upstream, target.version) = (text(), text(), text());
    }
    for row in &mut hostile.weights {
        row.upstream = text();
        row.targets.iter_mut().for_each(|target| target.target = text());
    }
    for phase in &mut hostile.phases {
        phase.upstream = Some(text());
    }
    for spectrum in &mut hostile.spectrum {
        spectrum.upstream = Some(text());
    }
    let ranges = std::mem::take(&mut hostile.series.lag_range);
    hostile.series.lag_range = ranges.into_values().take(1).map(|range| (text(), range)).collect();
    for ids in hostile.samples.values_mut() {
        ids[0] = text();
    }
    for event in &mut hostile.events {
        event.text = text();
    }
    hostile
}
