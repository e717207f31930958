//! How a gateway behaves where gateways differ: how workers share balancers, when they learn of changes, and which of Kong's
//! surprises are reproduced.

use std::time::Duration;

use crate::rules::Rules;

/// How workers share a balancer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balancing {
    /// All use one: what it promises holds for all requests together.
    #[default]
    Shared,
    /// Each has its own, as nginx and Kong do: what it promises holds for each worker alone.
    PerWorker,
}

/// How a gateway behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Worker threads, at least 1. Matters only where workers differ.
    pub workers: usize,
    /// How they share balancers.
    pub balancing: Balancing,
    /// Each worker looks so often whether Routes, Services or Upstreams have changed, each at its own moments; `None`: a
    /// change is in force for every worker's next request. Targets and their weights always are.
    pub sync_interval: Option<Duration>,
    /// Number among the nodes that share a configuration, from 0. The first is the one that takes changes.
    pub node: u16,
    /// Kong's rules or better ones.
    pub rules: Rules,
    /// What random orders and moments come from.
    pub seed: u64,
}

impl Options {
    /// Kong as it is by default: `worker_consistency=eventual`, `worker_state_update_frequency=5`.
    pub fn kong(workers: usize, seed: u64) -> Self {
        Self {
            workers,
            balancing: Balancing::PerWorker,
            sync_interval: Some(Duration::from_secs(5)),
            node: 0,
            rules: Rules::Kong,
            seed,
        }
    }

    /// Whether workers may see different things.
    pub(super) fn workers_differ(&self) -> bool {
        self.balancing == Balancing::PerWorker || self.sync_interval.is_some()
    }
}
