//! What this machine costs, for the model: three short live runs against one mock that always takes as long, and what their
//! stamps and CPU times say. Leaves files and words to `cli`.
//!
//! The cost of a request is a slope, not a ratio: CPU time over requests at several rates, so that polling and timers, which cost
//! the same at any rate, fall away. A message's time is the mean of two ways that have a stamp at both ends, client to gateway
//! and gateway to target, less what the gateway works in between; nothing is halved.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gateway_core::time::Instant;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::engine::{EngineError, live};
use crate::measure::{Conditions, Observation, Times};
use crate::scenario::{self, Input};

/// The version of the names below.
pub const SCHEMA: u32 = 1;
/// Requests per second of each run, and how long each takes.
const RATES: [u64; 3] = [250, 1000, 2000];
const SECONDS: u64 = 3;
/// No message is faster than this.
const NETWORK_MIN_US: f64 = 1.0;

/// What a machine costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// How long a message takes one way, microseconds: `[model] network`.
    pub network_us: f64,
    /// CPU time of the gateway for each request, microseconds: `[model] gateway_cost`.
    pub gateway_cost_us: f64,
    /// Overshoot of a sleep of 1 ms: median, 99.9th percentile and largest, microseconds. Not used by the model: stalls come in
    /// bursts, which it has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_us: Option<(f64, f64, f64)>,
    /// What was measured at each rate.
    pub runs: Vec<Run>,
    /// Kernel and cores of the machine.
    pub host: String,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Requests per second.
    pub rate: u64,
    /// Requests answered.
    pub requests: u64,
    /// CPU time of the gateway, microseconds.
    pub gateway_cpu_us: f64,
    /// Median time from the client's write to the gateway's pick, microseconds.
    pub to_gateway_us: f64,
    /// Median time from the pick to the target's book, microseconds.
    pub to_target_us: f64,
}

/// Measures this machine; about ten seconds. `watch` is told the rate of each run as it begins.
///
/// # Errors
/// When the live engine cannot run.
pub fn calibrate(
    stop: &AtomicBool,
    host: String,
    watch: &mut dyn FnMut(u64),
) -> Result<Calibration, EngineError> {
    let mut runs = Vec::new();
    let mut jitter_us = None;
    for rate in RATES {
        watch(rate);
        let (run, conditions) = one(rate, stop)?;
        runs.push(run);
        jitter_us = conditions.jitter_us;
    }
    let gateway_cost_us = slope(&runs).max(0.0);
    let first = &runs[0];
    let network_us = ((first.to_gateway_us + first.to_target_us - gateway_cost_us) / 2.0).max(NETWORK_MIN_US);
    Ok(Calibration { schema: SCHEMA, network_us, gateway_cost_us, jitter_us, runs, host })
}

/// By how much the gateway's CPU time grows with each request: least squares.
fn slope(runs: &[Run]) -> f64 {
    let n = runs.len() as f64;
    let mean = |of: &dyn Fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|run| run.requests as f64), mean(&|run| run.gateway_cpu_us));
    let along = |run: &Run| (run.requests as f64 - x, run.gateway_cpu_us - y);
    let (both, square) = runs
        .iter()
        .map(along)
        .fold((0.0, 0.0), |(both, square), (dx, dy)| (both + dx * dy, square + dx * dx));
    if square > 0.0 { both / square } else { 0.0 }
}

fn scenario(rate: u64) -> String {
    format!(
        "name = \"calibrate\"\n[load]\nrate = {rate}\nduration = \"{SECONDS}s\"\nconnections = 64\n[[load.requests]]\npath = \"/\"\n\
         [[services]]\nname = \"s\"\nhost = \"u\"\n[[routes]]\npaths = [\"/\"]\nservice = {{ name = \"s\" }}\n\
         [[upstreams]]\nname = \"u\"\ntargets = [ {{ target = \"mock:80\" }} ]\n[[mocks]]\nmatch = \"*\"\nlatency = \"2ms\"\n"
    )
}

fn one(rate: u64, stop: &AtomicBool) -> Result<(Run, Conditions), EngineError> {
    let input = Input { path: "calibrate".to_owned(), text: scenario(rate), ..Input::default() };
    let plan = scenario::read(&input).expect("our own scenario is right");
    let mut seen = Stamps::default();
    let conditions =
        live::run(&plan, stop, &mut |observations| observations.iter().for_each(|o| seen.take(o)))?;
    let median = |times: &Times| times.quantile(0.5).unwrap_or(0.0);
    let run = Run {
        rate,
        requests: seen.answered,
        gateway_cpu_us: seen.cpu as f64 / 1e3,
        to_gateway_us: median(&seen.to_gateway),
        to_target_us: median(&seen.to_target),
    };
    Ok((run, conditions))
}

/// What the stamps of a run come to.
struct Stamps {
    /// When each request under way was picked, and written into the book.
    open: FxHashMap<u64, (Option<Instant>, Option<Instant>)>,
    to_gateway: Times,
    to_target: Times,
    answered: u64,
    /// CPU time of the gateway so far, nanoseconds.
    cpu: u64,
}

impl Default for Stamps {
    fn default() -> Self {
        let (to_gateway, to_target) = (Times::precise(), Times::precise());
        Self { open: FxHashMap::default(), to_gateway, to_target, answered: 0, cpu: 0 }
    }
}

impl Stamps {
    fn take(&mut self, seen: &Observation) {
        match seen {
            Observation::Picked(pick) => self.open.entry(pick.request).or_default().0 = Some(pick.at),
            Observation::Served { request, at, .. } => self.open.entry(*request).or_default().1 = Some(*at),
            Observation::Cpu(sample) => self.cpu = sample.gateway.unwrap_or(self.cpu),
            Observation::Ended(record) => {
                self.answered += 1;
                if let Some((Some(picked), served)) = self.open.remove(&record.index) {
                    let since = |later: Instant, earlier: Instant| -> Duration { later.since(earlier) };
                    if let Some(on_wire) = record.on_wire {
                        self.to_gateway.record(since(picked, on_wire));
                    }
                    if let Some(served) = served {
                        self.to_target.record(since(served, picked));
                    }
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_the_same_at_any_rate_falls_away() {
        // 40 us each, and 5 ms whatever happens.
        let run = |requests: u64| Run {
            rate: requests,
            requests,
            gateway_cpu_us: 5_000.0 + 40.0 * requests as f64,
            to_gateway_us: 0.0,
            to_target_us: 0.0,
        };
        assert!((slope(&[run(250), run(1000), run(2000)]) - 40.0).abs() < 1e-9);
    }

    #[test]
    fn our_own_scenario_is_right() {
        for rate in RATES {
            let input = Input { path: "calibrate".into(), text: scenario(rate), ..Input::default() };
            assert!(scenario::read(&input).is_ok());
        }
    }
}
