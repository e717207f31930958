//! Least connections: the smallest (requests in flight + 1) / weight; of equals the first in order (Kong,
//! `runloop/balancer/least_connections.lua`). The one more is the request itself, so that an idle Upstream picks the heaviest
//! first.
//!
//! A weight is a divisor: who weighs twice as much holds twice as many requests.
//!
//! Up to [`SCAN_MAX`] members a pick looks at all of them. Above, it takes the smallest of a [`MinTree`] under a short lock, O(log
//! n), that picks and ends keep. The truth is in the loads, though: other workers with balancers of their own count there too,
//! and requests of the epoch before. So each touch of a key takes it anew from there, and each eighth pick also touches eight
//! members in turn, whose keys meet in the tree; what was missed is corrected within as many picks as there are members.
//!
//! Pathologies: who joins, or fails at once, has nothing in flight and draws all requests. Slow start is for the one, outlier
//! detection for the other. Gateways that do not know of each other herd at whoever looks idle to all of them.

use super::crew::{Crew, Seat};
use super::lock::Lock;
use super::min_tree::{self, MinTree};
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor};
use crate::id::TargetId;

/// The most members that are looked at one by one.
const SCAN_MAX: usize = 64;
/// The most keys of those that seem smallest that one pick finds too small and corrects.
const CORRECTIONS_MAX: usize = 8;

/// The least-connections balancer of one epoch.
#[derive(Debug)]
pub struct LeastConnections {
    crew: Crew,
    index: Option<Lock<Index>>,
}

/// The crowding of each member as last seen.
#[derive(Debug)]
struct Index {
    tree: MinTree,
    /// Picks since those members were looked at that come first in turn.
    picks: usize,
}

impl LeastConnections {
    /// A balancer that starts from what is in flight.
    pub fn new(setup: Setup<'_>) -> Self {
        let crew = Crew::new(setup);
        let index = (crew.len() > SCAN_MAX).then(|| Lock::new(Index::new(&crew)));
        Self { crew, index }
    }
}

impl Balancer for LeastConnections {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        match &self.index {
            None if ask.tried.is_empty() => self.crew.least_crowded().map(Choice::of).ok_or(NoChoice),
            None => self.crew.scan(0, ask.tried, Seat::crowding),
            Some(index) => index.lock().take(&self.crew, ask.tried).map(Choice::of).ok_or(NoChoice),
        }
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.pick(ask)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }

    fn listens(&self) -> bool {
        self.index.is_some()
    }

    fn on_finish(&self, member: usize, _: &Ended) {
        if let Some(index) = &self.index {
            index.lock().look_at(&self.crew, member);
        }
    }
}

impl Index {
    fn new(crew: &Crew) -> Self {
        Self { tree: MinTree::new(crew.seats().map(|seat| seat.crowding().per_weight())), picks: 0 }
    }

    /// Takes the member with the smallest key, preferring those not `tried`, and counts the request that is about to enter.
    fn take(&mut self, crew: &Crew, tried: &[TargetId]) -> Option<usize> {
        self.picks += 1;
        if self.picks.is_multiple_of(min_tree::WIDTH) {
            self.look_at_some(crew);
        }
        let taken = if tried.is_empty() { self.least(crew)? } else { self.least_beside(crew, tried)? };
        self.tree.set(taken, crew.seat(taken).crowding_with(2).per_weight());
        Some(taken)
    }

    /// As [`Self::least`], preferring those not `tried`.
    #[cold]
    #[inline(never)]
    fn least_beside(&mut self, crew: &Crew, tried: &[TargetId]) -> Option<usize> {
        let tried: Vec<_> = tried.iter().filter_map(|&target| crew.index(target)).collect();
        for &member in &tried {
            self.tree.set(member, f64::INFINITY);
        }
        let least = self.least(crew);
        for &member in &tried {
            self.look_at(crew, member);
        }
        least.or_else(|| self.least(crew))
    }

    /// The member with the smallest key, once that is no smaller than it should be. One that is larger may belong to somebody
    /// who was picked and has not entered yet.
    fn least(&mut self, crew: &Crew) -> Option<usize> {
        for _ in 0..CORRECTIONS_MAX {
            let member = self.tree.min()?;
            if !self.tree.min_is_less(crew.seat(member).crowding().per_weight()) {
                return Some(member);
            }
            self.look_at(crew, member);
        }
        self.tree.min()
    }

    /// Looks at those who come next in turn.
    #[inline(never)]
    fn look_at_some(&mut self, crew: &Crew) {
        let row = self.picks / min_tree::WIDTH - 1;
        let some = crew.seats().skip(row * min_tree::WIDTH);
        self.tree.set_row(row, some.map(|seat| seat.crowding().per_weight()));
        if self.picks >= crew.len() {
            self.picks = 0;
        }
    }

    fn look_at(&mut self, crew: &Crew, member: usize) {
        self.tree.set(member, crew.seat(member).crowding().per_weight());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{Site, counts, members, recipe, setup};
    use super::super::testing::{ask, dice};
    use super::*;
    use crate::entity::Algorithm;

    const NAME: Algorithm = Algorithm::LeastConnections;

    /// What Kong's rule says, looked up the slow way.
    fn naive(site: &Site) -> usize {
        let seat = |i: usize| (site.in_flight(i) + 1, site.members()[i].weight);
        let is_less = |(a, v): (u32, u32), (b, w): (u32, u32)| {
            u64::from(a) * u64::from(w) < u64::from(b) * u64::from(v)
        };
        (1..site.members().len()).fold(0, |best, i| if is_less(seat(i), seat(best)) { i } else { best })
    }

    #[test]
    fn seventy_held_requests_are_twenty_and_fifty() {
        let mut site = Site::new(NAME, &[20, 50]);
        assert_eq!(site.begin(), 1, "the heaviest first");
        for _ in 1..70 {
            site.begin();
        }
        assert_eq!([site.in_flight(0), site.in_flight(1)], [20, 50]);
    }

    #[test]
    fn many_members_fill_evenly_and_in_order() {
        let mut site = Site::new(NAME, &[1; 100]);
        let picked: Vec<_> = (0..200).map(|_| site.begin()).collect();
        assert!(picked.iter().enumerate().all(|(i, &member)| member == i % 100), "{picked:?}");
        site.end(17, 1);
        assert_eq!(site.begin(), 17);
    }

    #[test]
    fn retries_avoid_those_tried_as_long_as_there_are_others() {
        for size in [3, 100] {
            let mut site = Site::new(NAME, &vec![1; size]);
            assert_eq!(site.again(&[0]), 1);
            assert_eq!(site.again(&[0, 1]), 2);
            let all: Vec<_> = (0..size as u32).collect();
            assert_eq!(site.again(&all), 0, "size {size}");
        }
    }

    #[test]
    fn what_others_do_to_the_loads_is_found_out() {
        // Aim: a worker's own balancer follows shared loads. Method: requests that it is never told of, then picks.
        let mut site = Site::new(NAME, &[1; 100]);
        for member in 0..60 {
            site.load(member).enter();
        }
        // One pick corrects eight keys at most, so the first few may go astray.
        let astray: usize = counts(&mut site, 40, false)[..60].iter().sum();
        assert!(astray <= 7, "{astray}");
        for member in 0..60 {
            site.load(member).leave();
        }
        let found: usize = counts(&mut site, 150, false)[..60].iter().sum();
        assert!(found >= 100, "{found}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_the_naive_scan_under_any_history(
            weights in prop::collection::vec(1_u32..6, 1..200),
            joined in prop::collection::vec(0_u32..4, 1..200),
            moves in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 1..150),
        ) {
            let mut site = Site::new(NAME, &weights);
            for weights in [&weights, &joined, &weights] {
                site.change(weights);
                let mut under_way: Vec<usize> = Vec::new();
                for &(begins, which) in &moves {
                    if site.members().is_empty() {
                        prop_assert_eq!(site.balancer.pick(&mut ask(&mut dice(0))), Err(NoChoice));
                    } else if begins || under_way.is_empty() {
                        let expected = naive(&site);
                        under_way.push(site.begin());
                        prop_assert_eq!(under_way.last(), Some(&expected));
                    } else {
                        let which = which.index(under_way.len());
                        site.end(under_way.swap_remove(which), 1);
                    }
                }
            }
        }
    }

    #[test]
    fn threads_that_pick_and_finish_leave_the_index_as_new() {
        let (recipe, mut rng) = (recipe(NAME), dice(0));
        let balancer = LeastConnections::new(setup(members(&[3; 200]), &recipe, &mut rng));
        Site::churn(&balancer, |member| &balancer.crew.seat(member).load);
        let fresh = Index::new(&balancer.crew);
        let index = balancer.index.as_ref().unwrap().lock();
        assert!(balancer.crew.seats().all(|seat| seat.load.in_flight() == 0));
        assert_eq!(index.tree, fresh.tree);
    }
}
