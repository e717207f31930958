//! One run of a comparison in numbers: what is compared, whether it can be believed, and its latencies as a histogram, so that
//! runs add up exactly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::track::Track;
use crate::hdr::{self, HdrError};
use crate::plan::{Figure, Percentile};
use crate::summary::{LatencyAll, Summary, Trust, worst_second};

/// One run that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ran {
    /// Its number in the comparison, from 0.
    pub cell: usize,
    /// For each axis, which of its values, from 0.
    pub choice: Vec<usize>,
    /// The seed everything was drawn from.
    pub seed: u64,
    /// Whether it can be believed; an INVALID run is in no figure.
    pub validity: Trust,
    /// Requests of the schedule.
    pub intended: u64,
    /// Requests that were dropped.
    pub dropped: u64,
    /// The figures: times in microseconds, shares from 0 to 1. What a run has no figure for is left out.
    pub figures: BTreeMap<String, f64>,
    /// Percentiles that are a drop: infinitely late.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<String>,
    /// Response times of answered requests, warm-up left out, as HdrHistogram's compressed text; in parts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
    /// Its rollout over time, if it was one; in parts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Track>,
}

impl Ran {
    /// What `summary` says of these figures.
    ///
    /// # Errors
    /// When its histograms are none.
    pub fn new(
        cell: usize,
        choice: Vec<usize>,
        summary: &Summary,
        figures: &[Figure],
    ) -> Result<Self, HdrError> {
        let mut ran = Self {
            cell,
            choice,
            seed: summary.scenario.seed,
            validity: summary.validity.result,
            intended: summary.requests.intended,
            dropped: summary.requests.dropped,
            figures: BTreeMap::new(),
            never: Vec::new(),
            times: Some(hdr::encode(&summary.histograms.of(|phase| phase != "warmup")?)),
            track: summary.rollout.as_ref().and_then(Track::of),
        };
        for figure in figures {
            match of(summary, *figure) {
                Some(value) if value.is_finite() => {
                    ran.figures.insert(figure.to_string(), value);
                }
                Some(_) => ran.never.push(figure.to_string()),
                None => {}
            }
        }
        Ok(ran)
    }

    /// A figure; infinite where it is a drop.
    pub fn figure(&self, figure: Figure) -> Option<f64> {
        let name = figure.to_string();
        let never = || self.never.contains(&name).then_some(f64::INFINITY);
        self.figures.get(&name).copied().or_else(never)
    }
}

/// A figure of a run, infinite where it is a drop; `None` where the run has none.
fn of(summary: &Summary, figure: Figure) -> Option<f64> {
    let requests = &summary.requests;
    let of_rollout = |ms: Option<f64>| ms.map(|ms| ms * 1e3);
    let rollout = summary.rollout.as_ref();
    let share = |n: u64| (requests.intended > 0).then(|| n as f64 / requests.intended as f64);
    match figure {
        Figure::Latency(percentile) => latency(&summary.latency_all_us, percentile),
        Figure::Dropped => share(requests.dropped),
        Figure::Errors => share(requests.target_5xx),
        Figure::Duplicates => share(requests.duplicates),
        Figure::Deviation => {
            // Only where the algorithm promises exact shares: elsewhere a distance from them is no error.
            let exact = summary.weights.iter().filter(|row| row.test.is_bound());
            exact.map(|row| row.max_prefix_deviation_requests).reduce(f64::max)
        }
        Figure::Imbalance => imbalance(summary),
        Figure::Mixed => {
            summary.switches.iter().filter_map(|switch| switch.mixed_ms).reduce(f64::max).map(|ms| ms * 1e3)
        }
        Figure::UsersHurt => rollout.map(|rollout| rollout.users_hurt as f64),
        Figure::Exposure => rollout.map(|rollout| rollout.exposure as f64),
        Figure::Detect => of_rollout(rollout?.detect_ms),
        Figure::Rollback => of_rollout(rollout?.rollback_ms),
        Figure::BothVersions => of_rollout(rollout?.mixed_ms),
        Figure::RolloutDuration => of_rollout(rollout?.lasted_ms),
        Figure::ExtraTargets => rollout.map(|rollout| rollout.capacity.extra_max as f64),
        Figure::ExtraCapacity => rollout.map(|rollout| rollout.capacity.extra_seconds),
        Figure::WorstSecond => worst_second(summary),
    }
}

fn latency(all: &LatencyAll, percentile: Percentile) -> Option<f64> {
    let value = match percentile {
        Percentile::P50 => all.p50,
        Percentile::P90 => all.p90,
        Percentile::P99 => all.p99,
        Percentile::P999 => all.p999,
    };
    // Where something lies beyond the percentile and there is none, it is a drop.
    let is_there = all.n as f64 * (1.0 - percentile.share()) >= 1.0 - 1e-9;
    value.or_else(|| is_there.then_some(f64::INFINITY))
}

fn imbalance(summary: &Summary) -> Option<f64> {
    let upstreams: std::collections::BTreeSet<&str> =
        summary.targets.iter().map(|target| target.upstream.as_str()).collect();
    let one = |upstream: &str| {
        let members = summary.targets.iter().filter(|target| target.upstream == upstream);
        let requests: Vec<u64> = members.map(|target| target.requests).collect();
        let sum: u64 = requests.iter().sum();
        let most = requests.iter().max().copied().unwrap_or(0);
        (sum > 0).then(|| most as f64 * requests.len() as f64 / sum as f64)
    };
    upstreams.into_iter().filter_map(one).reduce(f64::max)
}
