//! What arrives, and when: the load of a scenario, its schedule and its mix of requests. Pure: the same in both engines.
//! Leaves sending to the engines.

pub mod ids;
mod requests;
mod schedule;

pub use ids::RequestIds;
pub use requests::{RequestMix, RequestTemplate};
pub use schedule::Schedule;

use std::time::Duration;

/// The load of a run.
#[derive(Clone, Debug)]
pub struct Load {
    /// Requests per second, above 0.
    pub rate: f64,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How long requests are released.
    pub duration: Duration,
    /// The first part of it, left out of every latency.
    pub warmup: Duration,
    /// Client connections, at least 1; opened before the start.
    pub connections: usize,
    /// Requests that may be released and unfinished at once; one more is dropped as `overflow`.
    pub max_in_flight: usize,
    /// How long after it was put on the wire a request may take before it is dropped as `response_timeout`;
    /// also how long the drain at the end may take.
    pub timeout: Duration,
    /// What is sent.
    pub requests: RequestMix,
}

/// How arrivals are spread over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// One each 1/rate seconds, the first after half of that.
    Even,
    /// At random: exactly rate x duration of them, placed independently and evenly (a Poisson process given its count).
    Poisson,
}

impl Load {
    /// The load in words, as reports show it: `600 per second, open loop, 30 s`.
    pub fn in_words(&self) -> String {
        let spread = match self.arrivals {
            Arrivals::Even => "",
            Arrivals::Poisson => "Poisson arrivals, ",
        };
        format!("{} per second, {spread}open loop, {}", self.rate, humantime::format_duration(self.duration))
    }
}
