//! The load generator: one thread, one loop. Releases each request at its intended time and never before, whatever the
//! answers do; sends it on a kept-alive connection; stamps it five times; and ends it exactly once.
//!
//! It waits on epoll with nanoseconds, so the pace is as even as the system can wake a thread, without a timer for each
//! request and without spinning but for the last few microseconds.

mod hedge;
mod queues;
mod wire;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;

use self::queues::{Alarm, Alarms};
use super::connection::{Connection, Job};
use super::machine;
use super::outgoing::Outgoing;
use super::report::Reporter;
use crate::load::{Idle, Load, Pacer, RequestIds, Retries, Waiting};
use crate::measure::{Cause, Ending, Observation, Record};

/// Nearer than this, waiting for a moment costs less than sleeping until it.
const SPIN: Duration = Duration::from_micros(20);
/// The longest sleep: word is sent and the stop is looked at this often.
const NAP: Duration = Duration::from_millis(10);
/// Releases before events are looked at again: in a closed loop that is refused, each end is the next release.
const RELEASES: usize = 4096;
/// Events taken at once.
const EVENTS: usize = 256;
/// Bytes of one read.
const READ: usize = 16 * 1024;

/// What the thread is given.
pub(super) struct Start {
    pub(super) load: Load,
    pub(super) seed: u64,
    pub(super) ids: RequestIds,
    /// The cookie that users are divided by, where the gateway gives one.
    pub(super) key: Option<String>,
    pub(super) nodes: Vec<SocketAddr>,
    /// One for each connection of the load, established and not blocking.
    pub(super) streams: Vec<TcpStream>,
    /// Started by the generator when it is ready.
    pub(super) clock: Clock,
    pub(super) reporter: Reporter,
    pub(super) stop: Arc<AtomicBool>,
}

/// How the load ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// When the last request had ended or the time to drain was over.
    pub(super) at: Instant,
    /// When the run was stopped before its end.
    pub(super) aborted: Option<Instant>,
    /// CPU time its thread has used.
    pub(super) cpu: Duration,
}

/// Sends the whole load.
pub(super) fn run(start: Start) -> io::Result<Ended> {
    // The kernel may otherwise wake a thread up to 50 us late to save power.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut generator = Generator::new(start)?;
    generator.clock.start();
    generator.run()
}

struct Generator {
    clock: Clock,
    reporter: Reporter,
    stop: Arc<AtomicBool>,
    poll: OwnedFd,
    /// Where the gateway's nodes listen: connections go to all of them by turns.
    nodes: Vec<SocketAddr>,
    load: Load,
    pacer: Pacer,
    outgoing: Outgoing,
    /// Of each stream.
    retries: Vec<Retries>,
    connections: Vec<Connection>,
    /// Connections that may be idle.
    idle: Idle,
    /// Places without a connection.
    closed: Idle,
    /// Released, and waiting for a connection.
    waiting: Waiting<Job>,
    /// When the request on a connection is sent a second time.
    hedges: Alarms,
    /// When the request on a connection is given up.
    deadlines: Alarms,
    busy: usize,
    begun: u64,
    ended: u64,
    aborted: Option<Instant>,
    /// When waiting for the rest is over; known once everything is released.
    drain_until: Option<Instant>,
    flushed: Instant,
    scratch: Box<[u8]>,
}

impl Generator {
    fn new(start: Start) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let host = start.nodes[0].to_string();
        let streams = &start.load.streams;
        let mut generator = Self {
            clock: start.clock,
            reporter: start.reporter,
            stop: start.stop,
            poll,
            retries: streams.iter().map(|stream| Retries::new(stream.retry.clone())).collect(),
            pacer: Pacer::new(&start.load, start.seed),
            begun: 0,
            outgoing: Outgoing::new(&start.load, &host, &start.ids, start.seed, start.key.as_deref()),
            connections: Vec::with_capacity(start.streams.len()),
            idle: Idle::new(start.nodes.len()),
            closed: Idle::new(start.nodes.len()),
            nodes: start.nodes,
            waiting: Waiting::new(streams.iter().map(|stream| stream.timeout).collect()),
            hedges: Alarms::new(streams.len()),
            deadlines: Alarms::new(streams.len()),
            busy: 0,
            ended: 0,
            aborted: None,
            drain_until: None,
            flushed: Instant::ZERO,
            scratch: vec![0; READ].into(),
            load: start.load,
        };
        for (number, stream) in start.streams.into_iter().enumerate() {
            generator.watch(number, &stream)?;
            generator.connections.push(Connection::open(stream));
            generator.idle.push(number);
        }
        Ok(generator)
    }

    fn run(&mut self) -> io::Result<Ended> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            self.look_at_stop();
            self.release_due();
            self.hedge_due();
            self.give_up_overdue();
            let now = self.clock.now();
            if self.is_over(now) {
                break;
            }
            if now.since(self.flushed) >= NAP {
                self.reporter.flush();
                self.flushed = now;
            }
            self.wait(now, &mut events)?;
            for event in events.drain(..) {
                self.handle(event);
            }
        }
        let at = self.clock.now();
        self.end_leftovers(at);
        assert_eq!(self.ended, self.begun, "each intended request ends exactly once");
        Ok(Ended { at, aborted: self.aborted, cpu: machine::thread_time() })
    }

    // === When ===

    /// Everything that is due goes out at once, each with its own intended time, but for what comes due over it.
    fn release_due(&mut self) {
        for _ in 0..RELEASES {
            let now = self.clock.now();
            let Some(arrival) = self.pacer.take(now) else {
                break;
            };
            self.begun += 1;
            let job = Job::new(arrival, now);
            if self.busy + self.waiting.len() >= self.load.max_in_flight {
                let job = Job { released: arrival.intended, ..job };
                self.finish(&job, Ending::Dropped(Cause::Overflow), None, now);
            } else {
                self.retries[arrival.stream].begin();
                self.assign(job);
            }
        }
        let now = self.clock.now();
        if self.drain_until.is_none() && self.pacer.is_over(now) {
            self.drain_until = Some(now + self.load.timeout());
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let idle = self.busy == 0 && self.waiting.is_empty();
        self.drain_until.is_some_and(|until| idle || now >= until)
    }

    /// Until the next release, the next deadline, or for a nap; or until something arrives.
    fn wait(&mut self, now: Instant, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let nap = now + NAP;
        let due = [self.pacer.due(), self.hedges.next(), self.deadlines.next(), self.waiting.next()];
        let next = due.into_iter().flatten().min().map_or(nap, |due| due.min(nap));
        let mut left = next.since(now);
        if left < SPIN {
            left = Duration::ZERO;
        }
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match epoll::wait(&self.poll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Stopped from outside: what was not sent stays unsent, what is under way may end.
    fn look_at_stop(&mut self) {
        if self.aborted.is_some() || self.drain_until.is_some() || !self.stop.load(Ordering::Acquire) {
            return;
        }
        let now = self.clock.now();
        self.aborted = Some(now);
        self.drain_until = Some(now + self.load.timeout());
        while let Some(job) = self.waiting.pop() {
            self.give_up_waiting(&job, now);
        }
        while let Some(arrival) = self.pacer.abandon() {
            self.begun += 1;
            let job = Job::new(arrival, arrival.intended);
            self.finish(&job, job.unsent(), None, now.max(arrival.intended));
        }
    }

    /// Requests whose time is over.
    fn give_up_overdue(&mut self) {
        let now = self.clock.now();
        loop {
            let connections = &self.connections;
            let matters = |alarm: &Alarm| {
                let job = connections[alarm.number].job;
                job.is_some_and(|job| (job.arrival.index, job.until) == (alarm.index, alarm.at))
            };
            let Some(Alarm { number, .. }) = self.deadlines.due(now, matters) else { break };
            let was_sent = connections[number].job.is_some_and(|job| job.on_wire.is_some());
            self.drop_connection(
                number,
                if was_sent { Cause::ResponseTimeout } else { Cause::ConnectTimeout },
            );
        }
        while let Some(job) = self.waiting.overdue(now) {
            self.give_up_waiting(&job, now);
        }
    }

    /// The time to drain is over.
    fn end_leftovers(&mut self, now: Instant) {
        while let Some(job) = self.waiting.pop() {
            self.give_up_waiting(&job, now);
        }
        for number in 0..self.connections.len() {
            if let Some(job) = self.connections[number].job.take() {
                let was_sent = job.on_wire.is_some();
                let ending = if was_sent { Ending::Dropped(Cause::Censored) } else { job.unsent() };
                if !self.lives_on(&job, ending) {
                    self.finish(&job, ending, None, now);
                }
            }
        }
    }

    /// An attempt has ended, and with it its request, unless that is sent again.
    fn end(&mut self, job: &Job, ending: Ending, target: Option<u32>, done: Instant) {
        if self.lives_on(job, ending) {
            self.reporter.report(Observation::Retried { request: job.arrival.index, at: done, ending });
            return;
        }
        let failure = ending.failure().filter(|_| self.aborted.is_none());
        if failure.is_some_and(|failure| self.retries[job.arrival.stream].again(job.attempt, failure)) {
            self.reporter.report(Observation::Retried { request: job.arrival.index, at: done, ending });
            self.assign(job.again(ending, done));
        } else {
            self.finish(job, ending, target, done);
        }
    }

    /// The one place where a request ends.
    fn finish(&mut self, job: &Job, ending: Ending, target: Option<u32>, done: Instant) {
        self.ended += 1;
        self.pacer.ended(job.arrival.stream, job.arrival.vu, done);
        self.reporter.report(Observation::Ended(Record {
            index: job.arrival.index,
            intended: job.arrival.intended,
            released: job.released,
            on_wire: job.on_wire,
            first_byte: job.first_byte,
            done,
            ending,
            target,
        }));
    }
}

#[cfg(test)]
mod tests;
