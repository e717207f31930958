//! A switch of a Service: its moments, what it cost, and the requests near it.

use serde::{Deserialize, Serialize};

use super::Latency;

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
    /// Connections that the gateway opened to `to`, which are all new at first; absent for a switch that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connects: Option<Connects>,
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

/// Connections opened to the new Upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connects {
    /// For so long after the switch was requested they are counted.
    pub window_ms: u64,
    /// From the pick of a target to the open connection; n is how many.
    pub connect_us: Latency,
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

/// The requests nearest to a switch that were for its Service, or for nobody knows which, in order of intended time; all vectors
/// are as long. Times count from when it was requested.
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
