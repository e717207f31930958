//! Runs of one plan under seeds of their own, taken together: what each figure is on average, how sure that is, and whether each
//! threshold held every time. One run is reported whole; of the others only these figures are kept.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{Outcome, Summary, ThresholdResult};
use crate::words;

/// What several runs say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Replications {
    /// How many runs.
    pub count: u32,
    /// Each figure that every run has.
    pub figures: Vec<Figure>,
}

/// One figure over all runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Figure {
    /// As thresholds name it: `latency p(99)`.
    pub name: String,
    /// `us`, `ms` or `requests`.
    pub unit: String,
    /// The mean of the runs.
    pub mean: f64,
    /// From where to where the mean of endless runs is, with 95 % confidence (Student's t).
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The smallest of any run.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// What is kept of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Digest {
    figures: Vec<(String, &'static str, Option<f64>)>,
    thresholds: Vec<ThresholdResult>,
    is_trusted: bool,
}

/// Confidence of an interval.
const CONFIDENCE: f64 = 0.95;

impl Digest {
    /// What is kept of `summary`.
    pub fn of(summary: &Summary) -> Self {
        let latency = &summary.latency_us;
        let named = |name: &str, unit, value| (name.to_owned(), unit, value);
        let mut figures = vec![
            named("latency avg", "us", latency.mean),
            named("latency p(50)", "us", latency.p50),
            named("latency p(90)", "us", latency.p90),
            named("latency p(99)", "us", latency.p99),
            named("latency p(99.9)", "us", latency.p999),
            named("latency max", "us", latency.max),
            named("dropped", "requests", Some(summary.requests.dropped as f64)),
            named("errors", "requests", Some(summary.requests.target_5xx as f64)),
            named("duplicates", "requests", Some(summary.requests.duplicates as f64)),
        ];
        for (number, switch) in (1..).zip(&summary.switches) {
            figures.push((format!("switch {number} mixed"), "ms", switch.mixed_ms));
        }
        Self {
            figures,
            thresholds: summary.verdict.thresholds.clone(),
            is_trusted: summary.verdict.result != Outcome::Invalid,
        }
    }
}

impl Figure {
    fn new(name: &str, unit: &str, mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let t = StudentsT::new(0.0, 1.0, (n - 1.0).max(1.0))
            .map_or(0.0, |t| t.inverse_cdf(0.5 + CONFIDENCE / 2.0));
        let half = t * (variance / n).sqrt();
        Self {
            name: name.to_owned(),
            unit: unit.to_owned(),
            mean,
            low: mean - half,
            high: mean + half,
            min: values[0],
            median: values[(values.len() - 1) / 2],
            max: values[values.len() - 1],
        }
    }

    /// One of its values with its unit.
    pub fn in_words(&self, value: f64) -> String {
        match self.unit.as_str() {
            "us" => words::time(value),
            "ms" => words::time(value * 1e3),
            _ => words::short(value, 1),
        }
    }

    /// Half the width of the interval as a part of the mean.
    pub fn precision(&self) -> f64 {
        if self.high > self.low { (self.high - self.low) / 2.0 / self.mean.abs() } else { 0.0 }
    }
}

impl Replications {
    /// All runs together, in order.
    pub fn of(digests: &[Digest]) -> Self {
        let figures =
            digests.first().map_or(&[][..], |first| &first.figures).iter().filter_map(|(name, unit, _)| {
                let value = |digest: &Digest| digest.figures.iter().find(|figure| figure.0 == *name)?.2;
                let values: Option<Vec<f64>> = digests.iter().map(value).collect();
                values.map(|values| Figure::new(name, unit, values))
            });
        Self { count: u32::try_from(digests.len()).unwrap_or(u32::MAX), figures: figures.collect() }
    }

    /// A figure by its name.
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }
}

/// Lets the first run's summary speak for all: a threshold is met when it was met every time.
pub fn pool(mut first: Summary, digests: &[Digest]) -> Summary {
    if digests.len() < 2 {
        return first;
    }
    let count = digests.len();
    let mut failed = 0;
    for threshold in &mut first.verdict.thresholds {
        let same = |other: &&ThresholdResult| {
            (&other.metric, &other.expression, other.line)
                == (&threshold.metric, &threshold.expression, threshold.line)
        };
        let all: Vec<_> = digests.iter().filter_map(|digest| digest.thresholds.iter().find(same)).collect();
        let held = all.iter().filter(|other| other.ok).count();
        if let Some(worst) = all.into_iter().find(|other| !other.ok) {
            *threshold = worst.clone();
            failed += 1;
        }
        threshold.observed = format!("{}, held in {held} of {count} runs", threshold.observed);
    }
    first.verdict.thresholds.sort_by_key(|threshold| threshold.ok);
    if failed > 0 && first.verdict.result == Outcome::Pass {
        first.verdict.result = Outcome::Fail;
        first.verdict.exit_code = super::verdict::THRESHOLD_FAILED;
        first.verdict.sentence =
            format!("{} did not hold in each of {count} runs.", words::counted(failed, "threshold"));
    }
    if digests.iter().any(|digest| !digest.is_trusted) {
        first.verdict.result = Outcome::Invalid;
        first.verdict.exit_code = super::verdict::NOT_TRUSTWORTHY;
    }
    first.replications = Some(Replications::of(digests));
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(p99: Option<f64>, ok: bool) -> Digest {
        let threshold = ThresholdResult {
            metric: "dropped".into(),
            expression: "count == 0".into(),
            observed: if ok { "0" } else { "7" }.into(),
            ok,
            used: None,
            margin: String::new(),
            line: 3,
        };
        Digest {
            figures: vec![("latency p(99)".into(), "us", p99)],
            thresholds: vec![threshold],
            is_trusted: true,
        }
    }

    #[test]
    fn a_figure_has_its_mean_and_how_sure_that_is() {
        let digests: Vec<_> = [10.0, 12.0, 14.0, 16.0].map(|p99| digest(Some(p99), true)).into();
        let figure = Replications::of(&digests).figures.remove(0);
        assert_eq!((figure.mean, figure.min, figure.median, figure.max), (13.0, 10.0, 12.0, 16.0));
        // Standard error sqrt(20 / 3 / 4) = 1.291, t of 3 degrees 3.182.
        assert!((figure.high - 13.0 - 4.108).abs() < 0.01 && (figure.precision() - 0.316).abs() < 0.001);
    }

    #[test]
    fn a_figure_that_some_run_has_not_is_left_out() {
        let replications = Replications::of(&[digest(Some(1.0), true), digest(None, true)]);
        assert_eq!((replications.count, replications.figures.len()), (2, 0));
    }
}
