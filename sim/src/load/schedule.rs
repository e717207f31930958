//! When each request should be sent: a pure function of the load, the seed and the index, the same in both engines and
//! on any machine. Never looks at a clock or at an answer.

use gateway_core::rng::{self, Rng};
use gateway_core::time::Instant;
use rand::Rng as _;

use super::{Arrivals, Load};

/// The intended moments of a run, in order.
pub struct Schedule {
    arrivals: Arrivals,
    /// How many there are in all.
    count: u64,
    /// The next one's index.
    next: u64,
    duration_ns: f64,
    /// Poisson: the last order statistic drawn, in 0..1.
    at: f64,
    rng: Rng,
}

impl Schedule {
    /// The schedule of `load` under `seed`: rate x duration requests, rounded to the nearest whole number.
    pub fn new(load: &Load, seed: u64) -> Self {
        Self {
            arrivals: load.arrivals,
            count: (load.rate * load.duration.as_secs_f64()).round() as u64,
            next: 0,
            duration_ns: load.duration.as_secs_f64() * 1e9,
            at: 0.0,
            rng: rng::stream(seed, "load/arrivals", 0),
        }
    }

    /// How many requests the whole schedule holds.
    pub fn total(&self) -> u64 {
        self.count
    }

    /// The next uniform order statistic: given that `n` arrivals fall into the run, each gap is the smallest of the
    /// uniforms that are left, so the count is exact and memory constant.
    fn next_order_statistic(&mut self) -> f64 {
        let left = (self.count - self.next) as f64;
        let uniform = ((self.rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        self.at = 1.0 - (1.0 - self.at) * uniform.powf(1.0 / left);
        self.at
    }
}

impl Iterator for Schedule {
    type Item = (u64, Instant);

    /// Index and intended moment of the next request; moments never go back.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let index = self.next;
        let fraction = match self.arrivals {
            Arrivals::Even => (index as f64 + 0.5) / self.count as f64,
            Arrivals::Poisson => self.next_order_statistic(),
        };
        self.next += 1;
        Some((index, Instant::from_nanos((fraction * self.duration_ns) as u64)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{RequestMix, RequestTemplate};

    fn load(arrivals: Arrivals) -> Load {
        let get = RequestTemplate {
            method: "GET".into(),
            path: "/".into(),
            headers: vec![],
            body: vec![],
            weight: 1,
        };
        Load {
            rate: 600.0,
            arrivals,
            duration: Duration::from_secs(30),
            warmup: Duration::ZERO,
            connections: 1,
            max_in_flight: 1,
            timeout: Duration::from_secs(1),
            requests: RequestMix::new(vec![get]).unwrap(),
        }
    }

    #[test]
    fn even_arrivals_are_half_an_interval_from_the_borders() {
        let all: Vec<_> = Schedule::new(&load(Arrivals::Even), 42).collect();
        assert_eq!(all.len(), 18_000);
        assert_eq!(all[0].1.as_nanos(), 833_333);
        let in_first_second = all.iter().filter(|(_, at)| *at < Instant::from_millis(1000)).count();
        assert_eq!(in_first_second, 600);
        assert!(all.windows(2).all(|w| (w[1].1.as_nanos() - w[0].1.as_nanos()).abs_diff(1_666_667) <= 1));
    }

    #[test]
    fn poisson_arrivals_have_the_exact_count_in_order_and_exponential_gaps() {
        // Aim: exact count, never backwards, gaps with the memoryless property. Method: the share of gaps above the mean
        // is 1/e for an exponential; over 18,000 gaps its standard error is 0.0036.
        let all: Vec<_> = Schedule::new(&load(Arrivals::Poisson), 42).collect();
        assert_eq!(all.len(), 18_000);
        assert!(all.windows(2).all(|w| w[0].1 <= w[1].1));
        assert!(all[17_999].1 < Instant::from_millis(30_000));
        let long = all.windows(2).filter(|w| w[1].1.as_nanos() - w[0].1.as_nanos() > 1_666_667).count();
        assert!((long as f64 / 17_999.0 - (-1.0_f64).exp()).abs() < 0.015, "{long}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let take = |seed| Schedule::new(&load(Arrivals::Poisson), seed).take(100).collect::<Vec<_>>();
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
