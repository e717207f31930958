//! When requests of each node, and of each Service that is switched, were sent to which version, in the names of the report.

use serde::{Deserialize, Serialize};

use super::tables::ms;
use crate::measure::{MeasuredRollout, SideTimes};
use crate::plan::Plan;

/// One node of the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NodeRow {
    /// Its number, from 1.
    pub node: u16,
    /// The first request it sent to the new version.
    pub first_new_pick_ms: Option<f64>,
    /// The last one.
    pub last_new_pick_ms: Option<f64>,
    /// The last request it sent to the old version.
    pub last_old_pick_ms: Option<f64>,
    /// From its first request to the new version to its last one to either, while it sent them to both; below zero where it had left
    /// the old one before.
    pub mixed_ms: Option<f64>,
}

/// One of several Services that are switched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServiceRow {
    /// Its name.
    pub service: String,
    /// The first of its requests that was sent to the new version.
    pub first_new_pick_ms: Option<f64>,
    /// The last one.
    pub last_new_pick_ms: Option<f64>,
    /// The last one that was sent to the old version.
    pub last_old_pick_ms: Option<f64>,
    /// From its first request to the new version to its last one to either, while it had them sent to both; below zero where it had
    /// left the old one before.
    pub mixed_ms: Option<f64>,
}

/// Those of this run; none where there is only one.
pub(super) fn nodes(rollout: &MeasuredRollout) -> Vec<NodeRow> {
    let row = |(node, times): (u16, &SideTimes)| {
        let [first_new_pick_ms, last_new_pick_ms, last_old_pick_ms, mixed_ms] = in_ms(times);
        NodeRow { node, first_new_pick_ms, last_new_pick_ms, last_old_pick_ms, mixed_ms }
    };
    let are_several = rollout.nodes.len() > 1;
    (1..).zip(rollout.nodes.iter().filter(|_| are_several)).map(row).collect()
}

/// Those of this run, in the order in which they are switched; none where there is only one.
pub(super) fn services(plan: &Plan, rollout: &MeasuredRollout) -> Vec<ServiceRow> {
    let config = &plan.gateway.config;
    let row = |(service, times): &(_, SideTimes)| {
        let service = config.service(*service).and_then(|it| it.name.clone()).unwrap_or_default();
        let [first_new_pick_ms, last_new_pick_ms, last_old_pick_ms, mixed_ms] = in_ms(times);
        ServiceRow { service, first_new_pick_ms, last_new_pick_ms, last_old_pick_ms, mixed_ms }
    };
    rollout.services.iter().map(row).collect()
}

/// The first and the last new pick, the last old one, and for how long there were both.
fn in_ms(times: &SideTimes) -> [Option<f64>; 4] {
    let (first, last) = times.canary.unzip();
    let mixed = times.mixed().map(|(from, to)| ms(to) - ms(from));
    [first.map(ms), last.map(ms), times.stable.map(ms), mixed]
}
