//! Prequal: the best of a small pool of recent replies, by a rule that tells hot targets from cold ones (Wydrowski and others,
//! NSDI 2024). Among cold ones the fastest wins; when all are hot, the one with the fewest requests in flight. See [`pool`].
//!
//! Its probes are piggy-backed: there is no protocol that asks a target for its load, so the replies of real requests are the
//! probes. A reply brings what is in flight at its target, which the gateway counts itself, and the response time to expect
//! for each request there: its average over the queue that its answers met. Times what is in flight, that stands for the
//! paper's median of requests that met as many.
//!
//! That makes one reply a request, where the paper sends three probes, so the pool loses a third of an entry a request, where
//! the paper's loses one. Replies only come from who is picked, so one request in [`EXPLORE`] goes to the less crowded of two
//! drawn by weight, as the paper's probes go anywhere; and so do all while the pool holds fewer than two.
//!
//! A weight is the probability of being drawn and a divisor when exploring; the rule itself knows none.
//!
//! O(1) under a short lock, which is not even taken while the pool is empty: the best of the pool is known when a pick comes, and
//! who comes after it is found in four comparisons. A failure, or a 5xx, counts as a slow answer (see `estimate`).
//!
//! Pathologies: made for targets whose spare capacity differs and a pool much smaller than their number; with few
//! targets it is about "fewest in flight". Exploring costs a slow target's response time once in so many requests. Workers with
//! balancers of their own have pools of their own.

mod pool;
mod ranks;

use std::sync::atomic::{AtomicBool, Ordering};

use rand::Rng as _;

use self::pool::{Pool, Reply};
use super::crew::{Crew, Seat};
use super::draw::Draw;
use super::lock::Lock;
use super::{Ask, Balancer, Choice, Ended, Member, NoChoice, Setup, Successor};

/// One request in so many goes anywhere.
const EXPLORE: u64 = 16;
/// Targets that are drawn for it, of which the least crowded gets it.
const CHOICES: usize = 2;

/// The Prequal balancer of one epoch.
#[derive(Debug)]
pub struct Prequal {
    crew: Crew,
    draw: Draw,
    /// Seconds that who is new is taken to need.
    usual: f64,
    pool: Lock<Pool>,
    /// Whether there is something to choose from in the pool, so that nobody asks for it in vain; may lag behind it.
    has_choice: AtomicBool,
}

impl Prequal {
    /// A balancer with an empty pool.
    pub fn new(setup: Setup<'_>) -> Self {
        let crew = Crew::new(setup);
        Self {
            draw: Draw::by_weight(crew.members()),
            usual: crew.usual_seconds(),
            pool: Lock::new(Pool::new(crew.len())),
            has_choice: AtomicBool::new(false),
            crew,
        }
    }

    /// The best of the pool, or anybody when the dice say to explore or there is nothing to choose from after all. Apart, so that who
    /// need not look there saves and restores nothing.
    #[inline(never)]
    fn pick_from_pool(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let dice = ask.rng.next_u64();
        if dice.is_multiple_of(EXPLORE) {
            return self.explore(ask);
        }
        let tried: Vec<_> = ask.tried.iter().filter_map(|&target| self.crew.index(target)).collect();
        let best = self.change(|pool| pool.take(ask.now, dice >> 32, &tried));
        best.map_or_else(|| self.explore(ask), |member| Ok(Choice::of(member)))
    }

    /// The less crowded of two.
    fn explore(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.crew.best_of((CHOICES, &self.draw), ask, Seat::crowding)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Pool) -> R) -> R {
        let mut pool = self.pool.lock();
        let result = change(&mut pool);
        // Written when it changes only: everybody reads it.
        if self.has_choice.load(Ordering::Relaxed) != pool.has_choice() {
            self.has_choice.store(pool.has_choice(), Ordering::Relaxed);
        }
        result
    }
}

impl Balancer for Prequal {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        if self.has_choice.load(Ordering::Relaxed) { self.pick_from_pool(ask) } else { self.explore(ask) }
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

    fn on_finish(&self, member: usize, ended: &Ended) {
        let seat = self.crew.seat(member);
        if seat.answered(ended, self.usual)
            && let Some((seconds, queue)) = seat.answers(ended.now)
        {
            let reply = Reply::new(member, seat.load.in_flight(), seconds / (1.0 + queue), ended.now);
            self.change(|pool| pool.put(reply));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Site, counts};
    use crate::entity::Algorithm;

    const NAME: Algorithm = Algorithm::Prequal;

    /// Requests of each member, where those of member 0 take so many milliseconds and others ten.
    fn shares(site: &mut Site, millis: u64) -> Vec<usize> {
        site.serve(8000, |site, member| site.end(member, if member == 0 { millis } else { 10 }))
    }

    #[test]
    fn a_slow_target_gets_little_more_than_is_explored() {
        let mut site = Site::new(NAME, &[1; 10]);
        let counts = shares(&mut site, 100);
        // One in 16 goes anywhere, a tenth of that to it: 50 of 8,000.
        assert!((25..100).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn a_target_that_fails_at_once_is_a_slow_one() {
        let mut site = Site::new(NAME, &[1; 10]);
        shares(&mut site, 10);
        let counts =
            site.serve(8000, |site, member| if member == 0 { site.refuse(0) } else { site.end(member, 10) });
        assert!(counts[0] < 100, "{counts:?}");
    }

    #[test]
    fn without_replies_the_less_crowded_of_two_and_retries_avoid_who_was_tried() {
        let mut site = Site::new(NAME, &[20, 50]);
        assert_eq!(counts(&mut site, 70, false), [20, 50]);
        for member in [0, 1, 0, 1] {
            site.end(member, 10);
        }
        for _ in 0..50 {
            assert_eq!(site.again(&[0]), 1);
            assert_eq!(site.again(&[1]), 0);
        }
        assert!(site.again(&[0, 1]) < 2);
    }
}
