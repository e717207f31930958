//! How the machine keeps to the targets that are well: it learns from the ends of attempts and from probes, and when a target
//! turns, its Upstream's balancers get other members: at the next moment that is handled, for all that have turned, and not by
//! whoever saw it. What counts as what is decided in `health`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::slots::{Slot, Slots};
use super::slow_start::Starters;
use super::{Cause, Gateway, Snapshot, TargetHealth, Writer};
use crate::config::Config;
use crate::entity::Limits;
use crate::health::{Observation, Outliers, Probe, ProbeResult, Prober, Turn, Watch, WatchedTarget};
use crate::id::{TargetId, UpstreamId};
use crate::outcome::Outcome;
use crate::time::Instant;

/// Who is probed when, and who is left out until when. Belongs to whoever changes anything.
#[derive(Debug, Default)]
pub(super) struct Care {
    prober: Prober,
    outliers: BTreeMap<UpstreamId, Outliers>,
    pub(super) starters: Starters,
    /// When those that are starting got their last step.
    stepped: Instant,
}

impl Gateway {
    /// The next probe to send at `now`; to be asked until there is none.
    pub fn poll_probe(&self, now: Instant) -> Option<Probe> {
        self.writer().care.prober.poll_probe(now)
    }

    /// A probe has ended.
    pub fn on_probe(&self, probe: Probe, result: ProbeResult, now: Instant) {
        let (mut writer, upstream) = (self.writer(), probe.upstream);
        let Some((target, observation)) = writer.care.prober.on_probe(probe, result, now) else { return };
        let config = self.config();
        let checks = config.upstream(upstream).map(|upstream| &upstream.healthchecks.active.limits);
        if let Some((slot, limits)) = writer.slots.get(target).zip(checks) {
            self.observe(slot, limits, observation, now);
        }
    }

    /// How well a target is known to be.
    pub fn health(&self, target: TargetId) -> TargetHealth {
        let config = self.config();
        let entity = config.target(target);
        let Some((entity, upstream)) = entity.and_then(|t| Some((t, config.upstream(t.upstream)?))) else {
            return TargetHealth::Off;
        };
        let is_watched = upstream.healthchecks.are_on() || upstream.outlier_detection.is_some();
        match self.writer().slots.get(target) {
            // Nobody looks at what gets no requests.
            Some(slot) if is_watched && entity.weight.get() > 0 => {
                if slot.is_available(upstream) {
                    TargetHealth::Healthy
                } else {
                    TargetHealth::Unhealthy
                }
            }
            _ => TargetHealth::Off,
        }
    }

    /// Says by hand whether a target is well; what was counted of it is forgotten.
    pub fn set_health(&self, target: TargetId, is_healthy: bool, now: Instant) {
        let mut writer = self.writer();
        if let Some(slot) = writer.slots.get(target)
            && slot.record().set(is_healthy).is_some()
        {
            slot.found.turned();
            self.found.tell(now);
        }
        self.act_on_found(&mut writer, now);
    }

    /// Learns from the end of an attempt in the eyes of the worker whose view this is. Makes nothing and waits for nobody.
    pub(super) fn learn(
        &self,
        view: &Snapshot,
        (upstream, target): (UpstreamId, TargetId),
        outcome: Outcome,
        is_last_try: bool,
        now: Instant,
    ) {
        let Some((lessons, slot)) = view.lessons(upstream).zip(view.slot(target)) else { return };
        let observation = Observation::of(outcome, is_last_try, self.options.rules);
        if let Some((limits, observation)) = lessons.limits.as_ref().zip(observation) {
            self.observe(slot, limits, observation, now);
        }
        if lessons.outliers.as_ref().is_some_and(|settings| slot.outliers.observe(outcome, settings)) {
            slot.found.standing_out();
            self.found.tell(now);
        }
    }

    /// Counts an observation of a target, which may turn by it.
    fn observe(&self, slot: &Slot, limits: &Limits, observation: Observation, now: Instant) {
        if slot.record().observe(limits, observation, self.options.rules).is_some() {
            slot.found.turned();
            self.found.tell(now);
        }
    }

    /// Whether the end of an attempt or of a probe has turned a target, and balancers do not go by that before
    /// [`handle_timeout`](Self::handle_timeout) is called. Costs one load.
    pub fn has_turned(&self) -> bool {
        self.found.get().is_some()
    }

    /// Acts on what was found of targets: the balancers of those that have turned get other members.
    pub(super) fn act_on_found(&self, writer: &mut Writer, now: Instant) {
        if !self.found.take() {
            return;
        }
        let (config, mut has_turned) = (self.config(), false);
        let Writer { care, slots, .. } = writer;
        for slot in slots.iter() {
            let (turned, stands_out) = (slot.found.take_turned(), slot.found.take_standing_out());
            if !turned && !stands_out {
                continue;
            }
            // Who is not listed any more is nobody's member.
            let Some(entity) = config.target(slot.id()) else { continue };
            if turned {
                care.turned((entity.upstream, slot.id()), slot.record().is_in_rotation(), now);
            }
            let is_ejected = stands_out && care.eject((entity.upstream, slot.id()), now);
            if is_ejected {
                slot.eject(true);
            }
            has_turned |= turned || is_ejected;
        }
        if has_turned {
            self.republish(writer, now);
        }
    }

    /// Puts in force what the health of targets has become.
    fn republish(&self, writer: &mut Writer, now: Instant) {
        writer.revision = writer.revision.next();
        let applied = self.publish((writer, &self.config()), Cause::Health, now, |_| false);
        writer.tell(applied);
        self.has_news.store(true, Ordering::Release);
    }

    /// Ends the intervals of outlier detection that are over.
    pub(super) fn weigh_outliers(&self, writer: &mut Writer, now: Instant) {
        let Writer { care, slots, .. } = writer;
        let mut has_turned = false;
        let Care { outliers, starters, .. } = care;
        for outliers in outliers.values_mut() {
            let turns = outliers.handle_timeout(|id| slots.get(id).map(|slot| &slot.outliers), now);
            for (target, turn) in turns {
                has_turned = true;
                if let Some(slot) = slots.get(target) {
                    slot.eject(turn == Turn::Out);
                }
                if turn == Turn::In {
                    starters.start(target, now);
                }
            }
        }
        if has_turned {
            self.republish(writer, now);
        }
    }
}

impl Gateway {
    /// Gives those that are starting what the time is for.
    pub(super) fn step_starters(&self, writer: &mut Writer, now: Instant) {
        let config = self.config();
        let due = writer.care.starters.next_timeout(&config, writer.care.stepped);
        if due.is_some_and(|due| due <= now) {
            writer.care.stepped = now;
            writer.care.starters.retire(&config, now);
            self.republish(writer, now);
        }
    }
}

impl Care {
    /// A target has turned.
    fn turned(&mut self, (upstream, target): (UpstreamId, TargetId), is_in_rotation: bool, now: Instant) {
        let turn = if is_in_rotation { Turn::In } else { Turn::Out };
        self.prober.on_turn(upstream, target, turn, now);
        if is_in_rotation {
            self.starters.start(target, now);
        }
    }

    /// Ejects a target that stands out, if it may be; whether it is left out now and was not before.
    fn eject(&mut self, (upstream, target): (UpstreamId, TargetId), now: Instant) -> bool {
        let outliers = self.outliers.get_mut(&upstream);
        outliers.and_then(|outliers| outliers.eject(target, now)).is_some()
    }

    /// Looks after the targets of `config` from now on.
    pub(super) fn follow(&mut self, config: &Config, slots: &Slots, now: Instant) {
        let watched = config.upstreams().filter(|(_, upstream)| {
            let active = &upstream.healthchecks.active;
            !active.healthy_interval.is_zero() || !active.unhealthy_interval.is_zero()
        });
        let watches = watched.map(|(id, upstream)| Watch {
            upstream: id,
            checks: &upstream.healthchecks.active,
            host_header: upstream.host_header.as_deref(),
            targets: config
                .targets_of(id)
                .map(|(target, entity)| WatchedTarget {
                    target,
                    weight: entity.weight,
                    is_healthy: slots.get(target).is_none_or(|slot| slot.record().is_in_rotation()),
                })
                .collect(),
        });
        self.prober.follow(watches, now);
        let mut old = std::mem::take(&mut self.outliers);
        for (id, upstream) in config.upstreams() {
            let Some(settings) = &upstream.outlier_detection else { continue };
            let mut outliers = old.remove(&id).unwrap_or_else(|| Outliers::new(settings.clone(), now));
            outliers.follow(settings, config.targets_of(id).map(|(target, _)| target), now);
            self.outliers.insert(id, outliers);
        }
    }

    /// When something is due next.
    pub(super) fn next_timeout(&self, config: &Config) -> Option<Instant> {
        let outliers = self.outliers.values().map(Outliers::next_timeout);
        let starters = self.starters.next_timeout(config, self.stepped);
        self.prober.next_timeout().into_iter().chain(starters).chain(outliers).min()
    }
}
