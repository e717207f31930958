//! What comparisons compare: one number for each run, `latency p(99)`, `dropped`. Read and named here; taken out of a summary by
//! `compare`.

use std::fmt;

use crate::words;

/// One number of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// A percentile of the response time of all intended requests, a drop being infinitely late, microseconds.
    Latency(Percentile),
    /// Share of the intended requests that were dropped, 0 to 1.
    Dropped,
    /// Share of the intended requests that got a 5xx answer of a target's own, 0 to 1.
    Errors,
    /// Share of the intended requests that targets saw more than once, 0 to 1.
    Duplicates,
    /// Furthest that any target was from its weight's share after any pick, in requests.
    Deviation,
    /// The busiest target's requests over the mean of its Upstream's targets; the largest of all Upstreams.
    Imbalance,
    /// First new answer to last old answer, the longest of all switches, microseconds.
    Mixed,
    /// Users with a request that was dropped or answered with an error, in a rollout.
    UsersHurt,
    /// Answers of the new version that users saw, in a rollout.
    Exposure,
    /// How long it took to decide against the new version, microseconds.
    Detect,
    /// From there to the last request that was sent to it, microseconds.
    Rollback,
    /// How long a rollout served both versions, microseconds.
    BothVersions,
    /// From a rollout's first step to the last thing that happened to it, microseconds.
    RolloutDuration,
    /// The most targets that ran beyond those at the start, in a rollout.
    ExtraTargets,
    /// Targets beyond those at the start times how long they ran, in a rollout, target-seconds.
    ExtraCapacity,
    /// The 99th percentile of the worst second, a drop being infinitely late, microseconds.
    WorstSecond,
}

/// The percentiles that every report has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Percentile {
    /// The median.
    P50,
    /// The 90th.
    P90,
    /// The 99th.
    P99,
    /// The 99.9th.
    P999,
}

/// How differences of a figure are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As a ratio.
    Ratio,
    /// As a difference.
    Difference,
}

impl Percentile {
    const ALL: [Self; 4] = [Self::P50, Self::P90, Self::P99, Self::P999];

    /// As thresholds write it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::P50 => "p(50)",
            Self::P90 => "p(90)",
            Self::P99 => "p(99)",
            Self::P999 => "p(99.9)",
        }
    }

    /// 0 to 1.
    pub const fn share(self) -> f64 {
        match self {
            Self::P50 => 0.5,
            Self::P90 => 0.9,
            Self::P99 => 0.99,
            Self::P999 => 0.999,
        }
    }
}

/// The figures that stand alone, as they are written.
const ALONE: [(&str, Figure); 15] = [
    ("dropped", Figure::Dropped),
    ("errors", Figure::Errors),
    ("duplicates", Figure::Duplicates),
    ("weights deviation", Figure::Deviation),
    ("weights imbalance", Figure::Imbalance),
    ("switch mixed", Figure::Mixed),
    ("users hurt", Figure::UsersHurt),
    ("exposure", Figure::Exposure),
    ("detect time", Figure::Detect),
    ("rollback time", Figure::Rollback),
    ("rollout mixed", Figure::BothVersions),
    ("rollout duration", Figure::RolloutDuration),
    ("extra targets", Figure::ExtraTargets),
    ("extra capacity", Figure::ExtraCapacity),
    ("worst second", Figure::WorstSecond),
];

impl Figure {
    /// The figures of one text: `latency p(50) p(99)` is two.
    ///
    /// # Errors
    /// What is no figure, and what would be right.
    pub fn read(text: &str) -> Result<Vec<Self>, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if let Some((_, figure)) = ALONE.iter().find(|(name, _)| words.join(" ") == *name) {
            return Ok(vec![*figure]);
        }
        let Some(("latency", percentiles)) = words.split_first().map(|(first, rest)| (*first, rest)) else {
            let names = ALONE.map(|(name, _)| name);
            return Err(format!("figures are `latency p(99)`, {}", words::quoted(&names)));
        };
        let percentile = |word: &&str| Percentile::ALL.into_iter().find(|known| known.as_str() == *word);
        let read: Option<Vec<_>> = percentiles.iter().map(percentile).collect();
        read.filter(|read| !read.is_empty())
            .map(|read| read.into_iter().map(Self::Latency).collect())
            .ok_or_else(|| {
                "a latency has percentiles: `latency p(50) p(90) p(99) p(99.9)`, or some".to_owned()
            })
    }

    /// Whether ratios or differences of it mean something: what may be zero has no ratios.
    pub const fn scale(self) -> Scale {
        match self {
            Self::Latency(_) | Self::Imbalance | Self::WorstSecond => Scale::Ratio,
            _ => Scale::Difference,
        }
    }

    /// In a column's head, with its unit: `p99, ms`.
    pub const fn head(self) -> &'static str {
        match self {
            Self::Latency(Percentile::P50) => "p50, ms",
            Self::Latency(Percentile::P90) => "p90, ms",
            Self::Latency(Percentile::P99) => "p99, ms",
            Self::Latency(Percentile::P999) => "p99.9, ms",
            Self::Dropped => "dropped, ‰",
            Self::Errors => "5xx, ‰",
            Self::Duplicates => "duplicates, ‰",
            Self::Deviation => "weight error",
            Self::Imbalance => "imbalance",
            Self::Mixed => "mixed, ms",
            Self::UsersHurt => "users hurt",
            Self::Exposure => "exposure",
            Self::Detect => "detect, s",
            Self::Rollback => "back, s",
            Self::BothVersions => "mixed, s",
            Self::RolloutDuration => "duration, s",
            Self::ExtraTargets => "extra targets",
            Self::ExtraCapacity => "extra target-s",
            Self::WorstSecond => "worst s, ms",
        }
    }

    /// The same without the unit.
    pub fn short(self) -> &'static str {
        self.head().split(',').next().unwrap_or_default()
    }

    /// A value in the head's unit, in words.
    pub fn say(self, value: f64) -> String {
        if !value.is_finite() {
            return "never".to_owned();
        }
        match self {
            Self::Latency(_) | Self::Mixed | Self::WorstSecond => {
                let ms = value / 1e3;
                words::decimal(ms, usize::from(ms < 9.95))
            }
            Self::Dropped | Self::Errors | Self::Duplicates => words::decimal(value * 1e3, 2),
            Self::Deviation | Self::Imbalance => words::decimal(value, 2),
            Self::UsersHurt | Self::Exposure | Self::ExtraTargets | Self::ExtraCapacity => {
                words::decimal(value, 0)
            }
            Self::Detect | Self::Rollback | Self::BothVersions | Self::RolloutDuration => {
                words::decimal(value / 1e6, 2)
            }
        }
    }
}

impl fmt::Display for Figure {
    /// As it is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(percentile) => write!(f, "latency {}", percentile.as_str()),
            other => {
                f.write_str(ALONE.iter().find(|(_, figure)| figure == other).map_or("", |(name, _)| name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_read_as_it_is_written() {
        let all = "latency p(50) p(90) p(99) p(99.9)";
        assert_eq!(Figure::read(all).unwrap(), Percentile::ALL.map(Figure::Latency));
        for figure in Percentile::ALL.map(Figure::Latency).into_iter().chain(ALONE.map(|(_, figure)| figure))
        {
            assert_eq!(Figure::read(&figure.to_string()).unwrap(), [figure]);
        }
        for wrong in ["", "latency", "latency p(98)", "latency p(99) max", "drops", "weights"] {
            assert!(Figure::read(wrong).is_err(), "{wrong}");
        }
    }
}
