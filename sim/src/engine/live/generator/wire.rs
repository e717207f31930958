//! Which connection a request goes out on, and what comes back on it: the other half of the generator's one loop. When
//! requests go out is the first half's business.

use std::io;
use std::net::TcpStream;

use gateway_core::time::Instant;
use rustix::event::epoll;

use super::super::answer::{AnswerHead, Found};
use super::super::connection::{Job, Link, connect};
use super::queues::Alarm;
use super::{Generator, READ};
use crate::load::Key;
use crate::measure::{Cause, Ending, Observation};

impl Generator {
    // === On which connection ===

    /// Sends on an idle connection, or asks for a new one, or waits for one to come free.
    pub(super) fn assign(&mut self, job: Job) {
        // Each turn uses up an idle connection, so it ends.
        while let Some(number) = self.idle.pop() {
            if self.connections[number].is_idle() && self.send(number, job) {
                return;
            }
        }
        match self.closed.pop() {
            Some(number) if self.open(number, job) => {}
            Some(number) => self.closed.push(number),
            None => self.waiting.push(job),
        }
    }

    /// Whether it went out; a connection that its other end has closed takes nothing, and the request is as it was.
    fn send(&mut self, number: usize, mut job: Job) -> bool {
        let clock = &self.clock;
        let bytes = self.outgoing.bytes(&job.arrival, || clock.now());
        let now = clock.now();
        let stream = &self.load.streams[job.arrival.stream];
        job.on_wire = Some(now);
        job.until = now + stream.timeout;
        let connection = &mut self.connections[number];
        if connection.send(bytes).is_err() {
            self.close(number);
            return false;
        }
        connection.job = Some(job);
        self.busy += 1;
        self.keyed(&job, self.outgoing.key(&job.arrival), (now, false));
        let alarm = |at| Alarm { at, number, index: job.arrival.index };
        self.deadlines.push(job.arrival.stream, alarm(job.until));
        if let Some(after) = stream.hedge.filter(|_| !job.hedged) {
            self.hedges.push(job.arrival.stream, alarm(now + after));
        }
        true
    }

    /// Tells of the key that a request carries, or that came with its answer.
    fn keyed(&self, job: &Job, key: Option<Key>, (at, is_given): (Instant, bool)) {
        if let Some(key) = key {
            self.reporter.report(Observation::Keyed { request: job.arrival.index, at, key, is_given });
        }
    }

    /// Asks for a connection for `job`. False when there is none to be had, which ends it.
    fn open(&mut self, number: usize, job: Job) -> bool {
        let stream = connect(self.nodes[number % self.nodes.len()]).and_then(|stream| {
            self.watch(number, &stream)?;
            Ok(stream)
        });
        match stream {
            Ok(stream) => {
                let connection = &mut self.connections[number];
                connection.link = Link::Connecting(stream);
                let until = self.clock.now() + self.load.streams[job.arrival.stream].timeout;
                connection.job = Some(Job { until, ..job });
                self.busy += 1;
                let alarm = Alarm { at: until, number, index: job.arrival.index };
                self.deadlines.push(job.arrival.stream, alarm);
                true
            }
            Err(e) => {
                self.end(&job, Ending::Dropped(connect_cause(&e)), None, self.clock.now());
                false
            }
        }
    }

    pub(super) fn watch(&self, number: usize, stream: &TcpStream) -> io::Result<()> {
        use epoll::EventFlags;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.poll, stream, epoll::EventData::new_u64(number as u64), flags)?)
    }

    /// The connection is of use again: for whoever waits longest, or for the next one.
    fn come_free(&mut self, number: usize) {
        match self.waiting.pop() {
            Some(job) => {
                if !self.send(number, job) {
                    self.assign(job);
                }
            }
            None => self.idle.push(number),
        }
    }

    /// Closes a connection that has no request; whoever waits gets a new one.
    pub(super) fn close(&mut self, number: usize) {
        self.connections[number].close();
        self.idle.remove(number);
        while let Some(job) = self.waiting.pop() {
            if self.open(number, job) {
                return;
            }
        }
        self.closed.push(number);
    }

    /// Ends the request on a connection and closes it.
    pub(super) fn drop_connection(&mut self, number: usize, cause: Cause) {
        if let Some(job) = self.connections[number].job.take() {
            self.busy -= 1;
            self.end(&job, Ending::Dropped(cause), None, self.clock.now());
        }
        self.close(number);
    }

    // === What happened ===

    pub(super) fn handle(&mut self, event: epoll::Event) {
        let number = event.data.u64() as usize;
        let (flags, connection) = (event.flags, &mut self.connections[number]);
        if let Link::Connecting(_) = connection.link {
            self.connected(number);
        } else if matches!(connection.link, Link::Open(_)) {
            if connection.send_rest().is_err() {
                self.broken(number);
                return;
            }
            let ends =
                flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
            if ends || flags.contains(epoll::EventFlags::IN) {
                self.receive(number, ends);
            }
        }
    }

    /// A connection that was asked for is there, or never will be.
    fn connected(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        let Link::Connecting(stream) = std::mem::replace(&mut connection.link, Link::Closed) else { return };
        let failed = stream.take_error().ok().flatten();
        let Some(job) = connection.job.take() else { return };
        self.busy -= 1;
        if let Some(e) = failed {
            self.end(&job, Ending::Dropped(connect_cause(&e)), None, self.clock.now());
            self.close(number);
            return;
        }
        connection.link = Link::Open(stream);
        if !self.send(number, job) {
            self.end(&job, Ending::Dropped(Cause::ResetBeforeResponse), None, self.clock.now());
        }
    }

    /// Reads what there is. `ends` is whether the other end has closed, so that reading must go on to the end.
    fn receive(&mut self, number: usize, ends: bool) {
        loop {
            let read = self.connections[number].receive(&mut self.scratch);
            let now = self.clock.now();
            match read {
                Ok(None) => return,
                Ok(Some(0)) => return self.finished(number, now),
                Ok(Some(n)) => {
                    if let Some(job) = &mut self.connections[number].job {
                        job.first_byte.get_or_insert(now);
                    }
                    let open = self.understand(number, now);
                    if !open || (n < READ && !ends) {
                        return;
                    }
                }
                Err(_) => return self.broken(number),
            }
        }
    }

    /// Looks for an answer in what has been read. False when the connection was closed over it.
    fn understand(&mut self, number: usize, now: Instant) -> bool {
        let connection = &mut self.connections[number];
        let Some(job) = connection.job else {
            // Nobody has asked.
            self.close(number);
            return false;
        };
        let to_head = self.outgoing.is_to_head(job.arrival.kind);
        match connection.reader.read(&mut connection.input, to_head) {
            Found::More => true,
            Found::Nonsense => {
                self.drop_connection(number, Cause::BadResponse);
                false
            }
            Found::Answer(head) => {
                let used_up =
                    self.load.requests_per_connection.is_some_and(|most| connection.carried >= most);
                let reusable =
                    head.keep_alive && !used_up && connection.input.is_empty() && connection.is_sent();
                let key = self.outgoing.learn(&job.arrival, connection.reader.set_cookies(), now);
                connection.job = None;
                self.busy -= 1;
                self.keyed(&job, key, (now, true));
                self.end(&job, ending(head), head.target, now);
                if reusable {
                    self.come_free(number);
                } else {
                    self.close(number);
                }
                reusable
            }
        }
    }

    /// The other end has closed the connection in order.
    fn finished(&mut self, number: usize, now: Instant) {
        let connection = &mut self.connections[number];
        match (connection.job, connection.reader.close()) {
            (Some(job), Some(head)) => {
                connection.job = None;
                self.busy -= 1;
                self.end(&job, ending(head), head.target, now);
                self.close(number);
            }
            (Some(_), None) => {
                let within = connection.reader.is_within_body();
                let cause = if within { Cause::Truncated } else { Cause::ResetBeforeResponse };
                self.drop_connection(number, cause);
            }
            (None, _) => self.close(number),
        }
    }

    /// The connection was reset.
    fn broken(&mut self, number: usize) {
        let within = self.connections[number].reader.is_within_body();
        let cause = if within { Cause::ResetMidBody } else { Cause::ResetBeforeResponse };
        self.drop_connection(number, cause);
    }
}

/// Answers without a target's signature are the gateway's own. One whose body is another than was sent is none, whatever its
/// status.
fn ending(head: AnswerHead) -> Ending {
    if head.is_damaged {
        return Ending::Dropped(Cause::DamagedBody);
    }
    if head.target.is_some() {
        return Ending::Answered(head.status);
    }
    Ending::Dropped(match head.status {
        404 => Cause::NoRoute,
        502 => Cause::Gateway502,
        503 => Cause::Gateway503NoTarget,
        504 => Cause::Gateway504,
        _ => Cause::GatewayError,
    })
}

fn connect_cause(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => Cause::ClientPorts,
        io::ErrorKind::TimedOut => Cause::ConnectTimeout,
        _ => Cause::Refused,
    }
}
