//! One draw from a latency form: exactly one uniform number in, one duration out, by inversion. So runs that share their
//! numbers share their draws, whatever else differs, and a larger number is never a shorter time. Leaves the forms to
//! `latency` and the numbers to whoever asks.

use std::sync::Arc;
use std::time::Duration;

use statrs::distribution::{ContinuousCDF as _, Normal};

use super::Latency;

/// Draws from one latency form.
///
/// Forms with a tail are drawn from a table of their quantiles by survival probability: each halving down to 2^-40 has 32
/// steps, straight lines between them. Against the exponential distribution its mean is 0.008 % too large, and no quantile
/// is off by more than 0.0125 % of the mean.
#[derive(Clone, Debug)]
pub struct Sampler(Arc<Form>);

#[derive(Debug)]
enum Form {
    Constant(Duration),
    Uniform { low: Duration, width: f64 },
    Tailed(Box<Table>),
    Trace(Arc<[Duration]>),
}

/// Quantiles in nanoseconds; row k holds those of survival 2^-(k+1) to 2^-k in equal steps.
type Table = [[f64; STEPS + 1]; HALVINGS];

const HALVINGS: usize = 40;
const STEPS: usize = 32;
/// No target is that slow, and no draw may overflow.
const HIGHEST_NS: f64 = 3600.0 * 1e9;
/// The 99th percentile of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;

impl Sampler {
    /// Draws from `latency`.
    pub fn new(latency: &Latency) -> Self {
        Self(Arc::new(match *latency {
            Latency::Constant(always) => Form::Constant(always),
            Latency::Uniform(low, high) => {
                Form::Uniform { low, width: high.saturating_sub(low).as_nanos() as f64 }
            }
            Latency::Trace(ref times) => Form::Trace(Arc::clone(times)),
            Latency::Exponential(mean) => {
                let mean = mean.as_nanos() as f64;
                Form::Tailed(table(|survival| -survival.ln() * mean))
            }
            Latency::LogNormal { p50, p99 } => {
                let (p50, sigma) =
                    (p50.as_nanos() as f64, (p99.as_secs_f64() / p50.as_secs_f64()).ln() / Z99);
                let normal = Normal::standard();
                // By symmetry, so that the tail keeps its digits.
                Form::Tailed(table(|survival| p50 * (-normal.inverse_cdf(survival) * sigma).exp()))
            }
            Latency::Pareto { min, alpha } => {
                let min = min.as_nanos() as f64;
                Form::Tailed(table(|survival| min * survival.powf(-1.0 / alpha)))
            }
        }))
    }

    /// The duration that `uniform`, evenly spread over all of its values, stands for. The larger the longer, but for a trace.
    pub fn at(&self, uniform: u64) -> Duration {
        match &*self.0 {
            Form::Constant(always) => *always,
            Form::Uniform { low, width } => *low + Duration::from_nanos((width * unit(uniform)) as u64),
            Form::Tailed(table) => Duration::from_nanos(quantile(table, !uniform) as u64),
            Form::Trace(times) => {
                let number = ((u128::from(uniform) * times.len() as u128) >> 64) as usize;
                times.get(number).copied().unwrap_or_default()
            }
        }
    }
}

/// Evenly from 0 up to, but not, 1.
pub(super) fn unit(uniform: u64) -> f64 {
    (uniform >> 11) as f64 / (1_u64 << 53) as f64
}

fn table(quantile: impl Fn(f64) -> f64) -> Box<Table> {
    let mut table = [[0.0; STEPS + 1]; HALVINGS];
    for (halving, row) in (1_i32..).zip(&mut table) {
        for (step, value) in row.iter_mut().enumerate() {
            let survival = 0.5_f64.powi(halving) * (1.0 + step as f64 / STEPS as f64);
            // Nobody has a quantile that is no number: at survival 1 a form without a least value has zero.
            *value = quantile(survival).clamp(0.0, HIGHEST_NS);
        }
    }
    Box::new(table)
}

fn quantile(table: &Table, survival: u64) -> f64 {
    let halving = (survival.leading_zeros() as usize).min(HALVINGS - 1);
    // What is left below the first bit that is set, 0 to 1 of the row.
    let rest = (survival << halving) & (u64::MAX >> 1);
    let place = (rest >> 10) as f64 / (1_u64 << 53) as f64 * STEPS as f64;
    let step = place as usize;
    let row = &table[halving];
    row[step] + (row[step + 1] - row[step]) * (place - step as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(form: Latency, q: f64) -> f64 {
        let sampler = Sampler::new(&form.checked().unwrap());
        sampler.at((q * 2.0_f64.powi(64)) as u64).as_secs_f64() * 1e3
    }

    #[test]
    fn quantiles_are_those_of_the_forms() {
        let log_normal = || Latency::LogNormal { p50: 4 * MS, p99: 20 * MS };
        let exponential = |q: f64| -(1.0 - q).ln() * 5.0;
        let cases = [
            (log_normal(), 0.5, 4.0),
            (log_normal(), 0.99, 20.0),
            (Latency::Exponential(5 * MS), 0.5, exponential(0.5)),
            (Latency::Exponential(5 * MS), 0.9, exponential(0.9)),
            (Latency::Exponential(5 * MS), 0.999_999, exponential(0.999_999)),
            (Latency::Uniform(MS, 9 * MS), 0.25, 3.0),
            (Latency::Constant(5 * MS), 0.99, 5.0),
            (Latency::Pareto { min: 2 * MS, alpha: 2.0 }, 0.75, 4.0),
            (Latency::Trace([MS, 2 * MS, 9 * MS].into()), 0.5, 2.0),
            (Latency::Trace([MS, 2 * MS, 9 * MS].into()), 0.9, 9.0),
        ];
        for (form, q, expected) in cases {
            let seen = at(form.clone(), q);
            assert!((seen - expected).abs() < 0.0002 * expected, "{form:?} at {q}: {seen} for {expected}");
        }
    }

    #[test]
    fn the_mean_of_a_table_is_that_of_its_form() {
        // Aim: no bias that a queue would amplify. Method: the mean over a million equal parts; the integral of straight lines
        // over a convex curve is above it, by 0.008 % here.
        let sampler = Sampler::new(&Latency::Exponential(Duration::from_secs(1)));
        let parts = 1_u64 << 20;
        let middle = |part: u64| sampler.at((part << 44) + (1 << 43)).as_secs_f64();
        let mean = (0..parts).map(middle).sum::<f64>() / parts as f64;
        assert!((mean - 1.0).abs() < 0.000_13, "{mean}");
    }

    #[test]
    fn larger_numbers_are_never_shorter_times_and_both_ends_are_fine() {
        for form in [Latency::Exponential(MS), Latency::LogNormal { p50: MS, p99: 9 * MS }] {
            let sampler = Sampler::new(&form);
            let all: Vec<_> = (0..4096_u64).map(|part| sampler.at(part << 52)).collect();
            assert!(all.is_sorted());
            assert_eq!(sampler.at(0), Duration::ZERO);
            assert!(sampler.at(u64::MAX) > 20 * MS && sampler.at(u64::MAX) < Duration::from_secs(3600));
        }
        let heavy = Sampler::new(&Latency::Pareto { min: MS, alpha: 0.1 });
        assert_eq!((heavy.at(0), heavy.at(u64::MAX)), (MS, Duration::from_secs(3600)));
    }

    #[test]
    fn draws_are_golden() {
        let draws = |form: &Latency| {
            let sampler = Sampler::new(form);
            [1_u64, 2, 3].map(|k| sampler.at(gateway_core::rng::draw(42, 7, k)).as_nanos() as u64)
        };
        assert_eq!(draws(&Latency::Exponential(5 * MS)), [6_632_023, 13_983_026, 175_304]);
        assert_eq!(
            draws(&Latency::LogNormal { p50: 4 * MS, p99: 20 * MS }),
            [6_170_999, 11_658_884, 1_133_502]
        );
    }
}
