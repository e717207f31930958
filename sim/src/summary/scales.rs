//! A canary by whole targets: the share that was asked, the one that so many targets make, and the one that was seen.

use gateway_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::tables::ms;
use crate::measure::Measured;
use crate::plan::Plan;
use crate::rollout::judge::Side;
use crate::rollout::{Action, Mark, MarkKind};

/// A stretch with so many targets of each version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScaleRow {
    /// When it began.
    pub t_ms: f64,
    /// The new version's share that was asked, 0 to 1.
    pub asked: f64,
    /// Targets of the new version.
    pub canary: usize,
    /// Targets of the old one.
    pub stable: usize,
    /// The share that these make.
    pub reachable: f64,
    /// The share of first tries in the whole bins of the stretch; null without any.
    pub observed: Option<f64>,
}

/// Each stretch of this run, in order.
pub(super) fn scales(plan: &Plan, measured: &Measured) -> Vec<ScaleRow> {
    let marks = &measured.rollout.marks;
    let over = |step: usize| {
        let is = |mark: &&Mark| mark.step == Some(step) && mark.kind == MarkKind::Over;
        marks.iter().find(is).map(|mark| mark.at)
    };
    let mut rows = Vec::new();
    for (step, action) in plan.steps.iter().map(|step| &step.action).enumerate() {
        let (Action::Scaled(scale), Some(from)) = (action, over(step)) else { continue };
        let Some(asked) = scale.asked else { continue };
        // Until the pause behind it is over, or whatever ended it.
        let next = marks.iter().filter(|mark| mark.at > from).map(|mark| mark.at).min();
        let until = next.unwrap_or(Instant::ZERO + plan.load.duration());
        rows.push(ScaleRow {
            t_ms: ms(from),
            asked,
            canary: scale.canary,
            stable: scale.stable,
            reachable: scale.reachable(),
            observed: observed(plan, measured, from, until),
        });
    }
    rows
}

fn observed(plan: &Plan, measured: &Measured, from: Instant, until: Instant) -> Option<f64> {
    let bins = &measured.bins;
    let is_whole = |bin: &usize| bins.grid.from(*bin) >= from && bins.grid.from(*bin + 1) <= until;
    let (mut canary, mut all) = (0, 0);
    for bin in (0..bins.bins.len()).filter(is_whole) {
        for (target, side) in bins.targets.iter().zip(&plan.rollout.sides) {
            let picks = target.get(bin).map_or(0, |target| target.picks);
            all += if side.is_some() { picks } else { 0 };
            canary += if *side == Some(Side::Canary) { picks } else { 0 };
        }
    }
    (all > 0).then(|| canary as f64 / all as f64)
}
