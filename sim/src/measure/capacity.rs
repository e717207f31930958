//! What a rollout took in targets: how many more ran than at the start, how many fewer served, and for how long. By what its steps
//! were seen to do; a target that runs all along counts from the start.

use gateway_core::time::Instant;

use super::StepMoments;
use super::farm::{Farm, in_order};
use crate::plan::Plan;
use crate::rollout::Mark;

/// Targets beyond those at the start, and short of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Capacity {
    /// Of both versions, running at the start.
    pub at_start: usize,
    /// The most that ran beyond those.
    pub extra_max: usize,
    /// The most that were missing among those that serve.
    pub missing_max: usize,
    /// Extra targets times how long they ran, seconds.
    pub extra_seconds: f64,
    /// Missing targets times how long they were, seconds.
    pub missing_seconds: f64,
}

/// The capacity over a run that ends at `end`.
pub(super) fn capacity(plan: &Plan, marks: &[Mark], steps: &[StepMoments], end: Instant) -> Capacity {
    let mut farm = Farm::new(plan);
    let (at_start, serving) = (farm.running(), farm.serving());
    let mut capacity = Capacity { at_start, ..Capacity::default() };
    let (mut since, mut extra, mut missing) = (Instant::ZERO, 0_usize, 0_usize);
    let mut all: Vec<_> =
        in_order(plan, marks, steps).into_iter().map(|(at, what)| (at.min(end), Some(what))).collect();
    all.push((end, None));
    for (at, happened) in all {
        let lasted = at.since(since);
        capacity.extra_seconds += extra as f64 * lasted.as_secs_f64();
        capacity.missing_seconds += missing as f64 * lasted.as_secs_f64();
        if !lasted.is_zero() {
            // What is put right at the same moment was never there.
            capacity.extra_max = capacity.extra_max.max(extra);
            capacity.missing_max = capacity.missing_max.max(missing);
        }
        if let Some(happened) = happened {
            farm.happen(&happened);
        }
        extra = farm.running().saturating_sub(at_start);
        missing = serving.saturating_sub(farm.serving());
        since = at;
    }
    capacity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::how_to;
    use crate::rollout::judge::Side;
    use crate::rollout::{Action, MarkKind, Step, When};

    #[test]
    fn a_second_version_costs_its_targets_for_as_long_as_both_run() {
        // Aim: peak and integral. Method: green's two targets begin at 2 s, blue's two end at 5 s, of 10 s; nothing is routed.
        let mut plan = how_to(10.0, 10, &[]);
        let (stable, canary) = (Some(Side::Stable), Some(Side::Canary));
        plan.rollout.sides = vec![stable, stable, canary, canary];
        let actions = [
            Action::Start(vec![2, 3]),
            Action::WaitReady { mocks: vec![2, 3], at_most: std::time::Duration::ZERO },
            Action::Stop(vec![0, 1]),
        ];
        plan.steps = actions.map(|action| Step { when: When::Then, action, line: 1 }).into();
        let mark = |step, ms, kind| Mark { at: Instant::from_millis(ms), step: Some(step), kind };
        let over = |step, ms| mark(step, ms, MarkKind::Over);
        let end = Instant::from_millis(10_000);
        let seen = capacity(&plan, &[mark(0, 2000, MarkKind::Began), over(1, 3000), over(2, 5000)], &[], end);
        let expected = Capacity { at_start: 2, extra_max: 2, extra_seconds: 6.0, ..Capacity::default() };
        assert_eq!(seen, expected);
        // The other way round, as recreate does it: blue ends at 2 s, green is ready at 5 s.
        let marks = [over(2, 2000), mark(0, 2000, MarkKind::Began), over(1, 5000)];
        let seen = capacity(&plan, &marks, &[], end);
        assert_eq!(
            seen,
            Capacity { at_start: 2, missing_max: 2, missing_seconds: 6.0, ..Capacity::default() }
        );
    }
}
