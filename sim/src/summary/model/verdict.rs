//! The judgement of a run, its thresholds, and whether the measurement itself can be trusted.

use serde::{Deserialize, Serialize};

/// `pass`, `fail` or `invalid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every threshold was met, and the measurement holds.
    Pass,
    /// At least one threshold was not met.
    Fail,
    /// The measurement cannot be trusted, whatever the thresholds say.
    Invalid,
}

/// The judgement of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// Pass, fail or invalid.
    pub result: Outcome,
    /// What the process exits with.
    pub exit_code: u8,
    /// Stopped by a signal before its end; the rest was never sent.
    pub aborted: bool,
    /// When it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted_at_ms: Option<f64>,
    /// One sentence in plain words that names the worst true thing.
    pub sentence: String,
    /// Each threshold, failed ones first.
    pub thresholds: Vec<ThresholdResult>,
}

/// One threshold and what was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ThresholdResult {
    /// `latency{phase:switch}`.
    pub metric: String,
    /// `p(99) < 40ms`.
    pub expression: String,
    /// The value, in words: `18.9 ms (20 requests)`, `8,000 : 4,000, never 1 request off`, `no samples`.
    pub observed: String,
    /// Whether it was met.
    pub ok: bool,
    /// Share of the limit used, 0 to 1 and above when exceeded; absent where a share means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<f64>,
    /// What is left, in words: `21.1 ms to spare`, `exact`.
    pub margin: String,
    /// Line in the scenario file, from 1; 0 when it came from elsewhere.
    pub line: usize,
}

/// Whether the generator kept its own promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Trust {
    /// Nothing to object to.
    Valid,
    /// Usable with care: passes, unless `--strict`.
    Degraded,
    /// Not usable: exit code 97.
    Invalid,
}

/// The measurement judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Validity {
    /// VALID, DEGRADED or INVALID.
    pub result: Trust,
    /// Why it is not VALID; each names the figure, the limit and the time span.
    pub reasons: Vec<String>,
    /// Released minus intended, of all released requests.
    pub lag_us: Lag,
    /// Requests released per second of planned load.
    pub achieved_rate: f64,
    /// Requests intended per second of planned load.
    pub intended_rate: f64,
    /// Time generator threads were ready but not running, per wall time (0 to 1), if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_queue_wait: Option<f64>,
    /// Time a hypervisor gave to others, per CPU time (0 to 1), if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal: Option<f64>,
    /// Time in which some task of the machine waited for a CPU, per wall time (0 to 1), if the system tells. Not judged: our own
    /// threads wait for each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_pressure: Option<f64>,
    /// CPU time other processes used, per time of all cores (0 to 1), if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_cpu: Option<f64>,
    /// The smallest step of the clock that stamps requests, if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_resolution_us: Option<f64>,
    /// Connections that a full backlog turned away somewhere on the machine, if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_overflows: Option<u64>,
    /// TCP segments that the machine sent again, per segment sent (0 to 1), if the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retransmitted: Option<f64>,
    /// Overshoot of a 1 ms sleep, the jitter probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_us: Option<Jitter>,
}

/// How far sleeps overshoot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Jitter {
    /// Median, microseconds.
    pub p50: f64,
    /// 99.9th percentile, microseconds.
    pub p999: f64,
    /// Largest, microseconds.
    pub max: f64,
}

/// A lateness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lag {
    /// Median, microseconds.
    pub p50: f64,
    /// 99th percentile, microseconds.
    pub p99: f64,
    /// Largest, microseconds.
    pub max: f64,
}
