//! The new version's share over time: as the steps so far ask for it, as it was seen, and how exactly weights kept it.

use std::collections::BTreeMap;

use gateway_core::entity::Promise;
use serde::{Deserialize, Serialize};

use super::accuracy;
use super::tables::ms;
use crate::measure::{Measured, MeasuredWeights};
use crate::plan::Plan;
use crate::rollout::judge::Side;
use crate::rollout::{Action, TargetWeight};

/// The new version's share in one bin of the series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShareRow {
    /// Where the bin begins.
    pub t_ms: f64,
    /// As the steps so far ask for it.
    pub planned: f64,
    /// Of the first tries; `None` without any.
    pub actual: Option<f64>,
}

/// The weights as steps leave them, by target; or all on one side where hosts are switched.
struct Planned<'a> {
    plan: &'a Plan,
    weights: BTreeMap<String, f64>,
    /// The share of users, where they are divided.
    split: Option<f64>,
}

impl<'a> Planned<'a> {
    /// At the start.
    fn new(plan: &'a Plan) -> Self {
        let config = &plan.gateway.config;
        let shared = plan.rollout.shared.into_iter().flat_map(|upstream| config.targets_of(upstream));
        let weights = shared.map(|(_, target)| (target.target.to_string(), target.weight.get().into()));
        Self { plan, weights: weights.collect(), split: None }
    }

    fn set(&mut self, weight: &TargetWeight) {
        if let Some(now) = self.weights.get_mut(&weight.target) {
            *now = weight.weight.into();
        }
    }

    /// An action is in force.
    fn act(&mut self, action: &Action) {
        match action {
            Action::SetWeight { weights, .. } | Action::Drain { weights, .. } => {
                for weight in weights {
                    self.set(weight);
                }
            }
            Action::SetSplit(route) => self.split = route.to.as_ref().map(|to| to.percent / 100.0),
            Action::SetTarget(weight) => self.set(weight),
            Action::SetHost { host, .. } => {
                let config = &self.plan.gateway.config;
                let targets =
                    config.upstream_named(host).into_iter().flat_map(|(id, _)| config.targets_of(id));
                let weight = |(_, target): (_, &gateway_core::entity::Target)| {
                    (target.target.to_string(), f64::from(target.weight.get()))
                };
                self.weights = targets.map(weight).collect();
            }
            _ => {}
        }
    }

    fn share(&self) -> f64 {
        if let Some(share) = self.split {
            return share;
        }
        let (mut canary, mut all) = (0.0, 0.0);
        for (mock, side) in self.plan.mocks.iter().zip(&self.plan.rollout.sides) {
            let weight = self.weights.get(&mock.name).copied().filter(|_| side.is_some()).unwrap_or(0.0);
            all += weight;
            canary += if *side == Some(Side::Canary) { weight } else { 0.0 };
        }
        if all > 0.0 { canary / all } else { 0.0 }
    }
}

/// How far the new version was from its exact share at most, in requests, where weights divide them; and how far it may be at most,
/// where there is a bound.
pub(super) fn share_off(plan: &Plan, measured: &Measured) -> (Option<f64>, Option<f64>) {
    let shared = || measured.weights.iter().filter(|row| Some(row.upstream) == plan.rollout.shared);
    let off = shared().map(|row| row.share_off).reduce(f64::max);
    (off, shared().filter_map(|row| bound(plan, row)).reduce(f64::max))
}

/// How far a target was from its share of what its version got at most, where its version is known to the gateway.
pub(super) fn inside_off(plan: &Plan, measured: &Measured) -> Option<f64> {
    let shared = measured.weights.iter().filter(|row| Some(row.upstream) == plan.rollout.shared);
    shared.filter(|row| keeps_versions(plan, row)).filter_map(|row| row.inside_off).reduce(f64::max)
}

/// Where the gateway has turns of versions, their bound is that of so many members (Tijdeman 1980). Where it has not, a version's lag
/// is the sum of those of its targets, and the negative sum of all others', for all together have none: so it is no more than as many
/// times the bound of a target as the smaller of both sides has targets.
pub(super) fn bound(plan: &Plan, row: &MeasuredWeights) -> Option<f64> {
    let test = accuracy::test(plan, row, &[], 1);
    let (new, others) = row.sides;
    if !test.is_bound() || new.min(others) == 0 {
        return None;
    }
    if keeps_versions(plan, row) {
        return Some(accuracy::of_versions(row.versions) * accuracy::workers(plan));
    }
    Some(new.min(others) as f64 * test.limit)
}

/// Whether the gateway keeps the shares of this rollout's versions by themselves.
pub(super) fn keeps_versions(plan: &Plan, row: &MeasuredWeights) -> bool {
    let promise = || accuracy::algorithm(plan, row.upstream).promise();
    row.versions > 1 && row.are_told && promise() == Promise::EveryPick
}

/// The share in each bin of the series.
pub(super) fn shares(plan: &Plan, measured: &Measured) -> Vec<ShareRow> {
    let mut planned = Planned::new(plan);
    let mut steps = measured.rollout.steps.iter().filter(|step| step.acked.is_some()).peekable();
    let bins = &measured.bins;
    let of_side = |bin: usize, is: &dyn Fn(Option<Side>) -> bool| -> u64 {
        let targets = bins.targets.iter().zip(&plan.rollout.sides).filter(|(_, side)| is(**side));
        targets.filter_map(|(target, _)| target.get(bin)).map(|target| target.picks).sum()
    };
    let row = |bin: usize| {
        let from = bins.grid.from(bin);
        while let Some(step) = steps.next_if(|step| step.applied.or(step.acked).is_some_and(|at| at <= from))
        {
            if let Some(action) = plan.action(step.step) {
                planned.act(action);
            }
        }
        let all = of_side(bin, &|side| side.is_some());
        let canary = of_side(bin, &|side| side == Some(Side::Canary));
        ShareRow {
            t_ms: ms(from),
            planned: planned.share(),
            actual: (all > 0).then(|| canary as f64 / all as f64),
        }
    };
    (0..bins.bins.len()).map(row).collect()
}
