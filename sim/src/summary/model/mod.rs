//! What a run leaves behind, as one value: `report.json` is this, serialised, and every other file is drawn from it.
//! The names are a promise (`"schema": 1`): outside programs read them. Times are milliseconds since the run's start,
//! latencies microseconds; a percentile beyond which no request lies is `None` (`null`), never a guess.

mod requests;
mod series;
mod switches;
mod verdict;
mod weights;

pub use requests::*;
pub use series::*;
pub use switches::*;
pub use verdict::*;
pub use weights::*;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Replications;
use super::mirror::MirrorSummary;
use super::rollout::RolloutSummary;

/// The version of the names below. A reader must refuse a number it does not know.
pub const SCHEMA: u32 = 1;

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Which scenario this was.
    pub scenario: ScenarioFacts,
    /// The judgement, and every threshold it rests on.
    pub verdict: Verdict,
    /// Whether the measurement itself can be trusted.
    pub validity: Validity,
    /// The ledger of the whole run, warm-up included.
    pub requests: Ledger,
    /// Up to three request ids for each drop cause that occurred.
    pub samples: BTreeMap<String, Vec<String>>,
    /// Response time of answered requests, warm-up left out.
    pub latency_us: Latency,
    /// Response time of all intended requests, a drop being infinitely late, warm-up left out.
    pub latency_all_us: LatencyAll,
    /// The stretches of the run, in order of time. They add up to the whole.
    pub phases: Vec<Phase>,
    /// What each stream of the load sent, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamRow>,
    /// What became of each kind of request, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_kinds: Vec<RequestRow>,
    /// Percentile spectrum of the response time: `before`, `switch` (all of them) and each `after`.
    pub spectrum: Vec<Spectrum>,
    /// One row for each Upstream and stretch between changes that bear on it.
    pub weights: Vec<WeightRow>,
    /// Each switch of a Service's host, in order.
    pub switches: Vec<Switch>,
    /// The rollout, in a run that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutSummary>,
    /// Copies of requests, in a run that has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<MirrorSummary>,
    /// Each mock target, in file order.
    pub targets: Vec<TargetRow>,
    /// The three slowest answered requests outside warm-up, slowest first.
    pub slowest: Vec<SlowRequest>,
    /// CPU time of each part, divided by the requests answered.
    pub cpu_us_per_request: CpuPerRequest,
    /// The run over time, in equal bins.
    pub series: Series,
    /// The response times of all answered requests, warm-up included.
    #[serde(default)]
    pub histograms: Histograms,
    /// What went wrong at the targets because the scenario said so, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultSpan>,
    /// What several modelled runs say together; everything else is of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replications: Option<Replications>,
    /// Steps, switches, faults, warnings, in order of time.
    pub events: Vec<Event>,
    /// Where and how it ran.
    pub environment: Environment,
    /// What differs between two runs of the same scenario and seed in the model engine.
    pub volatile: Volatile,
}

/// Which scenario ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScenarioFacts {
    /// `name` of the file.
    pub name: String,
    /// `summary` of the file: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// SHA-256 of the resolved scenario, in hex.
    pub sha256: String,
    /// `live` or `model`.
    pub engine: String,
    /// The seed everything was drawn from.
    pub seed: u64,
    /// The load in words: `600 per second, open loop, 30 s`.
    pub load: String,
    /// Seconds of load that were planned.
    pub duration_s: f64,
    /// The path as the user gave it.
    pub file: String,
    /// The file, verbatim.
    pub text: String,
    /// What `--set` and flags changed, as `path=value`.
    pub overrides: Vec<String>,
}

/// A fault of the scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FaultSpan {
    /// When it began.
    pub from_ms: f64,
    /// When it was over; nothing when it was on to the end.
    pub until_ms: Option<f64>,
    /// What it was, with what it says: `latency_x 20`.
    pub kind: String,
    /// Names of the mocks it hit.
    pub targets: Vec<String>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// When.
    pub t_ms: f64,
    /// `step`, `switch`, `phase`, `fault`, `warning`.
    pub kind: String,
    /// In words.
    pub text: String,
}

/// Where and how it ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Environment {
    /// `sim 0.1.0 (release)`.
    pub version: String,
    /// `linux x86_64`.
    pub os: String,
    /// Cores the process may use.
    pub cores: usize,
    /// Gateway workers.
    pub workers: usize,
    /// `shared` or `per-worker`.
    pub balancing: String,
    /// Client connections.
    pub connections: usize,
    /// Clock source, if the system tells.
    pub clock: Option<String>,
    /// The command that runs it again.
    pub command: String,
}

/// What changes from run to run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Volatile {
    /// UTC, RFC 3339, seconds.
    pub started_at: String,
    /// How long it all took.
    pub wall_s: f64,
    /// Free text about the machine, never its name.
    pub host: String,
}
