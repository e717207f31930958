//! How long a mock takes to answer: the latency forms of a scenario file. Leaves draws to `sampler` and waiting to the engines.

use std::sync::Arc;
use std::time::Duration;

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

    /// How long an answer takes on average; `None` where a tail is too heavy to have one.
    pub fn mean(&self) -> Option<Duration> {
        /// The 99th percentile of a standard normal distribution.
        const Z99: f64 = 2.326_347_874;
        Some(match self {
            Self::Constant(time) | Self::Exponential(time) => *time,
            Self::LogNormal { p50, p99 } => {
                let sigma = (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z99;
                p50.mul_f64((sigma * sigma / 2.0).exp())
            }
            Self::Uniform(low, high) => (*low + *high) / 2,
            Self::Pareto { alpha, .. } if *alpha <= 1.0 => return None,
            Self::Pareto { min, alpha } => min.mul_f64(alpha / (alpha - 1.0)),
            Self::Trace(times) => times.iter().sum::<Duration>().div_f64(times.len() as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let ms = Duration::from_millis;
        let mean =
            |latency: Latency| latency.mean().map(|mean| (mean.as_secs_f64() * 1e3 * 100.0).round() / 100.0);
        for (latency, expected) in [
            (Latency::Constant(ms(4)), Some(4.0)),
            (Latency::Exponential(ms(5)), Some(5.0)),
            // The mean of e^(ln 4 + 0.6918 z): 4 e^0.2393.
            (Latency::LogNormal { p50: ms(4), p99: ms(20) }, Some(5.08)),
            (Latency::Uniform(ms(1), ms(9)), Some(5.0)),
            (Latency::Pareto { min: ms(2), alpha: 1.5 }, Some(6.0)),
            (Latency::Pareto { min: ms(2), alpha: 1.0 }, None),
            (Latency::Trace([ms(4), ms(5), ms(90)].into()), Some(33.0)),
        ] {
            assert_eq!(mean(latency.clone()), expected, "{latency:?}");
        }
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
