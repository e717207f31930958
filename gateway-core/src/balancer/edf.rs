//! Earliest deadline first, as Envoy's and gRPC's weighted round-robin (`envoyproxy/envoy`,
//! `source/common/upstream/edf_scheduler.h`): each member's next turn falls due 1/weight after its last; whose is due first is
//! picked, and time is then that deadline. Equal deadlines are first in, first out.
//!
//! A weight is a rate: counts are exact after each whole period (sum of weights over their greatest common divisor), but
//! heavy members go first, as in D'Hondt's rule, so that in between a member may be far from its share: 100 and twenty
//! 1s reach 16.5 requests.
//!
//! A pick costs O(log k) under a lock. Envoy counts in floating point, where rounding breaks ties; here arithmetic is
//! exact. Envoy's random offset at the start, which keeps many proxies from marching in step, is left out.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::{Ask, Balancer, Choice, Member, NoChoice, Setup};
use crate::id::TargetId;

/// Parts of a slot in which times are counted; a slot is the mean time between two picks, 1/total weight.
const SLOT: u128 = 1 << 32;

/// The schedule of one epoch.
#[derive(Debug)]
pub struct Edf {
    members: Box<[Member]>,
    total: u128,
    /// From each member's turn to its next.
    steps: Box<[Moment]>,
    agenda: Mutex<Agenda>,
}

/// What falls due when.
#[derive(Debug, Default)]
struct Agenda {
    turns: BinaryHeap<Reverse<Turn>>,
    /// The deadline picked last.
    now: u128,
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

/// `whole` and `part`/`of` units of time: a fraction with a member's weight below the line, never rounded.
#[derive(Clone, Copy, Debug)]
struct Moment {
    whole: u128,
    part: u64,
    of: u64,
}

impl Edf {
    /// A first epoch: everybody's first turn falls due as if it had just had one.
    pub fn new(members: Vec<Member>) -> Self {
        Self::with(members, &FxHashMap::default(), 0)
    }

    /// An epoch in which some turns, numbered below `next`, are left over from the last one: their numbers, and when they
    /// fall due in slots of this epoch.
    fn with(members: Vec<Member>, left: &FxHashMap<TargetId, (u64, u128)>, next: u64) -> Self {
        let total = members.iter().map(|member| u128::from(member.weight)).sum();
        let steps: Box<_> = members.iter().map(|member| Moment::step(total, member.weight)).collect();
        let mut agenda = Agenda { next, ..Agenda::default() };
        for (i, (member, &step)) in members.iter().zip(&steps).enumerate() {
            let (due, number) = match left.get(&member.target) {
                Some(&(number, whole)) => (Moment { whole, part: 0, ..step }, number),
                None => (step, agenda.number()),
            };
            agenda.turns.push(Reverse(Turn { due, number, member: i as u32 }));
        }
        Self { members: members.into(), total, steps, agenda: Mutex::new(agenda) }
    }

    /// The member whose turn falls due first; its next turn is put in.
    fn in_turn(&self) -> Option<usize> {
        let mut agenda = self.lock();
        let Reverse(Turn { due, member, .. }) = agenda.turns.pop()?;
        agenda.now = due.whole;
        let next = Turn { due: due.after(self.steps[member as usize]), number: agenda.number(), member };
        agenda.turns.push(Reverse(next));
        Some(member as usize)
    }

    fn lock(&self) -> MutexGuard<'_, Agenda> {
        // Nothing panics while the lock is held.
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Balancer for Edf {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.in_turn().map(Choice::of).ok_or(NoChoice::Empty)
    }

    /// Whose turn falls due first of those not tried. O(k); the turns stay where they are.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let agenda = self.lock();
        let tried = |turn: &Turn| ask.tried.contains(&self.members[turn.member as usize].target);
        let first = agenda.turns.iter().map(|Reverse(turn)| turn).min_by_key(|turn| (tried(turn), *turn));
        first.map(|turn| Choice::of(turn.member as usize)).ok_or(NoChoice::Empty)
    }

    /// The next turn of those who stay falls due when it would have, and only those after it follow the new weight, as
    /// Envoy's; those who join come in as if they had just had a turn.
    fn succeed(&self, setup: Setup<'_>) -> Box<dyn Balancer> {
        let members = setup.available().members;
        let total: u128 = members.iter().map(|member| u128::from(member.weight)).sum();
        let agenda = self.lock();
        let left = agenda.turns.iter().map(|Reverse(turn)| {
            // A slot is shorter where there is more weight.
            let due = (turn.due.whole - agenda.now) * total / self.total;
            (self.members[turn.member as usize].target, (turn.number, due))
        });
        Box::new(Self::with(members, &left.collect(), agenda.next))
    }
}

impl Agenda {
    /// A number for a turn that is put in.
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl Moment {
    /// A turn of one of `weight` among `total`, in slots.
    fn step(total: u128, weight: u32) -> Self {
        let (whole, part) = (total * SLOT / u128::from(weight), total * SLOT % u128::from(weight));
        Self { whole, part: part as u64, of: weight.into() }
    }

    /// So much later, where both have the same weight below the line.
    fn after(self, step: Self) -> Self {
        let part = self.part + step.part;
        let carry = u64::from(part >= self.of);
        Self { whole: self.whole + step.whole + u128::from(carry), part: part - carry * self.of, of: self.of }
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let part = |one: &Self, other: &Self| u128::from(one.part) * u128::from(other.of);
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
    use super::super::testing::{ask, dice, members, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;

    fn picks(balancer: &dyn Balancer, n: usize) -> Vec<usize> {
        let mut rng = dice(0);
        (0..n).map(|_| balancer.pick(&mut ask(&mut rng)).unwrap().member).collect()
    }

    #[test]
    fn the_heavy_go_first_and_equals_in_turn() {
        // Thirds and sixths meet exactly; equal deadlines are first in, first out: member 1 at 1/1 was there before
        // member 0's third turn was put in.
        assert_eq!(picks(&Edf::new(members(&[3, 1])), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(picks(&Edf::new(members(&[1, 1, 1])), 6), [0, 1, 2, 0, 1, 2]);
        assert_eq!(Edf::new(vec![]).pick(&mut ask(&mut dice(0))), Err(NoChoice::Empty));
    }

    #[test]
    fn retries_go_to_the_first_of_the_rest_and_move_no_turn() {
        let (balancer, mut rng) = (Edf::new(members(&[5, 1, 2])), dice(0));
        for (tried, expected) in [(&[TargetId(0)][..], 2), (&[TargetId(0), TargetId(2)], 1)] {
            assert_eq!(balancer.pick_again(&mut Ask { tried, ..ask(&mut rng) }).unwrap().member, expected);
        }
        let tried = &[0, 1, 2].map(TargetId);
        assert_eq!(balancer.pick_again(&mut Ask { tried, ..ask(&mut rng) }).unwrap().member, 0);
        assert_eq!(picks(&balancer, 8), picks(&Edf::new(members(&[5, 1, 2])), 8));
    }

    #[test]
    fn the_next_turn_of_who_stays_is_kept_and_who_joins_waits_for_its_first() {
        // Aim: Envoy's rule at a change. Method: at time 1/2 member 1's turn is 1/2 away; its new weight of 10 would put
        // it 1/10 away. Member 2 joins with 4, so that its first turn is 1/4 away; member 0's next is 1/2 away.
        let balancer = Edf::new(members(&[2, 1]));
        assert_eq!(picks(&balancer, 1), [0]);
        let (recipe, mut rng) = (recipe(Algorithm::Edf), dice(0));
        let next = balancer.succeed(setup(members(&[2, 10, 4]), &recipe, &mut rng));
        assert_eq!(picks(&*next, 6), [2, 1, 0, 2, 1, 1]);
    }
}
