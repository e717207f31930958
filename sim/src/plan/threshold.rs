//! What must hold at the end of a run: `"metric{tag:value}" = ["aggregation op value"]`, parsed. Leaves evaluation to
//! `summary`, which knows the figures.

use std::time::Duration;

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
