//! Kong's own round-robin: a wheel on which each member stands weight / gcd times in random order, walked round and round
//! (Kong, `runloop/balancer/round_robin.lua`). A whole turn is exact; in between a member may be as far from its share as
//! the shuffle happens to put it. Members that are not available are passed over where they stand.
//!
//! A weight is a share of a whole turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use rand::seq::SliceRandom as _;

use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};
use crate::id::TargetId;

/// The most entries of a wheel. Weights of a longer one are scaled down, each to one entry at least.
const ENTRIES_MAX: u64 = 1 << 20;

/// The wheel of one epoch.
#[derive(Debug)]
pub struct Wheel {
    members: Box<[Member]>,
    /// Index of the member at each place.
    entries: Box<[u32]>,
    next: CachePadded<AtomicUsize>,
}

impl Wheel {
    /// A wheel of all members, in an order that is drawn.
    pub fn new(setup: Setup<'_>) -> Self {
        let mut entries = entries(&setup.members);
        entries.shuffle(setup.rng);
        Self { members: setup.members.into(), entries: entries.into(), next: CachePadded::default() }
    }

    /// The next available member; none after a whole turn without one. `tried` ones are passed over as long as there are
    /// others.
    fn advance(&self, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        let mut fallback = None;
        for _ in 0..self.entries.len() {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.entries.len();
            let member = self.entries[at] as usize;
            let Member { target, available, .. } = self.members[member];
            match (available, tried.contains(&target)) {
                (true, false) => return Ok(Choice::of(member)),
                (true, true) => fallback = fallback.or(Some(member)),
                (false, _) => {}
            }
        }
        fallback.map(Choice::of).ok_or(NoChoice)
    }
}

impl Balancer for Wheel {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.advance(&[])
    }

    /// The same wheel serves retries. Kong's remember nothing of the tries before.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.advance(ask.tried)
    }

    /// Where only the health of members changed it is the same wheel at the same place; else it is a new one that remembers
    /// nothing, as Kong's.
    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let alike = |a: &Member, b: &Member| a.target == b.target && a.weight == b.weight;
        let is_same = setup.members.len() == self.members.len()
            && self.members.iter().zip(&setup.members).all(|(old, new)| alike(old, new));
        if !is_same {
            return Successor::ready(Self::new(setup));
        }
        let next = AtomicUsize::new(self.next.load(Ordering::Relaxed));
        let entries = self.entries.clone();
        Successor::ready(Self { members: setup.members.into(), entries, next: CachePadded::new(next) })
    }
}

/// Each member as often as its weight says, in lowest terms.
fn entries(members: &[Member]) -> Vec<u32> {
    let weights = || members.iter().map(|member| u64::from(member.weight));
    let total: u64 = weights().sum();
    let divisor = weights().fold(0, super::gcd).max(1);
    let places = |weight: u64| match total / divisor {
        length if length <= ENTRIES_MAX => weight / divisor,
        _ => (weight * ENTRIES_MAX / total).max(1),
    };
    let repeated = |(i, weight): (usize, u64)| std::iter::repeat_n(i as u32, places(weight) as usize);
    weights().enumerate().flat_map(repeated).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;

    fn wheel(members: Vec<Member>, seed: u64) -> Wheel {
        Wheel::new(setup(members, &recipe(Algorithm::Wheel), &mut dice(seed)))
    }

    fn counts(wheel: &dyn Balancer, picks: usize) -> Vec<usize> {
        let (mut counts, mut rng) = (vec![0; wheel.members().len()], dice(0));
        for _ in 0..picks {
            counts[wheel.pick(&mut ask(&mut rng)).unwrap().member()] += 1;
        }
        counts
    }

    #[test]
    fn whole_turns_are_exact_and_the_order_is_drawn() {
        let even = wheel(members(&[100, 100, 50]), 1);
        assert_eq!(even.entries.len(), 5);
        assert_eq!(counts(&even, 5_000), [2000, 2000, 1000]);
        let order = |seed| wheel(members(&[1; 50]), seed).entries;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn who_is_unavailable_is_passed_over_where_it_stands() {
        let all = wheel(members(&[1, 1, 1]), 1);
        let start = all.pick(&mut ask(&mut dice(0))).unwrap().member();
        let mut two = members(&[1, 1, 1]);
        two[start].available = false;
        let (recipe, mut rng) = (recipe(Algorithm::Wheel), dice(9));
        let two = all.succeed(setup(two, &recipe, &mut rng)).begin();
        let seen = counts(&*two, 300);
        assert_eq!(seen[start], 0);
        assert_eq!(seen.iter().filter(|&&n| n == 150).count(), 2, "{seen:?}");
        let mut none = members(&[1, 1, 1]);
        for member in &mut none {
            member.available = false;
        }
        let none = two.succeed(setup(none, &recipe, &mut rng)).begin();
        assert_eq!(none.pick(&mut ask(&mut dice(0))), Err(NoChoice));
        assert_eq!(wheel(vec![], 1).pick(&mut ask(&mut dice(0))), Err(NoChoice));
    }

    #[test]
    fn retries_pass_over_who_was_tried_as_long_as_there_are_others() {
        let (wheel, mut rng) = (wheel(members(&[5, 1]), 3), dice(0));
        for _ in 0..20 {
            let mut again = Ask { tried: &[TargetId(0)], ..ask(&mut rng) };
            assert_eq!(wheel.pick_again(&mut again).unwrap().member(), 1);
        }
        let mut again = Ask { tried: &[TargetId(0), TargetId(1)], ..ask(&mut rng) };
        assert!(wheel.pick_again(&mut again).is_ok());
    }

    #[test]
    fn a_wheel_of_huge_weights_is_bounded_and_nobody_falls_off() {
        let weights: Vec<_> = (0..100).map(|i| 65_535 - i).chain([1]).collect();
        let wheel = wheel(members(&weights), 3);
        assert!(wheel.entries.len() as u64 <= ENTRIES_MAX + 101);
        assert!(wheel.entries.contains(&100));
    }
}
