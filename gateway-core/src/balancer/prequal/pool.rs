//! The pool of replies, and the paper's rules for choosing from it and for letting go.
//!
//! - At most [`SIZE`] replies, one of each target, none older than [`AGE_MAX`]; the oldest makes room.
//! - A reply is hot when it tells of more requests in flight than the [`Q_RIF`] quantile of recent replies.
//! - Whoever is chosen has one request more from then on, and is used up after [`reuse`] of them.
//! - Of every [`REMOVE_EVERY`] picks one lets go of a reply, in turn the oldest and the worst, so that the pool is not left with
//!   what nobody chooses.

use std::hint::select_unpredictable;
use std::time::Duration;

use super::ranks::{PLACES, Ranks};
use crate::time::Instant;

/// Replies in the pool.
const SIZE: usize = PLACES;
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
/// So many of them are the quantile and those above it.
const ABOVE_MAX: usize = 6;
/// Replies after which it is taken again.
const QUANTILE_EVERY: usize = 8;
/// What a hot target is taken to need for each request: more seconds than anybody.
const HOT: f64 = 1e200;

/// What a target's reply said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reply {
    member: usize,
    uses: u32,
    /// In flight there, and one more.
    requests: f64,
    /// For each of them.
    seconds_each: f64,
    at: Instant,
    /// Its rank when it is used once more; whoever does would have to wait for it.
    next: u64,
}

/// Recent replies, each in a place that it keeps.
#[derive(Debug)]
pub(super) struct Pool {
    line: Line,
    ranks: Ranks,
    replies: [Reply; SIZE],
    reuse: Reuse,
    picks: u64,
    /// Requests of the last replies, a ring.
    recent: [u32; RECENT],
    received: usize,
    /// The most requests of a reply that is not hot.
    cold_max: f64,
}

/// The places of the replies from the oldest on, four bits each, and then those where there is room.
#[derive(Clone, Copy, Debug)]
struct Line {
    order: u64,
    length: usize,
}

/// How often a reply may be used.
#[derive(Clone, Copy, Debug)]
struct Reuse {
    /// So often.
    whole: u32,
    /// And once more, in so many of 2^32 cases.
    part: u64,
}

impl Reply {
    pub(super) fn new(member: usize, in_flight: u32, seconds_each: f64, at: Instant) -> Self {
        Self { member, uses: 0, requests: f64::from(in_flight) + 1.0, seconds_each, at, next: 0 }
    }

    /// How good it is, less is better, where those with more than so many requests are hot: any cold one by its response time, then
    /// the hot ones by what is in flight.
    fn rank(&mut self, cold_max: f64) -> u64 {
        self.next = self.rank_of(self.requests + 1.0, cold_max);
        self.rank_of(self.requests, cold_max)
    }

    /// It is used. Its rank from then on.
    fn used(&mut self, cold_max: f64) -> u64 {
        self.uses += 1;
        self.requests += 1.0;
        let next = self.rank_of(self.requests + 1.0, cold_max);
        std::mem::replace(&mut self.next, next)
    }

    fn rank_of(&self, requests: f64, cold_max: f64) -> u64 {
        let each = select_unpredictable(requests > cold_max, HOT, self.seconds_each);
        // Of floating-point numbers above zero the bits are in the same order.
        (requests * each).to_bits()
    }
}

impl Pool {
    /// An empty pool for so many members. Until it knows better, every target with anything in flight is hot.
    pub(super) fn new(members: usize) -> Self {
        Self {
            line: Line { order: 0xfedc_ba98_7654_3210, length: 0 },
            ranks: Ranks::new(),
            replies: [Reply::new(usize::MAX, 0, 0.0, Instant::ZERO); SIZE],
            reuse: Reuse::of(reuse(members)),
            picks: 0,
            recent: [0; RECENT],
            received: 0,
            cold_max: 1.0,
        }
    }

    /// Whether there may be two to choose from.
    pub(super) fn has_choice(&self) -> bool {
        self.line.length > 1
    }

    /// A reply has come.
    pub(super) fn put(&mut self, mut reply: Reply) {
        if let Some(last) = self.place_of(reply.member) {
            self.remove(last);
        } else if self.line.length == SIZE {
            self.remove(self.line.first());
        }
        if self.ranks.numbers_are_used_up() {
            self.ranks.number_anew(self.line.places());
        }
        let place = self.line.push();
        self.ranks.put(place, reply.rank(self.cold_max));
        self.replies[place] = reply;
        self.recent[self.received % RECENT] = reply.requests as u32;
        self.received += 1;
        if self.received.is_multiple_of(QUANTILE_EVERY) {
            self.call_hot(self.quantile());
        }
    }

    /// The best of at least two that were not `tried`; `dice`, below 2^32, rounds the number of uses.
    #[inline]
    pub(super) fn take(&mut self, now: Instant, dice: u64, tried: &[usize]) -> Option<usize> {
        let from = now.before(AGE_MAX);
        if self.replies[self.line.first()].at < from {
            self.forget(from);
        }
        if self.line.length < 2 {
            return None;
        }
        let best = if tried.is_empty() { self.ranks.best() } else { self.best_beside(tried)? };
        let member = self.replies[Ranks::place(best)].member;
        self.used(best, dice);
        self.let_go();
        Some(member)
    }

    /// Lets go of the oldest as long as it is from before some time.
    #[cold]
    #[inline(never)]
    fn forget(&mut self, from: Instant) {
        while self.line.length > 0 && self.replies[self.line.first()].at < from {
            self.remove(self.line.first());
        }
    }

    /// The best of at least two that were not `tried`.
    #[cold]
    #[inline(never)]
    fn best_beside(&self, tried: &[usize]) -> Option<u64> {
        let mut ranks = self.ranks.clone();
        for place in tried.iter().filter_map(|&member| self.place_of(member)) {
            ranks.remove(place);
        }
        (ranks.count() > 1).then(|| ranks.best())
    }

    fn place_of(&self, member: usize) -> Option<usize> {
        (0..SIZE).find(|&place| self.replies[place].member == member)
    }

    fn used(&mut self, best: u64, dice: u64) {
        let (place, Reuse { whole, part }) = (Ranks::place(best), self.reuse);
        let reply = &mut self.replies[place];
        let rank = reply.used(self.cold_max);
        // Rounded at random: 3.9 uses are four in nine cases of ten.
        if reply.uses >= whole.saturating_add(u32::from(dice < part)) {
            self.remove(place);
        } else {
            self.ranks.change_best(best, rank);
        }
    }

    fn let_go(&mut self) {
        self.picks += 1;
        if self.picks.is_multiple_of(REMOVE_EVERY) && self.line.length > 0 {
            let is_oldest = (self.picks / REMOVE_EVERY).is_multiple_of(2);
            self.remove(if is_oldest { self.line.first() } else { self.ranks.worst() });
        }
    }

    fn remove(&mut self, place: usize) {
        self.line.remove(place);
        self.ranks.remove(place);
        self.replies[place].member = usize::MAX;
    }

    /// The [`Q_RIF`] quantile of the requests of recent replies.
    fn quantile(&self) -> f64 {
        let recent = &self.recent[..self.received.min(RECENT)];
        let above = recent.len() - (Q_RIF * recent.len() as f64) as usize;
        // The highest, in order: each that comes pushes those down that are lower, without a branch on which.
        let mut highest = [0; ABOVE_MAX];
        for &requests in recent {
            let mut lower = requests;
            for high in &mut highest {
                (*high, lower) = (lower.max(*high), lower.min(*high));
            }
        }
        f64::from(highest[above - 1])
    }

    /// Calls those hot from now on that have more than so many requests.
    fn call_hot(&mut self, cold_max: f64) {
        if cold_max.to_bits() == self.cold_max.to_bits() {
            return;
        }
        self.cold_max = cold_max;
        let replies = &mut self.replies;
        self.ranks.change(self.line.places().map(|place| (place, replies[place].rank(cold_max))));
    }
}

impl Line {
    /// The place that is so far from the oldest.
    fn at(self, position: usize) -> usize {
        (self.order >> (4 * position) & 0xf) as usize
    }

    /// The places of all replies.
    fn places(self) -> impl Iterator<Item = usize> {
        (0..self.length).map(move |position| self.at(position))
    }

    /// The place of the oldest, if there is any.
    fn first(self) -> usize {
        self.at(0)
    }

    /// Where there is room for one more, who stands last.
    fn push(&mut self) -> usize {
        self.length += 1;
        self.at(self.length - 1)
    }

    /// Lets those behind a place move up; where it was there is room.
    fn remove(&mut self, place: usize) {
        const ONES: u64 = 0x1111_1111_1111_1111;
        // Four bits are zero, those of the place: the lowest that have to borrow when each has one taken from it.
        let others = self.order ^ (place as u64 * ONES);
        let borrow = others.wrapping_sub(ONES) & !others & ONES << 3;
        let before = ((borrow & borrow.wrapping_neg()) - 1) >> 3;
        let behind = self.order >> 4 & !before;
        // The last place has nobody behind it, and gets the room.
        self.order = self.order & before | behind & (u64::MAX >> 4) | (place as u64) << 60;
        self.length -= 1;
    }
}

impl Reuse {
    /// So often on average.
    fn of(uses: f64) -> Self {
        // What is infinite has no part.
        Self { whole: uses as u32, part: (uses.fract() * f64::from(u32::MAX)) as u64 }
    }
}

/// How often a reply may be used: max(1, (1 + delta) / ((1 - pool / members) * replies - removals)), both per request; without
/// a limit when more is let go of than comes in.
fn reuse(members: usize) -> f64 {
    let surplus = 1.0 - SIZE as f64 / members as f64 - 1.0 / REMOVE_EVERY as f64;
    if surplus > 0.0 { ((1.0 + DELTA) / surplus).max(1.0) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests;
