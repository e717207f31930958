//! Kong's own round-robin: a wheel on which each member stands weight / gcd times in random order, walked round and round
//! (Kong, `runloop/balancer/round_robin.lua`). A whole turn is exact; in between a member may be as far from its share as
//! the shuffle happens to put it. Members that are not available are passed over where they stand.
//!
//! A weight is a share of a whole turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use rand::seq::SliceRandom as _;

use super::{Choice, Member, NoChoice};
use crate::id::TargetId;
use crate::rng::Rng;

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
    /// A wheel of `members`, in an order that `rng` draws.
    pub fn new(members: Vec<Member>, rng: &mut Rng) -> Self {
        let mut entries = entries(&members);
        entries.shuffle(rng);
        Self { members: members.into(), entries: entries.into(), next: CachePadded::default() }
    }

    /// The wheel after a change. Where only the health of members changed it is the same wheel at the same place; else it
    /// is a new one that remembers nothing, as Kong's.
    #[must_use]
    pub fn succeed(&self, members: Vec<Member>, rng: &mut Rng) -> Self {
        let alike = |a: &Member, b: &Member| a.target == b.target && a.weight == b.weight;
        let is_same = members.len() == self.members.len()
            && self.members.iter().zip(&members).all(|(old, new)| alike(old, new));
        if !is_same {
            return Self::new(members, rng);
        }
        let next = AtomicUsize::new(self.next.load(Ordering::Relaxed));
        Self { members: members.into(), entries: self.entries.clone(), next: CachePadded::new(next) }
    }

    /// Who stands on it, available or not.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The next available member; none after a whole turn without one.
    pub(super) fn pick(&self) -> Result<Choice, NoChoice> {
        self.pick_again(&[])
    }

    /// The same wheel serves retries; `tried` members are passed over as long as there are others.
    pub(super) fn pick_again(&self, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        let mut fallback = None;
        for _ in 0..self.entries.len() {
            let at = self.next.fetch_add(1, Ordering::Relaxed) % self.entries.len();
            let member = self.entries[at] as usize;
            let Member { target, available, .. } = self.members[member];
            match (available, tried.contains(&target)) {
                (true, false) => return Ok(Self::choice(member)),
                (true, true) => fallback = fallback.or(Some(member)),
                (false, _) => {}
            }
        }
        fallback.map(Self::choice).ok_or(NoChoice::Empty)
    }

    /// The ticket is whoever counts first tries' to fill in.
    const fn choice(member: usize) -> Choice {
        Choice { member, ticket: u64::MAX, carried: 0.0 }
    }
}

/// Each member as often as its weight says, in lowest terms.
fn entries(members: &[Member]) -> Vec<u32> {
    let weights = || members.iter().map(|member| u64::from(member.weight.get()));
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
    use super::*;
    use crate::rng;
    use crate::weight::Weight;

    fn members(weights: &[(u16, bool)]) -> Vec<Member> {
        let member = |(i, &(weight, available))| Member {
            target: TargetId(i as u32),
            weight: Weight::new(weight),
            available,
        };
        weights.iter().enumerate().map(member).collect()
    }

    fn counts(wheel: &Wheel, picks: usize) -> Vec<usize> {
        let mut counts = vec![0; wheel.members().len()];
        for _ in 0..picks {
            counts[wheel.pick().unwrap().member] += 1;
        }
        counts
    }

    #[test]
    fn whole_turns_are_exact_and_the_order_is_drawn() {
        let mut rng = rng::stream(1, "wheel", 0);
        let weights = [(100, true), (100, true), (50, true)];
        let wheel = Wheel::new(members(&weights), &mut rng);
        assert_eq!(wheel.entries.len(), 5);
        assert_eq!(counts(&wheel, 5_000), [2000, 2000, 1000]);
        let order = |seed| Wheel::new(members(&[(1, true); 50]), &mut rng::stream(seed, "w", 0)).entries;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn who_is_unavailable_is_passed_over_where_it_stands() {
        let mut rng = rng::stream(1, "wheel", 0);
        let all = Wheel::new(members(&[(1, true), (1, true), (1, true)]), &mut rng);
        let start = all.pick().unwrap().member;
        let mut weights = [(1, true); 3];
        weights[start] = (1, false);
        let two = all.succeed(members(&weights), &mut rng);
        assert_eq!(two.entries, all.entries, "the wheel stays as it was");
        let seen = counts(&two, 300);
        assert_eq!(seen[start], 0);
        assert_eq!(seen.iter().filter(|&&n| n == 150).count(), 2, "{seen:?}");
        let none = two.succeed(members(&[(1, false); 3]), &mut rng);
        assert_eq!(none.pick(), Err(NoChoice::Empty));
        assert_eq!(Wheel::new(vec![], &mut rng).pick(), Err(NoChoice::Empty));
    }

    #[test]
    fn retries_pass_over_who_was_tried_as_long_as_there_are_others() {
        let wheel = Wheel::new(members(&[(5, true), (1, true)]), &mut rng::stream(3, "w", 0));
        for _ in 0..20 {
            assert_eq!(wheel.pick_again(&[TargetId(0)]).unwrap().member, 1);
        }
        assert!(wheel.pick_again(&[TargetId(0), TargetId(1)]).is_ok());
    }

    #[test]
    fn a_wheel_of_huge_weights_is_bounded_and_nobody_falls_off() {
        let weights: Vec<_> = (0..100).map(|i| (65_535 - i, true)).chain([(1, true)]).collect();
        let wheel = Wheel::new(members(&weights), &mut rng::stream(3, "w", 0));
        assert!(wheel.entries.len() as u64 <= ENTRIES_MAX + 101);
        assert!(wheel.entries.contains(&100));
    }
}
