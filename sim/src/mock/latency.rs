//! How long a mock takes to answer: the latency forms of a scenario file and one draw from each.
//! Leaves waiting to the engines.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

use super::behaviour::unit;

/// A latency form.
#[derive(Clone, Debug, PartialEq)]
pub enum Latency {
    /// Always the same: `"5ms"`.
    Constant(Duration),
    /// Log-normal by its median and 99th percentile: `{ p50 = "4ms", p99 = "20ms" }`.
    LogNormal {
        /// Median, above zero.
        p50: Duration,
        /// 99th percentile, at least the median.
        p99: Duration,
    },
    /// Exponential by its mean: `{ exponential = "5ms" }`.
    Exponential(Duration),
    /// Evenly between two bounds: `{ uniform = ["1ms", "9ms"] }`.
    Uniform(Duration, Duration),
    /// Heavy tailed: `{ pareto = { min = "2ms", alpha = 1.5 } }`.
    Pareto {
        /// The least.
        min: Duration,
        /// How fast the tail thins out, above zero; up to 1 there is no mean, up to 2 no variance.
        alpha: f64,
    },
    /// Any of these, each as likely: `{ trace = ["4ms", "5ms", "90ms"] }`.
    Trace(Arc<[Duration]>),
}

/// A latency form that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LatencyError(pub &'static str);

/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Latency {
    /// The form itself when it makes sense.
    ///
    /// # Errors
    /// When a median is zero, a p99 is below its p50, or bounds are the wrong way round.
    pub fn checked(self) -> Result<Self, LatencyError> {
        match &self {
            Self::LogNormal { p50, .. } if p50.is_zero() => Err(LatencyError("p50 must be above zero")),
            Self::LogNormal { p50, p99 } if p99 < p50 => Err(LatencyError("p99 is below p50")),
            Self::Uniform(low, high) if high < low => Err(LatencyError("the upper bound is below the lower")),
            Self::Trace(times) if times.is_empty() => Err(LatencyError("the trace is empty")),
            _ => Ok(self),
        }
    }

    /// One draw. Log-normal: exp(ln p50 + sigma z) with sigma = ln(p99/p50) / z99.
    pub fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Duration {
        match *self {
            Self::Constant(always) => always,
            Self::LogNormal { p50, p99 } => {
                let sigma = (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z99;
                let z: f64 = StandardNormal.sample(rng);
                seconds(p50.as_secs_f64() * (sigma * z).exp())
            }
            Self::Exponential(mean) => {
                let e: f64 = Exp1.sample(rng);
                seconds(mean.as_secs_f64() * e)
            }
            Self::Uniform(low, high) => low + high.saturating_sub(low).mul_f64(unit(rng)),
            Self::Pareto { min, alpha } => seconds(min.as_secs_f64() * (1.0 - unit(rng)).powf(-1.0 / alpha)),
            Self::Trace(ref times) => {
                let number = (unit(rng) * times.len() as f64) as usize;
                times.get(number).copied().unwrap_or_default()
            }
        }
    }
}

/// A draw in seconds as a duration, at most an hour: no target is that slow, and no draw may overflow.
fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 3600.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::rng::stream;

    fn quantile(form: &Latency, q: f64) -> f64 {
        let mut rng = stream(1, "test", 0);
        let mut draws: Vec<_> = (0..100_000).map(|_| form.draw(&mut rng).as_secs_f64() * 1000.0).collect();
        draws.sort_by(f64::total_cmp);
        draws[(q * 100_000.0) as usize]
    }

    #[test]
    fn draws_follow_their_forms() {
        // Aim: medians and tails are those the file asked for. Method: 100,000 draws from a fixed seed; 2 % is more than
        // four standard errors of each quantile looked at.
        let ms = Duration::from_millis;
        let log_normal = Latency::LogNormal { p50: ms(4), p99: ms(20) };
        assert!((quantile(&log_normal, 0.5) - 4.0).abs() < 0.08);
        assert!((quantile(&log_normal, 0.99) - 20.0).abs() < 0.6);
        let exponential = Latency::Exponential(ms(5));
        assert!((quantile(&exponential, 0.5) - 5.0 * std::f64::consts::LN_2).abs() < 0.07);
        let uniform = Latency::Uniform(ms(1), ms(9));
        assert!((quantile(&uniform, 0.25) - 3.0).abs() < 0.06);
        assert!((quantile(&Latency::Constant(ms(5)), 0.99) - 5.0).abs() < 1e-9);
        let pareto = Latency::Pareto { min: ms(2), alpha: 2.0 };
        assert!((quantile(&pareto, 0.75) - 4.0).abs() < 0.08);
        let trace = Latency::Trace([ms(1), ms(2), ms(9)].into());
        assert_eq!([0.2, 0.5, 0.9].map(|q| quantile(&trace, q).round() as u64), [1, 2, 9]);
    }

    #[test]
    fn nonsense_is_refused() {
        let ms = Duration::from_millis;
        assert!(Latency::LogNormal { p50: ms(0), p99: ms(1) }.checked().is_err());
        assert!(Latency::LogNormal { p50: ms(2), p99: ms(1) }.checked().is_err());
        assert!(Latency::Uniform(ms(2), ms(1)).checked().is_err());
        assert!(Latency::Trace([].into()).checked().is_err());
        assert!(Latency::Uniform(ms(1), ms(2)).checked().is_ok());
    }
}
