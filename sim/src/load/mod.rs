//! What arrives, and when: the load of a scenario, its schedule and its mix of requests. Pure: the same in both engines.
//! Leaves sending to the engines.
//!
#![doc = include_str!("EVENNESS.md")]

mod stream;

mod closed;
mod curve;
mod moments;
mod trace;

mod cookies;
pub mod ids;
mod pattern;
mod requests;
mod retry;
mod users;
mod values;

mod idle;
mod numbering;
mod pacer;
mod schedule;
mod waiting;

pub use closed::ClosedLoop;
pub use cookies::{Cookies, Key};
pub use curve::{Curve, Stage};
pub use idle::Idle;
pub use ids::RequestIds;
pub use numbering::Numbering;
pub use pacer::Pacer;
pub use pattern::{Pattern, Piece, Value};
pub use requests::{RequestMix, RequestTemplate};
pub use retry::{Failure, Retries, Retry};
pub use schedule::{Arrival, Schedule};
pub use stream::{ONLY, Shape, Stream};
pub use trace::Trace;
pub use users::{COOKIE, Users};
pub use values::Values;
pub use waiting::{Waiting, Waits};

use std::time::Duration;

/// The load of a run: streams that share connections.
#[derive(Clone, Debug)]
pub struct Load {
    /// What arrives, at least one stream, each with a name of its own.
    pub streams: Vec<Stream>,
    /// The first part of it, left out of every latency.
    pub warmup: Duration,
    /// Client connections, at least 1; opened before the start.
    pub connections: usize,
    /// How many requests a connection carries before the client closes it; `None` is without end. With 1 each request says
    /// that it is the last.
    pub requests_per_connection: Option<u64>,
    /// Requests that may be released and unfinished at once; one more is dropped as `overflow`.
    pub max_in_flight: usize,
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Equal shares of the integrated rate between them, the first after half of one: each 1/rate seconds where the rate
    /// does not change.
    Even,
    /// At random: exactly as many as the rate holds, placed independently over its integral (a Poisson process given its
    /// count).
    Poisson,
}

impl Load {
    /// These streams on one connection, one request at a time. What differs is set beside it.
    pub fn of(streams: Vec<Stream>) -> Self {
        Self {
            streams,
            warmup: Duration::ZERO,
            connections: 1,
            requests_per_connection: None,
            max_in_flight: 1,
        }
    }

    /// How many requests it holds; of closed loops, the most there may be.
    pub fn total(&self) -> u64 {
        self.streams.iter().map(Stream::total).fold(0, u64::saturating_add)
    }

    /// How long requests are released.
    pub fn duration(&self) -> Duration {
        self.streams.iter().map(Stream::duration).max().unwrap_or_default()
    }

    /// How long a request may take, of whichever stream; so long takes the drain at the end, at most.
    pub fn timeout(&self) -> Duration {
        self.streams.iter().map(|stream| stream.timeout).max().unwrap_or_default()
    }

    /// Requests per second that are to come at a moment. Nobody knows where requests wait for answers.
    pub fn rate_at(&self, at: Duration) -> Option<f64> {
        self.streams.iter().map(|stream| stream.rate_at(at)).sum()
    }

    /// Whether requests of some stream wait for answers.
    pub fn has_closed_loop(&self) -> bool {
        self.streams.iter().any(Stream::is_closed)
    }

    /// All kinds of requests, each with the number of its stream, in file order: what [`Arrival::kind`] counts.
    pub fn templates(&self) -> impl Iterator<Item = (usize, &RequestTemplate)> {
        let streams = self.streams.iter().enumerate();
        streams.flat_map(|(at, stream)| stream.requests.templates().iter().map(move |kind| (at, kind)))
    }

    /// The load in words, as reports show it: `600 per second, open loop, 30s`.
    pub fn in_words(&self) -> String {
        match self.streams.as_slice() {
            [only] => only.in_words(),
            streams => {
                let named = |stream: &Stream| format!("{}: {}", stream.name, stream.in_words());
                streams.iter().map(named).collect::<Vec<_>>().join("; ")
            }
        }
    }
}
