//! Turns that depend on nothing but the turns before: an algorithm says in which order, as a [`Sequence`], and everything else
//! is done here once. [`ring`] computes the sequence ahead and hands it out to all workers without a lock; [`Rota`] adds the
//! members whose turns they are, and tries after the first; [`Upcoming`] is what can be done for a next epoch while picks go on.
//!
//! A pick costs one `fetch_add` and one look into a table where the period (sum of weights over their greatest common
//! divisor) is short enough to be kept. Where it is longer, or an epoch has just begun, it costs a compare-and-exchange
//! instead, and the entries to come are computed by some picks for all. The first entries of a later epoch are few, so that
//! nobody waits when it begins.

mod divisor;
mod ring;

/// What turns are shared with. Tests put models in its place.
mod sync {
    pub(super) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    pub(super) use std::sync::{Mutex, MutexGuard};
}

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use rustc_hash::FxHashMap;

use self::divisor::Divisor;
use self::ring::Turns;
use super::{Member, NoChoice, gcd};
use crate::id::TargetId;

/// Whose turns come one after the other. What is left to come must follow from how often each member has been picked.
pub(super) trait Sequence: Debug + Send {
    /// The member of the next slot. There must be members.
    fn next_member(&mut self) -> u32;

    /// Picks of each member so far.
    fn picks(&self) -> &[u64];

    /// What they are picked in proportion to.
    fn shares(&self) -> &Shares;

    /// Whether the order of turns has settled before each had been picked as often as `before`, so that from then on it is the
    /// same in all periods in which each has its share.
    fn is_settled(&self, _before: &[u64]) -> bool {
        true
    }
}

/// The weights of the members of one epoch, and what can be had of them without a division.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) weights: Box<[u64]>,
    /// All weights together.
    pub(super) total: u64,
    /// Slots of each member in a period.
    slots: Box<[u64]>,
    period: u64,
    by_total: Divisor,
}

impl Shares {
    /// The weights of `members`.
    ///
    /// # Panics
    /// When one of them is zero.
    pub(super) fn new(members: &[Member]) -> Self {
        Self::of(members.iter().map(|member| u64::from(member.weight)).collect())
    }

    /// These weights.
    ///
    /// # Panics
    /// When one of them is zero.
    pub(super) fn of(weights: Box<[u64]>) -> Self {
        assert!(weights.iter().all(|&weight| weight > 0), "a member's weight is never zero");
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let total: u64 = weights.iter().sum();
        Self {
            slots: weights.iter().map(|weight| weight / divisor).collect(),
            period: total / divisor,
            by_total: Divisor::new(total.max(1)),
            weights,
            total,
        }
    }

    /// After so many slots every member has had exactly its share, and the sequence may repeat.
    pub(super) fn period(&self) -> u64 {
        self.period
    }

    /// Slots of each member in a period.
    pub(super) fn slots(&self) -> &[u64] {
        &self.slots
    }

    /// The part of `amount` that falls to each member, rounded down: `amount` times its weight over all weights.
    pub(super) fn parts_of(&self, amount: i128) -> impl Iterator<Item = i64> {
        let total = i128::from(self.total.max(1));
        let (each, rest) = (amount.div_euclid(total) as i64, amount.rem_euclid(total) as u64);
        let of_rest = move |weight: u64| match rest.checked_mul(weight).filter(|product| product >> 63 == 0) {
            Some(product) => self.by_total.divide(product).0,
            None => (u128::from(rest) * u128::from(weight) / total as u128) as u64,
        };
        let part = move |&weight: &u64| each * weight.cast_signed() + of_rest(weight).cast_signed();
        self.weights.iter().map(part)
    }

    /// Whether picks rose from `before` to `now` within one period as they should.
    pub(super) fn are_met(&self, before: &[u64], now: &[u64]) -> bool {
        before.iter().zip(now).zip(&self.slots).all(|((before, now), slots)| now - before == *slots)
    }
}

/// How far ahead turns are computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The longest period that is kept whole.
    period_max: u64,
    /// Entries of the ring for a longer period.
    ring: usize,
    /// Entries computed before the first turn.
    at_once: usize,
    /// Each so-manieth turn, rounded up to a power of two, computes twice as many more, as long as there is room for them.
    every: u64,
}

impl Pace {
    /// The pace of a first epoch. A whole period is one table of up to 256 KiB, computed at once: 25 ms at most where an
    /// entry costs O(log k).
    pub(super) const FIRST: Self = Self { period_max: 65_536, ring: 4096, at_once: 65_536, every: 256 };
    /// The pace of a later one. It begins with so few entries that nobody waits for them: at most 0.1 ms; nor does a pick
    /// compute for longer.
    pub(super) const LATER: Self = Self { at_once: 256, ..Self::FIRST };

    /// The same where one of `members` is found by looking at all of them.
    pub(super) fn looking_at(self, members: usize) -> Self {
        let by = members / 16 + 1;
        Self { at_once: self.at_once.div_ceil(by), every: self.every.div_ceil(by as u64), ..self }
    }
}

/// The members of one epoch and their turns.
#[derive(Debug)]
pub(super) struct Rota<S> {
    members: Box<[Member]>,
    turns: Turns<S>,
    retries: CachePadded<AtomicUsize>,
}

impl<S: Sequence> Rota<S> {
    pub(super) fn new(sequence: S, members: Vec<Member>, pace: Pace) -> Self {
        Self { members: members.into(), turns: Turns::new(sequence, pace), retries: CachePadded::default() }
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The next turn: its number, from 0, and the member.
    pub(super) fn in_turn(&self) -> Result<(u64, usize), NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice);
        }
        self.turns.take()
    }

    /// Whether the epoch has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.turns.are_closed()
    }

    /// A member for another try: the next in a turn of its own, preferring those not tried. O(k) at worst.
    pub(super) fn besides(&self, tried: &[TargetId]) -> Result<usize, NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice);
        }
        let start = self.retries.fetch_add(1, Ordering::Relaxed);
        let anyone = (0..self.members.len()).map(|i| (start + i) % self.members.len());
        let untried = |&member: &usize| !tried.contains(&self.members[member].target);
        let member = self.turns.lap_from(start).chain(anyone).find(untried);
        Ok(member.unwrap_or(start % self.members.len()))
    }

    /// Prepares the epoch after this one: everything but what depends on how this one ends. Picks go on meanwhile.
    pub(super) fn prepare(&self, sequence: S, members: Vec<Member>, pace: Pace) -> Upcoming<'_, S> {
        let places: FxHashMap<_, _> = self.members.iter().map(|member| member.target).zip(0..).collect();
        let places = members.iter().map(|member| places.get(&member.target).copied()).collect();
        let turns = Turns::prepared(sequence, pace);
        let next = Self { members: members.into(), turns, retries: CachePadded::default() };
        Upcoming { last: self, next, pace, places }
    }

    /// Whether a period has become a table.
    #[cfg(test)]
    pub(super) fn repeats(&self) -> bool {
        self.turns.repeats()
    }

    /// Turns given so far.
    #[cfg(test)]
    pub(super) fn given(&self) -> u64 {
        self.turns.given()
    }
}

/// An epoch that is ready to begin after another one, whose picks go on until then.
#[derive(Debug)]
pub(super) struct Upcoming<'a, S> {
    last: &'a Rota<S>,
    next: Rota<S>,
    pace: Pace,
    places: Box<[Option<u32>]>,
}

/// How an epoch has ended, for the one that carries it on.
#[derive(Debug)]
pub(super) struct Past<'a, S> {
    pub(super) sequence: &'a S,
    /// Picks of each of its members. When turns were many, whole periods of them are left out.
    pub(super) picks: &'a [u64],
    /// Which of its members each member of the next epoch was.
    pub(super) places: &'a [Option<u32>],
}

impl<S: Sequence> Upcoming<'_, S> {
    /// Who will be its members.
    pub(super) fn members(&self) -> &[Member] {
        self.next.members()
    }

    /// Ends the last epoch, lets `carry_on` tell the new sequence what it begins with, and begins. Pickers wait from here on.
    pub(super) fn begin<R>(self, carry_on: impl FnOnce(&mut S, &Past<'_, S>) -> R) -> (Rota<S>, R) {
        let Self { last, next, pace, places } = self;
        let carried = last.turns.close(|sequence, picks| {
            let past = Past { sequence, picks, places: &places };
            next.turns.begin(pace, |next| carry_on(next, &past))
        });
        (next, carried)
    }
}

#[cfg(test)]
mod interleavings;

#[cfg(test)]
mod tests {
    use super::super::testing::{dice, members, picks, recipe, setup};
    use super::super::{Ask, make};
    use super::*;
    use crate::entity::Algorithm;
    use crate::time::Instant;

    #[test]
    fn another_try_is_of_somebody_else_and_moves_no_turn() {
        for algorithm in [Algorithm::RoundRobin, Algorithm::SmoothWrr, Algorithm::Edf] {
            let (recipe, mut rng) = (recipe(algorithm), dice(0));
            let balancer = make(setup(members(&[5, 1, 2]), &recipe, &mut rng));
            let again = |tried: &[u32]| {
                let tried: Vec<_> = tried.iter().copied().map(TargetId).collect();
                let ask = &mut Ask { now: Instant::ZERO, rng: &mut dice(0), key: None, tried: &tried };
                balancer.pick_again(ask).unwrap().member()
            };
            assert_eq!([again(&[0, 2]), again(&[0, 1]), again(&[1, 2])], [1, 2, 0]);
            assert!(again(&[0, 1, 2]) < 3);
            let untouched = make(setup(members(&[5, 1, 2]), &recipe, &mut rng));
            assert_eq!(picks(&*balancer, 8), picks(&*untouched, 8));
        }
    }
}
