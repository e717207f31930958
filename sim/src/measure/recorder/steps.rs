//! The recorder's side of a step: what was held back while it was carried out is counted on the right side of it, and a
//! switch stays open until the last answer of the old version has come.

use std::time::Duration;

use gateway_core::id::ServiceId;
use gateway_core::time::Instant;

use super::{Recorder, SETTLE, moment};
use crate::measure::StepMoments;
use crate::measure::histogram::Intended;
use crate::measure::switches::{MeasuredSwitch, NodePicks};
use crate::rollout::Action;

impl Recorder {
    pub(super) fn stepped(&mut self, moments: StepMoments) {
        if let Some(step) = self.steps.get_mut(moments.step) {
            *step = Some(moments);
        }
        if moments.step < self.next_step || !self.facts.holds {
            // Given up waiting for, or never waited for: it takes effect from here on.
            return self.carry_out(moments);
        }
        while let Some(Some(moments)) = self.steps.get(self.next_step).copied() {
            self.expect(self.next_step + 1);
            // What came before belongs to the phases so far; what came later waits for the switch to begin.
            let (before, after): (Vec<_>, Vec<_>) =
                std::mem::take(&mut self.held).into_iter().partition(|seen| moment(seen) < moments.requested);
            for seen in &before {
                self.take(seen, moment(seen));
            }
            self.carry_out(moments);
            for seen in &after {
                self.record(seen);
            }
        }
    }

    fn carry_out(&mut self, moments: StepMoments) {
        let action = self.facts.plan.action(moments.step).cloned();
        self.rollout.stepped(moments, action.as_ref());
        if let Some(Action::SetHost { service, service_name, host }) = action {
            self.switch(moments, service, service_name, host);
        }
    }

    fn switch(&mut self, moments: StepMoments, service: ServiceId, service_name: String, to: String) {
        let from = self.hosts.get(&service).cloned().unwrap_or_default();
        let config = &self.facts.plan.gateway.config;
        let upstream = |host: &str| config.upstream_named(host).map(|(id, _)| id);
        let (from_upstream, to_upstream) = (upstream(&from), upstream(&to));
        let (last_old_pick, last_old_answer) =
            self.last.get(service, from_upstream).copied().unwrap_or_default();
        let mut switch = MeasuredSwitch {
            step: moments.step,
            service: service_name,
            service_id: service,
            from,
            to: to.clone(),
            from_upstream,
            to_upstream,
            moments,
            until: Instant::MAX,
            first_new_pick: None,
            last_old_pick,
            first_new_answer: None,
            last_old_answer,
            stale_picks: 0,
            nodes: vec![NodePicks::default(); self.facts.plan.gateway.nodes.into()],
            in_flight: self.attempts.get(from_upstream).copied().unwrap_or(0),
            connects: None,
            steady: Intended::default(),
            after: Intended::default(),
        };
        let Some(applied) = switch.applied() else {
            switch.in_flight = 0;
            switch.until = moments.requested;
            self.switches.push(switch);
            return;
        };
        for earlier in self.switches.iter_mut().filter(|earlier| earlier.service == switch.service) {
            earlier.until = earlier.until.min(moments.requested);
        }
        if self.phases.is_open() {
            self.close_switch_by(applied);
        }
        let number = self.switches.len();
        self.hosts.insert(service, to);
        if let Some(to) = to_upstream {
            self.weights.begin(to, moments.requested, number);
        }
        self.lenses.begin(number, service, switch.moments.requested);
        self.switches.push(switch);
        // Later than it was applied only when too much was held back to wait for it.
        let after_placed = self.placed_until.map_or(Instant::ZERO, |at| at + Duration::from_nanos(1));
        self.phases.begin_switch(number, applied.max(after_placed));
    }

    /// Ends the open switch once no old request can still be answered.
    pub(super) fn close_when_over(&mut self) {
        let Some((number, applied)) = self.phases.open() else { return };
        let MeasuredSwitch { service_id, from_upstream, .. } = self.switches[number];
        let under_way = self.open_at.get(service_id, from_upstream).copied().unwrap_or(0);
        // Until then somebody may not have learnt of it.
        let settled = SETTLE + self.facts.plan.gateway.routing_lag();
        let longest = self.facts.plan.load.timeout() + settled;
        let is_full = self.pending.len() >= self.held_max;
        if is_full && under_way > 0 {
            self.warn(format!(
                "the old version of switch {} answered for so long that its phase was closed early",
                number + 1
            ));
        }
        let is_over = under_way == 0 && self.clock >= applied + settled;
        if is_over || is_full || self.clock >= applied + longest {
            self.close_switch();
        }
    }

    pub(super) fn close_switch(&mut self) {
        self.close_switch_by(Instant::MAX);
    }

    /// Ends the open switch at its last old answer, at `latest` at the latest, and places what waited for that.
    fn close_switch_by(&mut self, latest: Instant) {
        let Some((number, applied)) = self.phases.open() else { return };
        let end = self.switches[number].last_old_answer.unwrap_or(applied);
        self.phases.end_switch(end.min(latest));
        for placed in std::mem::take(&mut self.pending) {
            self.place(&placed, &placed.record.spans());
        }
    }
}
