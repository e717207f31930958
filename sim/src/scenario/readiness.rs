//! Warns of weights for targets that no step has started yet: requests go there and find nobody. Strategies never do that; whoever
//! writes steps by hand may, and may mean to.

use super::reader::Section;
use crate::plan::MockPlan;
use crate::rollout::{Action, Step, TargetWeight};
use crate::words;

/// Warns at `[[steps]]`.
pub(super) fn warn(root: &Section<'_>, steps: &[Step], mocks: &[MockPlan]) {
    for (number, step) in steps.iter().enumerate() {
        let weights: &[TargetWeight] = match &step.action {
            Action::SetWeight { weights, .. } => weights,
            Action::SetTarget(weight) => std::slice::from_ref(weight),
            _ => continue,
        };
        let heavy = weights.iter().filter(|weight| weight.weight > 0);
        let early: Vec<_> = heavy
            .filter(|weight| starts_later(&weight.target, number, steps, mocks))
            .map(|weight| weight.target.as_str())
            .collect();
        if !early.is_empty() {
            let message =
                format!("{} is for targets that do not run yet", words::quoted(&[step.action.verb()]));
            let label = format!("line {}: {} start later", step.line, words::quoted(&early));
            let help = "write start and wait_ready above it";
            root.mistakes.warn(root.place_of("steps"), message, label, help);
        }
    }
}

/// Whether the first thing that happens to a target's process is that a step after this one starts it.
fn starts_later(target: &str, number: usize, steps: &[Step], mocks: &[MockPlan]) -> bool {
    let mock = (0..).zip(mocks).find(|(_, mock)| mock.name == target).map(|(mock, _)| mock);
    let first = steps.iter().enumerate().find_map(|(at, step)| match &step.action {
        Action::Start(mocks) if mock.is_some_and(|mock| mocks.contains(&mock)) => Some((at, true)),
        Action::Stop(mocks) if mock.is_some_and(|mock| mocks.contains(&mock)) => Some((at, false)),
        _ => None,
    });
    first.is_some_and(|(at, is_start)| is_start && at > number)
}
