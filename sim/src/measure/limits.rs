//! Whether a rolling update kept its limits at every instant, by what its steps were seen to do: processes that began and ended,
//! targets that became ready, weights that were put in force. A pure function of those; what faults do to a target is none of the
//! rollout's doing. An abort outranks both limits, which is no broken promise; where fewer serve than they should, that is told.

use gateway_core::time::Instant;

use super::breach::NAMED;
use super::farm::{Farm, Happened, in_order};
use super::{Breach, Promise, StepMoments};
use crate::plan::Plan;
use crate::rollout::{Limits, Mark};
use crate::words;

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

/// The first requests that were sent after each thing that bears on targets, by which whoever met a broken limit is named.
#[derive(Clone, Debug, Default)]
pub(super) struct Meanwhile(Vec<(Instant, Vec<u64>)>);

impl Meanwhile {
    /// Something happened.
    pub(super) fn begin(&mut self, at: Instant) {
        self.0.push((at, Vec::new()));
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, request: u64, at: Instant) {
        if let Some((since, first)) = self.0.last_mut()
            && first.len() < NAMED
            && at >= *since
        {
            first.push(request);
        }
    }

    /// The first of them from one moment up to another.
    fn between(&self, from: Instant, until: Instant) -> impl Iterator<Item = u64> {
        let within = self.0.iter().filter(move |(at, _)| (from..until).contains(at));
        within.flat_map(|(_, first)| first.iter().copied()).take(NAMED)
    }
}

/// One limit, watched.
struct Limit<'a> {
    promise: Promise,
    meanwhile: &'a Meanwhile,
    breach: Option<Breach>,
    /// Since when it has been broken, if it is.
    since: Option<Instant>,
}

impl<'a> Limit<'a> {
    fn new(promise: Promise, meanwhile: &'a Meanwhile) -> Self {
        Self { promise, meanwhile, breach: None, since: None }
    }

    /// Whether it is broken at a moment, and by whom.
    fn look(&mut self, is_broken: bool, at: Instant, whom: impl FnOnce() -> String) {
        if !is_broken {
            return self.kept(at);
        }
        self.since.get_or_insert(at);
        let promise = self.promise;
        let of_first = || Breach { what: Some(whom()), ..Breach::of(promise, at) };
        self.breach.get_or_insert_with(of_first).count += 1;
    }

    /// It is not, from a moment on.
    fn kept(&mut self, at: Instant) {
        if let (Some(since), Some(breach)) = (self.since.take(), &mut self.breach) {
            let room = NAMED - breach.requests.len();
            breach.requests.extend(self.meanwhile.between(since, at).take(room));
        }
    }

    fn finish(mut self) -> Option<Breach> {
        self.kept(Instant::MAX);
        self.breach
    }
}

/// The limits that were passed, by which targets and which requests met it, and whether an abort had to.
pub(super) fn check(
    plan: &Plan,
    marks: &[Mark],
    steps: &[StepMoments],
    meanwhile: &Meanwhile,
) -> (Vec<Breach>, Option<Outranked>) {
    let Some(Limits { surge, unavailable }) = plan.rollout.limits else { return (Vec::new(), None) };
    let mut farm = Farm::new(plan);
    let (there, needed) = (farm.all_running(), farm.serving().saturating_sub(unavailable));
    let most = farm.running() + surge;
    let [mut surges, mut serve] =
        [Promise::SurgeIsBounded, Promise::EnoughServe].map(|promise| Limit::new(promise, meanwhile));
    let (mut outranked, mut has_aborted) = (None::<Outranked>, false);
    for (at, happened) in in_order(plan, marks, steps) {
        has_aborted |= matches!(happened, Happened::Aborted);
        farm.happen(&happened);
        let (running, available) = (farm.running(), farm.serving());
        surges.look(running > most && !has_aborted, at, || {
            let more = farm.all_running().into_iter().filter(|mock| !there.contains(mock));
            format!("{running} run and {most} may, with {}", named(plan, more))
        });
        serve.look(available < needed && !has_aborted, at, || {
            format!("{available} of at least {needed} serve, without {}", named(plan, farm.missing()))
        });
        if available < needed && has_aborted {
            let fewest = outranked.get_or_insert(Outranked { at, available, needed });
            fewest.available = fewest.available.min(available);
        }
    }
    ([surges, serve].into_iter().filter_map(Limit::finish).collect(), outranked)
}

/// `v1-1:80 and v1-2:80`, some of them where there are many.
fn named(plan: &Plan, mocks: impl IntoIterator<Item = usize>) -> String {
    let mut names: Vec<_> = mocks.into_iter().map(|mock| plan.mocks[mock].name.clone()).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    names.extend((more > 0).then(|| format!("{} more", words::count(more as u64))));
    words::list(&names)
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
    fn checked(plan: &Plan, is_aborted: bool) -> (Vec<Breach>, Option<(usize, usize)>) {
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
        // A request every quarter of a millisecond.
        let mut meanwhile = Meanwhile::default();
        for step in 0..plan.steps.len() as u64 {
            meanwhile.begin(at(step as usize));
            for quarter in 0..4 {
                let request = 4 * step + quarter;
                meanwhile.picked(request, at(step as usize) + Duration::from_micros(250) * quarter as u32);
            }
        }
        let (breaches, outranked) = check(plan, &marks, &steps, &meanwhile);
        (breaches, outranked.map(|outranked| (outranked.available, outranked.needed)))
    }

    /// The same, as far as it is which promise and how often.
    fn counted(plan: &Plan, is_aborted: bool) -> Checked {
        let (breaches, outranked) = checked(plan, is_aborted);
        (breaches.iter().map(|breach| (breach.promise, breach.count)).collect(), outranked)
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
        assert_eq!(counted(&plan(limits(1, 0), first_in.clone()), false), (vec![], None));
        let (broken, _) = counted(&plan(limits(0, 0), first_in), false);
        assert!(matches!(broken.as_slice(), [(Promise::SurgeIsBounded, 1..)]), "{broken:?}");
        assert_eq!(counted(&plan(limits(0, 1), first_out.clone()), false), (vec![], None));
        let (broken, outranked) = counted(&plan(limits(0, 0), first_out.clone()), false);
        assert!(
            matches!(broken.as_slice(), [(Promise::EnoughServe, 1..)]) && outranked.is_none(),
            "{broken:?}"
        );
        assert_eq!(
            counted(&plan(limits(0, 0), first_out), true),
            (vec![], Some((0, 1))),
            "an abort outranks it"
        );
        let all_in = [&bring_in[..1], &bring_in[1..]].concat();
        assert_eq!(counted(&plan(limits(0, 1), all_in), true), (vec![], None), "and max_surge too");
    }

    #[test]
    fn a_broken_limit_names_its_targets_and_the_requests_that_met_it() {
        // Aim: who was missing or too many, and who was sent meanwhile. Method: one of each, of steps that take a millisecond with
        // four requests: taken out, ended, started, ready, in again; then started beside the old one.
        let weight = |name: &str, weight| {
            Action::SetTarget(TargetWeight { upstream: "blue".into(), target: name.into(), weight })
        };
        let out = vec![take_out(0, "httpbin.konghq.com:80"), weight("httpbin.konghq.com:80", 100)];
        let (breaches, _) = checked(&plan(Limits { surge: 0, unavailable: 0 }, out), false);
        let [breach] = breaches.as_slice() else { panic!("{breaches:?}") };
        assert_eq!(breach.what.as_deref(), Some("1 of at least 2 serve, without httpbin.konghq.com:80"));
        assert_eq!((breach.promise, breach.at), (Promise::EnoughServe, Instant::from_millis(1)));
        assert_eq!(breach.requests, [0, 1, 2], "those of the next millisecond were served again");
        let more = vec![Action::Promote, Action::Start(vec![1])];
        let (breaches, _) = checked(&plan(Limits { surge: 0, unavailable: 1 }, more), false);
        assert_eq!(breaches[0].what.as_deref(), Some("2 run and 1 may, with httpbin.org:80"));
        assert_eq!(breaches[0].requests, [4, 5, 6]);
    }
}
