//! The rollout as it happened: its marks, its steps, both versions' picks and answers, who was hurt, and the promises that a
//! rollout makes, checked against what the gateway was seen to do. Knows nothing of how steps come about.

use gateway_core::time::Instant;
use rustc_hash::FxHashSet;

use super::{Ending, Record, StepMoments};
use crate::rollout::judge::Side;
use crate::rollout::{Mark, MarkKind, Rollout};

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
    rolled_back: Option<Instant>,
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
    /// Once the way back is done, nobody is sent to the new version any more.
    BackIsBack,
}

impl Promise {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BackIsBack => "after the way back nobody is sent to the new version",
        }
    }
}

impl MeasuredRollout {
    pub(super) fn new(rollout: &Rollout) -> Self {
        Self { sides: rollout.sides.clone(), ..Self::default() }
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
        if mark.kind == MarkKind::RolledBack {
            self.rolled_back = Some(mark.at);
        }
        self.marks.push(mark.clone());
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, request: u64, mock: Option<u32>, at: Instant) {
        let is_back = self.rolled_back.is_some_and(|back| at > back);
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
    pub(super) fn ended(&mut self, record: &Record, user: (usize, u64), mock: Option<u32>) {
        let is_bad = match record.ending {
            Ending::Answered(status) => status >= 500,
            Ending::Dropped(_) => true,
        };
        if is_bad {
            self.hurt.insert(user);
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
