//! One of the streams a load is made of: how much arrives, what is sent, by whom, and what its clients do when it fails.
//! What streams share, such as connections, belongs to the load.

use std::time::Duration;

use super::{Arrivals, ClosedLoop, Curve, RequestMix, Retry, Trace, Users};
use crate::words;

/// What the only stream of a load is called.
pub const ONLY: &str = "load";

/// A stream of requests. Streams run at the same time, each from the start of the run.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Unlike those of the others. What is drawn for a stream depends on it, so that another stream changes nothing.
    pub name: String,
    /// How much arrives, and for how long.
    pub shape: Shape,
    /// How the arrivals of a rate are spread.
    pub arrivals: Arrivals,
    /// How long after it was put on the wire a request may take before it is dropped as `response_timeout`.
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

impl Stream {
    /// The plainest one: `rate` for `duration`, even. What differs is set beside it.
    pub fn constant(rate: f64, duration: Duration, requests: RequestMix) -> Self {
        Self {
            name: ONLY.to_owned(),
            shape: Shape::Rate(Curve::constant(rate, duration)),
            arrivals: Arrivals::Even,
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

    /// How many requests it holds; for a closed loop, the most there may be.
    pub fn total(&self) -> u64 {
        match &self.shape {
            Shape::Rate(curve) => curve.total(),
            Shape::Trace(trace) => trace.total(),
            Shape::Closed(plan) => plan.most,
        }
    }

    /// Requests per second that are to come at a moment: of a trace, on average; of a closed loop, nobody knows.
    pub fn rate_at(&self, at: Duration) -> Option<f64> {
        match &self.shape {
            Shape::Rate(curve) => Some(if at < curve.duration() { curve.rate_at(at) } else { 0.0 }),
            Shape::Trace(trace) => Some(trace.total() as f64 / trace.duration().as_secs_f64()),
            Shape::Closed(_) => None,
        }
    }

    /// Whether requests wait for answers.
    pub fn is_closed(&self) -> bool {
        matches!(self.shape, Shape::Closed(_))
    }

    /// The stream in words, as reports show it: `600 per second, open loop, 30s`.
    pub fn in_words(&self) -> String {
        let spread = match self.arrivals {
            Arrivals::Poisson => "Poisson arrivals, ",
            Arrivals::Even => "",
        };
        let shape = match &self.shape {
            Shape::Rate(curve) => format!("{}, {spread}open loop", curve.in_words()),
            Shape::Trace(trace) => {
                let arrivals = words::counted(trace.total(), "arrival");
                format!("{arrivals} of {}, open loop", words::plain(trace.name()))
            }
            Shape::Closed(plan) => format!("{}, closed loop", words::counted(plan.vus.into(), "user")),
        };
        format!("{shape}, {}", humantime::format_duration(self.duration()))
    }
}
