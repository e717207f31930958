//! Who of an Upstream's targets stands out, and for how long it is left out: Envoy's outlier detection. Leaves counting
//! to [`OutlierRecord`], and acting on a [`Turn`] to the gateway.
//!
//! The rules and names are those of Envoy's [`OutlierDetection`][proto] and of its [architecture overview][overview],
//! where these leave something open those of its `source/common/upstream/outlier_detection_impl.cc`. Left out: gateway
//! failures, failure percentage, jitter and enforcement by chance. Added: at least one target may always be ejected,
//! which is Envoy's `always_eject_one_host`.
//!
//! [proto]: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto
//! [overview]: https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/outlier

mod record;
mod success_rate;

pub use record::OutlierRecord;

use std::collections::BTreeMap;

use self::success_rate::standing_out;
use super::{INTERVAL_MIN, Turn};
use crate::entity::OutlierDetection;
use crate::id::TargetId;
use crate::time::Instant;

/// The ejections of one Upstream.
#[derive(Debug)]
pub struct Outliers {
    settings: OutlierDetection,
    next_tick: Instant,
    targets: BTreeMap<TargetId, History>,
    /// How many of them are left out.
    ejected: usize,
}

/// What is remembered of a target.
#[derive(Clone, Copy, Debug, Default)]
struct History {
    /// Until when it is left out.
    ejected_until: Option<Instant>,
    /// When it came back last.
    returned_at: Option<Instant>,
    /// How often it has been ejected, less one for each interval it then went without.
    ejections: u32,
}

impl Outliers {
    /// Looks at nobody yet; the first tick comes one interval from `now`.
    pub fn new(settings: OutlierDetection, now: Instant) -> Self {
        let mut outliers = Self { settings, next_tick: now, targets: BTreeMap::new(), ejected: 0 };
        outliers.arm(now);
        outliers
    }

    /// Takes these settings and targets in place of those it has. Who stays keeps its history; another interval begins
    /// when its length changes.
    pub fn follow(
        &mut self,
        settings: &OutlierDetection,
        targets: impl IntoIterator<Item = TargetId>,
        now: Instant,
    ) {
        let history = |target| (target, self.targets.get(&target).copied().unwrap_or_default());
        self.targets = targets.into_iter().map(history).collect();
        self.ejected = self.targets.values().filter(|history| history.is_ejected()).count();
        let is_rearmed = self.settings.interval != settings.interval;
        self.settings.clone_from(settings);
        if is_rearmed {
            self.arm(now);
        }
    }

    /// Whether a target is left out.
    pub fn is_ejected(&self, target: TargetId) -> bool {
        self.targets.get(&target).is_some_and(History::is_ejected)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called. Changed by `handle_timeout`, and by `follow` with
    /// another interval.
    pub fn next_timeout(&self) -> Instant {
        self.next_tick
    }

    /// Ejects a target for its failures in a row. Not when it is ejected already, or unknown, or as many are as may be.
    pub fn eject(&mut self, target: TargetId, now: Instant) -> Option<Turn> {
        let may_be = may_eject(self.ejected, self.targets.len(), self.settings.max_ejection_percent);
        let history = self.targets.get_mut(&target).filter(|history| may_be && !history.is_ejected())?;
        history.eject(&self.settings, now);
        self.ejected += 1;
        Some(Turn::Out)
    }

    /// Ends an interval, if it is time: lets those return whose time is over, then ejects those whose success rate
    /// stands out. `records` finds each target's counts, which begin anew.
    pub fn handle_timeout<'a>(
        &mut self,
        records: impl Fn(TargetId) -> Option<&'a OutlierRecord>,
        now: Instant,
    ) -> Vec<(TargetId, Turn)> {
        if now < self.next_tick {
            return Vec::new();
        }
        self.arm(now);
        let mut turns = Vec::new();
        let mut tallies = Vec::new();
        for (&target, history) in &mut self.targets {
            let record = records(target);
            let tally = record.map(OutlierRecord::take).unwrap_or_default();
            if history.return_at(now) {
                // The row of one that was left out may be all but full with the failures of its last requests.
                record.into_iter().for_each(OutlierRecord::forgive);
                self.ejected -= 1;
                turns.push((target, Turn::In));
            }
            if !history.is_ejected() {
                tallies.push((target, tally));
            }
        }
        for target in standing_out(&tallies, &self.settings) {
            turns.extend(self.eject(target, now).map(|turn| (target, turn)));
        }
        for history in self.targets.values_mut() {
            history.mellow(&self.settings, now);
        }
        turns
    }

    fn arm(&mut self, now: Instant) {
        self.next_tick = now + self.settings.interval.max(INTERVAL_MIN);
    }
}

impl History {
    fn is_ejected(&self) -> bool {
        self.ejected_until.is_some()
    }

    fn eject(&mut self, settings: &OutlierDetection, now: Instant) {
        let (base, max) = (settings.base_ejection_time, settings.max_ejection_time);
        // As in Envoy the count stops about where the time does, so that decay is felt at once.
        if base.saturating_mul(self.ejections) < max.saturating_add(base) {
            self.ejections = self.ejections.saturating_add(1);
        }
        self.ejected_until = Some(now + base.saturating_mul(self.ejections).min(max));
    }

    /// Whether the target returns now.
    fn return_at(&mut self, now: Instant) -> bool {
        let is_over = self.ejected_until.is_some_and(|until| until <= now);
        if is_over {
            *self = Self { ejected_until: None, returned_at: Some(now), ejections: self.ejections };
        }
        is_over
    }

    /// Forgets one ejection when the target has been back for an interval or longer.
    fn mellow(&mut self, settings: &OutlierDetection, now: Instant) {
        let has_been_back = self.returned_at.is_some_and(|at| now.since(at) >= settings.interval);
        if !self.is_ejected() && has_been_back {
            self.ejections = self.ejections.saturating_sub(1);
        }
    }
}

/// Whether one more of `hosts` may be left out: never more than so many percent, but always one.
fn may_eject(ejected: usize, hosts: usize, max_percent: u8) -> bool {
    ejected == 0 || (ejected + 1) * 100 <= usize::from(max_percent) * hosts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::record::Tally;
    use super::*;
    use crate::outcome::Outcome;

    const fn seconds(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn outliers(settings: &OutlierDetection, targets: u32) -> Outliers {
        let mut outliers = Outliers::new(settings.clone(), Instant::ZERO);
        outliers.follow(settings, (0..targets).map(TargetId), Instant::ZERO);
        outliers
    }

    /// Every tick until `end` without any request; the turns with their times in seconds.
    fn quiet(outliers: &mut Outliers, end: u64) -> Vec<(u64, TargetId, Turn)> {
        let mut log = Vec::new();
        while outliers.next_timeout() <= seconds(end) {
            let now = outliers.next_timeout();
            let turns = outliers.handle_timeout(|_| None, now);
            log.extend(
                turns.into_iter().map(|(target, turn)| (now.as_nanos() / 1_000_000_000, target, turn)),
            );
        }
        log
    }

    #[test]
    fn one_may_always_be_left_out_and_else_so_many_percent() {
        for (hosts, percent, most) in
            [(1, 10, 1), (5, 0, 1), (20, 10, 2), (29, 10, 2), (30, 10, 3), (3, 100, 3)]
        {
            let settings = OutlierDetection { max_ejection_percent: percent, ..OutlierDetection::default() };
            let mut outliers = outliers(&settings, hosts);
            let turns = (0..hosts).filter_map(|i| outliers.eject(TargetId(i), Instant::ZERO)).count();
            assert_eq!(turns, most, "{percent} % of {hosts}");
        }
    }

    #[test]
    fn each_ejection_is_longer_until_the_longest_and_good_conduct_shortens_it() {
        let mut outliers = outliers(&OutlierDetection::default(), 1);
        let target = TargetId(0);
        let mut now = 0;
        for lasts in [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300] {
            assert_eq!(outliers.eject(target, seconds(now)), Some(Turn::Out));
            assert_eq!(outliers.eject(target, seconds(now)), None, "it is out already");
            assert!(outliers.is_ejected(target));
            assert_eq!(quiet(&mut outliers, now + lasts), [(now + lasts, target, Turn::In)]);
            now += lasts;
        }
        // Eleven are remembered. Nine intervals later two are, so the next is the third.
        assert_eq!(quiet(&mut outliers, now + 90), []);
        outliers.eject(target, seconds(now + 90));
        assert_eq!(quiet(&mut outliers, now + 200), [(now + 180, target, Turn::In)]);
    }

    #[test]
    fn a_tick_ejects_whose_rate_stands_out_and_begins_counting_anew() {
        let settings = OutlierDetection { consecutive_5xx: 0, ..OutlierDetection::default() };
        let mut outliers = outliers(&settings, 5);
        let records: [OutlierRecord; 5] = Default::default();
        for (i, record) in records.iter().enumerate() {
            for request in 0..100 {
                let status = if i == 3 && request % 2 == 0 { 500 } else { 200 };
                record.observe(Outcome::Answered { status }, &settings);
            }
        }
        let find = |target: TargetId| records.get(target.index());
        assert_eq!(outliers.handle_timeout(find, seconds(9)), []);
        assert_eq!(outliers.handle_timeout(find, seconds(10)), [(TargetId(3), Turn::Out)]);
        assert_eq!(records[0].take(), Tally::default());
        assert_eq!(quiet(&mut outliers, 50), [(40, TargetId(3), Turn::In)]);
    }

    #[test]
    fn who_returns_begins_a_new_row() {
        let settings = OutlierDetection::default();
        let (mut outliers, record) = (outliers(&settings, 1), OutlierRecord::default());
        let failures = |n| (0..n).any(|_| record.observe(Outcome::Answered { status: 500 }, &settings));
        assert!(failures(5));
        outliers.eject(TargetId(0), Instant::ZERO);
        assert!(!failures(4), "its last requests end while it is out");
        assert_eq!(outliers.handle_timeout(|_| Some(&record), seconds(30)), [(TargetId(0), Turn::In)]);
        assert!(!failures(4));
        assert!(failures(1));
    }

    #[test]
    fn who_stays_keeps_its_history() {
        let settings = OutlierDetection::default();
        let mut outliers = outliers(&settings, 3);
        outliers.eject(TargetId(0), Instant::ZERO);
        outliers.follow(&settings, [TargetId(0), TargetId(7)], seconds(5));
        assert!(outliers.is_ejected(TargetId(0)));
        assert_eq!((outliers.next_timeout(), outliers.eject(TargetId(7), seconds(5))), (seconds(10), None));
        outliers.follow(&settings, [TargetId(7)], seconds(6));
        assert_eq!(outliers.eject(TargetId(7), seconds(6)), Some(Turn::Out));
        let slower = OutlierDetection { interval: Duration::from_secs(20), ..settings };
        outliers.follow(&slower, [TargetId(7)], seconds(7));
        assert_eq!(outliers.next_timeout(), seconds(27));
    }

    proptest! {
        #[test]
        fn turns_alternate_and_never_too_many_are_out(
            percent in 0..=100_u8, hosts in 1..12_u32, ejections in prop::collection::vec((0..12_u32, 0..60_u64), 0..100),
        ) {
            let settings = OutlierDetection { max_ejection_percent: percent, ..OutlierDetection::default() };
            let mut outliers = outliers(&settings, hosts);
            let most = (hosts * u32::from(percent) / 100).max(1) as usize;
            let mut out = std::collections::BTreeSet::new();
            let mut now = 0;
            for (target, later) in ejections {
                now += later;
                for (_, target, turn) in quiet(&mut outliers, now) {
                    prop_assert!(turn == Turn::In && out.remove(&target));
                }
                if outliers.eject(TargetId(target), seconds(now)).is_some() {
                    prop_assert!(target < hosts && out.insert(TargetId(target)));
                }
                prop_assert!(out.len() <= most);
                prop_assert!((0..hosts).map(TargetId).all(|id| out.contains(&id) == outliers.is_ejected(id)));
            }
        }
    }
}
