//! Reads thresholds as they are written, by one table that says which tags each metric knows and what it can be asked for.

use std::ops::Range;

use super::{Aggregation, Comparison, End, Expression, Limit, Metric};
use crate::plan::duration::parse_duration;
use crate::words;

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
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) metric: Metric,
    tags: &'static [&'static str],
    asks: &'static [&'static str],
}

/// Every metric there is.
pub(super) const RULES: [Rule; 12] = [
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
pub(super) fn rule_of(metric: Metric) -> &'static Rule {
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
