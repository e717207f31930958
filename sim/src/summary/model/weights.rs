//! How exactly picks kept to the weights.

use serde::{Deserialize, Serialize};

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
