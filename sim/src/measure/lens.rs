//! The requests nearest to each switch, one by one: what a report shows under its lens. At most so many are kept, the nearest
//! by intended time, so memory grows with switches and not with requests; how far they reach follows from that. All that are
//! near are counted in `density` besides.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gateway_core::id::UpstreamId;
use gateway_core::time::Instant;

use super::Record;
use super::density::{Density, Heap};

/// Requests kept for one switch.
const NEAR_MAX: usize = 3_000;
/// Farther away than this nothing is kept.
const REACH: Duration = Duration::from_millis(1_500);

/// One request near a switch.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    /// How it went.
    pub record: Record,
    /// When its first try was picked, if it came so far.
    pub picked: Option<Instant>,
    /// Where that was picked from.
    pub upstream: Option<UpstreamId>,
}

/// What was near one switch.
#[derive(Clone, Debug, Default)]
pub struct Nearby {
    /// The nearest requests, in order of intended time.
    pub requests: Vec<Near>,
    /// All that were near, by whole columns and in order of time; nothing when the requests are all of them.
    pub heaps: Vec<Heap>,
}

/// All lenses of a run.
#[derive(Debug, Default)]
pub(super) struct Lenses {
    /// The newest that ended, for a switch that comes next.
    recent: VecDeque<Near>,
    /// For each switch, by number: when it was requested, and who was near.
    switches: BTreeMap<usize, (Instant, Vec<Near>)>,
    density: Density,
}

impl Lenses {
    /// A switch was requested: those that have ended already are the first to be near.
    pub(super) fn begin(&mut self, switch: usize, requested: Instant) {
        let near = self.recent.iter().copied().filter(|near| is_near(near, requested)).collect();
        self.switches.insert(switch, (requested, near));
        self.density.want(requested, REACH);
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, near: Near) {
        self.density.count(&near.record, near.upstream);
        if self.recent.len() == NEAR_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(near);
        for (requested, kept) in self.switches.values_mut() {
            if is_near(&near, *requested) {
                kept.push(near);
                if kept.len() >= 2 * NEAR_MAX {
                    keep_nearest(kept, *requested);
                }
            }
        }
    }

    /// What was near each switch.
    pub(super) fn finish(self) -> BTreeMap<usize, Nearby> {
        let finish = |(switch, (requested, mut requests)): (usize, (Instant, Vec<Near>))| {
            keep_nearest(&mut requests, requested);
            requests.sort_by_key(|near| (near.record.intended, near.record.index));
            let is_all = requests.len() < NEAR_MAX;
            let heaps = if is_all { Vec::new() } else { self.density.around(requested, REACH) };
            (switch, Nearby { requests, heaps })
        };
        self.switches.into_iter().map(finish).collect()
    }
}

fn distance(near: &Near, requested: Instant) -> Duration {
    near.record.intended.since(requested).max(requested.since(near.record.intended))
}

fn is_near(near: &Near, requested: Instant) -> bool {
    distance(near, requested) <= REACH
}

fn keep_nearest(kept: &mut Vec<Near>, requested: Instant) {
    if kept.len() > NEAR_MAX {
        kept.select_nth_unstable_by_key(NEAR_MAX, |near| (distance(near, requested), near.record.index));
        kept.truncate(NEAR_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Ending;

    fn at(index: u64, intended: Instant) -> Near {
        let record = Record {
            index,
            intended,
            released: intended,
            on_wire: Some(intended),
            first_byte: Some(intended),
            done: intended,
            ending: Ending::Answered(200),
            target: None,
        };
        Near { record, picked: None, upstream: None }
    }

    // Aim: the lens holds the nearest on both sides, and no more. Method: ten times as many requests as fit, evenly spread.
    #[test]
    fn the_nearest_are_kept_on_both_sides_however_many_there_are() {
        let mut lenses = Lenses::default();
        let requested = Instant::from_millis(5_000);
        for index in 0..30_000_u64 {
            let intended = Instant::from_nanos(3_500_000_000 + index * 100_000);
            if index == 15_000 {
                lenses.begin(0, requested);
            }
            lenses.ended(at(index, intended));
        }
        assert!(lenses.switches[&0].1.len() < 2 * NEAR_MAX, "bounded on the way");
        let nearby = &lenses.finish()[&0];
        assert_eq!(nearby.heaps.iter().map(|heap| heap.n).sum::<u64>(), 30_000);
        let near = &nearby.requests;
        assert_eq!(near.len(), NEAR_MAX);
        assert_eq!((near[0].record.index, near[NEAR_MAX - 1].record.index), (13_500, 16_499));
    }

    #[test]
    fn what_is_far_away_is_not_near() {
        let mut lenses = Lenses::default();
        lenses.ended(at(0, Instant::from_millis(3_499)));
        lenses.ended(at(1, Instant::from_millis(3_500)));
        lenses.begin(0, Instant::from_millis(5_000));
        lenses.ended(at(2, Instant::from_millis(6_500)));
        lenses.ended(at(3, Instant::from_millis(6_501)));
        let kept: Vec<_> = lenses.finish()[&0].requests.iter().map(|near| near.record.index).collect();
        assert_eq!(kept, [1, 2]);
    }
}
