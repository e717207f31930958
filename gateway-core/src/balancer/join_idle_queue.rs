//! Join the idle queue: whoever has been idle longest, if anybody is known to be idle, else one drawn by weight (Lu and others
//! 2011). As the number of targets grows, nobody waits.
//!
//! A weight is the probability of being drawn when all are busy; of idle ones all count the same.
//!
//! O(1): one short lock around the queue of the idle, which is not even taken when the queue is empty. Picks take from it and
//! ends of requests put back. An entry is a hint, and the loads are the truth: one that another worker's balancer has made busy
//! meanwhile is dropped when its turn comes, each at most once for being put in.
//!
//! Pathologies: when all are busy it is no better than random, so it is the worst of the load-aware ones near full load. A
//! target that fails at once is idle again at once; outlier detection is for that. Workers with balancers of their own do not
//! hear of each other's ends and find fewer idle ones than there are.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use rand::seq::SliceRandom as _;

use super::crew::{Crew, Seat};
use super::draw::Draw;
use super::lock::Lock;
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor};
use crate::id::TargetId;

/// The join-idle-queue balancer of one epoch.
#[derive(Debug)]
pub struct JoinIdleQueue {
    crew: Crew,
    draw: Draw,
    /// How many wait in the queue; may lag behind it.
    waiting: CachePadded<AtomicUsize>,
    idle: Lock<Idle>,
}

/// Members thought to be idle, each at most once.
#[derive(Debug)]
struct Idle {
    queue: VecDeque<u32>,
    is_queued: Box<[bool]>,
}

impl JoinIdleQueue {
    /// A balancer whose queue holds whoever is idle now, in an order that is drawn: others may begin at the same time.
    pub fn new(mut setup: Setup<'_>) -> Self {
        let mut order: Vec<_> = (0..setup.members.iter().filter(|member| member.available).count()).collect();
        order.shuffle(&mut setup.rng);
        let crew = Crew::new(setup);
        let mut idle = Idle { queue: VecDeque::new(), is_queued: vec![false; crew.len()].into() };
        for member in order {
            idle.put(member, crew.seat(member));
        }
        Self {
            draw: Draw::by_weight(crew.members()),
            waiting: CachePadded::new(AtomicUsize::new(idle.queue.len())),
            idle: Lock::new(idle),
            crew,
        }
    }

    fn take_idle(&self, tried: &[TargetId]) -> Option<usize> {
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut idle = self.idle.lock();
        let taken = idle.take(&self.crew, tried);
        self.waiting.store(idle.queue.len(), Ordering::Relaxed);
        taken
    }
}

impl Balancer for JoinIdleQueue {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        match self.take_idle(ask.tried) {
            Some(member) => Ok(Choice::of(member)),
            None if ask.tried.is_empty() && self.crew.len() > 0 => Ok(Choice::of(self.draw.one(ask.rng))),
            None => self.crew.best_of((1, &self.draw), ask, |_| 0.0),
        }
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.pick(ask)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }

    fn listens(&self) -> bool {
        true
    }

    fn on_finish(&self, member: usize, _: &Ended) {
        let seat = self.crew.seat(member);
        if seat.load.in_flight() == 0 {
            let mut idle = self.idle.lock();
            idle.put(member, seat);
            self.waiting.store(idle.queue.len(), Ordering::Relaxed);
        }
    }
}

impl Idle {
    fn put(&mut self, member: usize, seat: &Seat) {
        if seat.load.in_flight() == 0 && !self.is_queued[member] {
            self.is_queued[member] = true;
            self.queue.push_back(member as u32);
        }
    }

    /// The first that is in fact idle. One that was tried goes back to the end: it is idle all the same.
    fn take(&mut self, crew: &Crew, tried: &[TargetId]) -> Option<usize> {
        for _ in 0..self.queue.len() {
            let member = self.queue.pop_front()? as usize;
            self.is_queued[member] = false;
            if tried.contains(&crew.members()[member].target) {
                self.put(member, crew.seat(member));
            } else if crew.seat(member).load.in_flight() == 0 {
                return Some(member);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts, dice, members, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;

    const NAME: Algorithm = Algorithm::JoinIdleQueue;

    #[test]
    fn the_idle_come_first_and_longest_idle_before_others() {
        let mut site = Site::new(NAME, &[1, 1, 1, 7]);
        let mut first: Vec<_> = (0..4).map(|_| site.begin()).collect();
        first.sort_unstable();
        assert_eq!(first, [0, 1, 2, 3]);
        site.end(2, 1);
        site.end(0, 1);
        assert_eq!([site.begin(), site.begin()], [2, 0]);
    }

    #[test]
    fn when_all_are_busy_weights_count() {
        let mut site = Site::new(NAME, &[1, 3]);
        let counts = counts(&mut site, 40_000, false);
        // Give or take four standard deviations of 87.
        assert!(counts[0].abs_diff(10_000) < 350, "{counts:?}");
    }

    #[test]
    fn what_others_made_busy_is_dropped_and_retries_avoid_who_was_tried() {
        let mut site = Site::new(NAME, &[1; 4]);
        site.load(0).enter();
        site.load(1).enter();
        assert_eq!(site.again(&[2]), 3);
        assert_eq!(site.begin(), 2);
        for _ in 0..50 {
            assert_eq!(site.again(&[0, 1, 2]), 3);
        }
        assert!(site.again(&[0, 1, 2, 3]) < 4);
    }

    #[test]
    fn an_epoch_begins_with_those_that_are_idle_then() {
        let mut site = Site::new(NAME, &[1, 1, 1]);
        let busy = site.begin();
        site.change(&[2, 2, 2]);
        let (a, b) = (site.begin(), site.begin());
        assert!(a != busy && b != busy && a != b);
    }

    #[test]
    fn threads_that_pick_and_finish_leave_everybody_queued_once() {
        let (recipe, mut rng) = (recipe(NAME), dice(0));
        let balancer = JoinIdleQueue::new(setup(members(&[1; 3]), &recipe, &mut rng));
        Site::churn(&balancer, |member| &balancer.crew.seat(member).load);
        let mut queue: Vec<_> = balancer.idle.lock().queue.iter().copied().collect();
        queue.sort_unstable();
        assert_eq!(queue, [0, 1, 2]);
        assert_eq!(balancer.waiting.load(Ordering::Relaxed), 3);
        assert!((0..3).all(|member| balancer.crew.seat(member).load.in_flight() == 0));
    }
}
