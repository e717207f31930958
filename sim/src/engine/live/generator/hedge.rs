//! Second attempts of requests whose answer takes long. The first answer counts, and the other attempt is taken back; an
//! attempt that fails leaves the request to the other. So a request has up to two attempts under way, and one end.

use gateway_core::time::Instant;

use super::super::connection::Job;
use super::Generator;
use super::queues::Alarm;
use crate::load::Arrival;
use crate::measure::{Ending, Observation};

/// Where the other attempt of a request is.
enum Other {
    /// On this connection.
    On(usize),
    /// Among those that wait for a connection.
    Waiting,
}

impl Generator {
    /// Sends again what has been on the wire for long enough, as far as there is room.
    pub(super) fn hedge_due(&mut self) {
        let now = self.clock.now();
        loop {
            let connections = &self.connections;
            let matters = |alarm: &Alarm| {
                connections[alarm.number]
                    .job
                    .is_some_and(|job| job.arrival.index == alarm.index && !job.hedged)
            };
            let Some(Alarm { number, index, .. }) = self.hedges.due(now, matters) else { return };
            let is_full = self.busy + self.waiting.len() >= self.load.max_in_flight;
            let Some(job) = self.connections[number].job.as_mut().filter(|_| !is_full) else { continue };
            job.hedged = true;
            let second = job.hedge(now);
            self.reporter.report(Observation::Hedged { request: index, at: now });
            self.assign(second);
        }
    }

    /// Whether the request of an attempt that has ended lives on in its other attempt. An answer takes that one back.
    pub(super) fn lives_on(&mut self, job: &Job, ending: Ending) -> bool {
        if !job.hedged {
            return false;
        }
        let Some(other) = self.other(&job.arrival) else { return false };
        let is_answer = matches!(ending, Ending::Answered(_));
        match other {
            Other::On(number) if is_answer => {
                self.connections[number].job = None;
                self.busy -= 1;
                self.close(number);
            }
            Other::Waiting if is_answer => self.waiting.remove(job.arrival.stream, job.arrival.index),
            Other::On(_) | Other::Waiting => {}
        }
        !is_answer
    }

    /// Ends a request that waits for a connection in vain.
    pub(super) fn give_up_waiting(&mut self, job: &Job, now: Instant) {
        let ending = job.unsent();
        if !self.lives_on(job, ending) {
            self.finish(job, ending, None, now);
        }
    }

    fn other(&self, of: &Arrival) -> Option<Other> {
        let on =
            self.connections.iter().position(|on| on.job.is_some_and(|job| job.arrival.index == of.index));
        let waits = || self.waiting.has(of.stream, of.index).then_some(Other::Waiting);
        on.map(Other::On).or_else(waits)
    }
}
