//! What a run leaves behind, as one value: `report.json` is this, serialised, and every other file is drawn from it.
//! The names are a promise (`"schema": 1`): outside programs read them. Times are milliseconds since the run's start,
//! latencies microseconds; a percentile beyond which no request lies is `None` (`null`), never a guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Replications;
use super::mirror::MirrorSummary;
use super::rollout::RolloutSummary;
use crate::measure::Cause;

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

/// Requests counted once each: `intended == answered + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ledger {
    /// What the schedule asked for.
    pub intended: u64,
    /// What got a complete answer, of any status the target chose.
    pub answered: u64,
    /// What did not; the sum of `dropped_by_cause`.
    pub dropped: u64,
    /// Answers with a 5xx status of the target's own: answered, but bad.
    pub target_5xx: u64,
    /// Requests that reached targets more than once.
    pub duplicates: u64,
    /// Answers by a version that was not in force when the request was picked.
    pub wrong_version: u64,
    /// Requests the client counts as answered that no target's book knows.
    pub lost: u64,
    /// Attempts of the client that failed and were followed by another; of the whole run only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u64,
    /// Requests that were sent a second time before their answer; of the whole run only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hedges: u64,
    /// By cause, only those that occurred.
    pub dropped_by_cause: BTreeMap<String, u64>,
}

impl Ledger {
    /// How many of the dropped were never sent, because the run was stopped before their time.
    pub fn not_sent(&self) -> u64 {
        self.dropped_by_cause.get(Cause::Unsent.as_str()).copied().unwrap_or(0)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Percentiles of answered requests, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Latency {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// Slowest.
    pub max: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// How many requests these rest on.
    pub n: u64,
}

/// Percentiles of all intended requests; `None` when the percentile is a drop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LatencyAll {
    /// Median.
    pub p50: Option<f64>,
    /// 90th percentile.
    pub p90: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
    /// 99.9th percentile.
    pub p999: Option<f64>,
    /// How many requests these rest on, drops included.
    pub n: u64,
}

/// A stretch of the run, by what was measured. A request belongs to the phase of its intended time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phase {
    /// `warmup`, `before`, `switch-1`, `after-1`, ... (`switch`, `after` when there is one switch).
    pub name: String,
    /// Where it begins.
    pub from_ms: f64,
    /// Where it ends, exclusive.
    pub to_ms: f64,
    /// The Upstream that serves in it (of the switched Service, or the first), if any.
    pub upstream: Option<String>,
    /// Its part of the ledger.
    pub requests: Ledger,
    /// Response time of its answered requests.
    pub latency_us: Latency,
    /// The same over all its intended requests, a drop being infinitely late.
    #[serde(default)]
    pub latency_all_us: LatencyAll,
    /// Released minus intended, of its released requests: the generator's own lag.
    #[serde(default)]
    pub lag_us: Latency,
    /// On the wire minus released, of those put on the wire: the wait for a connection.
    #[serde(default)]
    pub client_wait_us: Latency,
    /// First byte minus on the wire, of those with a first byte.
    #[serde(default)]
    pub ttfb_us: Latency,
    /// Done minus on the wire, of its answered requests.
    pub service_time_us: Latency,
}

/// One stream of the load over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StreamRow {
    /// Its name; `load` when there is one stream.
    pub name: String,
    /// It in words: `600 per second, open loop, 30s`.
    pub load: String,
    /// Its part of the ledger.
    pub requests: Ledger,
    /// Response time of its answered requests, warm-up left out, within 0.8 %.
    pub latency_us: Latency,
    /// The same over all its intended requests, a drop being infinitely late.
    pub latency_all_us: LatencyAll,
    /// Done minus on the wire, of its answered requests.
    pub service_time_us: Latency,
}

/// One kind of request over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RequestRow {
    /// The stream that sends it.
    pub stream: String,
    /// Its name, else method and path: what the tag `request` of a threshold means.
    pub name: String,
    /// `GET`
    pub method: String,
    /// Its part of the ledger.
    pub requests: Ledger,
    /// Response time of its answered requests, warm-up left out, within 0.8 %.
    pub latency_us: Latency,
    /// The same over all its intended requests, a drop being infinitely late.
    pub latency_all_us: LatencyAll,
    /// Each version that answered it.
    pub versions: Vec<VersionCell>,
}

/// The answers of one version to one kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionCell {
    /// Which.
    pub version: String,
    /// Answers clients got.
    pub answered: u64,
    /// Of those, 5xx.
    pub errors: u64,
    /// Their response time, warm-up left out, within 0.8 %.
    pub latency_us: Latency,
}

/// One line of the percentile spectrum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spectrum {
    /// `before`, `switch` or `after-1`.
    pub name: String,
    /// The Upstream it stands for, when there is one.
    pub upstream: Option<String>,
    /// How many answered requests it rests on.
    pub n: u64,
    /// Percentile in 0..=1 and response time in microseconds, rising; the last is the slowest request.
    pub points: Vec<(f64, f64)>,
}

/// How exactly one Upstream kept its weights, between two changes that bear on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WeightRow {
    /// The gateway's node, from 1, where there are several: each keeps weights by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u16>,
    /// The Upstream.
    pub upstream: String,
    /// The phase in which the stretch began.
    pub phase: String,
    /// From which moment.
    pub from_ms: f64,
    /// `round-robin`.
    pub algorithm: String,
    /// First tries picked.
    pub requests: u64,
    /// Each member.
    pub targets: Vec<WeightTarget>,
    /// Largest distance from the exact share after any pick, in requests, the lag carried in included.
    pub max_prefix_deviation_requests: f64,
    /// The test that `weights ... ["exact"]` stands for.
    pub test: WeightTest,
}

impl WeightRow {
    /// The Upstream, and the node where there are several: `blue, node 2`.
    pub fn place(&self) -> String {
        self.node.map_or_else(|| self.upstream.clone(), |node| format!("{}, node {node}", self.upstream))
    }
}

/// One member of a weight row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WeightTarget {
    /// Its name.
    pub target: String,
    /// Its weight in this stretch.
    pub weight: u32,
    /// Weight over the sum of weights.
    pub expected_share: f64,
    /// First tries it got.
    pub picks: u64,
    /// Picks over all picks of the stretch.
    pub share: f64,
    /// Picks minus expected picks at the end of the stretch, the lag carried in included.
    pub deviation_requests: f64,
}

/// A test of the weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WeightTest {
    /// `prefix-bound`.
    pub name: String,
    /// The statistic.
    pub statistic: f64,
    /// What it may be at most.
    pub limit: f64,
    /// For statistical tests.
    pub p_value: Option<f64>,
    /// Whether it held.
    pub ok: bool,
}

impl WeightTest {
    /// Whether it holds every pick to a bound, so that a single one breaks it.
    pub fn is_bound(&self) -> bool {
        matches!(self.name.as_str(), "prefix-bound" | "turn-bound")
    }
}

/// One switch of a Service's host, dissected. Moments that never came are `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Switch {
    /// The Service.
    pub service: String,
    /// The Upstream it pointed to.
    pub from: String,
    /// The Upstream it points to now.
    pub to: String,
    /// When the `PATCH` was sent.
    pub requested_ms: f64,
    /// When its answer was read.
    pub acked_ms: Option<f64>,
    /// When the gateway put it in force.
    pub applied_ms: Option<f64>,
    /// First pick of a target of `to`.
    pub first_new_pick_ms: Option<f64>,
    /// Last pick of a target of `from` before the next switch.
    pub last_old_pick_ms: Option<f64>,
    /// First answer that came from `to`.
    pub first_new_answer_ms: Option<f64>,
    /// Last answer that came from `from`.
    pub last_old_answer_ms: Option<f64>,
    /// First new pick to last old pick; 0 when no old pick came after a new one.
    pub mixed_picks_ms: Option<f64>,
    /// First new answer to last old answer: what users see; 0 when none overlapped.
    pub mixed_ms: Option<f64>,
    /// Applied to last old answer.
    pub drain_ms: Option<f64>,
    /// Picks of `from` after the acknowledgement.
    pub stale_picks: u64,
    /// The same for each of the gateway's nodes, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSwitch>,
    /// Attempts on `from` that were under way when it was applied.
    pub in_flight_at_switch: u64,
    /// Requests intended in the switch's phase that were dropped.
    pub dropped: u64,
    /// Median after minus median before.
    pub latency_cost_us: Option<LatencyCost>,
    /// The requests nearest to it, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<Lens>,
}

/// A switch as one node of the gateway made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeSwitch {
    /// Which, from 1.
    pub node: u16,
    /// Its first pick of a target of `to`.
    pub first_new_pick_ms: Option<f64>,
    /// Its last pick of a target of `from`, if there was one since the switch was asked for.
    pub last_old_pick_ms: Option<f64>,
    /// From the one to the other; 0 when no old pick came after a new one.
    pub mixed_picks_ms: Option<f64>,
    /// Its picks of `from` after the acknowledgement.
    pub stale_picks: u64,
}

/// The requests nearest to a switch, in order of intended time; all vectors are as long. Times count from when it was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lens {
    /// How many requests were intended within 1.5 s on either side, with `bins` in the bins that reach so far.
    pub n: u64,
    /// When each was intended.
    pub t_ms: Vec<f64>,
    /// Its response time; `None` when it was dropped.
    pub response_ms: Vec<Option<f64>>,
    /// 1 when it was picked from the new Upstream.
    pub new: Vec<u8>,
    /// The nearest of these, from pick to answer.
    pub strands: Vec<Strand>,
    /// All of them counted, when they are more than can be told one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<LensBins>,
}

/// Requests near a switch, counted by intended time and response time. Each list has one entry for each bin that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LensBins {
    /// How much intended time a bin holds.
    pub width_ms: f64,
    /// Where that begins, after the switch was requested.
    pub t_ms: Vec<f64>,
    /// The shortest response time of the bin; `None` for those that were dropped.
    pub response_ms: Vec<Option<f64>>,
    /// The shortest response time that is too long for it.
    pub to_ms: Vec<Option<f64>>,
    /// 1 when they were picked from the new Upstream.
    pub new: Vec<u8>,
    /// How many.
    pub n: Vec<u64>,
}

/// One request near a switch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Strand {
    /// Its id.
    pub id: String,
    /// When its target was picked; when it was released, if it came no further.
    pub from_ms: f64,
    /// When its answer was complete, or its failure known.
    pub to_ms: f64,
    /// Whether it was picked from the new Upstream.
    pub new: bool,
    /// Whether it was answered.
    pub answered: bool,
}

/// Difference of medians with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LatencyCost {
    /// Median of the window after minus median of the steady state before, microseconds.
    pub p50: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Requests in the window after.
    pub n: u64,
    /// Length of the window after.
    pub window_ms: u64,
}

/// One mock target over the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TargetRow {
    /// Its name, `httpbin.org:80`.
    pub name: String,
    /// The Upstream it belongs to.
    pub upstream: String,
    /// The version it says it is.
    pub version: String,
    /// Its weight at the start.
    pub weight: u32,
    /// Attempts its book saw.
    pub requests: u64,
    /// Answers clients got from it.
    pub answered: u64,
    /// Of those, 5xx.
    pub errors: u64,
    /// Response time of its answers, warm-up left out.
    pub latency_us: Latency,
}

/// One slow request, taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SlowRequest {
    /// Its id.
    pub id: String,
    /// Its phase.
    pub phase: String,
    /// Who answered.
    pub target: Option<String>,
    /// When it should have been sent.
    pub intended_ms: f64,
    /// Released minus intended, microseconds.
    pub lag_us: f64,
    /// On the wire minus released.
    pub client_wait_us: f64,
    /// Done minus on the wire.
    pub service_time_us: f64,
    /// Done minus intended.
    pub response_time_us: f64,
}

/// CPU microseconds for each answered request, by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CpuPerRequest {
    /// The gateway's workers.
    pub gateway: Option<f64>,
    /// The load generator.
    pub generator: Option<f64>,
    /// The mock targets.
    pub targets: Option<f64>,
}

/// The run over time. Every vector has one entry for each bin; a bin is of requests by intended time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Series {
    /// Width of a bin.
    pub bin_ms: u64,
    /// Where each bin begins.
    pub t_ms: Vec<f64>,
    /// Requests intended.
    pub intended: Vec<u64>,
    /// Requests answered, for each target in the order of `targets`.
    pub answered: Vec<Vec<u64>>,
    /// Median response time, microseconds.
    pub p50_us: Vec<Option<f64>>,
    /// 90th percentile.
    pub p90_us: Vec<Option<f64>>,
    /// 99th percentile; with few requests in a bin, the largest but one at best.
    pub p99_us: Vec<Option<f64>>,
    /// Slowest.
    pub max_us: Vec<Option<f64>>,
    /// Drops by cause, only causes that occurred.
    pub dropped: BTreeMap<String, Vec<u64>>,
    /// Picks of each target in the order of `targets`, by the time of the pick.
    pub picks: Vec<Vec<u64>>,
    /// For each Upstream, by name: smallest and largest lag of any member after any pick in the bin, in requests.
    pub lag_range: BTreeMap<String, Vec<Option<(f64, f64)>>>,
    /// Mean attempts in flight for each target in the order of `targets`.
    pub in_flight: Vec<Vec<f64>>,
    /// Largest number of attempts in flight, all targets together.
    pub in_flight_max: Vec<u64>,
    /// 99th percentile of the generator's lag, microseconds.
    pub lag_p99_us: Vec<Option<f64>>,
    /// Cores used by gateway, generator and targets.
    pub cpu: Vec<CpuPerRequest>,
}

/// Response times of answered requests as HDR histograms: text as [`hdr`](crate::hdr) writes it, in nanoseconds. A request
/// is in one of the bins, in one of the phases and at one of the targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Histograms {
    /// For each bin of `series`, at two digits; `None` when nothing of it was answered.
    pub bins: Vec<Option<String>>,
    /// For each phase and Upstream with answers, at three digits.
    pub phases: Vec<PhaseHistogram>,
    /// For each of `targets`, at two digits, warm-up left out; `None` when it answered nothing.
    pub targets: Vec<Option<String>>,
}

/// The response times of one Upstream in one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PhaseHistogram {
    /// Name of the phase.
    pub phase: String,
    /// Name of the Upstream the requests were picked from, when there was one.
    pub upstream: Option<String>,
    /// The histogram.
    pub response_time: String,
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
