//! Folding: where the whole way through a target is known when a request sets out for it, one event stands for all of it, the
//! head of the answer at the gateway. The other way, an event for each stage, says exactly the same and takes three times as
//! many; it is the reference.
//!
//! A target folds when nothing that happens later can bear on who is on the way to it or there: messages always take equally
//! long, so nobody overtakes; it serves first in, first out; its process runs all the time; and its faults do no more than slow
//! answers down or make them errors, which is a question of the moment of arrival. A client that goes away in the meantime
//! changes nothing for the target, since word of it travels no faster than its request did.

use std::hint::black_box;
use std::time::Duration;

use gateway_core::time::Instant;

use super::calendar::Event;
use super::flight::Stage;
use super::{Network, World};
use crate::measure::Observation;
use crate::mock::{Ahead, Draws, Fate, FaultKind, Faults, Manner, Target};
use crate::plan::Plan;
use crate::rollout::Action;

/// Which of a run's targets fold.
pub(super) struct Folding<'a> {
    plan: &'a Plan,
    faults: &'a Faults,
    /// Mocks whose process some step starts or stops.
    handled: Vec<u32>,
    is_steady: bool,
}

impl<'a> Folding<'a> {
    /// The rule for `plan`; nobody folds unless it is `wanted`.
    pub(super) fn new(plan: &'a Plan, network: &Network, faults: &'a Faults, wanted: bool) -> Self {
        let steps = plan.steps.iter().map(|step| &step.action);
        let all = steps.chain(plan.rollout.way_back.iter().flatten());
        let handled = all.filter_map(|action| match action {
            Action::Start(mocks) | Action::Stop(mocks) => Some(mocks),
            _ => None,
        });
        let is_steady = match network {
            // Whoever is this impatient is gone before a target has heard of it.
            Network::Always(hop) => *hop <= plan.load.timeout(),
            Network::Drawn(_) => false,
        };
        Self { plan, faults, handled: handled.flatten().copied().collect(), is_steady: wanted && is_steady }
    }

    /// The way through mock `number`, if it folds.
    pub(super) fn way(&self, number: u32, target: &Target) -> Option<Way> {
        let is_harmless = |kind: &FaultKind| {
            matches!(kind, FaultKind::Errors(_) | FaultKind::LatencyX(_) | FaultKind::Deregister)
        };
        let is_hit = |fault: &&crate::mock::Scheduled| fault.mocks.contains(&(number as usize));
        let is_calm = self.faults.all().iter().filter(is_hit).all(|fault| is_harmless(&fault.kind));
        let folds = self.is_steady && is_calm && !self.handled.contains(&number);
        let station = Ahead::new(self.plan.mocks[number as usize].behaviour.places).filter(|_| folds)?;
        Some(Way { station, plain: target.plain() })
    }
}

/// The way through a target that folds: all that most requests need of it, side by side.
// One cache line: there is one for each of thousands of targets.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Way {
    station: Ahead,
    /// Its dice, where they alone decide.
    plain: Option<Draws>,
}

impl World<'_> {
    /// A request sets out for its target, whom the gateway waits `patience` for. False when its way there and back must be
    /// walked.
    pub(super) fn fold(&mut self, slot: u32, patience: Option<Duration>) -> bool {
        let Network::Always(hop) = self.network else { return false };
        let arrives = self.now + hop;
        // What the run does not last for never happens, nor what the gateway has given up before.
        let is_seen = self.client.drain_until().is_none_or(|until| arrives <= until);
        if !is_seen || patience.is_some_and(|patience| patience < hop) {
            return false;
        }
        let Some(answers) = self.foresee(slot, arrives) else { return false };
        let is_back = answers + hop;
        if let Some(patience) = patience.filter(|patience| self.now + *patience < is_back) {
            self.wait_for_target(slot, patience);
        }
        let number = self.calendar.push(is_back, Event::Flight(slot));
        let Some(flight) = self.flights.get(slot) else { return true };
        flight.stage = Stage::HeadBack;
        flight.due = number;
        flight.said.truncated = false;
        flight.said.whole_at = is_back;
        let mock = flight.mock;
        if let Some((request, is_copy)) = flight.carries() {
            self.see(Observation::served(request, mock, is_copy, arrives));
        }
        true
    }

    /// Reads what will be asked of a target, to have it at hand: where there are thousands each first look waits for memory,
    /// and several looks at once wait once.
    pub(super) fn look_at(&self, worker: usize, mock: Option<u32>) {
        let mock = mock.map_or(0, |mock| mock as usize);
        let pool = self.gate.patience(worker, mock);
        black_box((pool, self.ways.get(mock).and_then(|way| Some(way.as_ref()?.station.newest()))));
    }

    /// Serves a request that will have arrived then: when its answer goes out, if that can be known.
    fn foresee(&mut self, slot: u32, arrives: Instant) -> Option<Instant> {
        let flight = self.flights.get(slot)?;
        let way = self.ways.get_mut(flight.mock as usize)?.as_mut()?;
        let site = self.sites.get_mut(flight.mock as usize)?;
        let (request, is_new) = flight.asks(&mut site.strangers);
        if let Some(draws) = &way.plain {
            let answers = way.station.arrive(arrives, draws.plain_demand((request, is_new)));
            flight.said.status = if answers.is_ok() { 200 } else { 503 };
            flight.said.is_bare = answers.is_err();
            flight.said.closes = false;
            return Some(answers.unwrap_or(arrives));
        }
        // It has no fault that would be another fate.
        let target = &site.target;
        let Fate::Service { demand, error } = target.fate(request, is_new, arrives) else { return None };
        let answers = way.station.arrive(arrives, demand);
        let error = if answers.is_err() { Some(503) } else { error };
        let answers = answers.unwrap_or(arrives);
        let Manner { closes, .. } = target.manner(flight.answers + 1, answers);
        flight.said.status = error.unwrap_or(200);
        flight.said.is_bare = error.is_some();
        flight.said.closes = closes;
        Some(answers)
    }
}
