//! What thresholds mean, and what each mistake in one is told.

use std::time::Duration;

use super::read::{RULES, rule_of};
use super::*;

fn expression(subject: &str, text: &str) -> Result<Expression, ThresholdError> {
    parse_expression(parse_subject(subject)?.metric, text)
}

#[test]
fn subjects_have_a_metric_and_tags() {
    let subject = parse_subject("latency{upstream:blue, target:httpbin.org:80}").unwrap();
    assert_eq!(subject.metric, Metric::Latency);
    let tags: Vec<_> = subject.tags.iter().map(|(tag, value)| (tag.as_str(), value.as_str())).collect();
    assert_eq!(tags, [("upstream", "blue"), ("target", "httpbin.org:80")]);
    assert_eq!(subject.spans, [17..21, 30..44]);
    for (bad, said) in [
        ("latncy", "no metric is called `latncy`"),
        ("latency{phase:x", "the tags have no end"),
        ("latency{x}", "`x` is not a tag"),
        ("rate{phase:x}", "`rate` has no tag `phase`"),
        ("latency{phase:x,phase:y}", "the tag `phase` stands there twice"),
    ] {
        assert_eq!(parse_subject(bad).unwrap_err().message, said);
    }
}

#[test]
fn a_mistake_says_where_it_stands() {
    let at = |error: ThresholdError, text: &str| text[error.span].to_owned();
    for (text, part) in
        [("latncy{phase:x}", "latncy"), ("latency{ phse:x}", "phse"), ("latency{phase:x", "{phase:x")]
    {
        assert_eq!(at(parse_subject(text).unwrap_err(), text), part);
    }
    for (text, part) in [(" p(99) < 100", "100"), ("p(101) < 1ms", "101"), (" cuont == 0 ", "cuont")] {
        assert_eq!(at(parse_expression(Metric::Latency, text).unwrap_err(), text), part);
    }
}

#[test]
fn each_metric_has_its_own_rule() {
    assert!(RULES.iter().all(|rule| rule_of(rule.metric).name == rule.name));
    assert_eq!(RULES.len(), Metric::Mirror as usize + 1);
}

#[test]
fn expressions_compare_what_the_metric_has_with_its_kind_of_limit() {
    let less = Comparison::Less;
    for (subject, text, aggregation, comparison, limit) in [
        (
            "latency",
            "p(99.9) < 100ms",
            Aggregation::Percentile(99.9),
            less,
            Limit::Time(Duration::from_millis(100)),
        ),
        ("dropped", "count==0", Aggregation::Count, Comparison::Equal, Limit::Number(0.0)),
        ("dropped", "rate <= 0.01", Aggregation::Rate, Comparison::LessOrEqual, Limit::Number(0.01)),
        ("switch", "stale_picks == 0", Aggregation::StalePicks, Comparison::Equal, Limit::Number(0.0)),
        ("switch", "cost < 10ms", Aggregation::Cost, less, Limit::Time(Duration::from_millis(10))),
        ("rate", "rate >= 590", Aggregation::Rate, Comparison::GreaterOrEqual, Limit::Number(590.0)),
    ] {
        assert_eq!(
            expression(subject, text),
            Ok(Expression::Compare { aggregation, comparison, limit }),
            "{text}"
        );
    }
    assert_eq!(expression("weights{upstream:blue}", "exact"), Ok(Expression::Exact));
    for (subject, text, said) in [
        ("latency", "p(101) < 1ms", "`101` is no percentile"),
        ("latency", "p(99) < 100", "a duration needs a unit"),
        ("latency", "p(99)", "there is no comparison"),
        ("latency", "count < 1", "`latency` cannot be asked for `count`"),
        ("dropped", "count == none", "`none` is not a number"),
        ("dropped", "p(99) < 1ms", "`dropped` cannot be asked for `p(99)`"),
        ("weights", "nearly", "`weights` cannot be asked for `nearly`"),
    ] {
        assert_eq!(expression(subject, text).unwrap_err().message, said);
    }
}
