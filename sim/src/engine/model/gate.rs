//! The gateway of a modelled run: the same `Gateway` as ever, with workers that take their time and connections to targets that
//! are kept. What it decides it decides itself; this file carries requests to it and away.

use std::time::Duration;

use gateway_core::gateway::{Attempt, Finished, Mirrored, Next, Rejection};
use gateway_core::outcome::{Failure, Outcome};
use gateway_core::time::Instant;

use super::World;
use super::deadlines::Deadlines;
use super::flight::{Owner, Sent, Stage};
use super::job::Job;
use crate::load::Key;
use crate::measure::{Cause, Ending, Observation};
use crate::mock::{Ahead, Places};
use crate::plan::{MockPlan, Plan};
use crate::rollout::Seen;

/// Idle connections kept for each target and worker, and for how long: the live gateway's.
const IDLE_MAX: usize = 512;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For a Service that was deleted while its request was under way.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What belongs to the gateway and is not in `Gateway`.
#[derive(Debug)]
pub(super) struct Gate {
    /// When each worker has done what it was given so far.
    free_at: Vec<Instant>,
    /// Instead, one for each node, where all its workers serve one queue.
    stations: Vec<Ahead>,
    /// Idle connections of each worker to each mock, the last one used on top.
    pools: Vec<Pool>,
    mocks: usize,
    /// The ends of patience with targets, by how long that is.
    timeouts: Vec<Deadlines>,
    /// Which of those each flight is in.
    timeout_of: Vec<Option<usize>>,
}

/// The idle connections of a worker to a mock.
// One cache line, as a target's way is.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Pool {
    /// The one used last, unless it was taken again.
    last: Option<Idle>,
    /// The others, used longer and longer ago from the top down.
    others: Vec<Idle>,
    /// Until one is closed, by whoever does so first.
    patience: Duration,
}

/// A connection to a target that nobody uses.
#[derive(Clone, Copy, Debug)]
struct Idle {
    since: Instant,
    answers: u64,
}

impl Pool {
    fn take(&mut self) -> Option<Idle> {
        self.last.take().or_else(|| self.others.pop())
    }

    fn put(&mut self, idle: Idle) {
        if let Some(before) = self.last.replace(idle) {
            if self.others.len() + 1 >= IDLE_MAX {
                self.others.remove(0);
            }
            self.others.push(before);
        }
    }

    fn clear(&mut self) {
        self.last = None;
        self.others.clear();
    }
}

impl Gate {
    /// That of `plan`, with so many workers in all.
    pub(super) fn new(workers: usize, plan: &Plan) -> Self {
        let mocks = plan.mocks.len();
        let patience = |mock: &MockPlan| {
            mock.behaviour.keepalive.idle.map_or(IDLE_TIMEOUT, |idle| idle.min(IDLE_TIMEOUT))
        };
        let pool = |mock: &MockPlan| Pool { last: None, others: Vec::new(), patience: patience(mock) };
        let pools = (0..workers).flat_map(|_| plan.mocks.iter().map(pool));
        let places =
            plan.model.workers.map(|at_once| Places { capacity: Some(at_once), ..Places::default() });
        let stations = (0..plan.gateway.nodes).filter_map(|_| Ahead::new(places?));
        Self {
            free_at: vec![Instant::ZERO; workers],
            stations: stations.collect(),
            pools: pools.collect(),
            mocks,
            timeouts: Vec::new(),
            timeout_of: Vec::new(),
        }
    }

    /// How long connections of a worker to a mock may be idle.
    pub(super) fn patience(&self, worker: usize, mock: usize) -> Option<Duration> {
        self.pools.get(worker * self.mocks + mock).map(|pool| pool.patience)
    }

    pub(super) fn workers(&self) -> usize {
        self.free_at.len()
    }

    /// A request has come at `now` and costs so much work: when that is done.
    fn work(&mut self, worker: usize, now: Instant, cost: Duration) -> Instant {
        let per_node = self.free_at.len() / self.stations.len().max(1);
        if let Some(station) = self.stations.get_mut(worker / per_node) {
            // Nobody is turned away where the queue has no end.
            return station.arrive(now, cost).unwrap_or(now);
        }
        let done = self.free_at[worker].max(now) + cost;
        self.free_at[worker] = done;
        done
    }

    /// When its patience with a target ends next.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.timeouts.iter().filter_map(Deadlines::first).map(|(at, _)| at).min()
    }

    /// Waits so long for an answer; until when that is.
    fn wait(&mut self, slot: u32, after: Duration, now: Instant) -> Instant {
        let known = self.timeouts.iter().position(|timeouts| timeouts.after() == after);
        let at = known.unwrap_or_else(|| {
            self.timeouts.push(Deadlines::new(after));
            self.timeouts.len() - 1
        });
        if self.timeout_of.len() <= slot as usize {
            self.timeout_of.resize(slot as usize + 1, None);
        }
        self.timeout_of[slot as usize] = Some(at);
        self.timeouts[at].set(slot, now)
    }

    /// Until when a flight is waited for, if it is.
    fn waits(&self, slot: u32) -> Option<Instant> {
        let at = self.timeout_of.get(slot as usize).copied().flatten()?;
        self.timeouts[at].of(slot)
    }

    #[inline]
    fn wait_no_more(&mut self, slot: u32) {
        if let Some(at) = self.timeout_of.get_mut(slot as usize).and_then(Option::take) {
            self.timeouts[at].lift(slot);
        }
    }

    /// All connections to a mock are gone.
    pub(super) fn forget(&mut self, mock: u32) {
        let mocks = self.mocks;
        self.pools.iter_mut().skip(mock as usize).step_by(mocks).for_each(Pool::clear);
    }
}

impl World<'_> {
    /// The worker that serves a flight.
    pub(super) fn worker(&mut self, slot: u32) -> usize {
        self.flights.get(slot).map_or(0, |flight| flight.worker as usize)
    }

    /// The worker that serves a client's connection: they go to all nodes by turns, and there to all workers.
    pub(super) fn worker_of(&self, connection: u32) -> u32 {
        let (workers, nodes) = (self.gate.workers() as u32, self.nodes.len() as u32);
        if workers == 1 {
            return 0;
        }
        let (node, turn) = (connection % nodes, connection / nodes);
        let per_node = workers / nodes;
        node * per_node + turn % per_node
    }

    /// A request has come: it waits until its worker has done everything before it, and then for its own work.
    pub(super) fn at_gateway(&mut self, slot: u32) {
        let cost = self.plan.model.gateway_cost;
        if cost.is_zero() {
            return self.begin(slot);
        }
        let worker = self.worker(slot);
        let done = self.gate.work(worker, self.now, cost);
        self.enter(slot, Stage::AtGateway, done);
    }

    /// Asks the gateway where it goes.
    pub(super) fn begin(&mut self, slot: u32) {
        let Some(flight) = self.flights.get(slot) else { return };
        let worker = flight.worker as usize;
        let Owner::Client(Job { arrival, .. }, _) = flight.owner else { return };
        let held = &mut self.held[worker];
        let (matched, head) = self.heads.route(held, &arrival, (worker, self.now));
        let (rng, now) = (&mut self.rngs[worker], self.now);
        let may_be_copied = !head.has_body();
        let begun = matched.and_then(|matched| {
            head.with(|head| {
                let own = flight.attempt.insert(held.begin(&matched, head, now, rng)?);
                let copy =
                    if may_be_copied { held.mirror(&matched, head, own, now, rng) } else { Mirrored::No };
                Ok((copy, matched.preserve_host))
            })
        });
        self.keyed(arrival.index, self.heads.key(&arrival), false);
        match begun {
            Ok((copy, preserve_host)) => {
                let copy = self.pair(slot, arrival, copy, preserve_host);
                self.dispatch(slot);
                if let Some(copy) = copy {
                    self.send_copy(copy);
                }
            }
            Err(rejection) => self.reply(slot, Ending::Dropped(refusal(rejection))),
        }
    }

    /// Tells of the key that a request carries, or that comes with its answer.
    fn keyed(&mut self, request: u64, key: Option<Key>, is_given: bool) {
        if let Some(key) = key {
            self.see(Observation::Keyed { request, at: self.now, key, is_given });
        }
    }

    /// Sends the attempt of a flight to its target.
    pub(super) fn dispatch(&mut self, slot: u32) {
        let Some(flight) = self.flights.get(slot) else { return };
        let (index, worker) = (flight.request(), flight.worker as usize);
        let Some(attempt) = flight.attempt.as_ref() else { return };
        let (seen, target) = (Observation::picked(index, attempt), attempt.target);
        let mock = self.mock_of.get(target);
        flight.tries += 1;
        flight.mock = mock.unwrap_or(flight.mock);
        self.look_at(worker, mock);
        self.see(seen);
        self.show(|| Seen::Picked { target });
        let Some(mock) = mock else { return self.fail(slot, Failure::Refused, false) };
        if let Some(answers) = self.take_idle(worker, mock) {
            if let Some(flight) = self.flights.get(slot) {
                flight.answers = answers;
            }
            self.pass_on(slot);
        } else {
            self.post(slot, Stage::Dialing, 2);
        }
    }

    #[inline]
    fn take_idle(&mut self, worker: usize, mock: u32) -> Option<u64> {
        let pool = &mut self.gate.pools[worker * self.gate.mocks + mock as usize];
        let idle = pool.take()?;
        if self.now.since(idle.since) >= pool.patience {
            // The others have been idle for even longer.
            pool.clear();
            return None;
        }
        Some(idle.answers)
    }

    /// A connection has been opened.
    pub(super) fn opened(&mut self, slot: u32) {
        let now = self.now;
        let Some(flight) = self.flights.get(slot) else { return };
        let index = flight.request();
        let attempt = flight.attempt.as_ref();
        if let Some(connected) = attempt.and_then(|attempt| Observation::connected(index, attempt, now)) {
            self.see(connected);
        }
        self.pass_on(slot);
    }

    /// There is a connection: the request goes out on it.
    pub(super) fn pass_on(&mut self, slot: u32) {
        let Some(flight) = self.flights.get(slot) else { return };
        // A probe has a patience of its own.
        let service = flight.attempt.as_ref().map(|attempt| attempt.service);
        let patience = service.map(|service| {
            let view = self.held[flight.worker as usize].view();
            view.service(service).map_or(READ_TIMEOUT, |service| service.read_timeout)
        });
        let patience = self.gate.waits(slot).map_or(patience, |until| Some(until.since(self.now)));
        if self.fold(slot, patience) {
            return;
        }
        if let Some(patience) = patience {
            self.wait_for_target(slot, patience);
        }
        self.post(slot, Stage::ToTarget, 3);
    }

    /// The gateway waits so long for an answer, unless it does already.
    pub(super) fn wait_for_target(&mut self, slot: u32, patience: Duration) {
        if self.gate.waits(slot).is_some() {
            return;
        }
        let until = self.gate.wait(slot, patience, self.now);
        self.expect_impatience(until);
    }

    /// The head of an answer has come, and with it mostly all of it.
    pub(super) fn head_back(&mut self, slot: u32) {
        let now = self.now;
        if !self.has_time_of_its_own(slot) {
            self.gate.wait_no_more(slot);
        }
        let Some(flight) = self.flights.get(slot) else { return };
        if let Some(attempt) = &mut flight.attempt {
            attempt.answered(now);
        }
        let whole_at = flight.said.whole_at;
        if whole_at > now {
            let hop = self.hop(slot, 5);
            if let Some(job) = self.job(slot) {
                job.first_byte = Some(now + hop);
            }
            self.enter(slot, Stage::BodyBack, whole_at);
        } else {
            self.body_back(slot);
        }
    }

    /// An answer is over.
    pub(super) fn body_back(&mut self, slot: u32) {
        let Some(flight) = self.flights.get(slot) else { return };
        let (index, worker) = (flight.request(), flight.worker as usize);
        let (said, mock, answers) = (flight.said, flight.mock, flight.answers);
        let Some(attempt) = flight.attempt.take() else { return };
        let now = self.now;
        if let Owner::Client(job, _) = &flight.owner {
            let arrival = job.arrival;
            for cookie in attempt.set_cookies() {
                let key = self.heads.learn(&arrival, cookie, now);
                self.keyed(index, key, true);
            }
        }
        let outcome = if said.truncated {
            Outcome::Failed { cause: Failure::ResetMidBody, sent: true, replayable: false }
        } else {
            Outcome::Answered { status: said.status }
        };
        self.look_at(worker, Some(mock));
        // An answer that began is never tried again.
        drop(self.finish(index, worker, attempt, outcome));
        if !said.closes && !said.truncated {
            let pool = &mut self.gate.pools[worker * self.gate.mocks + mock as usize];
            pool.put(Idle { since: self.now, answers: answers + 1 });
        }
        if said.truncated {
            return self.reply(slot, Ending::Dropped(Cause::Truncated));
        }
        if let Some(job) = self.job(slot) {
            job.target = Some(mock);
        }
        self.reply(slot, Ending::Answered(said.status));
    }

    /// An attempt has failed: the gateway tries elsewhere, or says so.
    pub(super) fn fail(&mut self, slot: u32, cause: Failure, sent: Sent) {
        self.gate.wait_no_more(slot);
        let Some(flight) = self.flights.get(slot) else { return };
        let (index, worker) = (flight.request(), flight.worker as usize);
        let Some(attempt) = flight.attempt.take() else {
            self.flights.end(slot);
            return;
        };
        let has_begun = cause == Failure::ResetMidBody;
        let outcome = Outcome::Failed { cause, sent, replayable: !has_begun };
        match self.finish(index, worker, attempt, outcome) {
            Some(next) => {
                if let Some(flight) =
                    self.flights.get(slot).filter(|flight| matches!(flight.owner, Owner::Client(..)))
                {
                    flight.attempt = Some(next);
                    self.dispatch(slot);
                }
            }
            None if has_begun => self.reply(slot, Ending::Dropped(Cause::Truncated)),
            None => {
                let cause = if cause.is_timeout() { Cause::Gateway504 } else { Cause::Gateway502 };
                self.reply(slot, Ending::Dropped(cause));
            }
        }
    }

    /// Word has come that the client has gone.
    pub(super) fn client_gone(&mut self, slot: u32) {
        self.gate.wait_no_more(slot);
        self.compare(slot, None);
        let Some(flight) = self.flights.get(slot) else { return };
        let (index, worker) = (flight.request(), flight.worker as usize);
        let attempt = flight.attempt.take();
        // What is on its way to the target gets there all the same.
        if flight.stage != Stage::ToTarget {
            self.flights.end(slot);
        }
        if let Some(attempt) = attempt {
            // Nobody is left for another try.
            drop(self.finish(index, worker, attempt, Outcome::ClientGone));
        }
    }

    /// Hands an attempt back to the gateway; the next one, if there is one.
    fn finish(&mut self, index: u64, worker: usize, attempt: Attempt, outcome: Outcome) -> Option<Attempt> {
        let finished = attempt.finished(outcome, self.now);
        let next = self.held[worker].finish(attempt, outcome, self.now, &mut self.rngs[worker]);
        let is_last = matches!(next, Next::Done);
        self.see(Observation::finished(index, finished));
        self.show(|| Seen::Finished(index, Finished { is_last, ..finished }));
        self.hear_news();
        match next {
            Next::Done => None,
            Next::Retry(attempt) => Some(attempt),
        }
    }

    /// What the client gets goes out; a copy has no client.
    fn reply(&mut self, slot: u32, ending: Ending) {
        self.compare(slot, Some(ending));
        if self.is_copy(slot) {
            self.gate.wait_no_more(slot);
            self.flights.end(slot);
            return;
        }
        self.post(slot, Stage::ToClient(ending), 5);
    }

    /// Gives up targets that have taken too long.
    pub(super) fn gateway_deadlines(&mut self) {
        loop {
            let due = self
                .gate
                .timeouts
                .iter()
                .filter_map(Deadlines::first)
                .min()
                .filter(|(at, _)| *at <= self.now);
            let Some((_, slot)) = due else { return };
            self.fail(slot, Failure::ResponseTimeout, true);
        }
    }
}

/// What the client is told when a request goes nowhere.
fn refusal(rejection: Rejection) -> Cause {
    match rejection {
        Rejection::NoRoute => Cause::NoRoute,
        Rejection::NoService | Rejection::NoTarget => Cause::Gateway503NoTarget,
        Rejection::NeedsHttps(_) => Cause::GatewayError,
    }
}
