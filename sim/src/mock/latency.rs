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
}

#[cfg(test)]
mod tests {
    use super::*;

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
