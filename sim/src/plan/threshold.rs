//! What must hold at the end of a run: `"metric{tag:value}" = ["aggregation op value"]`, read and checked. Leaves evaluation
//! to `summary`, which knows the figures, and whether a tag's value exists to `scenario`, which knows the plan.

use std::ops::Range;
use std::time::Duration;

use super::duration::parse_duration;
use crate::words;

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
    /// How the rollout ended.
    Rollout,
    /// How long it took to find that the new version is bad.
    Detect,
    /// How long it took from there until nobody was sent to it any more.
    Rollback,
    /// Copies of requests.
    Mirror,
}

/// What must hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expression {
    /// `exact`: the right test for the algorithm.
    Exact,
    /// `== promoted`: how the rollout must end.
    Ends(End),
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

/// How a rollout ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The new version is the stable one.
    Promoted,
    /// Everything is as it was.
    RolledBack,
    /// It stopped where it was.
    Held,
    /// All steps are done and none of them was to promote, as of a shadow that nobody objected to.
    Complete,
    /// The load ended first.
    Unfinished,
}

impl End {
    const ALL: [Self; 5] = [Self::Promoted, Self::RolledBack, Self::Held, Self::Complete, Self::Unfinished];

    /// As thresholds and reports say it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled-back",
            Self::Held => "held",
            Self::Complete => "complete",
            Self::Unfinished => "unfinished",
        }
    }
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
    /// How long something took.
    Time,
    /// Copies sent.
    Copied,
    /// Copies whose answer was another one.
    Different,
    /// Copies without an answer, or without a target.
    Unanswered,
    /// Copies not sent because too many were under way.
    Overflow,
}

impl Aggregation {
    /// Whether it is compared with a plain number, and not with a time.
    fn is_number(self) -> bool {
        matches!(self, Self::Count | Self::Rate | Self::StalePicks)
            || matches!(self, Self::Copied | Self::Different | Self::Unanswered | Self::Overflow)
    }
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
    /// What stands there, in a few words.
    pub label: String,
    /// Where: bytes of the text that was read.
    pub span: Range<usize>,
    /// What would be right.
    pub help: String,
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
const RULES: [Rule; 12] = [
    Rule {
        name: "dropped",
        metric: Metric::Dropped,
        tags: &["phase", "upstream", "target", "version", "request", "stream", "cause"],
        asks: &["count", "rate"],
    },
    Rule {
        name: "duplicates",
        metric: Metric::Duplicates,
        tags: &["phase", "request", "stream"],
        asks: &["count", "rate"],
    },
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
    Rule {
        name: "rollout",
        metric: Metric::Rollout,
        tags: &[],
        asks: &["== promoted", "== rolled-back", "== held"],
    },
    Rule { name: "detect", metric: Metric::Detect, tags: &[], asks: &["time"] },
    Rule { name: "rollback", metric: Metric::Rollback, tags: &[], asks: &["time"] },
    Rule {
        name: "mirror",
        metric: Metric::Mirror,
        tags: &[],
        asks: &["copied", "different", "unanswered", "overflow"],
    },
];
const REQUESTS: &[&str] = &["phase", "upstream", "target", "version", "request", "stream"];
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
    /// Where each value stands: bytes of the text that was read.
    pub spans: Vec<Range<usize>>,
}

/// A text that is being read, so that a mistake in a part of it can say where it stands.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl Text<'_> {
    /// Where `part`, a slice of this text, stands.
    fn span(self, part: &str) -> Range<usize> {
        let start = (part.as_ptr() as usize).saturating_sub(self.0.as_ptr() as usize).min(self.0.len());
        start..(start + part.len()).min(self.0.len())
    }

    fn wrong(
        self,
        part: &str,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> ThresholdError {
        let (message, label, help) = (message.into(), label.into(), help.into());
        ThresholdError { message, label, span: self.span(part), help }
    }
}

/// Reads `latency{upstream:blue,target:httpbin.org:80}`. A value ends at the next comma.
///
/// # Errors
/// When there is no such metric or tag.
pub fn parse_subject(text: &str) -> Result<Subject, ThresholdError> {
    let whole = Text(text);
    let (name, tags) = match text.split_once('{') {
        None => (text, None),
        Some((name, rest)) => {
            let tags = rest.trim_end().strip_suffix('}').ok_or_else(|| {
                whole.wrong(&text[name.len()..], "the tags have no end", "no `}`", "write metric{tag:value}")
            })?;
            (name, Some(tags))
        }
    };
    let rule = rule_named(whole, name.trim())?;
    let mut subject = Subject { metric: rule.metric, tags: Vec::new(), spans: Vec::new() };
    for tag in tags.into_iter().flat_map(|tags| tags.split(',')) {
        let (name, value) = read_tag(whole, rule, tag)?;
        if subject.tags.iter().any(|(tag, _)| tag == name) {
            let message = format!("the tag `{name}` stands there twice");
            return Err(whole.wrong(tag, message, "a second time", "give each tag once"));
        }
        subject.tags.push((name.to_owned(), value.to_owned()));
        subject.spans.push(whole.span(value));
    }
    Ok(subject)
}

fn rule_named(whole: Text<'_>, name: &str) -> Result<&'static Rule, ThresholdError> {
    RULES.iter().find(|rule| rule.name == name).ok_or_else(|| {
        let names = RULES.map(|rule| rule.name);
        let help = match words::closest(name, &names) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("metrics: {}", words::quoted(&names)),
        };
        whole.wrong(name, format!("no metric is called `{name}`"), "no such metric", help)
    })
}

/// Name and value of one tag.
fn read_tag<'a>(whole: Text<'_>, rule: &Rule, tag: &'a str) -> Result<(&'a str, &'a str), ThresholdError> {
    let Some((name, value)) = tag.split_once(':') else {
        let message = format!("`{}` is not a tag", tag.trim());
        return Err(whole.wrong(tag, message, "no `:` here", "write tag:value"));
    };
    let (name, value) = (name.trim(), value.trim());
    if rule.tags.contains(&name) {
        return Ok((name, value));
    }
    let help = match (rule.tags, words::closest(name, rule.tags)) {
        ([], _) => format!("`{}` has no tags", rule.name),
        (_, Some(close)) => format!("did you mean `{close}`?"),
        (tags, None) => format!("tags of `{}`: {}", rule.name, words::quoted(tags)),
    };
    Err(whole.wrong(name, format!("`{}` has no tag `{name}`", rule.name), "no such tag", help))
}

/// Reads `p(99) < 100ms`, `count == 0` or `exact` about `metric`.
///
/// # Errors
/// When the metric cannot be asked that, or the limit is not of its kind.
pub fn parse_expression(metric: Metric, text: &str) -> Result<Expression, ThresholdError> {
    let whole = Text(text);
    let rule = rule_of(metric);
    let trimmed = text.trim();
    if metric == Metric::Weights {
        return if trimmed == "exact" { Ok(Expression::Exact) } else { Err(cannot(whole, rule, trimmed)) };
    }
    if metric == Metric::Rollout {
        let said = trimmed.strip_prefix("==").map(str::trim);
        let end = End::ALL.into_iter().find(|end| said == Some(end.as_str()));
        return end.map(Expression::Ends).ok_or_else(|| cannot(whole, rule, trimmed));
    }
    let Some((at, (sign, comparison))) = trimmed.char_indices().find_map(|(at, _)| {
        COMPARISONS.iter().find(|(sign, _)| trimmed[at..].starts_with(sign)).map(|c| (at, c))
    }) else {
        let help = "write aggregation < limit; also <=, >, >=, ==, !=";
        return Err(whole.wrong(trimmed, "there is no comparison", "no limit here", help));
    };
    let (asked, limit) = (trimmed[..at].trim(), trimmed[at + sign.len()..].trim());
    let aggregation = read_aggregation(whole, rule, asked)?;
    let limit = read_limit(whole, aggregation, limit)?;
    Ok(Expression::Compare { aggregation, comparison: *comparison, limit })
}

/// The rule of a metric; each has one, in the order of the enum.
fn rule_of(metric: Metric) -> &'static Rule {
    &RULES[metric as usize]
}

fn cannot(whole: Text<'_>, rule: &Rule, asked: &str) -> ThresholdError {
    let help = match words::closest(asked, rule.asks) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("`{}` can be asked for {}", rule.name, words::quoted(rule.asks)),
    };
    let message = format!("`{}` cannot be asked for `{asked}`", rule.name);
    whole.wrong(asked, message, "not something it has", help)
}

fn read_aggregation(whole: Text<'_>, rule: &Rule, asked: &str) -> Result<Aggregation, ThresholdError> {
    if let Some(percent) = asked.strip_prefix("p(").and_then(|rest| rest.strip_suffix(')'))
        && rule.asks == TIMES
    {
        return match percent.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Aggregation::Percentile(percent)),
            _ => {
                let help = "write p(0) to p(100), such as p(99.9)";
                Err(whole.wrong(percent, format!("`{percent}` is no percentile"), "not from 0 to 100", help))
            }
        };
    }
    if !rule.asks.contains(&asked) {
        return Err(cannot(whole, rule, asked));
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
        "time" => Aggregation::Time,
        "copied" => Aggregation::Copied,
        "different" => Aggregation::Different,
        "unanswered" => Aggregation::Unanswered,
        "overflow" => Aggregation::Overflow,
        _ => return Err(cannot(whole, rule, asked)),
    })
}

fn read_limit(whole: Text<'_>, aggregation: Aggregation, text: &str) -> Result<Limit, ThresholdError> {
    if aggregation.is_number() {
        return match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Limit::Number(number)),
            _ => {
                let help = "write a plain number, such as 0 or 0.01";
                Err(whole.wrong(text, format!("`{text}` is not a number"), "not a number", help))
            }
        };
    }
    parse_duration(text)
        .map(Limit::Time)
        .map_err(|e| whole.wrong(text, format!("a duration {e}"), "not a duration", "write 100ms or 1.5s"))
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
}
