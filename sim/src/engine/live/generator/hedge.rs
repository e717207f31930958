//! Second attempts of requests whose answer takes long. The first answer counts, and the other attempt is taken back; an
//! attempt that fails leaves the request to the other. So a request has up to two attempts under way, and one end.

use gateway_core::time::Instant;

use super::super::connection::Job;
use super::Generator;
use crate::measure::{Ending, Observation};

/// Where the other attempt of a request is.
enum Other {
    /// On this connection.
    On(usize),
    /// At this place among those that wait for a connection.
    Waiting(usize),
}

impl Generator {
    /// Sends again what has been on the wire for long enough, as far as there is room.
    pub(super) fn hedge_due(&mut self) {
        let now = self.clock.now();
        while let Some(&(at, number, index)) = self.hedges.front()
            && at <= now
        {
            self.hedges.pop_front();
            let is_full = self.busy + self.waiting.len() >= self.load.max_in_flight;
            let job = self.connections[number].job.as_mut();
            let Some(job) = job.filter(|job| job.index == index && !job.hedged && !is_full) else { continue };
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
        let Some(other) = self.other(job.index) else { return false };
        let is_answer = matches!(ending, Ending::Answered(_));
        match other {
            Other::On(number) if is_answer => {
                self.connections[number].job = None;
                self.busy -= 1;
                self.close(number);
            }
            Other::Waiting(at) if is_answer => drop(self.waiting.remove(at)),
            Other::On(_) | Other::Waiting(_) => {}
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

    fn other(&self, index: u64) -> Option<Other> {
        let on = self.connections.iter().position(|on| on.job.is_some_and(|job| job.index == index));
        let waiting = || self.waiting.iter().position(|job| job.index == index);
        on.map(Other::On).or_else(|| waiting().map(Other::Waiting))
    }
}
