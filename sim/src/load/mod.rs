//! What arrives, and when: the load of a scenario, its schedule and its mix of requests. Pure: the same in both engines.
//! Leaves sending to the engines.

mod closed;
mod cookies;
mod curve;
pub mod ids;
mod pacer;
mod pattern;
mod requests;
mod retry;
mod schedule;
mod trace;
mod users;

pub use closed::ClosedLoop;
pub use cookies::Cookies;
pub use curve::{Curve, Stage};
pub use ids::RequestIds;
pub use pacer::{Due, Pacer};
pub use pattern::{Pattern, Piece, Value};
pub use requests::{RequestMix, RequestTemplate};
pub use retry::{Failure, Retries, Retry};
pub use schedule::Schedule;
pub use trace::Trace;
pub use users::Users;

use std::time::Duration;

use crate::words;

/// The load of a run.
#[derive(Clone, Debug)]
pub struct Load {
    /// How much arrives, and for how long.
    pub shape: Shape,
    /// How the arrivals of a rate are spread.
    pub arrivals: Arrivals,
    /// The first part of it, left out of every latency.
    pub warmup: Duration,
    /// Client connections, at least 1; opened before the start.
    pub connections: usize,
    /// How many requests a connection carries before the client closes it; `None` is without end. With 1 each request says
    /// that it is the last.
    pub requests_per_connection: Option<u64>,
    /// Requests that may be released and unfinished at once; one more is dropped as `overflow`.
    pub max_in_flight: usize,
    /// How long after it was put on the wire a request may take before it is dropped as `response_timeout`;
    /// also how long the drain at the end may take.
    pub timeout: Duration,
    /// What is sent.
    pub requests: RequestMix,
    /// Who sends it.
    pub users: Users,
    /// What is sent again.
    pub retry: Option<Retry>,
    /// How long after it was put on the wire a request without an answer is sent a second time; the first answer counts.
    pub hedge: Option<Duration>,
}

/// How much arrives at which time.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Requests per second, constant or in stages.
    Rate(Curve),
    /// As recorded.
    Trace(Trace),
    /// As answers come.
    Closed(ClosedLoop),
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
    /// The plainest load: `rate` for `duration`, even, on one connection, one at a time. What differs is set beside it.
    pub fn constant(rate: f64, duration: Duration, requests: RequestMix) -> Self {
        Self {
            shape: Shape::Rate(Curve::constant(rate, duration)),
            arrivals: Arrivals::Even,
            warmup: Duration::ZERO,
            connections: 1,
            requests_per_connection: None,
            max_in_flight: 1,
            timeout: Duration::from_secs(5),
            requests,
            users: Users::new(1, None),
            retry: None,
            hedge: None,
        }
    }

    /// How long requests are released.
    pub fn duration(&self) -> Duration {
        match &self.shape {
            Shape::Rate(curve) => curve.duration(),
            Shape::Trace(trace) => trace.duration(),
            Shape::Closed(plan) => plan.duration,
        }
    }

    /// Requests per second that are to come at a moment: of a trace, on average; of a closed loop, nobody knows.
    pub fn rate_at(&self, at: Duration) -> Option<f64> {
        match &self.shape {
            Shape::Rate(curve) => Some(curve.rate_at(at)),
            Shape::Trace(trace) => Some(trace.total() as f64 / trace.duration().as_secs_f64()),
            Shape::Closed(_) => None,
        }
    }

    /// Whether requests wait for answers.
    pub fn is_closed(&self) -> bool {
        matches!(self.shape, Shape::Closed(_))
    }

    /// The load in words, as reports show it: `600 per second, open loop, 30 s`.
    pub fn in_words(&self) -> String {
        let spread = match self.arrivals {
            Arrivals::Poisson => "Poisson arrivals, ",
            Arrivals::Even => "",
        };
        let shape = match &self.shape {
            Shape::Rate(curve) => format!("{}, {spread}open loop", curve.in_words()),
            Shape::Trace(trace) => {
                format!(
                    "{} of {}, open loop",
                    words::counted(trace.total(), "arrival"),
                    words::plain(trace.name())
                )
            }
            Shape::Closed(plan) => format!("{}, closed loop", words::counted(plan.vus.into(), "user")),
        };
        format!("{shape}, {}", humantime::format_duration(self.duration()))
    }
}
