//! How one mock target behaves: everything a scenario may say of it but its faults.

use std::time::Duration;

use super::sampler::unit;
use super::{Latency, Places};

/// How one mock target behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The service a request demands: how long an answer takes when nobody waits.
    pub latency: Latency,
    /// What is in it.
    pub respond: Respond,
    /// Answers that are errors.
    pub errors: Option<Errors>,
    /// The share of its answers, 0 to 1, whose body is another than it should be.
    pub differs: f64,
    /// How many it serves at once, and who waits.
    pub places: Places,
    /// Connections are refused so long after the start of its process.
    pub ready_after: Duration,
    /// How slow it is at first.
    pub warmup: Option<Warmup>,
    /// When it closes connections.
    pub keepalive: KeepAlive,
}

impl Behaviour {
    /// A target that does this and nothing else: no limits, no errors, ready at once.
    pub fn new(latency: Latency, respond: Respond) -> Self {
        Self {
            latency,
            respond,
            errors: None,
            differs: 0.0,
            places: Places::default(),
            ready_after: Duration::ZERO,
            warmup: None,
            keepalive: KeepAlive::default(),
        }
    }
}

/// The body of a mock's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Respond {
    /// JSON that describes the request, as httpbin's `/anything`.
    Anything,
    /// The request's body, sent back.
    Echo,
    /// So many bytes.
    Bytes(usize),
}

/// Answers that are errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Errors {
    /// Their share of all answers, 0 to 1.
    pub share: f64,
    /// What they say.
    pub status: u16,
}

impl Errors {
    /// The status when the answer that drew `uniform` is one of them.
    pub fn at(self, uniform: u64) -> Option<u16> {
        (unit(uniform) < self.share).then_some(self.status)
    }
}

/// A target that is slow at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup {
    /// Until it is as fast as ever.
    pub lasts: Duration,
    /// How many times as long an answer takes at the very start; from there straight down to 1.
    pub latency_x: f64,
}

impl Warmup {
    /// How many times as long an answer takes so long after the start.
    pub fn latency_x(self, age: Duration) -> f64 {
        let done = (age.as_secs_f64() / self.lasts.as_secs_f64().max(1e-9)).min(1.0);
        self.latency_x + (1.0 - self.latency_x) * done
    }
}

/// When a target closes a kept-alive connection, without warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// After so long without a request.
    pub idle: Option<Duration>,
    /// After so many answers, above zero.
    pub max_requests: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::rng::draw;

    #[test]
    fn a_warmup_falls_from_its_factor_to_one_and_stays_there() {
        let warmup = Warmup { lasts: Duration::from_secs(10), latency_x: 5.0 };
        let at = [0, 5, 10, 100].map(|s| warmup.latency_x(Duration::from_secs(s)));
        assert!(
            at.iter().zip([5.0, 3.0, 1.0, 1.0]).all(|(x, expected)| (x - expected).abs() < 1e-9),
            "{at:?}"
        );
    }

    #[test]
    fn errors_are_the_share_that_was_asked_for() {
        let count = |share| {
            let errors = Errors { share, status: 500 };
            (0..10_000).filter(|&k| errors.at(draw(1, 2, k)).is_some()).count()
        };
        let counts = [0.0, 0.04, 1.0].map(count);
        assert_eq!((counts[0], counts[2]), (0, 10_000));
        // Four standard errors of a share of 4 %.
        assert!(counts[1].abs_diff(400) < 80, "{counts:?}");
    }
}
