//! Where requests are counted: a cell for each phase and Upstream, with every duration of its requests, and within it a part
//! for each target and kind of request, less precise; those are kept in `parts`. Made on first use and merged exactly, so that
//! any selection of parts has percentiles of its own.

use gateway_core::id::UpstreamId;

use super::Answered;
use super::histogram::Times;
use super::ledger::Tally;
use super::record::Spans;
use super::{Ending, Record};

/// The requests of one phase and Upstream.
#[derive(Debug, Default)]
pub struct Cell {
    /// How they ended.
    pub tally: Tally,
    /// How often they were sent to targets.
    pub attempts: Attempts,
    /// Those whose latency counts.
    pub timed: Option<Box<Timed>>,
}

/// How often requests were sent to targets, again after a failure or beside a first try that was slow included; copies are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts that began before their request's end.
    pub n: u64,
    /// Requests with one at least.
    pub requests: u64,
}

impl Attempts {
    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: Self) {
        self.n += other.n;
        self.requests += other.requests;
    }

    /// A request was sent to targets so often.
    pub(super) fn count(&mut self, n: u32) {
        self.n += u64::from(n);
        self.requests += u64::from(n > 0);
    }
}

/// Durations of a cell, each within 0.1 %. A request that was dropped has those that it came to.
#[derive(Debug)]
pub struct Timed {
    /// Those of the answered.
    pub answered: Answered,
    /// Lag of the released.
    pub lag: Times,
    /// How long those that were put on the wire had waited for a connection.
    pub client_wait: Times,
    /// From the wire to the first byte of an answer.
    pub first_byte: Times,
    /// How many were dropped.
    pub dropped: u64,
}

impl Timed {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            answered: Answered::precise(),
            lag: Times::precise(),
            client_wait: Times::precise(),
            first_byte: Times::precise(),
            dropped: 0,
        }
    }

    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.answered.add(&other.answered);
        self.lag.add(&other.lag);
        self.client_wait.add(&other.client_wait);
        self.first_byte.add(&other.first_byte);
        self.dropped += other.dropped;
    }

    pub(super) fn count(&mut self, ending: Ending, spans: &Spans) {
        if let Some(lag) = spans.lag {
            self.lag.count(lag);
        }
        if let Some(wait) = spans.client_wait {
            self.client_wait.count(wait);
        }
        if let Some(first_byte) = spans.first_byte {
            self.first_byte.count(first_byte);
        }
        match ending {
            Ending::Answered(_) => self.answered.count(spans.response, spans.service),
            Ending::Dropped(_) => self.dropped += 1,
        }
    }
}

impl Default for Timed {
    fn default() -> Self {
        Self::new()
    }
}

impl Cell {
    pub(super) fn count(&mut self, (record, spans): (&Record, &Spans), wrong_version: bool, is_timed: bool) {
        self.tally.count(record.ending, wrong_version);
        if is_timed {
            self.timed.get_or_insert_with(Box::default).count(record.ending, spans);
        }
    }
}

/// Which requests a part is of, within its phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// The Upstream they were picked from.
    pub upstream: Option<UpstreamId>,
    /// The mock that answered, or that was picked last.
    pub mock: Option<u32>,
    /// Their template, as an index into those of the load.
    pub kind: usize,
}

/// The requests of one phase, Upstream, target and kind.
#[derive(Debug, Default)]
pub struct Part {
    /// How they ended.
    pub tally: Tally,
    /// Of those whose latency counts, how many were dropped.
    pub dropped: u64,
    /// Latencies of the answered, each within 0.8 %.
    pub times: Option<Box<Answered>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::record;

    #[test]
    fn the_durations_of_a_request_add_up() {
        let mut cell = Cell::default();
        cell.count((&record(20), &record(20).spans()), false, true);
        let timed = cell.timed.unwrap();
        let ms = |times: &Times| times.max_us().map(|us| (us / 1e3) as u64);
        let seen = [
            &timed.lag,
            &timed.client_wait,
            timed.answered.service(),
            &timed.answered.response,
            &timed.first_byte,
        ]
        .map(ms);
        assert_eq!(seen, [1, 2, 17, 20, 16].map(Some));
    }
}
