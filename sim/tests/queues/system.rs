//! A queueing system as a scenario, and what its runs say of it.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use sim::engine::model;
use sim::measure::{Ending, Observation};
use sim::scenario::{self, Input};

/// Runs of one system, each under a seed of its own.
const RUNS: u32 = 20;
/// Requests of one run.
const REQUESTS: f64 = 100_000.0;
/// A figure whose error is a larger part of it says nothing.
const ERROR_MAX: f64 = 0.03;

/// A system: Poisson arrivals and targets that are all alike.
pub(crate) struct System {
    rate: f64,
    mock: String,
    model: String,
    algorithm: String,
    weights: Vec<u32>,
}

/// What the runs of a system said.
pub(crate) struct Seen {
    /// For each run, the response times of those who were served, in seconds and in order of size, and the share of others.
    runs: Vec<(Vec<f64>, f64)>,
}

/// A figure, as the mean over all runs, and its standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    error: f64,
}

impl System {
    /// `rate` arrivals a second at one target that behaves as `mock` says.
    pub(crate) fn new(rate: f64, mock: &str) -> Self {
        Self {
            rate,
            mock: mock.to_owned(),
            model: String::new(),
            algorithm: "round-robin".to_owned(),
            weights: vec![1],
        }
    }

    /// The same with another line about the targets.
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.mock.push('\n');
        self.mock.push_str(line);
        self
    }

    /// The same with these lines about what the model takes for granted.
    pub(crate) fn model(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.model);
        self
    }

    /// The same with these targets instead of one.
    pub(crate) fn targets(mut self, algorithm: &str, weights: &[u32]) -> Self {
        algorithm.clone_into(&mut self.algorithm);
        self.weights = weights.to_vec();
        self
    }

    fn scenario(&self) -> String {
        let (rate, algorithm, mock, model) = (self.rate, &self.algorithm, &self.mock, &self.model);
        // So many requests for each target at least that large farms fill up.
        let requests = REQUESTS.max(self.weights.len() as f64 * 40.0);
        let seconds = requests / rate;
        let mut targets = String::new();
        for (number, weight) in self.weights.iter().enumerate() {
            let _ = write!(targets, "{{ target = \"t-{number}:80\", weight = {weight} }}, ");
        }
        format!(
            "name = \"queue\"\nengine = \"model\"\n\
             [load]\narrivals = \"poisson\"\nrate = {rate}\nduration = \"{seconds:.3}s\"\nconnections = 60000\n\
             max_in_flight = 60000\ntimeout = \"1h\"\n[[load.requests]]\npath = \"/\"\n\
             [model]\nnetwork = \"0s\"\n{model}\n\
             [[services]]\nname = \"s\"\nhost = \"u\"\nread_timeout = \"1h\"\n[[routes]]\npaths = [\"/\"]\nservice = {{ name = \"s\" }}\n\
             [[upstreams]]\nname = \"u\"\nalgorithm = \"{algorithm}\"\ntargets = [ {targets} ]\n\
             [[mocks]]\nmatch = \"*\"\n{mock}\n"
        )
    }

    /// Runs it under all seeds.
    pub(crate) fn run(&self) -> Seen {
        let input = Input { path: "queue.toml".into(), text: self.scenario(), ..Input::default() };
        let plan = scenario::read(&input).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        let warm = plan.load.duration() / 5;
        let runs = (1..=RUNS).map(|number| {
            let (mut served, mut others) = (Vec::new(), 0_u32);
            let mut see = |seen: &[Observation]| {
                for seen in seen {
                    let Observation::Ended(record) = seen else { continue };
                    if record.intended.as_nanos() < warm.as_nanos() as u64 {
                        continue;
                    }
                    match record.ending {
                        Ending::Answered(200) => served.push(record.response_time().as_secs_f64()),
                        _ => others += 1,
                    }
                }
            };
            model::run(&plan.replication(number), &AtomicBool::new(false), &mut see);
            served.sort_by(f64::total_cmp);
            let all = served.len() as f64 + f64::from(others);
            (served, f64::from(others) / all)
        });
        Seen { runs: runs.collect() }
    }
}

impl Seen {
    /// The mean response time.
    pub(crate) fn mean(&self) -> Estimate {
        self.estimate(|times, _| times.iter().sum::<f64>() / times.len() as f64)
    }

    /// A quantile of the response time.
    pub(crate) fn quantile(&self, q: f64) -> Estimate {
        self.estimate(|times, _| times[((times.len() as f64 * q).ceil() as usize).max(1) - 1])
    }

    /// The share of response times beyond so many seconds.
    pub(crate) fn share_beyond(&self, seconds: f64) -> Estimate {
        self.estimate(|times, _| {
            (times.len() - times.partition_point(|time| *time <= seconds)) as f64 / times.len() as f64
        })
    }

    /// The share of those who were not served.
    pub(crate) fn loss(&self) -> Estimate {
        self.estimate(|_, loss| loss)
    }

    fn estimate(&self, figure: impl Fn(&[f64], f64) -> f64) -> Estimate {
        let figures: Vec<f64> = self.runs.iter().map(|(times, loss)| figure(times, *loss)).collect();
        let n = figures.len() as f64;
        let mean = figures.iter().sum::<f64>() / n;
        let variance = figures.iter().map(|figure| (figure - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Estimate { mean, error: (variance / n).sqrt() }
    }
}

impl Estimate {
    /// In another unit.
    pub(crate) fn scaled(self, by: f64) -> Self {
        Self { mean: self.mean * by, error: self.error * by }
    }

    /// It is what theory says, within four standard errors and what the table of quantiles is off by.
    pub(crate) fn assert_is(self, theory: f64, what: &str) {
        self.assert_is_within(theory, 0.0005 * theory, what);
    }

    /// It is what theory says, within four standard errors and a bias that theory itself has.
    pub(crate) fn assert_is_within(self, theory: f64, bias: f64, what: &str) {
        let Self { mean, error } = self;
        assert!(
            (mean - theory).abs() < 4.0 * error + bias,
            "{what}: {mean} with a standard error of {error}, and {theory} by theory"
        );
        assert!(error < ERROR_MAX * theory, "{what}: the error {error} is too large to say anything");
    }
}
