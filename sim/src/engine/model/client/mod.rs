//! The client of a modelled run: its connections, who waits for one, what is sent again, and the end of each request. The same
//! rules as the live generator's, with waiting made of events.

mod hedge;

use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use super::World;
use super::calendar::Event;
use super::deadlines::Deadlines;
use super::flight::{NEVER, Owner, Stage};
use super::job::Job;
use super::little::Little;
use crate::load::{Idle, Load, Pacer, Retries, Waiting};
use crate::measure::{Cause, Ending, Observation, Record};

/// The client.
#[derive(Debug)]
pub(super) struct Client {
    pacer: PacerBox,
    /// Of each stream, as all that is a list here.
    retries: Vec<Retries>,
    /// Requests each connection has carried since it was opened.
    carried: Vec<u64>,
    idle: Idle,
    closed: Idle,
    waiting: Waiting<Job>,
    deadlines: Vec<Deadlines>,
    hedges: Vec<Option<Deadlines>>,
    /// Flights of requests that have two.
    pairs: FxHashMap<u64, Vec<u32>>,
    busy: usize,
    begun: u64,
    ended: u64,
    little: Little,
    pub(super) aborted: Option<Instant>,
    drain_until: Option<Instant>,
}

/// The pacer, which has nothing to show.
struct PacerBox(Pacer);

impl std::fmt::Debug for PacerBox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pacer")
    }
}

impl Client {
    /// Before the first request, with all its connections open to so many nodes.
    pub(super) fn new(load: &Load, nodes: usize, seed: u64) -> Self {
        let streams = || load.streams.iter();
        let mut idle = Idle::new(nodes);
        (0..load.connections).rev().for_each(|connection| idle.push(connection));
        Self {
            pacer: PacerBox(Pacer::new(load, seed)),
            retries: streams().map(|stream| Retries::new(stream.retry.clone())).collect(),
            carried: vec![0; load.connections],
            idle,
            closed: Idle::new(nodes),
            waiting: Waiting::new(streams().map(|stream| stream.timeout).collect()),
            deadlines: streams().map(|stream| Deadlines::new(stream.timeout)).collect(),
            hedges: streams().map(|stream| stream.hedge.map(Deadlines::new)).collect(),
            pairs: FxHashMap::default(),
            busy: 0,
            begun: 0,
            ended: 0,
            little: Little::default(),
            aborted: None,
            drain_until: None,
        }
    }

    /// When the next request comes due.
    pub(super) fn due(&mut self) -> Option<Instant> {
        self.pacer.0.due()
    }

    /// When somebody's patience ends, or a second attempt is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let lists = self.deadlines.iter().chain(self.hedges.iter().flatten());
        lists.filter_map(Deadlines::first).map(|(at, _)| at).chain(self.waiting.next()).min()
    }

    /// A request whose time is over by `now`.
    fn overdue(lists: &[Deadlines], now: Instant) -> Option<u32> {
        lists.iter().filter_map(Deadlines::first).find(|(at, _)| *at <= now).map(|(_, slot)| slot)
    }

    /// Whether all that was intended has ended, or nobody waits for it any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let idle = self.busy == 0 && self.waiting.is_empty();
        self.drain_until.is_some_and(|until| idle || now >= until)
    }

    /// When waiting for the rest is over.
    pub(super) fn drain_until(&self) -> Option<Instant> {
        self.drain_until
    }
}

impl World<'_> {
    /// Everything that is due goes out.
    pub(super) fn release_due(&mut self) {
        while let Some(arrival) = self.client.pacer.0.take(self.now) {
            self.client.begun += 1;
            let job = Job::new(arrival);
            if self.client.busy + self.client.waiting.len() >= self.plan.load.max_in_flight {
                self.finish_job(&job, Ending::Dropped(Cause::Overflow));
            } else {
                self.client.little.enter(self.now);
                self.client.retries[arrival.stream].begin();
                self.assign(job);
            }
        }
        self.look_at_the_end();
    }

    /// From when everything is released, the rest has so long to end.
    pub(super) fn look_at_the_end(&mut self) {
        if self.client.drain_until.is_none() && self.client.pacer.0.is_over(self.now) {
            self.drain();
        }
    }

    fn drain(&mut self) {
        let until = self.now + self.plan.load.timeout();
        self.client.drain_until = Some(until);
        self.expect_impatience(until);
    }

    fn assign(&mut self, job: Job) {
        if let Some(connection) = self.client.idle.pop() {
            self.send(job, connection as u32);
        } else if let Some(connection) = self.client.closed.pop() {
            self.open(job, connection as u32);
        } else {
            self.client.waiting.push(job);
            if let Some(until) = self.client.waiting.next() {
                self.expect_impatience(until);
            }
        }
    }

    /// Asks for a connection: there and back.
    fn open(&mut self, job: Job, connection: u32) {
        let slot = self.take_off(job, connection);
        self.client.carried[connection as usize] = 0;
        let there = self.hop(slot, 0);
        let back = self.hop(slot, 1);
        self.enter(slot, Stage::Connecting, self.now + there + back);
    }

    fn send(&mut self, job: Job, connection: u32) {
        let slot = self.take_off(job, connection);
        self.put_on_wire(slot);
    }

    fn take_off(&mut self, job: Job, connection: u32) -> u32 {
        let slot = self.flights.begin(Owner::Client(job, connection), self.worker_of(connection));
        self.client.busy += 1;
        let until = self.client.deadlines[job.arrival.stream].set(slot, self.now);
        self.expect_impatience(until);
        if job.hedged {
            self.client.pairs.entry(job.arrival.index).or_default().push(slot);
        }
        slot
    }

    /// A connection that was asked for is there.
    pub(super) fn connected(&mut self, slot: u32) {
        if let Some(&mut job) = self.job(slot) {
            let deadlines = &mut self.client.deadlines[job.arrival.stream];
            deadlines.lift(slot);
            let until = deadlines.set(slot, self.now);
            self.expect_impatience(until);
            self.put_on_wire(slot);
        }
    }

    fn put_on_wire(&mut self, slot: u32) {
        let now = self.now;
        let Some(Owner::Client(job, connection)) = self.flights.get(slot).map(|flight| &mut flight.owner)
        else {
            return;
        };
        job.on_wire = Some(now);
        self.client.carried[*connection as usize] += 1;
        let hedges = self.client.hedges[job.arrival.stream].as_mut();
        if let Some(hedges) = hedges.filter(|_| !job.hedged) {
            let due = hedges.set(slot, now);
            self.expect_impatience(due);
        }
        self.post(slot, Stage::ToGateway, 0);
    }

    /// An answer, or the gateway's own word, has come; the connection lives on unless it is `used_up`.
    pub(super) fn answered(&mut self, slot: u32, ending: Ending) {
        let now = self.now;
        if self.flights.get(slot).is_some_and(|flight| flight.gone.is_some()) {
            self.flights.end(slot);
            return;
        }
        let Some((mut job, connection)) = self.land(slot) else { return };
        job.first_byte.get_or_insert(now);
        self.end(&job, ending);
        let carried = self.client.carried[connection as usize];
        let used_up = self.plan.load.requests_per_connection.is_some_and(|most| carried >= most);
        if used_up || ending == Ending::Dropped(Cause::Truncated) {
            self.close(connection);
        } else {
            match self.client.waiting.pop() {
                Some(job) => self.send(job, connection),
                None => self.client.idle.push(connection as usize),
            }
        }
    }

    /// Takes a client's flight out of everything: its job and its connection.
    fn land(&mut self, slot: u32) -> Option<(Job, u32)> {
        let &Owner::Client(job, connection) = &self.flights.get(slot)?.owner else { return None };
        self.flights.end(slot);
        self.lift_client(slot, job.arrival.stream);
        Some((job, connection))
    }

    fn lift_client(&mut self, slot: u32, stream: usize) {
        self.client.busy -= 1;
        self.client.deadlines[stream].lift(slot);
        if let Some(hedges) = &mut self.client.hedges[stream] {
            hedges.lift(slot);
        }
    }

    /// The connection is gone; whoever waits asks for a new one.
    fn close(&mut self, connection: u32) {
        match self.client.waiting.pop() {
            Some(job) => self.open(job, connection),
            None => self.client.closed.push(connection as usize),
        }
    }

    /// Gives up what has taken too long, and sends a second time what is due for that.
    pub(super) fn client_deadlines(&mut self) {
        while let Some(slot) = Client::overdue(&self.client.deadlines, self.now) {
            let is_sent = self.job(slot).is_some_and(|job| job.on_wire.is_some());
            self.give_up(slot, if is_sent { Cause::ResponseTimeout } else { Cause::ConnectTimeout });
        }
        while let Some(job) = self.client.waiting.overdue(self.now) {
            self.give_up_waiting(&job);
        }
        for stream in 0..self.client.hedges.len() {
            while let Some(slot) = self.client.hedges[stream]
                .as_ref()
                .and_then(Deadlines::first)
                .filter(|(at, _)| *at <= self.now)
                .map(|(_, slot)| slot)
            {
                self.hedge(slot, stream);
            }
        }
    }

    /// The client closes the connection of a request that it gives up; the gateway hears of it later.
    fn give_up(&mut self, slot: u32, cause: Cause) {
        let Some((job, connection)) = self.hang_up(slot) else { return };
        self.end(&job, Ending::Dropped(cause));
        self.close(connection);
    }

    /// The client closes the connection of a flight, which goes on until the gateway hears of it.
    fn hang_up(&mut self, slot: u32) -> Option<(Job, u32)> {
        let flight = self.flights.get(slot)?;
        let Owner::Client(job, connection) = &flight.owner else { return None };
        let landed = (*job, *connection);
        let is_at_gateway = flight.attempt.is_some();
        self.lift_client(slot, landed.0.arrival.stream);
        if is_at_gateway {
            let hop = self.hop(slot, 0);
            let number = self.calendar.push(self.now + hop, Event::Gone(slot));
            if let Some(flight) = self.flights.get(slot) {
                flight.gone = Some(number);
            }
        } else {
            self.flights.end(slot);
        }
        Some(landed)
    }

    /// Ends a request that waits for a connection in vain.
    fn give_up_waiting(&mut self, job: &Job) {
        let ending = job.unsent();
        if !self.lives_on(job, ending) {
            self.finish_job(job, ending);
        }
    }

    /// An attempt has ended, and with it its request, unless that is sent again.
    fn end(&mut self, job: &Job, ending: Ending) {
        if self.lives_on(job, ending) {
            self.see(Observation::Retried { request: job.arrival.index, at: self.now, ending });
            return;
        }
        let failure = ending.failure().filter(|_| self.client.aborted.is_none());
        if failure.is_some_and(|failure| self.client.retries[job.arrival.stream].again(job.attempt, failure))
        {
            self.see(Observation::Retried { request: job.arrival.index, at: self.now, ending });
            self.assign(Job {
                attempt: job.attempt + 1,
                failed: Some(ending),
                hedged: false,
                is_second: false,
                waits: self.now,
                on_wire: None,
                first_byte: None,
                target: None,
                ..*job
            });
        } else {
            self.finish_job(job, ending);
        }
    }

    /// The one place where a request ends.
    fn finish_job(&mut self, job: &Job, ending: Ending) {
        self.client.ended += 1;
        if job.was_released(ending) {
            self.client.little.leave(job.arrival.intended, self.now);
        }
        if job.hedged {
            self.client.pairs.remove(&job.arrival.index);
        }
        self.client.pacer.0.ended(job.arrival.stream, job.arrival.vu, self.now);
        self.see(Observation::Ended(Record {
            index: job.arrival.index,
            intended: job.arrival.intended,
            released: job.arrival.intended,
            on_wire: job.on_wire,
            first_byte: job.first_byte,
            done: self.now.max(job.arrival.intended),
            ending,
            target: job.target,
        }));
    }

    /// The job of a client's flight.
    pub(super) fn job(&mut self, slot: u32) -> Option<&mut Job> {
        match &mut self.flights.get(slot)?.owner {
            Owner::Client(job, _) => Some(job),
            Owner::Copy(_) | Owner::Probe(..) | Owner::Nobody => None,
        }
    }

    // === The end ===

    /// Stopped from outside: what was not sent stays unsent, what is under way may end.
    pub(super) fn abort(&mut self) {
        if self.client.aborted.is_some() || self.client.drain_until.is_some() {
            return;
        }
        self.client.aborted = Some(self.now);
        self.drain();
        while let Some(job) = self.client.waiting.pop() {
            self.give_up_waiting(&job);
        }
        while let Some(arrival) = self.client.pacer.0.abandon() {
            self.client.begun += 1;
            let job = Job { is_abandoned: true, ..Job::new(arrival) };
            self.finish_job(&job, Ending::Dropped(Cause::Unsent));
        }
    }

    /// The time to drain is over: what has not ended never will.
    ///
    /// # Panics
    /// When a request has not ended exactly once: a bug.
    pub(super) fn end_leftovers(&mut self) {
        while let Some(job) = self.client.waiting.pop() {
            self.give_up_waiting(&job);
        }
        for slot in self.flights.slots() {
            let is_gone = self.flights.get(slot).is_none_or(|flight| flight.gone.is_some());
            let Some(&mut job) = self.job(slot).filter(|_| !is_gone) else { continue };
            let ending = if job.on_wire.is_some() { Ending::Dropped(Cause::Censored) } else { job.unsent() };
            self.lift_client(slot, job.arrival.stream);
            if let Some(flight) = self.flights.get(slot) {
                flight.gone = Some(NEVER);
            }
            if !self.lives_on(&job, ending) {
                self.finish_job(&job, ending);
            }
        }
        for slot in self.flights.slots() {
            self.client_gone(slot);
        }
        assert_eq!(self.client.ended, self.client.begun, "each intended request ends exactly once");
        self.client.little.check();
    }
}
