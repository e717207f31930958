//! What is drawn over time or over percentiles: the series of the timeline, the spectrum, whole distributions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CpuPerRequest;

/// One line of the percentile spectrum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spectrum {
    /// `before`, `switch` or `after-1`; of a rollout without a switch, `v2, canary`.
    pub name: String,
    /// The Upstream it stands for, when there is one.
    pub upstream: Option<String>,
    /// The version, of a rollout without a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How many answered requests it rests on.
    pub n: u64,
    /// Percentile in 0..=1 and response time in microseconds, rising; the last is the slowest request.
    pub points: Vec<(f64, f64)>,
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
