//! The model engine: the same plan through the very same `Gateway` in virtual time. Nothing is awaited and nothing measured;
//! every moment is computed, in whole nanoseconds, and a seed gives the same run on every machine.
//!
//! A request's way is that of the live engine: the client's connection, the gateway's worker, a kept or a new connection to
//! the target, the target's station, and back. What decides is shared with the live engine (`load`, `mock`, `rollout`, and
//! `gateway-core`); this room replaces wires and waiting by events.
//!
//! Limits of the model: a message takes as long as the network says whatever its size; a target that closes a connection does
//! so between two requests, never while one is on its way; the Admin API answers at once.
#![doc = include_str!("ACCURACY.md")]

mod calendar;
mod client;
mod control;
mod copies;
mod deadlines;
mod flight;
mod fold;
mod gate;
mod heads;
mod job;
mod ladder;
mod little;
mod site;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_core::gateway::{Gateway, Held};
use gateway_core::health::ProbeResult;
use gateway_core::rng::{self, Rng};
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use self::calendar::{Calendar, Entry, Event};
use self::client::Client;
use self::copies::Copies;
use self::flight::{Flights, NEVER, Owner, Stage};
use self::fold::{Folding, Way};
use self::gate::Gate;
use self::heads::Heads;
use self::site::Site;
use crate::measure::{Conditions, Observation};
use crate::mock::{Behind, Latency, Sampler};
use crate::plan::Plan;
use crate::rollout::{Machine, OrderId, Seen};

/// Observations handed on at once.
const BATCH: usize = 128;
/// Events between two looks at whether to stop.
const LOOK: u64 = 4096;

/// Runs `plan`. `see` gets what happened, in order of time but for arrivals at targets, which may be told beforehand; setting
/// `stop` ends the run early.
pub fn run(plan: &Plan, stop: &AtomicBool, see: &mut dyn FnMut(&[Observation])) -> Conditions {
    World::new(plan, see, true).conduct(stop)
}

/// The same with an event for each stage of each request: what [`run`] must agree with.
pub fn walk(plan: &Plan, stop: &AtomicBool, see: &mut dyn FnMut(&[Observation])) -> Conditions {
    World::new(plan, see, false).conduct(stop)
}

/// How many of the plan's targets fold: a request's whole way through them is one event.
pub fn folded(plan: &Plan) -> usize {
    World::new(plan, &mut |_| {}, true).ways.iter().flatten().count()
}

/// Everything there is in a modelled run.
struct World<'a> {
    plan: &'a Plan,
    seed: u64,
    now: Instant,
    /// Of the load.
    end: Instant,
    /// Nobody's patience ends before this moment.
    patient_until: Instant,
    calendar: Calendar,
    flights: Flights,
    client: Client,
    /// The gateway's nodes.
    nodes: Vec<Arc<Gateway>>,
    /// The gateway as each worker has it.
    held: Vec<Held>,
    gate: Gate,
    heads: Heads,
    copies: Copies,
    sites: Vec<Site>,
    /// The ways through those that fold: apart, so that they lie close together.
    ways: Vec<Option<Way>>,
    /// The mock behind each target.
    mock_of: Behind,
    machine: Machine,
    /// Whether the machine goes by what is seen.
    is_watched: bool,
    /// When it has something to say, as far as it was asked.
    machine_due: Instant,
    /// The mocks that the machine waits for, and the order to acknowledge once they accept connections.
    awaited: Option<(OrderId, Vec<u32>)>,
    /// When the machine has something to say next, as the calendar has it.
    steps_at: Option<Instant>,
    /// When the gateway does something by itself next, as the calendar has it.
    gateway_at: Option<Instant>,
    /// Probes under way, and the number of the end of their time.
    probes: FxHashMap<u32, u64>,
    /// What each worker draws from.
    rngs: Vec<Rng>,
    /// Entities made by the steps.
    stamps: u64,
    network: Network,
    seen: Vec<Observation>,
    out: &'a mut dyn FnMut(&[Observation]),
}

/// How long a message takes.
enum Network {
    Always(Duration),
    Drawn(Sampler),
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, out: &'a mut dyn FnMut(&[Observation]), folds: bool) -> Self {
        let seed = plan.seed;
        let workers = plan.gateway.options.workers.max(1) * usize::from(plan.gateway.nodes);
        let faults = Rc::new(plan.picked_faults());
        let nodes = plan.gateway.start();
        let machine = plan.machine();
        let per_node = workers / nodes.len();
        let mut world = Self {
            plan,
            seed,
            now: Instant::ZERO,
            end: Instant::ZERO + plan.load.duration(),
            patient_until: Instant::MAX,
            calendar: Calendar::default(),
            flights: Flights::default(),
            client: Client::new(&plan.load, plan.gateway.nodes.into(), seed),
            held: (0..workers)
                .map(|worker| Held::new(Arc::clone(&nodes[worker / per_node]), worker))
                .collect(),
            nodes,
            gate: Gate::new(workers, plan),
            heads: Heads::new(plan, workers),
            copies: Copies::default(),
            sites: Site::all(plan, &faults),
            ways: Vec::new(),
            mock_of: plan.mocks_of_targets(),
            is_watched: machine.is_watching(),
            machine_due: machine.next_time(),
            machine,
            awaited: None,
            steps_at: None,
            gateway_at: None,
            probes: FxHashMap::default(),
            rngs: (0..workers).map(|worker| rng::stream(seed, "worker", worker as u64)).collect(),
            stamps: 0,
            network: match &plan.model.network {
                Latency::Constant(always) => Network::Always(*always),
                drawn => Network::Drawn(Sampler::new(drawn)),
            },
            seen: Vec::with_capacity(BATCH),
            out,
        };
        let folding = Folding::new(plan, &world.network, &faults, folds);
        let sites = (0_u32..).zip(&world.sites);
        world.ways = sites.map(|(number, site)| folding.way(number, &site.target)).collect();
        for (number, site) in (0_u32..).zip(&world.sites) {
            for &at in site.changes() {
                world.calendar.push(at, Event::Change(number));
            }
        }
        world.expect_step();
        world.expect_gateway();
        world
    }

    fn conduct(mut self, stop: &AtomicBool) -> Conditions {
        self.run(stop);
        self.flush();
        Conditions { drained_at: self.now, aborted_at: self.client.aborted, ..Conditions::default() }
    }

    fn run(&mut self, stop: &AtomicBool) {
        for turn in 0_u64.. {
            if turn % LOOK == 0 && stop.load(Ordering::Relaxed) {
                self.abort();
            }
            self.look_at_the_end();
            if self.client.is_over(self.now) {
                break;
            }
            self.turn();
        }
        self.end_leftovers();
    }

    /// What happens next: at one moment control, then what is on its way, then the ends of patience, then arrivals.
    fn turn(&mut self) {
        let arrival = self.client.due().unwrap_or(Instant::MAX);
        if arrival >= self.patient_until {
            let event = self.calendar.peek().unwrap_or(Instant::MAX);
            if event.min(arrival) >= self.patient_until {
                self.turn_of_patience(event.min(arrival));
            } else {
                self.turn_of_calendar();
            }
        } else if let Some(entry) = self.calendar.pop(arrival) {
            self.now = entry.at;
            self.happen(entry);
        } else {
            self.now = arrival;
            self.release_due();
        }
        self.expect_drained();
    }

    fn turn_of_calendar(&mut self) {
        if let Some(entry) = self.calendar.pop(Instant::MAX) {
            self.now = entry.at;
            self.happen(entry);
        }
    }

    /// Patience may end before anything else happens, at `next`.
    fn turn_of_patience(&mut self, next: Instant) {
        let client = self.client.next_deadline().unwrap_or(Instant::MAX);
        let gateway = self.gate.next_deadline().unwrap_or(Instant::MAX);
        let drained = self.client.drain_until().unwrap_or(Instant::MAX);
        self.patient_until = client.min(gateway).min(drained);
        if next > self.patient_until {
            self.now = self.patient_until;
            if gateway == self.now {
                self.gateway_deadlines();
            } else if client == self.now {
                self.client_deadlines();
            }
        } else if next == Instant::MAX {
            // A closed loop may have nobody left who is ready before its end.
            self.now = self.end.max(self.now);
        } else if self.calendar.peek() == Some(next) {
            self.turn_of_calendar();
        } else if gateway == next {
            self.now = next;
            self.gateway_deadlines();
        } else if client == next {
            self.now = next;
            self.client_deadlines();
        } else {
            self.now = next;
            self.release_due();
        }
    }

    /// Somebody's patience will end then, unless it is lifted before.
    fn expect_impatience(&mut self, at: Instant) {
        self.patient_until = self.patient_until.min(at);
    }

    /// What the machine was told may let it go on at once.
    fn expect_drained(&mut self) {
        if self.machine_due <= self.now {
            self.step();
        }
    }

    /// The machine sees what the gateway did, where that can mean anything to it.
    #[inline]
    fn show(&mut self, seen: impl FnOnce() -> Seen) {
        if self.is_watched {
            self.machine.observe(seen());
            self.machine_due = self.machine.next_time();
        }
    }

    fn happen(&mut self, entry: Entry) {
        match entry.event {
            Event::Step => {
                if self.steps_at == Some(self.now) {
                    self.step();
                }
            }
            Event::Change(mock) => self.change(mock),
            Event::Gateway => self.gateway_moment(),
            Event::Departure(mock) => self.departure(mock),
            Event::ProbeOver(slot) => self.probe_over(slot, entry.number),
            Event::Gone(slot) => {
                if self.flights.get(slot).is_some_and(|flight| flight.gone == Some(entry.number)) {
                    self.client_gone(slot);
                }
            }
            Event::Flight(slot) => {
                let flight = self.flights.get(slot).filter(|flight| flight.due == entry.number);
                if let Some(flight) = flight {
                    flight.due = NEVER;
                    let stage = flight.stage;
                    self.get_on(slot, stage);
                }
            }
        }
    }

    /// A flight has come to the end of a stage.
    fn get_on(&mut self, slot: u32, stage: Stage) {
        match stage {
            Stage::Connecting => self.connected(slot),
            Stage::ToGateway => self.at_gateway(slot),
            Stage::AtGateway => self.begin(slot),
            Stage::Dialing => self.dialed(slot),
            Stage::Dialed if self.is_tcp_probe(slot) => self.probed(slot, ProbeResult::Connected),
            Stage::Dialed => self.opened(slot),
            Stage::ToTarget => self.at_target(slot),
            Stage::Frozen => self.take_up(slot),
            Stage::Answering => self.say(slot),
            Stage::HeadBack if self.is_probe(slot) => {
                let status = self.flights.get(slot).map_or(0, |flight| flight.said.status);
                self.probed(slot, ProbeResult::Answered { status });
            }
            Stage::HeadBack => self.head_back(slot),
            Stage::BodyBack => self.body_back(slot),
            Stage::Failing(cause, _) if self.is_probe(slot) => self.probed(slot, ProbeResult::Failed(cause)),
            Stage::Failing(cause, sent) => self.fail(slot, cause, sent),
            Stage::ToClient(ending) => self.answered(slot, ending),
            Stage::Served | Stage::Silent | Stage::None => {}
        }
    }

    /// A flight begins a stage that ends at `at`.
    #[inline]
    fn enter(&mut self, slot: u32, stage: Stage, at: Instant) {
        let number = self.calendar.push(at, Event::Flight(slot));
        if let Some(flight) = self.flights.get(slot) {
            flight.stage = stage;
            flight.due = number;
        }
    }

    /// A message of a flight goes out on `leg`; a stage begins that ends when it arrives.
    #[inline]
    fn post(&mut self, slot: u32, stage: Stage, leg: u64) {
        let Network::Always(always) = self.network else {
            let at = self.now + self.hop(slot, leg);
            return self.enter(slot, stage, at);
        };
        let number = self.calendar.push_last(self.now + always, Event::Flight(slot));
        if let Some(flight) = self.flights.get(slot) {
            flight.stage = stage;
            flight.due = number;
        }
    }

    /// A flight begins a stage that ends by somebody else's doing.
    fn rest(&mut self, slot: u32, stage: Stage) {
        if let Some(flight) = self.flights.get(slot) {
            flight.stage = stage;
            flight.due = NEVER;
        }
    }

    /// How long a message of a flight takes on `leg`: 0 and 5 between client and gateway, there and back, 3 and 4 between
    /// gateway and target, 1 and 2 for connections. The same for the same request, whatever else happens.
    fn hop(&mut self, slot: u32, leg: u64) -> Duration {
        let sampler = match &self.network {
            Network::Always(always) => return *always,
            Network::Drawn(sampler) => sampler,
        };
        let Some(flight) = self.flights.get(slot) else { return Duration::ZERO };
        let (name, number, attempt) = match &flight.owner {
            Owner::Client(job, _) => (const { rng::fnv1a("model/hop") }, job.arrival.index, job.attempt),
            Owner::Copy(copy) => (const { rng::fnv1a("model/copy") }, copy.arrival.index, 0),
            Owner::Probe(probe, node) => (const { rng::fnv1a("model/probe") }, probe.id, u32::from(*node)),
            Owner::Nobody => return Duration::ZERO,
        };
        let try_of = u64::from(attempt) << 40 | u64::from(flight.tries) << 8 | leg;
        sampler.at(rng::draw(self.seed ^ name, try_of, number))
    }

    #[inline]
    fn see(&mut self, seen: Observation) {
        self.seen.push(seen);
        if self.seen.len() >= BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        (self.out)(&self.seen);
        self.seen.clear();
    }
}
