//! Requests as counts and times: the ledger, latencies, and the tables by phase, stream, kind and target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::Cause;

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
    /// How often they were sent to targets; absent where nothing is ever sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
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

/// How often requests were sent to targets: by the gateway again after a failure, and by the client, which retries or hedges.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Attempts {
    /// Attempts that began before their request's end, copies left out.
    pub n: u64,
    /// Requests with one at least.
    pub requests: u64,
    /// The one over the other, from 1; `None` where no request came so far. Where each attempt fails with probability f and is
    /// followed by R others at most, (1 - f^(R+1)) / (1 - f).
    pub per_request: Option<f64>,
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
