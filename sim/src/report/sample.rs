//! The how-to played in virtual time with the real gateway, as a summary: what the tests of the reports draw.

use crate::measure::rehearsal::{how_to, measure, play};
use crate::plan::Threshold;
use crate::plan::threshold::{parse_expression, parse_subject};
use crate::summary::{Facts, Summary, summarise};

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
