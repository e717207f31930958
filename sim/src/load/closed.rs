//! The closed loop: so many users, each of whom sends, waits for the answer, thinks, and sends again. A request is intended
//! for the moment its user is ready, so that a slow gateway is asked less often: coordinated omission, and the reason why
//! the open loop is the default.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use gateway_core::rng::{self, Rng};
use gateway_core::time::Instant;
use rand::Rng as _;

use crate::mock::{Latency, Sampler};

/// A closed loop.
#[derive(Clone, Debug, PartialEq)]
pub struct ClosedLoop {
    /// How many users, at least 1.
    pub vus: u32,
    /// How long each thinks, before its first request too.
    pub think: Latency,
    /// Nobody begins a request after that.
    pub duration: Duration,
    /// Nor after so many, of all users. How many there will be is known at the end only.
    pub most: u64,
}

/// The request of a user who is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Which of the loop's, from 0.
    pub(super) nth: u64,
    /// When the user was ready.
    pub(super) intended: Instant,
    /// Who it is.
    pub(super) vu: u32,
}

/// Whose turn it is: the users of a closed loop as they go. The k-th think time of a user is the same in every run of a
/// seed; who is ready when depends on the answers.
#[derive(Debug)]
pub(super) struct Turns {
    plan: ClosedLoop,
    /// When each user who thinks is ready; the lower number first at the same time.
    ready: BinaryHeap<Reverse<(Instant, u32)>>,
    think: Sampler,
    thinks: Vec<Rng>,
    /// The next request's index.
    next: u64,
    stopped: bool,
}

impl Turns {
    /// Everybody thinks.
    pub(super) fn new(plan: ClosedLoop, seed: u64) -> Self {
        let vus = plan.vus;
        let thinks = (0..vus).map(|vu| rng::stream(seed, "load/think", vu.into())).collect();
        let mut turns = Self {
            think: Sampler::new(&plan.think),
            plan,
            ready: BinaryHeap::new(),
            thinks,
            next: 0,
            stopped: false,
        };
        for vu in 0..vus {
            turns.ended(vu, Instant::ZERO);
        }
        turns
    }

    /// When the next user is ready, if one thinks.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_open = !self.stopped && self.next < self.plan.most;
        self.ready.peek().filter(|_| is_open).map(|Reverse((at, _))| *at)
    }

    /// The request of a user who is ready.
    pub(super) fn take(&mut self, now: Instant) -> Option<Turn> {
        self.due().filter(|at| *at <= now)?;
        let Reverse((intended, vu)) = self.ready.pop()?;
        let nth = self.next;
        self.next += 1;
        Some(Turn { nth, intended, vu })
    }

    /// The request of a user has ended: it thinks, and sends again unless the time is over then.
    pub(super) fn ended(&mut self, vu: u32, at: Instant) {
        let ready = at + self.think.at(self.thinks[vu as usize].next_u64());
        if ready < Instant::ZERO + self.plan.duration {
            self.ready.push(Reverse((ready, vu)));
        }
    }

    /// Nobody sends any more.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether nobody will be ready again, whatever ends.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let nobody_can =
            self.stopped || self.next >= self.plan.most || now >= Instant::ZERO + self.plan.duration;
        nobody_can && self.due().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a loop in which each answer takes `answer`; every request's user and moment in milliseconds.
    fn play(plan: ClosedLoop, answer: Duration) -> Vec<(u64, u32, u64)> {
        let (mut turns, mut under_way, mut all) = (Turns::new(plan, 42), BinaryHeap::new(), Vec::new());
        loop {
            let done =
                under_way.peek().map_or(Instant::MAX, |Reverse((at, _)): &Reverse<(Instant, u32)>| *at);
            let due = turns.due().unwrap_or(Instant::MAX);
            if due.min(done) == Instant::MAX {
                assert!(turns.is_over(Instant::MAX) && turns.next == all.len() as u64);
                return all;
            }
            if done <= due {
                let Reverse((at, vu)) = under_way.pop().unwrap();
                turns.ended(vu, at);
            } else {
                let next = turns.take(due).unwrap();
                under_way.push(Reverse((next.intended + answer, next.vu)));
                all.push((next.nth, next.vu, next.intended.as_nanos() / 1_000_000));
            }
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn each_user_waits_thinks_and_sends_again() {
        let plan = ClosedLoop { vus: 2, think: Latency::Constant(ms(30)), duration: ms(150), most: 100 };
        // After 30 ms, and then each 20 + 30.
        assert_eq!(
            play(plan.clone(), ms(20)),
            [(0, 0, 30), (1, 1, 30), (2, 0, 80), (3, 1, 80), (4, 0, 130), (5, 1, 130)]
        );
        assert_eq!(play(plan.clone(), ms(500)).len(), 2, "a slow answer is a request that is not sent");
        assert_eq!(play(ClosedLoop { most: 3, ..plan }, ms(20)).len(), 3);
    }

    #[test]
    fn think_times_are_drawn_from_the_seed() {
        let plan = ClosedLoop { vus: 3, think: Latency::Exponential(ms(10)), duration: ms(1000), most: 1000 };
        let all = play(plan.clone(), ms(5));
        assert_eq!(all, play(plan, ms(5)));
        assert!(all.windows(2).all(|w| w[0].2 <= w[1].2 && w[0].0 + 1 == w[1].0));
        // Three users, 15 ms for each request on average: 200, with a standard deviation of about 9.
        assert!(all.len().abs_diff(200) < 40, "{}", all.len());
    }

    #[test]
    fn a_loop_that_is_stopped_or_over_has_no_turn() {
        let plan = ClosedLoop { vus: 1, think: Latency::Constant(ms(1)), duration: ms(10), most: 9 };
        let mut turns = Turns::new(plan, 1);
        assert!(turns.take(Instant::ZERO).is_none() && !turns.is_over(Instant::ZERO));
        turns.stop();
        assert!(turns.take(Instant::MAX).is_none() && turns.is_over(Instant::ZERO));
    }
}
