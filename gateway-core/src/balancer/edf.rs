//! Earliest deadline first, as Envoy's and gRPC's weighted round-robin (`envoyproxy/envoy`,
//! `source/common/upstream/edf_scheduler.h`): each member's next turn falls due 1/weight after its last; whose is due first is
//! picked, and time is then that deadline. Equal deadlines are first in, first out.
//!
//! A weight is a rate: counts are exact after each whole period (sum of weights over their greatest common divisor), but
//! heavy members go first, as in D'Hondt's rule, so that in between a member may be far from its share: 100 and twenty
//! 1s reach 16.5 requests.
//!
//! The order follows from the weights alone, so it is computed ahead, O(log k) a turn, and handed out as [`turns`](super::turns)
//! does. Envoy counts in floating point, where rounding breaks ties; here arithmetic is exact. Envoy's random offset at the start,
//! which keeps many proxies from marching in step, is left out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::turns::{Pace, Past, Rota, Sequence, Shares};
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// Parts of a slot in which times are counted; a slot is the mean time between two picks, 1/total weight.
const SLOT: u64 = 1 << 16;

/// The schedule of one epoch.
#[derive(Debug)]
pub struct Edf(Rota<Agenda>);

/// What falls due when.
#[derive(Debug)]
struct Agenda {
    shares: Shares,
    /// When each member's first turn falls due, and its place among equals.
    first: Box<[Turn]>,
    /// From each member's turn to its next.
    steps: Box<[Moment]>,
    picks: Box<[u64]>,
    turns: BinaryHeap<Reverse<Turn>>,
    /// Number of the next turn that is put in.
    next: u64,
}

/// A member's next turn; ordered by deadline, then first in, first out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    due: Moment,
    number: u64,
    member: u32,
}

/// A turn that is left when an epoch ends.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// How long after that it falls due, rounded down.
    due: u64,
    /// Its place in the order in which those that are left had been put in.
    number: u64,
}

/// `whole` and `part`/`of` units of time: a fraction with a member's weight below the line, never rounded.
#[derive(Clone, Copy, Debug)]
struct Moment {
    whole: u64,
    part: u32,
    of: u32,
}

impl Edf {
    /// A first epoch: everybody's first turn falls due as if it had just had one.
    pub fn new(setup: Setup<'_>) -> Self {
        Self::of(setup.available().members)
    }

    /// The same of these members.
    pub(super) fn of(members: Vec<Member>) -> Self {
        let mut agenda = Agenda::prepared(&members);
        agenda.begin(0);
        Self(Rota::new(agenda, members, Pace::FIRST))
    }
}

impl Balancer for Edf {
    fn members(&self) -> &[Member] {
        self.0.members()
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.0.in_turn().map(|(ticket, member)| Choice::counted(member, ticket))
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.0.besides(ask.tried).map(Choice::of)
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// The next turn of those who stay falls due when it would have, and only those after it follow the new weight, as
    /// Envoy's; those who join come in as if they had just had a turn.
    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let members = setup.available().members;
        let next = self.0.prepare(Agenda::prepared(&members), members, Pace::LATER);
        Successor::new(next.members().into(), || Self(next.begin(Agenda::carry_on).0))
    }
}

impl Agenda {
    /// Everybody's first turn, as if each had just had one; none is put in yet.
    fn prepared(members: &[Member]) -> Self {
        let shares = Shares::new(members);
        let steps: Box<[_]> =
            shares.weights.iter().map(|&weight| Moment::step(shares.total, weight)).collect();
        let first = |(member, &due)| Turn { due, number: u64::from(member), member };
        Self {
            turns: BinaryHeap::new(),
            next: 0,
            picks: vec![0; members.len()].into(),
            shares,
            first: (0..).zip(&steps).map(first).collect(),
            steps,
        }
    }

    /// Puts everybody's first turn in, where so many are left over from the last epoch.
    fn begin(&mut self, left: usize) {
        self.turns = self.first.iter().copied().map(Reverse).collect();
        self.next = (left + self.first.len()) as u64;
    }

    /// Takes over the turns that are left, when they fall due and the order in which they had been put in.
    fn carry_on(&mut self, past: &Past<'_, Self>) {
        let left = past.sequence.left(past.picks);
        // A slot is shorter where there is more weight.
        let (total, before) = (u128::from(self.shares.total), u128::from(past.sequence.shares.total));
        for (first, place) in self.first.iter_mut().zip(past.places) {
            match place.map(|place| left[place as usize]) {
                Some(Left { due, number }) => {
                    let whole = (u128::from(due) * total / before) as u64;
                    *first = Turn { due: Moment { whole, part: 0, ..first.due }, number, ..*first };
                }
                None => first.number += left.len() as u64,
            }
        }
        self.begin(left.len());
    }

    /// The turn of each that is left after so many picks of each.
    fn left(&self, picks: &[u64]) -> Box<[Left]> {
        let dues: Box<[_]> = (0..).zip(picks).map(|(member, &picks)| self.due(member, picks)).collect();
        // Whoever had its turn before another had the one after that put in before, too; if ever since the first, for ever.
        let had = |member: usize, ago: u64| {
            (picks[member] >= ago).then(|| dues[member].before(self.steps[member], ago))
        };
        let since = |&member: &usize| (had(member, 1), had(member, 2), self.first[member].number);
        let mut members: Vec<_> = (0..picks.len()).collect();
        members.sort_by_cached_key(since);
        let now = members.last().and_then(|&last| had(last, 1)).map_or(0, |now| now.whole);
        let mut left: Box<[_]> = dues.iter().map(|due| Left { due: due.whole - now, number: 0 }).collect();
        for (number, member) in (0..).zip(members) {
            left[member].number = number;
        }
        left
    }

    /// When a turn of a member falls due, counted from 0.
    fn due(&self, member: usize, turn: u64) -> Moment {
        self.first[member].due.after(self.steps[member].times(turn))
    }
}

impl Sequence for Agenda {
    fn next_member(&mut self) -> u32 {
        let mut first = self.turns.peek_mut().expect("there are members");
        let Reverse(turn) = &mut *first;
        let member = turn.member;
        turn.due = turn.due.after(self.steps[member as usize]);
        turn.number = self.next;
        self.next += 1;
        self.picks[member as usize] += 1;
        member
    }

    fn picks(&self) -> &[u64] {
        &self.picks
    }

    fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Among equal deadlines it is once everybody's first turn, which nobody had put in, is over.
    fn is_settled(&self, before: &[u64]) -> bool {
        before.iter().all(|&picks| picks > 0)
    }
}

impl Moment {
    /// A turn of one of `weight` among `total`, in slots.
    fn step(total: u64, weight: u64) -> Self {
        let (whole, part) = (total * SLOT / weight, total * SLOT % weight);
        Self { whole, part: part as u32, of: weight as u32 }
    }

    /// So much later, where both have the same weight below the line.
    fn after(self, step: Self) -> Self {
        let part = self.part + step.part;
        let carry = part >= self.of;
        let part = if carry { part - self.of } else { part };
        Self { whole: self.whole + step.whole + u64::from(carry), part, of: self.of }
    }

    /// So many steps, one or two, before this.
    fn before(self, step: Self, steps: u64) -> Self {
        let step = step.times(steps);
        let borrow = self.part < step.part;
        let part = if borrow { self.part + self.of } else { self.part } - step.part;
        Self { whole: self.whole - step.whole - u64::from(borrow), part, of: self.of }
    }

    /// So many times as long.
    fn times(self, n: u64) -> Self {
        let parts = u128::from(self.part) * u128::from(n);
        let (more, part) = (parts / u128::from(self.of), parts % u128::from(self.of));
        Self { whole: self.whole * n + more as u64, part: part as u32, of: self.of }
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let part = |one: &Self, other: &Self| u64::from(one.part) * u64::from(other.of);
        self.whole.cmp(&other.whole).then_with(|| part(self, other).cmp(&part(other, self)))
    }
}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moment {}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members, picks, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;

    #[test]
    fn the_heavy_go_first_and_equals_in_turn() {
        // Thirds and sixths meet exactly; equal deadlines are first in, first out: member 1 at 1/1 was there before
        // member 0's third turn was put in.
        assert_eq!(picks(&Edf::of(members(&[3, 1])), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(picks(&Edf::of(members(&[1, 1, 1])), 6), [0, 1, 2, 0, 1, 2]);
        assert_eq!(Edf::of(vec![]).pick(&mut ask(&mut dice(0))), Err(NoChoice));
    }

    #[test]
    fn a_change_that_changes_nothing_is_not_seen() {
        // Aim: what is left over is right to the order of equals, wherever the epoch ends: in its first turns, before and after it
        // has become a table, and after laps of it. Method: powers of two, of which deadlines are whole numbers.
        let weights = [1, 4, 2, 1, 2, 4, 8];
        let straight = picks(&Edf::of(members(&weights)), 150);
        let (recipe, mut rng) = (recipe(Algorithm::Edf), dice(0));
        for n in 0..100 {
            let first = Edf::of(members(&weights));
            let mut seen = picks(&first, n);
            let second = first.succeed(setup(members(&weights), &recipe, &mut rng)).begin();
            seen.extend(picks(&*second, 10));
            let third = second.succeed(setup(members(&weights), &recipe, &mut rng)).begin();
            seen.extend(picks(&*third, 150 - seen.len()));
            assert_eq!(seen, straight, "changed after {n}");
        }
    }

    #[test]
    fn the_next_turn_of_who_stays_is_kept_and_who_joins_waits_for_its_first() {
        // Aim: Envoy's rule at a change. Method: at time 1/2 member 1's turn is 1/2 away; its new weight of 10 would put
        // it 1/10 away. Member 2 joins with 4, so that its first turn is 1/4 away; member 0's next is 1/2 away.
        let balancer = Edf::of(members(&[2, 1]));
        assert_eq!(picks(&balancer, 1), [0]);
        let (recipe, mut rng) = (recipe(Algorithm::Edf), dice(0));
        let next = balancer.succeed(setup(members(&[2, 10, 4]), &recipe, &mut rng)).begin();
        assert_eq!(picks(&*next, 6), [2, 1, 0, 2, 1, 1]);
    }
}
