//! A rollout over time, as one run had it: the new version's share that was asked for and the one that users met, in few enough
//! points to be kept for every run.

use serde::{Deserialize, Serialize};

use crate::summary::rollout::{RolloutSummary, ShareRow};

/// Points at most.
const POINTS_MAX: usize = 160;

/// The new version's share over time in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Track {
    /// `promoted`, `rolled-back`, `held` or `unfinished`.
    pub ended: String,
    /// When it was decided against the new version.
    pub decided_ms: Option<f64>,
    /// The last request that was sent to it afterwards.
    pub back_ms: Option<f64>,
    /// How long a point lasts.
    pub step_ms: f64,
    /// The share that the steps so far ask for, 0 to 1, at each point from the start on.
    pub planned: Vec<f64>,
    /// The share of first tries; `None` where there were none.
    pub actual: Vec<Option<f64>>,
}

impl Track {
    /// That of a rollout; `None` of one that was over before anything could be seen.
    pub(super) fn of(rollout: &RolloutSummary) -> Option<Self> {
        let shares = &rollout.shares;
        let [first, second, ..] = shares.as_slice() else { return None };
        let together = shares.len().div_ceil(POINTS_MAX);
        let decided_ms = rollout.decided_ms;
        Some(Self {
            ended: rollout.ended.clone(),
            decided_ms,
            back_ms: decided_ms.zip(rollout.rollback_ms).map(|(decided, back)| decided + back),
            step_ms: (second.t_ms - first.t_ms) * together as f64,
            planned: shares.chunks(together).map(|bins| mean(bins.iter().map(|bin| bin.planned))).collect(),
            actual: shares.chunks(together).map(actual).collect(),
        })
    }

    /// Where the last point ends.
    pub(super) fn end_ms(&self) -> f64 {
        self.step_ms * self.actual.len() as f64
    }
}

/// The mean over the bins in which there were requests.
fn actual(bins: &[ShareRow]) -> Option<f64> {
    let seen: Vec<f64> = bins.iter().filter_map(|bin| bin.actual).collect();
    (!seen.is_empty()).then(|| mean(seen.into_iter()))
}

/// Four digits say enough.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    (values.sum::<f64>() / n * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(bins: usize) -> Option<Track> {
        let row = |bin: usize| ShareRow {
            t_ms: bin as f64 * 100.0,
            planned: if bin < 8 { 0.0 } else { 0.5 },
            actual: (bin != 5).then_some(0.25),
        };
        let shares = (0..bins).map(row).collect();
        let rollout = RolloutSummary {
            ended: "rolled-back".to_owned(),
            decided_ms: Some(700.0),
            rollback_ms: Some(9.5),
            shares,
            ..RolloutSummary::default()
        };
        Track::of(&rollout)
    }

    #[test]
    fn short_runs_are_kept_bin_by_bin_and_long_ones_in_means() {
        let short = track(10).unwrap();
        assert_eq!((short.step_ms, short.back_ms), (100.0, Some(709.5)));
        assert_eq!((short.planned.len(), short.actual[5], short.actual[6]), (10, None, Some(0.25)));
        let long = track(3201).unwrap();
        assert_eq!((long.step_ms, long.planned.len()), (2100.0, 153));
        // Thirteen of the first 21 bins are after the step.
        assert_eq!((long.planned[0], long.actual[0]), (0.3095, Some(0.25)));
        assert_eq!(track(1), None);
    }
}
