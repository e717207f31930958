//! When each target of one Upstream is probed next. Leaves how many at once, and all other Upstreams, to the prober.
//!
//! There are two timers, one for healthy and one for unhealthy targets; a target is due at the next tick of the timer
//! of its list. It stands in the agenda with that time, so that neither a tick nor a question walks through all
//! targets.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::Duration;

use super::agenda::Agenda;
use super::{Plan, WatchedTarget};
use crate::health::INTERVAL_MIN;
use crate::id::TargetId;
use crate::time::{Instant, nanos};

/// The targets of one Upstream under one plan.
#[derive(Debug)]
pub(super) struct Schedule {
    plan: Arc<Plan>,
    healthy: Timer,
    unhealthy: Timer,
    targets: BTreeMap<TargetId, Place>,
    due: Agenda<TargetId>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    is_healthy: bool,
    /// A target that is being probed stands in no agenda: what comes due meanwhile is skipped.
    is_busy: bool,
}

/// Ticks at equal distances; the first one interval after the timer was made. An interval of zero never ticks.
#[derive(Clone, Copy, Debug)]
struct Timer {
    first: Instant,
    interval: Duration,
}

impl Schedule {
    /// Starts both timers.
    pub(super) fn new(plan: Plan, now: Instant) -> Self {
        Self {
            healthy: Timer::new(plan.checks.healthy_interval, now),
            unhealthy: Timer::new(plan.checks.unhealthy_interval, now),
            plan: Arc::new(plan),
            targets: BTreeMap::new(),
            due: Agenda::default(),
        }
    }

    /// What its probes are like.
    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes these targets in place of those it has; `busy` are being probed.
    pub(super) fn follow(&mut self, targets: &[WatchedTarget], busy: &BTreeSet<TargetId>, now: Instant) {
        let listed: BTreeMap<_, _> =
            targets.iter().filter(|t| t.weight.get() > 0).map(|t| (t.target, t.is_healthy)).collect();
        self.targets.retain(|target, _| {
            let stays = listed.contains_key(target);
            if !stays {
                self.due.set(*target, None);
            }
            stays
        });
        for (target, is_healthy) in listed {
            match self.targets.entry(target) {
                Entry::Occupied(_) => self.set_healthy(target, is_healthy, now),
                Entry::Vacant(place) => {
                    place.insert(Place { is_healthy, is_busy: busy.contains(&target) });
                    self.reschedule(target, now);
                }
            }
        }
    }

    /// Puts a target on the other list, if it is not there yet.
    pub(super) fn set_healthy(&mut self, target: TargetId, is_healthy: bool, now: Instant) {
        if let Some(place) = self.targets.get_mut(&target).filter(|place| place.is_healthy != is_healthy) {
            place.is_healthy = is_healthy;
            self.reschedule(target, now);
        }
    }

    /// When the next target is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| due)
    }

    /// Begins to probe the target that has been due longest.
    pub(super) fn start(&mut self) -> Option<TargetId> {
        let (_, target) = self.due.first()?;
        self.due.set(target, None);
        self.targets.get_mut(&target)?.is_busy = true;
        Some(target)
    }

    /// A probe has ended; whether the target is still one of these.
    pub(super) fn end(&mut self, target: TargetId, now: Instant) -> bool {
        let Some(place) = self.targets.get_mut(&target) else { return false };
        place.is_busy = false;
        self.reschedule(target, now);
        true
    }

    fn reschedule(&mut self, target: TargetId, now: Instant) {
        let place = self.targets[&target];
        let timer = if place.is_healthy { self.healthy } else { self.unhealthy };
        self.due.set(target, if place.is_busy { None } else { timer.tick_after(now) });
    }
}

impl Timer {
    fn new(interval: Duration, now: Instant) -> Self {
        let interval = if interval.is_zero() { interval } else { interval.max(INTERVAL_MIN) };
        Self { first: now + interval, interval }
    }

    /// The first tick later than `now`.
    fn tick_after(self, now: Instant) -> Option<Instant> {
        let ticks = match nanos(now.since(self.first)).checked_div(nanos(self.interval))? {
            _ if now < self.first => 0,
            passed => passed + 1,
        };
        let since_first = nanos(self.interval).saturating_mul(ticks);
        Some(self.first + Duration::from_nanos(since_first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_ticks_at_equal_distances_from_its_start() {
        let millis = Instant::from_millis;
        let timer = Timer::new(Duration::from_millis(100), millis(30));
        for (now, tick) in [(0, 130), (30, 130), (129, 130), (130, 230), (131, 230), (229, 230), (1031, 1130)]
        {
            assert_eq!(timer.tick_after(millis(now)), Some(millis(tick)), "after {now}");
        }
        assert_eq!(Timer::new(Duration::ZERO, millis(30)).tick_after(millis(40)), None);
    }
}
