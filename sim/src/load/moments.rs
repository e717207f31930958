//! When each request of one stream should be sent: a pure function of the stream, the seed and the index. Never looks at a
//! clock or at an answer.

use gateway_core::rng::{self, Rng};
use gateway_core::time::Instant;
use rand::Rng as _;

use super::{Arrivals, Curve, Shape, Stream, Trace, numbering};

/// The intended moments of a stream, in order.
pub(super) struct Moments {
    times: Times,
    /// How many there are in all.
    count: u64,
    /// The next one's index.
    next: u64,
}

/// Where the moments come from.
enum Times {
    /// Equal shares of the curve.
    Even(Curve),
    /// Random places on it; the last order statistic drawn, in 0..1.
    Poisson {
        curve: Curve,
        at: f64,
        rng: Rng,
    },
    Recorded(Trace),
    /// A closed loop: nothing is known before it runs.
    Unknown,
}

impl Moments {
    /// The moments of `stream` under the run's `seed`: as many as its rate holds, rounded to the nearest whole number.
    pub(super) fn new(stream: &Stream, seed: u64) -> Self {
        let times = match (&stream.shape, stream.arrivals) {
            (Shape::Closed(_), _) => Times::Unknown,
            (Shape::Trace(trace), _) => Times::Recorded(trace.clone()),
            (Shape::Rate(curve), Arrivals::Even) => Times::Even(curve.clone()),
            (Shape::Rate(curve), Arrivals::Poisson) => {
                let rng = rng::stream(numbering::seed_of(stream, seed), "load/arrivals", 0);
                Times::Poisson { curve: curve.clone(), at: 0.0, rng }
            }
        };
        Self { times, count: stream.total(), next: 0 }
    }
}

impl Iterator for Moments {
    type Item = (u64, Instant);

    /// Index within the stream and intended moment of the next request; moments never go back.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.count {
            return None;
        }
        let index = self.next;
        let nanos = match &mut self.times {
            Times::Even(curve) => curve.at((index as f64 + 0.5) / self.count as f64),
            Times::Poisson { curve, at, rng } => {
                *at = order_statistic(*at, self.count - index, rng);
                curve.at(*at)
            }
            Times::Recorded(trace) => trace.at(index),
            Times::Unknown => return None,
        };
        self.next += 1;
        Some((index, Instant::from_nanos(nanos)))
    }
}

/// The uniform order statistic after the one at `at`: given that `left` arrivals are still to come, the gap is the smallest
/// of the uniforms that are left, so the count is exact and memory constant.
fn order_statistic(at: f64, left: u64, rng: &mut Rng) -> f64 {
    let uniform = ((rng.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    at + (1.0 - at) * one_less_exp(-uniform.ln() / left as f64)
}

/// 1 - e^-x, for x from 0. Mostly many are left and x is small: then a few terms of its series are as exact, the first one
/// left out being below 2^-59 of the whole, and take a fraction of the time.
fn one_less_exp(x: f64) -> f64 {
    if x > 1.0 / 1024.0 {
        return -(-x).exp_m1();
    }
    x * (1.0 - x * (1.0 / 2.0 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0)))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::{RequestMix, RequestTemplate, Stage};

    fn stream(arrivals: Arrivals) -> Stream {
        let requests = RequestMix::new(vec![RequestTemplate::get("/")]).unwrap();
        Stream { arrivals, ..Stream::constant(600.0, Duration::from_secs(30), requests) }
    }

    /// Up from 100 to 900 in 10 s, there for 5 s, a jump to 200, down to 0 in 5 s: 5000 + 4500 + 500 requests.
    fn ramp(arrivals: Arrivals) -> Stream {
        let stage = |rate, seconds| Stage { rate, length: Duration::from_secs(seconds) };
        let stages = [stage(900.0, 10), stage(900.0, 5), stage(200.0, 0), stage(0.0, 5)];
        Stream { shape: Shape::Rate(Curve::ramp(100.0, &stages)), ..stream(arrivals) }
    }

    /// How many requests that ramp holds until `t` seconds.
    fn ramp_until(t: f64) -> f64 {
        let (up, flat, down) = (t.min(10.0), (t - 10.0).clamp(0.0, 5.0), (t - 15.0).clamp(0.0, 5.0));
        100.0 * up + 40.0 * up * up + 900.0 * flat + 200.0 * down - 20.0 * down * down
    }

    #[test]
    fn even_arrivals_of_a_ramp_never_leave_its_integral_by_more_than_one() {
        let all: Vec<_> = Moments::new(&ramp(Arrivals::Even), 42).collect();
        assert_eq!(all.len(), 10_000);
        assert!(all.windows(2).all(|w| w[0].1 <= w[1].1 && w[0].0 + 1 == w[1].0));
        for (index, at) in &all {
            // Just before it, `index` have come.
            let integral = ramp_until(at.as_nanos() as f64 / 1e9);
            assert!((integral - (*index as f64 + 0.5)).abs() < 0.01, "{index} at {at}: {integral}");
        }
        // Golden: the first solves 100 t + 40 t^2 = 0.5.
        let some = [0, 1, 5000, 9999].map(|index: usize| all[index].1.as_nanos());
        assert_eq!(some, [4_990_039, 14_911_064, 10_000_555_555, 19_841_886_116]);
    }

    #[test]
    fn poisson_arrivals_of_a_ramp_are_uniform_over_its_integral() {
        // Aim: exact count, order, and the right distribution. Method: Kolmogorov-Smirnov against the integral for twenty
        // seeds, fixed; at a level of 0.001 for all together one may reach 0.00005, which is sqrt(n) D = 2.3.
        for seed in 1..=20 {
            let all: Vec<_> = Moments::new(&ramp(Arrivals::Poisson), seed).collect();
            assert_eq!(all.len(), 10_000);
            assert!(all.windows(2).all(|w| w[0].1 <= w[1].1));
            let distance = |(index, at): &(u64, Instant)| {
                let share = ramp_until(at.as_nanos() as f64 / 1e9) / 10_000.0;
                (share - *index as f64 / 10_000.0).abs().max((share - (*index + 1) as f64 / 10_000.0).abs())
            };
            let most = all.iter().map(distance).fold(0.0, f64::max);
            assert!(most * 100.0 < 2.3, "seed {seed}: {most}");
        }
    }

    #[test]
    fn a_few_terms_are_as_good_as_the_function() {
        for n in 0..=2048 {
            let x = f64::from(n) / 1024.0 / 1024.0;
            let exact = -(-x).exp_m1();
            assert!((one_less_exp(x) - exact).abs() <= exact * 4.0 * f64::EPSILON, "{x}");
        }
    }

    #[test]
    fn poisson_moments_are_golden() {
        let moments =
            |seed| Moments::new(&ramp(Arrivals::Poisson), seed).step_by(4000).map(|(_, at)| at.as_nanos());
        assert_eq!(moments(42).collect::<Vec<_>>(), [3_709_700, 8_880_860_132, 13_361_641_434]);
        assert_eq!(moments(7).collect::<Vec<_>>(), [8_841_527, 8_876_157_129, 13_403_933_880]);
    }

    #[test]
    fn a_trace_is_its_own_schedule() {
        let trace = Trace::parse("a.csv", "0.5\n0.25\n2\n").unwrap();
        let stream = Stream { shape: Shape::Trace(trace), ..stream(Arrivals::Even) };
        let all: Vec<_> = Moments::new(&stream, 1).collect();
        assert_eq!(all, [(0, 250), (1, 500), (2, 2000)].map(|(index, ms)| (index, Instant::from_millis(ms))));
        assert_eq!(
            (stream.duration(), stream.in_words().as_str()),
            (Duration::from_millis(2001), "3 arrivals of a.csv, open loop, 2s 1ms")
        );
    }

    #[test]
    fn even_arrivals_are_half_an_interval_from_the_borders() {
        let all: Vec<_> = Moments::new(&stream(Arrivals::Even), 42).collect();
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
        let all: Vec<_> = Moments::new(&stream(Arrivals::Poisson), 42).collect();
        assert_eq!(all.len(), 18_000);
        assert!(all.windows(2).all(|w| w[0].1 <= w[1].1));
        assert!(all[17_999].1 < Instant::from_millis(30_000));
        let long = all.windows(2).filter(|w| w[1].1.as_nanos() - w[0].1.as_nanos() > 1_666_667).count();
        assert!((long as f64 / 17_999.0 - (-1.0_f64).exp()).abs() < 0.015, "{long}");
    }

    #[test]
    fn the_same_seed_gives_the_same_schedule_and_another_seed_another() {
        let take = |seed| Moments::new(&stream(Arrivals::Poisson), seed).take(100).collect::<Vec<_>>();
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
