//! Active checks of a whole gateway as data: who is to be probed now, when the next one is due, and what the answers
//! say. Leaves sending probes to the shell, and what an answer counts as to the target's [`Record`](super::Record).

mod agenda;
mod probe;
mod schedule;
#[cfg(test)]
mod tests;

pub use probe::{Plan, Probe, ProbeResult, Watch, WatchedTarget};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::agenda::Agenda;
use self::schedule::Schedule;
use super::{Observation, Turn};
use crate::id::{TargetId, UpstreamId};
use crate::time::Instant;

/// Knows every Upstream's schedule, and which probes are under way. Whoever drives it takes probes until there are
/// none, sleeps until [`next_timeout`](Self::next_timeout), and reports every result.
///
/// The healthy targets of an Upstream are probed at every tick of one timer, the unhealthy ones at every tick of
/// another; the first tick comes one interval after the Upstream, or its checks, became known. A target is skipped at a
/// tick while it is still being probed. Where more are due than `concurrency` allows, those that have been due longest
/// come first.
#[derive(Debug, Default)]
pub struct Prober {
    schedules: BTreeMap<UpstreamId, Schedule>,
    /// Kept for as long as a probe is out, whatever became of its target or Upstream.
    under_way: BTreeMap<UpstreamId, BTreeSet<TargetId>>,
    /// When each Upstream that may send another probe wants to.
    ready: Agenda<UpstreamId>,
    next_id: u64,
}

impl Prober {
    /// Takes these Upstreams in place of those it knows. What did not change keeps its times: an Upstream whose checks
    /// are the same its timers, a target its place. Changed checks start anew.
    pub fn follow<'a>(&mut self, watches: impl IntoIterator<Item = Watch<'a>>, now: Instant) {
        let mut old = std::mem::take(&mut self.schedules);
        self.ready = Agenda::default();
        let none = BTreeSet::new();
        for watch in watches {
            let mut schedule = match old.remove(&watch.upstream) {
                Some(schedule) if schedule.plan().is_of(&watch) => schedule,
                _ => Schedule::new(Plan::of(&watch), now),
            };
            let busy = self.under_way.get(&watch.upstream).unwrap_or(&none);
            schedule.follow(&watch.targets, busy, now);
            self.schedules.insert(watch.upstream, schedule);
            self.update(watch.upstream);
        }
    }

    /// A target came into rotation or went out of it, and is probed by the other timer from now on.
    pub fn on_turn(&mut self, upstream: UpstreamId, target: TargetId, turn: Turn, now: Instant) {
        if let Some(schedule) = self.schedules.get_mut(&upstream) {
            schedule.set_healthy(target, turn == Turn::In, now);
            self.update(upstream);
        }
    }

    /// When [`poll_probe`](Self::poll_probe) will have something to say; in the past when it has already, `None` when
    /// only another call can change that. Changed by every other call that takes `&mut self`: `follow`, `on_turn`,
    /// `poll_probe` and `on_probe`.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.ready.first().map(|(due, _)| due)
    }

    /// The next probe to send at `now`. To be asked until it answers `None`; each answer takes logarithmic time.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        let (_, upstream) = self.ready.first().filter(|(due, _)| *due <= now)?;
        let schedule = self.schedules.get_mut(&upstream)?;
        let target = schedule.start()?;
        let plan = Arc::clone(schedule.plan());
        self.remember(upstream, target);
        self.update(upstream);
        let id = self.next_id;
        self.next_id += 1;
        Some(Probe { id, upstream, target, plan })
    }

    /// A probe has ended: what its target's record is to be told. Nothing when the target is gone, or the checks are
    /// not those any more under which it was sent.
    pub fn on_probe(
        &mut self,
        probe: Probe,
        result: ProbeResult,
        now: Instant,
    ) -> Option<(TargetId, Observation)> {
        let Probe { upstream, target, plan, .. } = probe;
        self.forget(upstream, target);
        let schedule = self.schedules.get_mut(&upstream)?;
        let is_listed = schedule.end(target, now);
        let is_fresh = is_listed && Arc::ptr_eq(&plan, schedule.plan());
        self.update(upstream);
        is_fresh.then(|| (target, result.observation()))
    }

    fn remember(&mut self, upstream: UpstreamId, target: TargetId) {
        let is_new = self.under_way.entry(upstream).or_default().insert(target);
        assert!(is_new, "a target is probed twice at once");
    }

    fn forget(&mut self, upstream: UpstreamId, target: TargetId) {
        if let Some(targets) = self.under_way.get_mut(&upstream) {
            targets.remove(&target);
            if targets.is_empty() {
                self.under_way.remove(&upstream);
            }
        }
    }

    /// Puts an Upstream where it belongs in the agenda: nowhere while as many of its probes are under way as may be.
    fn update(&mut self, upstream: UpstreamId) {
        let under_way = self.under_way.get(&upstream).map_or(0, BTreeSet::len);
        let next = self
            .schedules
            .get(&upstream)
            .filter(|schedule| under_way < schedule.plan().checks.concurrency as usize)
            .and_then(Schedule::next);
        self.ready.set(upstream, next);
    }
}
