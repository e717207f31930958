//! A comparison as one value: `compare.json` is this, serialised, and every other file is drawn from it. The names are a promise
//! (`"schema": 1`). Times are microseconds, shares from 0 to 1.

use serde::{Deserialize, Serialize};

use super::{Ran, Track};
use crate::plan::Figure;
use crate::summary::Volatile;

/// The version of the names below.
pub(super) const SCHEMA: u32 = 1;

/// A finished comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Always 1: the version of these names.
    pub schema: u32,
    /// `sim 0.1.0`.
    pub tool: String,
    /// Name of the scenario, or of the first of several.
    pub name: String,
    /// One line about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// `model` or `live`.
    pub engine: String,
    /// SHA-256 of the scenarios with all flags applied, in hex.
    pub sha256: String,
    /// What varies: name and values. The first is ranked, the others are conditions.
    pub axes: Vec<(String, Vec<String>)>,
    /// The seeds of every choice of values.
    pub seeds: Vec<u64>,
    /// What is compared.
    pub figures: Vec<String>,
    /// What ranks.
    pub rank_by: String,
    /// Smaller changes do not matter: a share of the baseline's value.
    pub margin: f64,
    /// The answer in one sentence.
    pub sentence: String,
    /// Runs that can be believed.
    pub valid: usize,
    /// Runs that can be believed with care.
    pub degraded: usize,
    /// Runs that cannot, and are in no figure.
    pub invalid: usize,
    /// Requests of all runs.
    pub requests: u64,
    /// One for each choice of the other axes.
    pub conditions: Vec<Condition>,
    /// Every run, in order.
    pub cells: Vec<Ran>,
    /// What changes from time to time.
    pub volatile: Volatile,
}

/// The ranking under one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Condition {
    /// `targets 30`; empty when nothing but the first axis varies.
    pub name: String,
    /// Best first.
    pub rows: Vec<Row>,
}

/// One value of the first axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Row {
    /// The value.
    pub name: String,
    /// Its place, from 1; equal where the seeds cannot tell.
    pub rank: usize,
    /// Whether another has the same place.
    pub tied: bool,
    /// Its figures, in the order of `figures`; `None` where it has none.
    pub values: Vec<Option<Value>>,
    /// The same against the baseline, the first value of the axis; `None` for itself and where nothing can be compared.
    pub against: Vec<Option<Against>>,
    /// Percentile (0 to 1) and response time of answered requests, all its runs together, warm-up left out.
    pub spectrum: Vec<(f64, f64)>,
    /// The rollout of its first run over time, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Track>,
}

/// A figure over all seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Value {
    /// The mean over seeds, of times the geometric one; `None` where a drop makes it infinite.
    pub value: Option<f64>,
    /// Lower end of its 95 % interval, where there is one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Over how many runs.
    pub n: usize,
}

/// What a comparison says: less is better, of every figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It is lower, by more than the margin.
    Better,
    /// It is higher, by more than the margin.
    Worse,
    /// The runs cannot tell.
    Unclear,
}

impl Word {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Unclear => "unclear",
        }
    }
}

/// A figure against the baseline's on the same seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Against {
    /// Corrected for the number of comparisons.
    pub word: Word,
    /// Of times, the share by which it differs (0.05 is 5 % more); of shares and counts the difference. `None`: infinite.
    pub change: Option<f64>,
    /// Lower end of its 95 % interval, where there is one.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The chance of seeing this when the true change is within the margin, not corrected; `None` from single runs.
    pub p_value: Option<f64>,
    /// How often a run of it is above one of the baseline, ties counted half.
    pub effect: Option<f64>,
    /// How many seeds both have.
    pub n: usize,
}

impl Comparison {
    /// The figures, as this program knows them.
    pub(super) fn known(&self) -> Vec<Figure> {
        self.figures.iter().filter_map(|text| Figure::read(text).ok()).flatten().collect()
    }

    /// Which of the figures ranks.
    pub(super) fn ranking(&self) -> usize {
        self.figures.iter().position(|figure| *figure == self.rank_by).unwrap_or(0)
    }

    /// Name of the first value of the first axis.
    pub(super) fn baseline(&self) -> &str {
        self.axes.first().and_then(|(_, values)| values.first()).map_or("", String::as_str)
    }

    /// Whether anything is worse than the baseline by the figure that ranks.
    pub fn is_worse(&self) -> bool {
        let by = self.ranking();
        let mut rows = self.conditions.iter().flat_map(|condition| &condition.rows);
        rows.any(|row| {
            row.against.get(by).and_then(Option::as_ref).is_some_and(|against| against.word == Word::Worse)
        })
    }

    /// `6 algorithm × 3 targets × 20 seeds = 360 runs`
    pub(super) fn shape(&self) -> String {
        let mut parts: Vec<String> = self
            .axes
            .iter()
            .map(|(name, values)| format!("{} × {}", values.len(), crate::words::plain(name)))
            .collect();
        parts.push(crate::words::counted(self.seeds.len() as u64, "seed"));
        format!("{}: {}", parts.join(", "), crate::words::counted(self.cells.len() as u64, "run"))
    }
}
