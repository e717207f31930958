//! Warns of steps that give a target of the new version more than it can serve: what it would get by its weight against what its mock
//! answers at most. Whoever waits there is slow first and dropped in the end, whatever the version is like.

use std::collections::BTreeMap;

use gateway_core::config::Config;

use super::reader::Section;
use crate::plan::MockPlan;
use crate::rollout::judge::Side;
use crate::rollout::{Action, Rollout, Step};
use crate::words;

/// Warns at `[rollout]`, once for each step; `rate` is of the load, per second. Only where weights divide requests: else nobody knows
/// what a version gets.
pub(super) fn warn(
    root: &Section<'_>,
    steps: &[Step],
    (rollout, config): (&Rollout, &Config),
    mocks: &[MockPlan],
    rate: f64,
) {
    let Some(shared) = rollout.shared else { return };
    let weight =
        |(_, target): (_, &gateway_core::entity::Target)| (target.target.to_string(), target.weight.get());
    let mut weights: BTreeMap<String, u16> = config.targets_of(shared).map(weight).collect();
    for step in steps {
        let Action::SetWeight { weights: set, .. } = &step.action else { continue };
        weights.extend(set.iter().map(|to| (to.target.clone(), to.weight)));
        let all: f64 = weights.values().map(|&weight| f64::from(weight)).sum();
        let new = mocks.iter().zip(&rollout.sides).filter(|(_, side)| **side == Some(Side::Canary));
        let loads = new.filter_map(|(mock, _)| {
            let gets = rate * f64::from(*weights.get(&mock.name)?) / all;
            Some((mock, gets, most(mock)?))
        });
        let fullest = loads.max_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)));
        if let Some((mock, gets, most)) = fullest.filter(|(_, gets, most)| gets > most) {
            let what = step.action.in_words();
            let message = format!("{what} gives {} more than it can serve", words::quoted(&[&mock.name]));
            let part = words::percent(gets / most, 0);
            let label = format!(
                "it gets {} /s of at most {} /s: {part}",
                words::short(gets, 1),
                words::short(most, 1)
            );
            let help = "give it less, or let more targets share it: scale = \"match\" starts them as they are needed";
            root.mistakes.warn(root.place_of("rollout"), message, label, help);
        }
    }
}

/// How many requests a mock answers in a second at most, where it has a limit.
fn most(mock: &MockPlan) -> Option<f64> {
    let behaviour = &mock.behaviour;
    Some(behaviour.places.capacity? as f64 / behaviour.latency.mean()?.as_secs_f64())
}
