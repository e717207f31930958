//! The pool of replies, and the paper's rules for choosing from it and for letting go.
//!
//! - At most [`SIZE`] replies, one of each target, none older than [`AGE_MAX`]; the oldest makes room.
//! - A reply is hot when it tells of more requests in flight than the [`Q_RIF`] quantile of recent replies.
//! - Whoever is chosen has one request more from then on, and is used up after [`reuse`] of them.
//! - Of every [`REMOVE_EVERY`] picks one lets go of a reply, in turn the oldest and the worst, so that the pool is not left with
//!   what nobody chooses.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Instant;

/// Replies in the pool.
const SIZE: usize = 16;
/// How old a reply may be.
const AGE_MAX: Duration = Duration::from_secs(1);
/// The quantile of requests in flight above which a target is hot: 2^-0.25.
const Q_RIF: f64 = 0.84;
/// How much more often than it must a reply may be used: the paper's delta.
const DELTA: f64 = 1.0;
/// Picks to one reply that is let go of: as many as the paper sends probes with a request, since here one reply comes
/// with one.
const REMOVE_EVERY: u64 = 3;
/// Replies that the quantile is taken of.
const RECENT: usize = 32;
/// Replies after which it is taken again.
const QUANTILE_EVERY: usize = 8;

/// What a target's reply said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reply {
    member: usize,
    in_flight: u32,
    /// For each request that is in flight there, one more included.
    seconds_each: f64,
    at: Instant,
    uses: u64,
}

/// Recent replies, oldest first.
#[derive(Debug)]
pub(super) struct Pool {
    replies: VecDeque<Reply>,
    reuse: f64,
    picks: u64,
    /// Requests in flight of the last replies, a ring.
    recent: [u32; RECENT],
    received: usize,
    hot_above: u32,
}

impl Reply {
    pub(super) fn new(member: usize, in_flight: u32, seconds_each: f64, at: Instant) -> Self {
        Self { member, in_flight, seconds_each, at, uses: 0 }
    }
}

impl Pool {
    /// An empty pool for so many members. Until it knows better, every target with anything in flight is hot.
    pub(super) fn new(members: usize) -> Self {
        Self {
            replies: VecDeque::with_capacity(SIZE),
            reuse: reuse(members),
            picks: 0,
            recent: [0; RECENT],
            received: 0,
            hot_above: 0,
        }
    }

    /// A reply has come.
    pub(super) fn put(&mut self, reply: Reply) {
        self.replies.retain(|other| other.member != reply.member);
        if self.replies.len() == SIZE {
            self.replies.pop_front();
        }
        self.replies.push_back(reply);
        self.recent[self.received % RECENT] = reply.in_flight;
        self.received += 1;
        if self.received.is_multiple_of(QUANTILE_EVERY) {
            let mut recent = self.recent;
            let recent = &mut recent[..self.received.min(RECENT)];
            let at = (Q_RIF * recent.len() as f64) as usize;
            self.hot_above = *recent.select_nth_unstable(at).1;
        }
    }

    /// The best of at least two that are fit; `dice`, below 2^32, rounds the number of uses.
    pub(super) fn take(&mut self, now: Instant, dice: u64, is_fit: impl Fn(usize) -> bool) -> Option<usize> {
        while self.replies.front().is_some_and(|oldest| now.since(oldest.at) > AGE_MAX) {
            self.replies.pop_front();
        }
        let fit = |&at: &usize| is_fit(self.replies[at].member);
        if (0..self.replies.len()).filter(fit).count() < 2 {
            return None;
        }
        let best =
            (0..self.replies.len()).filter(fit).min_by(|&a, &b| self.rank(a).total_cmp(&self.rank(b)))?;
        let member = self.replies[best].member;
        self.used(best, dice);
        self.let_go();
        Some(member)
    }

    /// Less is better: any cold one by its response time, then the hot ones by what is in flight.
    fn rank(&self, at: usize) -> f64 {
        let Reply { in_flight, seconds_each, .. } = self.replies[at];
        let one_more = f64::from(in_flight + 1);
        let seconds = seconds_each * one_more;
        // Below 1 for the cold, above for the hot.
        if in_flight > self.hot_above { one_more } else { seconds / (1.0 + seconds) }
    }

    fn used(&mut self, at: usize, dice: u64) {
        let reply = &mut self.replies[at];
        reply.in_flight += 1;
        reply.uses += 1;
        // Rounded at random: 3.9 uses are four in nine cases of ten.
        let round_up = dice as f64 / f64::from(u32::MAX) < self.reuse.fract();
        if reply.uses as f64 >= self.reuse.floor() + f64::from(u8::from(round_up)) {
            self.replies.remove(at);
        }
    }

    fn let_go(&mut self) {
        self.picks += 1;
        if !self.picks.is_multiple_of(REMOVE_EVERY) {
            return;
        }
        if (self.picks / REMOVE_EVERY).is_multiple_of(2) {
            self.replies.pop_front();
        } else {
            let worst = (0..self.replies.len()).max_by(|&a, &b| self.rank(a).total_cmp(&self.rank(b)));
            worst.and_then(|worst| self.replies.remove(worst));
        }
    }
}

/// How often a reply may be used: max(1, (1 + delta) / ((1 - pool / members) * replies - removals)), both per request; without
/// a limit when more is let go of than comes in.
fn reuse(members: usize) -> f64 {
    let surplus = 1.0 - SIZE as f64 / members as f64 - 1.0 / REMOVE_EVERY as f64;
    if surplus > 0.0 { ((1.0 + DELTA) / surplus).max(1.0) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of members 0, 1, ... with these requests in flight and milliseconds.
    fn pool(replies: &[(u32, u32)], hot_above: u32) -> Pool {
        let mut pool = Pool::new(10);
        for (member, &(in_flight, millis)) in replies.iter().enumerate() {
            pool.put(Reply::new(member, in_flight, f64::from(millis) / 1e3, Instant::ZERO));
        }
        Pool { hot_above, ..pool }
    }

    fn take(pool: &mut Pool) -> Option<usize> {
        pool.take(Instant::ZERO, 0, |_| true)
    }

    #[test]
    fn cold_ones_go_first_by_time_and_hot_ones_by_requests() {
        // Member 1 is fastest, but hot. Expected of the cold ones are 150 and 60 ms; a use makes 60 into 80, and then hot.
        let mut pool = pool(&[(2, 50), (9, 1), (2, 20), (8, 90)], 3);
        assert_eq!([take(&mut pool), take(&mut pool)], [Some(2), Some(2)]);
        // The third pick lets go of the worst, which is the hot one with the most requests.
        assert_eq!(take(&mut pool), Some(0));
        assert!(pool.replies.iter().all(|reply| reply.member != 1));
        assert_eq!(take(&mut pool), Some(0));
        assert_eq!(take(&mut pool), Some(0), "4 of them, as few as member 2, and the older reply");
    }

    #[test]
    fn replies_age_and_one_alone_is_no_choice() {
        let mut pool = pool(&[(1, 1), (1, 2)], 5);
        pool.put(Reply::new(7, 0, 0.1, Instant::from_millis(900)));
        assert_eq!(pool.take(Instant::from_millis(1000), 0, |member| member != 0), Some(1));
        assert_eq!(pool.take(Instant::from_millis(1001), 0, |_| true), None);
        assert_eq!(pool.replies.len(), 1);
    }

    #[test]
    fn the_oldest_makes_room_and_a_newer_reply_replaces_its_targets_last() {
        let mut pool = pool(&[(1, 1); 17], 5);
        assert_eq!((pool.replies.len(), pool.replies[0].member), (SIZE, 1));
        pool.put(Reply::new(1, 0, 0.5, Instant::ZERO));
        assert_eq!((pool.replies.len(), pool.replies[0].member), (SIZE, 2));
    }

    #[test]
    fn hot_is_above_the_quantile_of_recent_replies() {
        let mut pool = Pool::new(100);
        for n in 0..32 {
            pool.put(Reply::new(n as usize, n, 0.01, Instant::ZERO));
        }
        assert_eq!(pool.hot_above, 26);
    }

    #[test]
    fn uses_are_limited_where_replies_abound() {
        // By hand: 2 / (1 - 16/100 - 1/3) = 3.947; with 10 targets more is let go of than comes in.
        assert!((reuse(100) - 3.947).abs() < 1e-3);
        assert!(reuse(10).is_infinite());
        let mut pool = Pool::new(100);
        for member in 0..3 {
            pool.put(Reply::new(member, 0, 0.1 * member as f64 + 0.01, Instant::ZERO));
        }
        pool.hot_above = 100;
        let round_down = u64::from(u32::MAX);
        let mut taken = || pool.take(Instant::ZERO, round_down, |_| true);
        assert_eq!([taken(), taken(), taken()], [Some(0); 3]);
        // Used up; the third pick also let go of the worst, so one is left.
        assert_eq!(taken(), None);
    }
}
