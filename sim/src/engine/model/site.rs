//! The targets of a modelled run: `mock` says what becomes of a request, this file lets it happen at its moment.

use std::rc::Rc;
use std::time::Duration;

use gateway_core::outcome::Failure;
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use super::World;
use super::calendar::Event;
use super::flight::{Flight, Owner, Stage};
use crate::measure::Observation;
use crate::mock::{Fate, Faults, Manner, Pace, Process, Station, Target};
use crate::plan::{MockPlan, Plan};

/// One target.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) target: Target,
    station: Station,
    /// When somebody departs next, as the calendar has it.
    departs: Option<Instant>,
    /// Whoever reaches its station gets a number.
    tickets: u64,
    /// Which flight has which number.
    waiting: FxHashMap<u64, u32>,
    /// Requests that are none of the run's.
    pub(super) strangers: u64,
    /// Moments at which its process dies, and so on.
    changes: Vec<Instant>,
}

impl Site {
    /// All those of a plan; a step starts those that are not there from the start.
    pub(super) fn all(plan: &Plan, faults: &Rc<Faults>) -> Vec<Self> {
        let mut sites: Vec<Self> = Vec::with_capacity(plan.mocks.len());
        for (mock, process) in plan.mocks.iter().zip(plan.processes_at_start()) {
            let (name, behaviour) = (&mock.name, mock.behaviour.clone());
            let target = match sites.last() {
                Some(before) => before.target.next(name, behaviour),
                None => Target::new(0, name, behaviour, faults, plan.seed),
            };
            sites.push(Self::new(target, mock, process));
        }
        sites
    }

    fn new(target: Target, mock: &MockPlan, process: Process) -> Self {
        target.set_process(process);
        Self {
            changes: target.changes().into_iter().collect(),
            target,
            station: Station::new(mock.behaviour.places),
            departs: None,
            tickets: 0,
            waiting: FxHashMap::default(),
            strangers: u64::MAX,
        }
    }

    /// The moments at which something begins or ends there.
    pub(super) fn changes(&self) -> &[Instant] {
        &self.changes
    }

    /// The first moment from `now` on at which its wire is whole.
    fn mended(&self, now: Instant) -> Instant {
        let later = self.changes.iter().copied().filter(|at| *at > now);
        std::iter::once(now).chain(later).find(|at| !self.target.is_cut(*at)).unwrap_or(Instant::MAX)
    }
}

impl World<'_> {
    pub(super) fn site(&mut self, slot: u32) -> Option<(&mut Flight, &mut Site)> {
        let flight = self.flights.get(slot)?;
        let site = self.sites.get_mut(flight.mock as usize)?;
        Some((flight, site))
    }

    /// Somebody asks for a connection.
    pub(super) fn dialed(&mut self, slot: u32) {
        let now = self.now;
        let Some((flight, site)) = self.site(slot) else { return };
        flight.answers = 0;
        let is_open = site.target.is_listening(now);
        let stage = if is_open { Stage::Dialed } else { Stage::Failing(Failure::Refused, false) };
        self.post(slot, stage, 4);
    }

    /// A request has come.
    pub(super) fn at_target(&mut self, slot: u32) {
        let now = self.now;
        let Some((flight, site)) = self.site(slot) else { return };
        if site.target.is_killed(now) {
            return self.send_failure(slot, Failure::ResetBeforeResponse);
        }
        let mended = site.mended(now);
        if mended > now {
            return self.enter_unless_never(slot, Stage::ToTarget, mended);
        }
        let mock = flight.mock;
        if let Some((request, is_copy)) = flight.carries() {
            self.see(Observation::served(request, mock, is_copy, now));
        }
        self.take_up(slot);
    }

    /// It is taken up once the target does not hang.
    pub(super) fn take_up(&mut self, slot: u32) {
        let now = self.now;
        let Some((flight, site)) = self.site(slot) else { return };
        let thawed = site.target.thawed(now);
        if thawed > now {
            return self.enter_unless_never(slot, Stage::Frozen, thawed);
        }
        let (request, is_new) = flight.asks(&mut site.strangers);
        let is_orphan = flight.is_orphan();
        match site.target.fate(request, is_new, now) {
            Fate::Reset => self.send_failure(slot, Failure::ResetBeforeResponse),
            Fate::Silence => self.rest(slot, Stage::Silent),
            Fate::Service { demand, error } => {
                flight.said.status = error.unwrap_or(200);
                flight.said.is_bare = error.is_some();
                let mock = flight.mock;
                // At one moment whoever is done leaves before somebody comes.
                self.departures(mock);
                let Some((flight, site)) = self.site(slot) else { return };
                let ticket = site.tickets;
                site.tickets += 1;
                flight.ticket = ticket;
                if site.station.arrive(now, ticket, demand).is_ok() {
                    site.waiting.insert(ticket, slot);
                    self.rest(slot, Stage::Served);
                    self.expect_departure(mock);
                } else {
                    flight.said.status = 503;
                    flight.said.is_bare = true;
                    self.say(slot);
                }
            }
        }
        if is_orphan {
            // Nobody hears the answer.
            self.flights.end(slot);
        }
    }

    /// Whoever has had its service at this target answers.
    pub(super) fn departures(&mut self, mock: u32) {
        let now = self.now;
        while let Some(departure) = self.sites[mock as usize].station.depart(now) {
            let slot = self.sites[mock as usize].waiting.remove(&departure.job);
            let Some(slot) = slot else { continue };
            let is_here = |flight: &mut Flight| {
                flight.stage == Stage::Served && (flight.mock, flight.ticket) == (mock, departure.job)
            };
            // Who has gone away hears nothing.
            if self.flights.get(slot).is_some_and(is_here) {
                self.say(slot);
            }
        }
    }

    /// The calendar says that somebody departs now.
    pub(super) fn departure(&mut self, mock: u32) {
        let site = &mut self.sites[mock as usize];
        if site.departs != Some(self.now) {
            return;
        }
        site.departs = None;
        self.departures(mock);
        self.expect_departure(mock);
    }

    fn expect_departure(&mut self, mock: u32) {
        let site = &mut self.sites[mock as usize];
        let next = site.station.next_departure();
        if let Some(at) = next.filter(|at| site.departs.is_none_or(|departs| *at < departs)) {
            site.departs = next;
            self.calendar.push(at, Event::Departure(mock));
        }
    }

    /// An answer goes out once the target does not hang and its wire is whole.
    pub(super) fn say(&mut self, slot: u32) {
        let now = self.now;
        let Some((flight, site)) = self.site(slot) else { return };
        let ready = site.target.thawed(now).max(site.mended(now));
        if ready > now {
            return self.enter_unless_never(slot, Stage::Answering, ready);
        }
        let Manner { closes, truncates, pace } = site.target.manner(flight.answers + 1, now);
        flight.said.closes = closes;
        let hop = self.hop(slot, 4);
        let (truncated, takes) = self.body(slot, truncates, pace);
        if let Some(flight) = self.flights.get(slot) {
            flight.said.truncated = truncated;
            flight.said.whole_at = now + hop + takes;
        }
        self.post(slot, Stage::HeadBack, 4);
    }

    /// Whether the body of an answer is cut short, and how long it takes after its head.
    fn body(&mut self, slot: u32, truncates: bool, pace: Option<Pace>) -> (bool, Duration) {
        if !truncates && pace.is_none() {
            return (false, Duration::ZERO);
        }
        let Some((flight, site)) = self.site(slot) else { return (false, Duration::ZERO) };
        let respond = site.target.behaviour().respond;
        let kind = match &flight.owner {
            Owner::Client(job, _) => Some(job.arrival.kind),
            Owner::Copy(copy) => Some(copy.arrival.kind),
            Owner::Probe(..) | Owner::Nobody => None,
        };
        let kind = kind.filter(|_| !flight.said.is_bare);
        let length = kind.map_or(0, |kind| self.heads.answer_length(kind, respond));
        let truncated = truncates && length > 0;
        let sent = if truncated { length - length.div_ceil(2) } else { length };
        let takes = pace.map(|pace| pace.due(sent.saturating_sub(1) / pace.piece() * pace.piece()));
        (truncated, takes.unwrap_or_default())
    }

    /// A fault begins or ends: whoever is with a process that dies is told.
    pub(super) fn change(&mut self, mock: u32) {
        if !self.sites[mock as usize].target.is_killed(self.now) {
            return;
        }
        self.gate.forget(mock);
        for slot in self.flights.at_mock(mock) {
            let Some(flight) = self.flights.get(slot) else { continue };
            match flight.stage {
                Stage::Frozen | Stage::Served | Stage::Silent | Stage::Answering => {
                    self.send_failure(slot, Failure::ResetBeforeResponse);
                }
                Stage::BodyBack => self.send_failure(slot, Failure::ResetMidBody),
                _ => {}
            }
        }
    }

    fn send_failure(&mut self, slot: u32, cause: Failure) {
        self.post(slot, Stage::Failing(cause, true), 4);
    }

    fn enter_unless_never(&mut self, slot: u32, stage: Stage, at: Instant) {
        if at == Instant::MAX {
            self.rest(slot, Stage::Silent);
        } else {
            self.enter(slot, stage, at);
        }
    }
}
