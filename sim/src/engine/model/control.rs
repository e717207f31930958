//! Control in a modelled run: the steps of the plan by way of the pure Admin API, and what the gateway does by itself.

use std::sync::Arc;

use gateway_core::admin::{self, Call, Decision, Status, World as AdminWorld};
use gateway_core::entity::ProbeKind;
use gateway_core::gateway::Applied;
use gateway_core::health::{Probe, ProbeResult};
use gateway_core::outcome::Failure;
use gateway_core::schema::Stamp;
use gateway_core::time::Instant;

use super::World;
use super::calendar::Event;
use super::flight::{NEVER, Owner, Stage};
use crate::measure::{Observation, StepMoments};
use crate::mock::Process;
use crate::rollout::{AdminCall, Order, Output, Seen, Task};

/// When a modelled gateway's entities are made, milliseconds since 1970: the same in every run.
const EPOCH_MS: u64 = 0;

impl World<'_> {
    /// Lets the rollout's machine say what is to be done now.
    pub(super) fn step(&mut self) {
        self.look_whether_ready();
        while let Some(output) = self.machine.poll(self.now) {
            match output {
                Output::Order(order) => self.carry_out(order),
                Output::Mark(mark) => self.see(Observation::Rollout(Box::new(mark))),
            }
        }
        self.machine_due = self.machine.next_time();
        self.expect_step();
    }

    /// When all mocks that the machine waits for accept connections.
    fn all_ready(&self) -> Option<Instant> {
        let (_, mocks) = self.awaited.as_ref()?;
        mocks.iter().map(|&mock| self.sites[mock as usize].target.ready()).max()
    }

    fn look_whether_ready(&mut self) {
        if self.all_ready().is_some_and(|ready| ready <= self.now)
            && let Some((order, _)) = self.awaited.take()
        {
            self.machine.acked(order, self.now, true);
        }
    }

    /// Enters the machine's next moment.
    pub(super) fn expect_step(&mut self) {
        let ready = self.all_ready().unwrap_or(Instant::MAX);
        let next = self.machine.next_time().min(ready).max(self.now);
        if next != Instant::MAX && self.steps_at.is_none_or(|at| at != next || at <= self.now) {
            self.steps_at = Some(next);
            self.calendar.push(next, Event::Step);
        }
    }

    fn carry_out(&mut self, order: Order) {
        let ok = match order.task {
            Task::Admin(calls) => self.change_gateway(order.step, &calls),
            Task::Start(mocks) => self.set_processes(&mocks, Process::Since(self.now)),
            Task::Stop(mocks) => self.set_processes(&mocks, Process::Gone),
            Task::AwaitReady(mocks) => {
                self.awaited = Some((order.id, mocks));
                return self.look_whether_ready();
            }
        };
        self.machine.acked(order.id, self.now, ok);
    }

    fn set_processes(&mut self, mocks: &[u32], process: Process) -> bool {
        for &mock in mocks {
            let target = &self.sites[mock as usize].target;
            target.set_process(process);
            let ready = target.ready();
            if ready < Instant::MAX {
                self.calendar.push(ready, Event::Change(mock));
            }
            self.change(mock);
        }
        true
    }

    /// Makes all calls of a step at once; whether all succeeded.
    fn change_gateway(&mut self, step: usize, calls: &[AdminCall]) -> bool {
        let now = self.now;
        let mut applied = Vec::new();
        let ok = calls.iter().all(|call| self.call(call, &mut applied));
        let moment = |is: bool| is.then_some(now);
        let in_force = moment(ok && !applied.is_empty());
        for change in applied {
            self.tell(change);
        }
        self.see(Observation::Stepped(StepMoments {
            step,
            requested: now,
            acked: moment(ok),
            applied: in_force,
        }));
        self.expect_gateway();
        ok
    }

    fn call(&mut self, call: &AdminCall, applied: &mut Vec<Applied>) -> bool {
        let body = call.body.as_ref().map_or_else(String::new, ToString::to_string);
        let gateway = Arc::clone(&self.nodes[0]);
        let config = gateway.config();
        let status = Status::default();
        let world = AdminWorld { gateway: &gateway, config: &config, status: &status };
        self.stamps += 1;
        let call = Call {
            method: call.method,
            path: &call.path,
            query: "",
            content_type: Some("application/json"),
            body: body.as_bytes(),
            stamp: Stamp::drawn(self.seed, self.stamps, EPOCH_MS),
        };
        match admin::decide(&world, &call) {
            Decision::Reply(reply) => reply.status < 400,
            Decision::Change(change, _) => match gateway.apply(*change, self.now) {
                Ok(change) => {
                    applied.push(change);
                    true
                }
                Err(_) => false,
            },
            Decision::SetHealth(targets, is_healthy) => {
                for target in targets {
                    gateway.set_health(target, is_healthy, self.now);
                }
                true
            }
        }
    }

    /// Something is in force.
    fn tell(&mut self, applied: Applied) {
        if let Some(configured) = Observation::configured(&applied) {
            self.see(configured);
        }
        for epoch in applied.epochs {
            self.show(|| Seen::Began(epoch.clone()));
            self.see(Observation::Began { at: applied.at, epoch: Arc::new(epoch) });
        }
    }

    /// What has happened by itself. A target that has turned is left out from this very moment.
    pub(super) fn hear_news(&mut self) {
        let mut has_news = false;
        for node in 0..self.nodes.len() {
            if self.nodes[node].has_turned() {
                self.nodes[node].handle_timeout(self.now);
            }
            while let Some(applied) = self.nodes[node].news() {
                has_news = true;
                self.tell(applied);
            }
        }
        if has_news {
            self.expect_gateway();
        }
    }

    /// Enters the gateway's next moment.
    pub(super) fn expect_gateway(&mut self) {
        let next = self.nodes.iter().filter_map(|node| node.next_timeout()).min();
        if let Some(next) = next.map(|next| next.max(self.now))
            && self.gateway_at.is_none_or(|at| next < at)
        {
            self.gateway_at = Some(next);
            self.calendar.push(next, Event::Gateway);
        }
    }

    /// What is due by itself: nodes and workers look for changes, outliers are weighed, probes go out.
    pub(super) fn gateway_moment(&mut self) {
        if self.gateway_at != Some(self.now) {
            return;
        }
        self.gateway_at = None;
        for node in 0..self.nodes.len() {
            let gateway = Arc::clone(&self.nodes[node]);
            gateway.handle_timeout(self.now);
            while let Some(probe) = gateway.poll_probe(self.now) {
                self.send_probe(probe, node as u16);
            }
        }
        self.hear_news();
        self.expect_gateway();
    }

    // === Probes ===

    fn send_probe(&mut self, probe: Probe, node: u16) {
        let over = self.now + probe.plan.checks.timeout;
        let (mock, kind) = (self.mock_of.get(probe.target), probe.plan.checks.kind);
        let slot = self.flights.begin(Owner::Probe(probe, node), 0);
        let is_served = matches!(kind, ProbeKind::Http | ProbeKind::Tcp);
        let Some(mock) = mock.filter(|_| is_served) else {
            return self.probed(slot, ProbeResult::Failed(Failure::Refused));
        };
        if let Some(flight) = self.flights.get(slot) {
            flight.mock = mock;
            flight.tries = 1;
            flight.ticket = NEVER;
        }
        let number = self.calendar.push(over, Event::ProbeOver(slot));
        self.probes.insert(slot, number);
        self.post(slot, Stage::Dialing, 2);
    }

    /// Whether a flight is a probe that wants no more than a connection.
    pub(super) fn is_tcp_probe(&mut self, slot: u32) -> bool {
        self.flights.get(slot).is_some_and(|flight| match &flight.owner {
            Owner::Probe(probe, _) => probe.plan.checks.kind == ProbeKind::Tcp,
            Owner::Client(..) | Owner::Copy(_) | Owner::Nobody => false,
        })
    }

    pub(super) fn is_probe(&mut self, slot: u32) -> bool {
        self.flights.get(slot).is_some_and(|flight| matches!(flight.owner, Owner::Probe(..)))
    }

    /// A probe has ended.
    pub(super) fn probed(&mut self, slot: u32, result: ProbeResult) {
        self.probes.remove(&slot);
        if let Some(Owner::Probe(probe, node)) = self.flights.take(slot) {
            self.nodes[usize::from(node)].on_probe(probe, result, self.now);
            self.hear_news();
            self.expect_gateway();
        }
    }

    /// A probe has taken too long, unless it has ended before.
    pub(super) fn probe_over(&mut self, slot: u32, number: u64) {
        if self.probes.get(&slot) == Some(&number) {
            self.probed(slot, ProbeResult::Failed(Failure::ResponseTimeout));
        }
    }
}
