//! Whether a rolling update kept its limits at every instant, by what its steps were seen to do: processes that began and ended,
//! targets that became ready, weights that were put in force. A pure function of those; what faults do to a target is none of the
//! rollout's doing. An abort outranks both limits, which is no broken promise; where fewer serve than they should, that is told.

use gateway_core::time::Instant;

use super::farm::{Farm, Happened, in_order};
use super::{Breach, Promise, StepMoments};
use crate::plan::Plan;
use crate::rollout::{Limits, Mark};

/// On the way back fewer targets served than `max_unavailable` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outranked {
    /// When first.
    pub at: Instant,
    /// The fewest that served.
    pub available: usize,
    /// As many should have.
    pub needed: usize,
}

/// The limits that were passed, and whether an abort had to.
pub(super) fn check(plan: &Plan, marks: &[Mark], steps: &[StepMoments]) -> (Vec<Breach>, Option<Outranked>) {
    let Some(Limits { surge, unavailable }) = plan.rollout.limits else { return (Vec::new(), None) };
    let mut farm = Farm::new(plan);
    let needed = farm.serving().saturating_sub(unavailable);
    let most = farm.running() + surge;
    let (mut breaches, mut outranked): (Vec<Breach>, Option<Outranked>) = (Vec::new(), None);
    let mut has_aborted = false;
    for (at, happened) in in_order(plan, marks, steps) {
        has_aborted |= matches!(happened, Happened::Aborted);
        farm.happen(&happened);
        let (running, available) = (farm.running(), farm.serving());
        if running > most && !has_aborted {
            broken(&mut breaches, Promise::SurgeIsBounded, at);
        }
        if available < needed && has_aborted {
            let fewest = outranked.get_or_insert(Outranked { at, available, needed });
            fewest.available = fewest.available.min(available);
        } else if available < needed {
            broken(&mut breaches, Promise::EnoughServe, at);
        }
    }
    (breaches, outranked)
}

fn broken(breaches: &mut Vec<Breach>, promise: Promise, at: Instant) {
    match breaches.iter_mut().find(|breach| breach.promise == promise) {
        Some(breach) => breach.count += 1,
        None => breaches.push(Breach { promise, at, count: 1, requests: Vec::new(), what: None }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::rehearsal::{BLUE, how_to};
    use crate::rollout::judge::Side;
    use crate::rollout::{Action, MarkKind, Rollout, Step, TargetWeight, When};

    /// Blue's two targets, the old and the new one, of which `limits` allow so many more and fewer; and these steps.
    fn plan(limits: Limits, actions: Vec<Action>) -> Plan {
        let steps = actions.into_iter().map(|action| Step { when: When::Then, action, line: 1 }).collect();
        let sides = vec![Some(Side::Stable), Some(Side::Canary), None, None];
        let rollout = Rollout { limits: Some(limits), shared: Some(BLUE), sides, ..Rollout::default() };
        Plan { steps, rollout, ..how_to(100.0, 10, &[]) }
    }

    /// Broken promises and how often; the fewest that served on the way back, and as many as should have.
    type Checked = (Vec<(Promise, u64)>, Option<(usize, usize)>);

    /// As if each step took a millisecond; those of a rollout that was given up count as its way back.
    fn checked(plan: &Plan, is_aborted: bool) -> Checked {
        let at = |step: usize| Instant::from_millis(step as u64 + 1);
        let mark = |step, at, kind| Mark { at, step: Some(step), kind };
        let abort = Mark { at: Instant::ZERO, step: None, kind: MarkKind::Aborted(String::new()) };
        let mut marks: Vec<_> = is_aborted.then_some(abort).into_iter().collect();
        for step in 0..plan.steps.len() {
            marks.push(mark(step, at(step), MarkKind::Began));
            marks.push(mark(step, at(step + 1), MarkKind::Over));
        }
        let moments = |step| StepMoments { step, requested: at(step), acked: Some(at(step)), applied: None };
        let steps: Vec<_> = (0..plan.steps.len()).map(moments).collect();
        let (breaches, outranked) = check(plan, &marks, &steps);
        let told = breaches.iter().map(|breach| (breach.promise, breach.count)).collect();
        (told, outranked.map(|outranked| (outranked.available, outranked.needed)))
    }

    fn take_out(mock: u32, target: &str) -> Action {
        let weight = TargetWeight { upstream: "blue".into(), target: target.into(), weight: 0 };
        Action::Drain { mocks: vec![mock], weights: vec![weight], at_most: Duration::ZERO }
    }

    #[test]
    fn one_new_target_after_another_keeps_the_limits_and_the_other_way_round_does_not() {
        let bring_in = [
            Action::Start(vec![1]),
            Action::WaitReady { mocks: vec![1], at_most: Duration::ZERO },
            Action::SetTarget(TargetWeight {
                upstream: "blue".into(),
                target: "httpbin.org:80".into(),
                weight: 50,
            }),
        ];
        let take_out = [take_out(0, "httpbin.konghq.com:80"), Action::Stop(vec![0])];
        let first_in = [&bring_in[..], &take_out[..]].concat();
        let first_out = [&take_out[..], &bring_in[..]].concat();
        let limits = |surge, unavailable| Limits { surge, unavailable };
        assert_eq!(checked(&plan(limits(1, 0), first_in.clone()), false), (vec![], None));
        let (broken, _) = checked(&plan(limits(0, 0), first_in), false);
        assert!(matches!(broken.as_slice(), [(Promise::SurgeIsBounded, 1..)]), "{broken:?}");
        assert_eq!(checked(&plan(limits(0, 1), first_out.clone()), false), (vec![], None));
        let (broken, outranked) = checked(&plan(limits(0, 0), first_out.clone()), false);
        assert!(
            matches!(broken.as_slice(), [(Promise::EnoughServe, 1..)]) && outranked.is_none(),
            "{broken:?}"
        );
        assert_eq!(
            checked(&plan(limits(0, 0), first_out), true),
            (vec![], Some((0, 1))),
            "an abort outranks it"
        );
        let all_in = [&bring_in[..1], &bring_in[1..]].concat();
        assert_eq!(checked(&plan(limits(0, 1), all_in), true), (vec![], None), "and max_surge too");
    }
}
