//! What must hold at the end of a run: `"metric{tag:value}" = ["aggregation op value"]`, read and checked. Leaves evaluation
//! to `summary`, which knows the figures, and whether a tag's value exists to `scenario`, which knows the plan.

use std::time::Duration;

use super::duration::parse_duration;

/// One expression about one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// What it is about.
    pub metric: Metric,
    /// Tag and value: `phase`, `upstream`, `target`, `cause`, ...
    pub tags: Vec<(String, String)>,
    /// What must hold.
    pub expression: Expression,
    /// The metric as written, `latency{phase:switch}`.
    pub metric_text: String,
    /// The expression as written, `p(99) < 40ms`.
    pub expression_text: String,
    /// Line in the scenario file, from 1; 0 when it came from elsewhere.
    pub line: usize,
}

/// What a threshold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Dropped requests.
    Dropped,
    /// Requests that reached targets more than once.
    Duplicates,
    /// Answers with a 5xx status of a target's own.
    Errors,
    /// Response time.
    Latency,
    /// Service time.
    ServiceTime,
    /// Weight accuracy.
    Weights,
    /// The switches.
    Switch,
    /// Requests released per second.
    Rate,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expression {
    /// `exact`: the right test for the algorithm.
    Exact,
    /// An aggregate against a limit.
    Compare {
        /// What is computed.
        aggregation: Aggregation,
        /// How it is compared.
        comparison: Comparison,
        /// With what.
        limit: Limit,
    },
}

/// What is computed from a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// How many.
    Count,
    /// Share of the intended requests (0 to 1), or requests per second for `rate`.
    Rate,
    /// Percentile, 0 to 100.
    Percentile(f64),
    /// Mean.
    Avg,
    /// Median.
    Med,
    /// Fastest.
    Min,
    /// Slowest.
    Max,
    /// First new answer to last old answer.
    Mixed,
    /// First new pick to last old pick.
    MixedPicks,
    /// Applied to last old answer.
    Drain,
    /// Requested to applied.
    Applied,
    /// Old picks after the acknowledgement.
    StalePicks,
    /// Median after minus median before.
    Cost,
}

/// How a value is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// What a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// A plain number.
    Number(f64),
    /// A duration.
    Time(Duration),
}

/// Why a threshold cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ThresholdError {
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

/// What each metric is called, which tags it knows and what can be asked of it.
#[derive(Debug)]
struct Rule {
    name: &'static str,
    metric: Metric,
    tags: &'static [&'static str],
    asks: &'static [&'static str],
}

/// Every metric there is.
const RULES: [Rule; 8] = [
    Rule {
        name: "dropped",
        metric: Metric::Dropped,
        tags: &["phase", "upstream", "target", "version", "cause"],
        asks: &["count", "rate"],
    },
    Rule { name: "duplicates", metric: Metric::Duplicates, tags: &["phase"], asks: &["count", "rate"] },
    Rule { name: "errors", metric: Metric::Errors, tags: REQUESTS, asks: &["count", "rate"] },
    Rule { name: "latency", metric: Metric::Latency, tags: REQUESTS, asks: TIMES },
    Rule { name: "service_time", metric: Metric::ServiceTime, tags: REQUESTS, asks: TIMES },
    Rule { name: "weights", metric: Metric::Weights, tags: &["upstream", "phase"], asks: &["exact"] },
    Rule {
        name: "switch",
        metric: Metric::Switch,
        tags: &[],
        asks: &["mixed", "mixed_picks", "drain", "applied", "stale_picks", "cost"],
    },
    Rule { name: "rate", metric: Metric::Rate, tags: &[], asks: &["rate"] },
];
const REQUESTS: &[&str] = &["phase", "upstream", "target", "version"];
const TIMES: &[&str] = &["p(99)", "avg", "med", "min", "max"];
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// A metric and its tags, as written before the `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What it is about.
    pub metric: Metric,
    /// Tag and value, in the order they are written.
    pub tags: Vec<(String, String)>,
}

impl ThresholdError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// Reads `latency{upstream:blue,target:httpbin.org:80}`. A value ends at the next comma.
///
/// # Errors
/// When there is no such metric or tag.
pub fn parse_subject(text: &str) -> Result<Subject, ThresholdError> {
    let (name, tags) = match text.split_once('{') {
        None => (text, None),
        Some((name, rest)) => {
            let tags = rest
                .strip_suffix('}')
                .ok_or_else(|| ThresholdError::new("the tags have no end", "write `metric{tag:value}`"))?;
            (name, Some(tags))
        }
    };
    let rule = rule_named(name.trim())?;
    let tags = tags.into_iter().flat_map(|tags| tags.split(',')).map(|tag| read_tag(rule, tag));
    let tags: Vec<_> = tags.collect::<Result<_, _>>()?;
    let has = |name: &str| tags.iter().any(|(tag, _)| tag == name);
    if has("phase") && (has("target") || has("version")) {
        return Err(ThresholdError::new(
            "targets are not measured by phase",
            "ask for a phase, or for a target or version",
        ));
    }
    Ok(Subject { metric: rule.metric, tags })
}

fn rule_named(name: &str) -> Result<&'static Rule, ThresholdError> {
    RULES.iter().find(|rule| rule.name == name).ok_or_else(|| {
        let names: Vec<_> = RULES.iter().map(|rule| format!("`{}`", rule.name)).collect();
        ThresholdError::new(format!("no metric is called `{name}`"), format!("metrics: {}", names.join(", ")))
    })
}

fn read_tag(rule: &Rule, tag: &str) -> Result<(String, String), ThresholdError> {
    let Some((name, value)) = tag.split_once(':') else {
        return Err(ThresholdError::new(format!("`{}` is not a tag", tag.trim()), "write `tag:value`"));
    };
    let (name, value) = (name.trim(), value.trim());
    if rule.tags.contains(&name) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    let known: Vec<_> = rule.tags.iter().map(|tag| format!("`{tag}`")).collect();
    let help = match known.as_slice() {
        [] => format!("`{}` has no tags", rule.name),
        known => format!("tags of `{}`: {}", rule.name, known.join(", ")),
    };
    Err(ThresholdError::new(format!("`{}` has no tag `{name}`", rule.name), help))
}

/// Reads `p(99) < 100ms`, `count == 0` or `exact` about `metric`.
///
/// # Errors
/// When the metric cannot be asked that, or the limit is not of its kind.
pub fn parse_expression(metric: Metric, text: &str) -> Result<Expression, ThresholdError> {
    let Some(rule) = RULES.iter().find(|rule| rule.metric == metric) else {
        return Err(ThresholdError { message: "this metric is not served".to_owned(), help: None });
    };
    let text = text.trim();
    if metric == Metric::Weights {
        return if text == "exact" { Ok(Expression::Exact) } else { Err(asks(rule, text)) };
    }
    let Some((at, (sign, comparison))) = text.char_indices().find_map(|(at, _)| {
        COMPARISONS.iter().find(|(sign, _)| text[at..].starts_with(sign)).map(|c| (at, c))
    }) else {
        return Err(ThresholdError::new(
            "there is no comparison",
            "write `aggregation < limit`; also <=, >, >=, ==, !=",
        ));
    };
    let (asked, limit) = (text[..at].trim(), text[at + sign.len()..].trim());
    let aggregation = read_aggregation(rule, asked)?;
    Ok(Expression::Compare { aggregation, comparison: *comparison, limit: read_limit(aggregation, limit)? })
}

fn asks(rule: &Rule, asked: &str) -> ThresholdError {
    let asks: Vec<_> = rule.asks.iter().map(|ask| format!("`{ask}`")).collect();
    ThresholdError::new(
        format!("`{}` cannot be asked for `{asked}`", rule.name),
        format!("`{}` can be asked for {}", rule.name, asks.join(", ")),
    )
}

fn read_aggregation(rule: &Rule, asked: &str) -> Result<Aggregation, ThresholdError> {
    if let Some(percent) = asked.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')'))
        && rule.asks == TIMES
    {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Aggregation::Percentile(percent)),
            _ => Err(ThresholdError::new(
                format!("`{percent}` is no percentile"),
                "write p(0) to p(100), such as p(99.9)",
            )),
        };
    }
    if !rule.asks.contains(&asked) {
        return Err(asks(rule, asked));
    }
    Ok(match asked {
        "count" => Aggregation::Count,
        "rate" => Aggregation::Rate,
        "avg" => Aggregation::Avg,
        "med" => Aggregation::Med,
        "min" => Aggregation::Min,
        "max" => Aggregation::Max,
        "mixed" => Aggregation::Mixed,
        "mixed_picks" => Aggregation::MixedPicks,
        "drain" => Aggregation::Drain,
        "applied" => Aggregation::Applied,
        "stale_picks" => Aggregation::StalePicks,
        "cost" => Aggregation::Cost,
        _ => return Err(asks(rule, asked)),
    })
}

fn read_limit(aggregation: Aggregation, text: &str) -> Result<Limit, ThresholdError> {
    if matches!(aggregation, Aggregation::Count | Aggregation::Rate | Aggregation::StalePicks) {
        return match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Limit::Number(number)),
            _ => Err(ThresholdError::new(
                format!("`{text}` is not a number"),
                "write a plain number, such as 0 or 0.01",
            )),
        };
    }
    parse_duration(text)
        .map(Limit::Time)
        .map_err(|e| ThresholdError::new(format!("a duration {e}"), "write \"100ms\" or \"1.5s\""))
}

#[cfg(test)]
mod tests {
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
        for (bad, said) in [
            ("latncy", "no metric is called `latncy`"),
            ("latency{phase:x", "the tags have no end"),
            ("latency{x}", "`x` is not a tag"),
            ("rate{phase:x}", "`rate` has no tag `phase`"),
            ("latency{phase:x,target:y}", "targets are not measured by phase"),
        ] {
            assert_eq!(parse_subject(bad).unwrap_err().message, said);
        }
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
}
