//! The rollout as it happened: its marks, its steps, both versions' picks and answers, who was hurt, and the promises that a
//! rollout makes, checked against what the gateway was seen to do. Knows nothing of how steps come about.

use std::time::Duration;

use gateway_core::id::Revision;
use gateway_core::time::Instant;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Ending, Pick, Record, StepMoments};
use crate::rollout::judge::Side;
use crate::rollout::{Action, Mark, MarkKind, Rollout};

/// Requests named for each broken promise.
const NAMED: usize = 3;

/// Everything about the rollout of a run.
#[derive(Clone, Debug, Default)]
pub struct MeasuredRollout {
    /// What happened, in order of time.
    pub marks: Vec<Mark>,
    /// Each step that was a call of the Admin API.
    pub steps: Vec<StepMoments>,
    /// The old version.
    pub stable: SideTally,
    /// The new one.
    pub canary: SideTally,
    /// Users, each of a stream, with at least one request that was dropped or answered with an error.
    pub hurt: FxHashSet<(usize, u64)>,
    /// Promises that were not kept.
    pub breaches: Vec<Breach>,
    sides: Vec<Option<Side>>,
    /// How long it may take until a change of routing, and one of targets, is in force at every node and worker.
    lags: (Duration, Duration),
    /// Since when each mock is out of rotation because a step drained it.
    drained: Vec<Option<Instant>>,
    rolled_back: Option<Instant>,
    /// When it was given up.
    aborted: Option<Instant>,
    /// Users divided by their keys who were sent to the new version: by which node, under which revision at first.
    pub moved: FxHashMap<(usize, u64), (u16, Revision)>,
}

/// One version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTally {
    /// First tries picked.
    pub picks: u64,
    /// The first of them.
    pub first_pick: Option<Instant>,
    /// The last of them.
    pub last_pick: Option<Instant>,
    /// Requests it answered.
    pub answered: u64,
    /// Of those, with a 5xx status.
    pub errors: u64,
    /// Requests whose last try was picked for it, and that got no answer.
    pub dropped: u64,
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which promise.
    pub promise: Promise,
    /// When for the first time.
    pub at: Instant,
    /// How often.
    pub count: u64,
    /// The first requests it concerns.
    pub requests: Vec<u64>,
}

/// What a rollout promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Once the way back is done and in force everywhere, nobody is sent to the new version any more.
    BackIsBack,
    /// Once a target is taken out to drain, and that is in force everywhere, nobody is sent to it.
    DrainedIsLeft,
    /// Who was sent to the new version because of a key stays there while the rollout goes on.
    KeysStay,
}

impl Promise {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackIsBack => "after the way back nobody is sent to the new version",
            Self::DrainedIsLeft => "nobody is sent to a target that drains",
            Self::KeysStay => "who has moved to the new version stays there",
        }
    }
}

impl MeasuredRollout {
    /// Nothing yet. `lags`: how long it may take until a change of routing, and one of targets, is in force everywhere.
    pub(super) fn new(rollout: &Rollout, lags: (Duration, Duration)) -> Self {
        let drained = vec![None; rollout.sides.len()];
        Self { sides: rollout.sides.clone(), drained, lags, ..Self::default() }
    }

    /// The calls of a step were made.
    pub(super) fn stepped(&mut self, moments: StepMoments, action: Option<&Action>) {
        self.steps.push(moments);
        match action {
            Some(Action::Drain { mocks, .. }) => {
                for &mock in mocks {
                    if let Some(drained) = self.drained.get_mut(mock as usize) {
                        *drained = moments.acked.map(|acked| acked + self.lags.1);
                    }
                }
            }
            // Whoever was drained may have come back.
            _ => self.drained.fill(None),
        }
    }

    fn side(&mut self, mock: Option<u32>) -> Option<(Side, &mut SideTally)> {
        let side = self.sides.get(mock? as usize).copied().flatten()?;
        let tally = match side {
            Side::Stable => &mut self.stable,
            Side::Canary => &mut self.canary,
        };
        Some((side, tally))
    }

    pub(super) fn marked(&mut self, mark: &Mark) {
        if matches!(mark.kind, MarkKind::Aborted(_)) {
            self.aborted = Some(mark.at);
        }
        if mark.kind == MarkKind::RolledBack {
            self.rolled_back = Some(mark.at + self.lags.0);
        }
        self.marks.push(mark.clone());
    }

    /// A first try was picked for a user, where users are divided by their keys.
    pub(super) fn picked_for(&mut self, user: (usize, u64), pick: &Pick, mock: Option<u32>) {
        let has_moved = self.moved.get(&user).copied();
        let goes_on = self.aborted.is_none_or(|aborted| pick.at < aborted);
        match (self.side(mock).map(|(side, _)| side), has_moved) {
            (Some(Side::Canary), None) => {
                self.moved.insert(user, (pick.node, pick.revision));
            }
            // Each node learns of steps for itself.
            (Some(Side::Stable), Some((node, since)))
                if goes_on && node == pick.node && pick.revision >= since =>
            {
                self.broken(Promise::KeysStay, pick.request, pick.at);
            }
            _ => {}
        }
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, request: u64, mock: Option<u32>, at: Instant) {
        let is_back = self.rolled_back.is_some_and(|back| at > back);
        let drained = mock.and_then(|mock| self.drained.get(mock as usize).copied().flatten());
        if drained.is_some_and(|drained| at > drained) {
            self.broken(Promise::DrainedIsLeft, request, at);
        }
        let Some((side, tally)) = self.side(mock) else { return };
        tally.picks += 1;
        tally.first_pick = Some(tally.first_pick.map_or(at, |first| first.min(at)));
        tally.last_pick = tally.last_pick.max(Some(at));
        if side == Side::Canary && is_back {
            self.broken(Promise::BackIsBack, request, at);
        }
    }

    fn broken(&mut self, promise: Promise, request: u64, at: Instant) {
        let known = self.breaches.iter().position(|breach| breach.promise == promise);
        let known = known.unwrap_or_else(|| {
            self.breaches.push(Breach { promise, at, count: 0, requests: Vec::new() });
            self.breaches.len() - 1
        });
        let breach = &mut self.breaches[known];
        breach.count += 1;
        breach.at = breach.at.min(at);
        if breach.requests.len() < NAMED {
            breach.requests.push(request);
        }
    }

    /// A request of `user` came to its end; `mock` answered it, or was picked for it last.
    pub(super) fn ended(&mut self, record: &Record, user: impl Fn() -> (usize, u64), mock: Option<u32>) {
        let is_bad = match record.ending {
            Ending::Answered(status) => status >= 500,
            Ending::Dropped(_) => true,
        };
        if is_bad {
            self.hurt.insert(user());
        }
        let Some((_, tally)) = self.side(mock) else { return };
        match record.ending {
            Ending::Answered(status) => {
                tally.answered += 1;
                tally.errors += u64::from(status >= 500);
            }
            Ending::Dropped(_) => tally.dropped += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn rollout() -> MeasuredRollout {
        let sides = vec![Some(Side::Stable), Some(Side::Canary), None];
        MeasuredRollout::new(&Rollout { sides, ..Rollout::default() }, Default::default())
    }

    fn stepped(rollout: &mut MeasuredRollout, at: u64, action: &Action) {
        let moments = StepMoments { step: 0, requested: ms(at), acked: Some(ms(at + 1)), applied: None };
        rollout.stepped(moments, Some(action));
    }

    #[test]
    fn who_is_sent_to_the_new_version_after_the_way_back_is_named() {
        let mut rollout = rollout();
        rollout.picked(1, Some(1), ms(5));
        rollout.marked(&Mark { at: ms(10), step: None, kind: MarkKind::RolledBack });
        rollout.picked(2, Some(0), ms(11));
        assert!(rollout.breaches.is_empty());
        for request in [7, 8, 9, 10] {
            rollout.picked(request, Some(1), ms(request + 10));
        }
        let expected = Breach { promise: Promise::BackIsBack, at: ms(17), count: 4, requests: vec![7, 8, 9] };
        assert_eq!(rollout.breaches, [expected]);
        assert_eq!((rollout.canary.picks, rollout.canary.last_pick), (5, Some(ms(20))));
    }

    #[test]
    fn who_has_moved_and_comes_back_is_named_unless_all_come_back() {
        let mut rollout = rollout();
        let mut pick = |request, user, mock, revision| {
            let pick = Pick { at: ms(request), revision: Revision(revision), ..pick(request) };
            rollout.picked_for((0, user), &pick, Some(mock));
            rollout.breaches.len()
        };
        assert_eq!([pick(1, 7, 1, 3), pick(2, 7, 1, 3), pick(3, 8, 0, 3)], [0, 0, 0]);
        assert_eq!(pick(4, 7, 0, 2), 0, "picked before the step was in force, told later");
        assert_eq!(pick(5, 7, 0, 4), 1);
        rollout.marked(&Mark { at: ms(6), step: None, kind: MarkKind::Aborted("bad".into()) });
        rollout.picked_for((0, 7), &Pick { at: ms(7), revision: Revision(9), ..self::pick(7) }, Some(0));
        assert_eq!((rollout.breaches[0].count, rollout.moved.len()), (1, 1));
    }

    /// A first try, in some epoch.
    fn pick(request: u64) -> Pick {
        Pick {
            request,
            at: ms(request),
            node: 0,
            revision: Revision(0),
            upstream: None,
            target: gateway_core::id::TargetId(0),
            epoch: gateway_core::id::Epoch(0),
            ticket: 0,
            carried: 0.0,
            retry: 0,
        }
    }

    #[test]
    fn who_is_sent_to_a_target_that_drains_is_named_until_it_comes_back() {
        let drain = Action::Drain { mocks: vec![2], weights: Vec::new(), at_most: Duration::ZERO };
        let mut rollout = rollout();
        stepped(&mut rollout, 10, &drain);
        rollout.picked(1, Some(2), ms(11));
        assert!(rollout.breaches.is_empty(), "what comes with the acknowledgement may have been on its way");
        rollout.picked(2, Some(2), ms(12));
        assert_eq!(rollout.breaches[0].requests, [2]);
        stepped(&mut rollout, 20, &Action::SetWeight { share: 0.5, weights: Vec::new() });
        rollout.picked(3, Some(2), ms(30));
        assert_eq!(rollout.breaches[0].count, 1);
    }
}
