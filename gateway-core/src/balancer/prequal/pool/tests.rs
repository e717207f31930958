//! The pool against the paper's rules, written down as they are said, and by hand.

use proptest::prelude::*;

use super::*;

/// The rules, written down as they are said. Replies stand in the order they came in.
struct Naive {
    replies: Vec<Told>,
    recent: Vec<u32>,
    hot_above: u32,
    picks: u64,
    reuse: Reuse,
}

#[derive(Clone, Copy)]
struct Told {
    member: usize,
    in_flight: u32,
    /// For each that is in flight, one more included, in whole 1024ths of a second, so that all products are exact.
    ticks: u32,
    at: Instant,
    uses: u32,
}

impl Naive {
    fn put(&mut self, told: Told) {
        self.replies.retain(|other| other.member != told.member);
        if self.replies.len() == SIZE {
            self.replies.remove(0);
        }
        self.replies.push(told);
        self.recent.push(told.in_flight);
        if self.recent.len().is_multiple_of(QUANTILE_EVERY) {
            let mut last = self.recent[self.recent.len().saturating_sub(RECENT)..].to_vec();
            last.sort_unstable();
            self.hot_above = last[(Q_RIF * last.len() as f64) as usize];
        }
    }

    fn take(&mut self, now: Instant, dice: u64, tried: &[usize]) -> Option<usize> {
        while self.replies.first().is_some_and(|oldest| now.since(oldest.at) > AGE_MAX) {
            self.replies.remove(0);
        }
        let mut fit = self.by_rank();
        fit.retain(|&i| !tried.contains(&self.replies[i].member));
        if fit.len() < 2 {
            return None;
        }
        let best = &mut self.replies[fit[0]];
        let member = best.member;
        best.in_flight += 1;
        best.uses += 1;
        if best.uses >= self.reuse.whole.saturating_add(u32::from(dice < self.reuse.part)) {
            self.replies.remove(fit[0]);
        }
        self.picks += 1;
        if self.picks.is_multiple_of(REMOVE_EVERY) && !self.replies.is_empty() {
            let is_oldest = (self.picks / REMOVE_EVERY).is_multiple_of(2);
            self.replies.remove(if is_oldest { 0 } else { self.by_rank()[self.replies.len() - 1] });
        }
        Some(member)
    }

    /// The best first; of equals the older one.
    fn by_rank(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.replies.len()).collect();
        order.sort_by_key(|&i| {
            let Told { in_flight, ticks, .. } = self.replies[i];
            let is_hot = in_flight > self.hot_above;
            (is_hot, (in_flight + 1) * if is_hot { 1 } else { ticks })
        });
        order
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_chooses_and_lets_go_as_the_rules_say(
        members in prop::sample::select(vec![10, 24, 60, 1000]),
        ticks_max in 2_u32..40,
        events in prop::collection::vec((0_u8..7, any::<u32>(), any::<u32>()), 1..1500),
    ) {
        // Aim: the tournament, the line and the numbers in them say what plain rules do, however long it goes on. Method: replies,
        // picks, retries and pauses at random, few different values, so that there are equals; each choice, and who is left.
        let mut pool = Pool::new(members);
        let mut naive = Naive { replies: vec![], recent: vec![], hot_above: 0, picks: 0, reuse: pool.reuse };
        let mut now = Instant::ZERO;
        for (kind, one, other) in events {
            let member = |number: u32| number as usize % members.min(24);
            if kind < 3 {
                let (in_flight, ticks) = (other % 7, 1 + other / 7 % ticks_max);
                pool.put(Reply::new(member(one), in_flight, f64::from(ticks) / 1024.0, now));
                naive.put(Told { member: member(one), in_flight, ticks, at: now, uses: 0 });
            } else if kind < 6 {
                let tried = [member(other), member(other / 24)];
                let tried = &tried[..if kind == 5 { other as usize % 3 } else { 0 }];
                let expected = naive.take(now, one.into(), tried);
                prop_assert_eq!(pool.take(now, one.into(), tried), expected);
            } else {
                now = now + Duration::from_millis((other % 100).into());
            }
            let left: Vec<_> = naive.replies.iter().map(|told| told.member).collect();
            prop_assert_eq!(left, line(&pool));
        }
    }
}

/// Whose replies there are, the oldest first.
fn line(pool: &Pool) -> Vec<usize> {
    pool.line.places().map(|place| pool.replies[place].member).collect()
}

/// A pool of members 0, 1, ... with these requests in flight and milliseconds.
fn pool(replies: &[(u32, u32)], hot_above: u32) -> Pool {
    let mut pool = Pool::new(10);
    for (member, &(in_flight, millis)) in replies.iter().enumerate() {
        pool.put(Reply::new(member, in_flight, f64::from(millis) / 1e3, Instant::ZERO));
    }
    pool.call_hot(f64::from(hot_above) + 1.0);
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
    assert_eq!(line(&pool), (1..17).collect::<Vec<_>>());
    pool.put(Reply::new(1, 0, 0.5, Instant::ZERO));
    assert_eq!(line(&pool), (2..17).chain([1]).collect::<Vec<_>>());
}

#[test]
fn hot_is_above_the_quantile_of_recent_replies() {
    let mut pool = Pool::new(100);
    for n in 0..32 {
        pool.put(Reply::new(n as usize, n, 0.01, Instant::ZERO));
    }
    assert!((26.5..27.5).contains(&pool.cold_max));
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
    pool.call_hot(100.0);
    let round_down = u64::from(u32::MAX);
    let mut taken = || pool.take(Instant::ZERO, round_down, &[]);
    assert_eq!([taken(), taken(), taken()], [Some(0); 3]);
    // Used up; the third pick also let go of the worst, so one is left.
    assert_eq!(taken(), None);
}
