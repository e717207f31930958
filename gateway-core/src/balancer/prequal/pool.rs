//! The pool of replies, and the paper's rules for choosing from it and for letting go.
//!
//! - At most [`SIZE`] replies, one of each target, none older than [`AGE_MAX`]; the oldest makes room.
//! - A reply is hot when it tells of more requests in flight than the [`Q_RIF`] quantile of recent replies.
//! - Whoever is chosen has one request more from then on, and is used up after [`reuse`] of them.
//! - Of every [`REMOVE_EVERY`] picks one lets go of a reply, in turn the oldest and the worst, so that the pool is not left with
//!   what nobody chooses.

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
    uses: u32,
    /// For each request that is in flight there, one more included.
    seconds_each: f64,
    at: Instant,
}

/// Recent replies. They stand in line from the oldest on; only what is compared moves up when one leaves.
#[derive(Debug)]
pub(super) struct Pool {
    ranks: Ranks,
    line: Line,
    replies: [Reply; SIZE],
    reuse: Reuse,
    picks: u64,
    /// Requests in flight of the last replies, a ring.
    recent: [u32; RECENT],
    received: usize,
    hot_above: u32,
}

/// How good each reply in the line is, less is better: any cold one by its response time, then the hot ones by what is in flight.
/// The last bits of each are left for its place.
#[derive(Clone, Debug)]
struct Ranks([u64; SIZE]);

/// Where the replies of the line are, four bits for each place in it, and after its end, where there is room.
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
        Self { member, in_flight, uses: 0, seconds_each, at }
    }
}

impl Pool {
    /// An empty pool for so many members. Until it knows better, every target with anything in flight is hot.
    pub(super) fn new(members: usize) -> Self {
        Self {
            ranks: Ranks([Ranks::NOBODY; SIZE]),
            line: Line { order: 0xfedc_ba98_7654_3210, length: 0 },
            replies: [Reply::new(0, 0, 0.0, Instant::ZERO); SIZE],
            reuse: Reuse::of(reuse(members)),
            picks: 0,
            recent: [0; RECENT],
            received: 0,
            hot_above: 0,
        }
    }

    /// Whether there may be two to choose from.
    pub(super) fn has_choice(&self) -> bool {
        self.line.length > 1
    }

    /// A reply has come.
    pub(super) fn put(&mut self, reply: Reply) {
        if let Some(last) = self.place_of(reply.member) {
            self.remove(last);
        }
        if self.line.length == SIZE {
            self.remove(0);
        }
        let place = self.line.length;
        self.line.length += 1;
        *self.reply(place) = reply;
        self.rank(place);
        self.recent[self.received % RECENT] = reply.in_flight;
        self.received += 1;
        if self.received.is_multiple_of(QUANTILE_EVERY) {
            let mut recent = self.recent;
            let recent = &mut recent[..self.received.min(RECENT)];
            let at = (Q_RIF * recent.len() as f64) as usize;
            self.call_hot(*recent.select_nth_unstable(at).1);
        }
    }

    /// The best of at least two that were not `tried`; `dice`, below 2^32, rounds the number of uses.
    pub(super) fn take(&mut self, now: Instant, dice: u64, tried: &[usize]) -> Option<usize> {
        let oldest = now.before(AGE_MAX);
        while self.line.length > 0 && self.reply(0).at < oldest {
            self.remove(0);
        }
        if self.line.length < 2 {
            return None;
        }
        let best = if tried.is_empty() { self.ranks.least() } else { self.least_beside(tried)? };
        let member = self.reply(best).member;
        self.used(best, dice);
        self.let_go();
        Some(member)
    }

    /// The place of the best of at least two that were not `tried`.
    #[cold]
    fn least_beside(&self, tried: &[usize]) -> Option<usize> {
        let (mut ranks, mut fit) = (self.ranks.clone(), self.line.length);
        for place in tried.iter().filter_map(|&member| self.place_of(member)) {
            ranks.0[place] = Ranks::NOBODY;
            fit -= 1;
        }
        (fit > 1).then(|| ranks.least())
    }

    fn reply(&mut self, place: usize) -> &mut Reply {
        &mut self.replies[self.line.at(place)]
    }

    fn place_of(&self, member: usize) -> Option<usize> {
        (0..self.line.length).find(|&place| self.replies[self.line.at(place)].member == member)
    }

    fn used(&mut self, place: usize, dice: u64) {
        let Reuse { whole, part } = self.reuse;
        let reply = self.reply(place);
        reply.in_flight += 1;
        reply.uses += 1;
        // Rounded at random: 3.9 uses are four in nine cases of ten.
        if reply.uses >= whole.saturating_add(u32::from(dice < part)) {
            self.remove(place);
        } else {
            self.rank(place);
        }
    }

    fn let_go(&mut self) {
        self.picks += 1;
        if !self.picks.is_multiple_of(REMOVE_EVERY) || self.line.length == 0 {
            return;
        }
        let is_oldest = (self.picks / REMOVE_EVERY).is_multiple_of(2);
        self.remove(if is_oldest { 0 } else { self.ranks.most() });
    }

    fn remove(&mut self, place: usize) {
        self.line.remove(place);
        self.ranks.remove(place);
    }

    /// Calls those hot from now on that have more than so many requests in flight.
    fn call_hot(&mut self, above: u32) {
        self.hot_above = above;
        (0..self.line.length).for_each(|place| self.rank(place));
    }

    /// Finds out the rank of the reply in this place.
    fn rank(&mut self, place: usize) {
        let Reply { in_flight, seconds_each, .. } = *self.reply(place);
        let one_more = in_flight + 1;
        // Of floating-point numbers above zero the bits are in the same order, and the first of them is never set.
        let cold = (seconds_each * f64::from(one_more)).to_bits();
        let hot = 1 << 63 | u64::from(one_more) << 8;
        self.ranks.0[place] = if in_flight > self.hot_above { hot } else { cold } & !Ranks::PLACE;
    }
}

impl Ranks {
    /// The rank in a place where there is no reply.
    const NOBODY: u64 = !Self::PLACE;
    /// The bits that are left for the place.
    const PLACE: u64 = SIZE as u64 - 1;

    /// Lets those behind a place move up.
    fn remove(&mut self, place: usize) {
        // All are looked at, so that how many move is nothing to guess.
        for at in 0..SIZE - 1 {
            self.0[at] = if at < place { self.0[at] } else { self.0[at + 1] };
        }
        self.0[SIZE - 1] = Self::NOBODY;
    }

    /// The place of the least, of some; of equals the first.
    fn least(&self) -> usize {
        // In pairs, so that no comparison waits for more than three others.
        let mut ranks: [u64; SIZE] = std::array::from_fn(|at| self.0[at] | at as u64);
        for half in [SIZE / 2, SIZE / 4, SIZE / 8, SIZE / 16] {
            for at in 0..half {
                ranks[at] = ranks[at].min(ranks[at + half]);
            }
        }
        (ranks[0] & Self::PLACE) as usize
    }

    /// The place of the most, of some; of equals the last.
    fn most(&self) -> usize {
        let rank = |&at: &usize| if self.0[at] == Self::NOBODY { 0 } else { self.0[at] };
        (0..SIZE).max_by_key(rank).unwrap_or(0)
    }
}

impl Line {
    /// Where the reply of a place is.
    fn at(self, place: usize) -> usize {
        (self.order >> (4 * place) & 0xf) as usize
    }

    /// Lets those behind a place move up; where it was there is room.
    fn remove(&mut self, place: usize) {
        let (before, room) = ((1 << (4 * place)) - 1, self.at(place) as u64);
        let behind = self.order >> 4 & !before;
        // The last place has nobody behind it, and gets the room.
        self.order = self.order & before | behind & (u64::MAX >> 4) | room << 60;
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
mod tests {
    use super::*;

    /// A pool of members 0, 1, ... with these requests in flight and milliseconds.
    fn pool(replies: &[(u32, u32)], hot_above: u32) -> Pool {
        let mut pool = Pool::new(10);
        for (member, &(in_flight, millis)) in replies.iter().enumerate() {
            pool.put(Reply::new(member, in_flight, f64::from(millis) / 1e3, Instant::ZERO));
        }
        pool.call_hot(hot_above);
        pool
    }

    fn take(pool: &mut Pool) -> Option<usize> {
        pool.take(Instant::ZERO, 0, &[])
    }

    #[test]
    fn cold_ones_go_first_by_time_and_hot_ones_by_requests() {
        // Member 1 is fastest, but hot. Expected of the cold ones are 150 and 60 ms; a use makes 60 into 80, and then hot.
        let mut pool = pool(&[(2, 50), (9, 1), (2, 20), (8, 90)], 3);
        assert_eq!([take(&mut pool), take(&mut pool)], [Some(2), Some(2)]);
        // The third pick lets go of the worst, which is the hot one with the most requests.
        assert_eq!(take(&mut pool), Some(0));
        assert_eq!(pool.place_of(1), None);
        assert_eq!(take(&mut pool), Some(0));
        assert_eq!(take(&mut pool), Some(0), "4 of them, as few as member 2, and the older reply");
    }

    #[test]
    fn replies_age_and_one_alone_is_no_choice() {
        let mut pool = pool(&[(1, 1), (1, 2)], 5);
        pool.put(Reply::new(7, 0, 0.1, Instant::from_millis(900)));
        assert_eq!(pool.take(Instant::from_millis(1000), 0, &[0]), Some(1));
        assert_eq!(pool.take(Instant::from_millis(1001), 0, &[]), None);
        assert_eq!(pool.line.length, 1);
    }

    #[test]
    fn the_oldest_makes_room_and_a_newer_reply_replaces_its_targets_last() {
        let mut pool = pool(&[(1, 1); 17], 5);
        assert_eq!((pool.line.length, pool.reply(0).member), (SIZE, 1));
        pool.put(Reply::new(1, 0, 0.5, Instant::ZERO));
        assert_eq!((pool.line.length, pool.reply(0).member), (SIZE, 2));
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
        pool.call_hot(100);
        let round_down = u64::from(u32::MAX);
        let mut taken = || pool.take(Instant::ZERO, round_down, &[]);
        assert_eq!([taken(), taken(), taken()], [Some(0); 3]);
        // Used up; the third pick also let go of the worst, so one is left.
        assert_eq!(taken(), None);
    }
}
