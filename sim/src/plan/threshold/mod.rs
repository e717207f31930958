//! What must hold at the end of a run: `"metric{tag:value}" = ["aggregation op value"]`. How it is read is in `read`;
//! leaves evaluation to `summary`, which knows the figures, and whether a tag's value exists to `scenario`, which knows the plan.

mod read;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::read::{Subject, ThresholdError, parse_expression, parse_subject};

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
