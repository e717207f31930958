//! What is kept of a comparison while it runs, and what a machine hands to others: a head that says what is compared, then one
//! line for each run that has ended. A part that was cut off is read up to its last whole line, so a stopped comparison goes on
//! where it was. Parts of one comparison add up to the whole, whoever made them.

use serde::{Deserialize, Serialize};

use super::Ran;
use crate::hdr::HdrError;
use crate::plan::{Axis, Figure, Matrix, Percentile};
use crate::summary::Summary;
use crate::words;

/// The version of the format.
const SCHEMA: u32 = 1;
/// More runs than any comparison has.
const CELLS_MAX: usize = 1_000_000;
/// What does not matter between finished runs, which have no `[report]` of their own.
const MARGIN: f64 = 0.03;

/// What is compared: the same for all parts but for the shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the format.
    pub schema: u32,
    /// `sim 0.1.0`.
    pub tool: String,
    /// Name of the scenario, or of the first of several.
    pub name: String,
    /// One line about it.
    pub summary: Option<String>,
    /// `model` or `live`.
    pub engine: String,
    /// What varies: name and values. The first is ranked.
    pub axes: Vec<(String, Vec<String>)>,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// What is compared.
    pub figures: Vec<String>,
    /// What ranks.
    pub rank_by: String,
    /// Smaller changes do not matter: a share of the baseline's value.
    pub margin: f64,
    /// SHA-256 of the scenarios with all flags applied, in hex.
    pub sha256: String,
    /// Which runs these are.
    pub shard: Shard,
}

/// Part `number` (from 1) of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// What its file is called.
    pub fn file(self) -> String {
        format!("part-{}-of-{}.ndjson", self.number, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers =
            text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("write I/N, such as 3/8: the third of eight parts".to_owned()),
        }
    }
}

/// Why parts are no comparison.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// Not such a file.
    #[error("{0} is no part of a comparison")]
    NoPart(String),
    /// Of another version.
    #[error("{0} was written by another version of this program")]
    Version(String),
    /// They do not belong together.
    #[error("{0} and {1} are parts of different comparisons, or of different versions of sim")]
    Mixed(String, String),
    /// Two have the same run.
    #[error("run {cell} is there twice, in {first} and in {second}")]
    Twice {
        /// Which run.
        cell: usize,
        /// A part that has it.
        first: String,
        /// Another.
        second: String,
    },
    /// Runs are missing.
    #[error("{missing} of {all} runs are missing; run again with --shard {shards}")]
    Missing {
        /// How many.
        missing: usize,
        /// Of how many.
        all: usize,
        /// What would make them.
        shards: String,
    },
}

impl Head {
    /// The head of a comparison of `matrix`.
    pub fn new(name: &str, summary: Option<String>, engine: &str, matrix: &Matrix, sha256: String) -> Self {
        Self {
            schema: SCHEMA,
            tool: concat!("sim ", env!("CARGO_PKG_VERSION")).to_owned(),
            name: name.to_owned(),
            summary,
            engine: engine.to_owned(),
            axes: matrix.axes.iter().map(|axis| (axis.name.clone(), axis.values.clone())).collect(),
            seeds: matrix.seeds.clone(),
            figures: matrix.figures.iter().map(ToString::to_string).collect(),
            rank_by: matrix.rank_by.to_string(),
            margin: matrix.margin,
            sha256,
            shard: Shard::WHOLE,
        }
    }

    /// Whether somebody could have written it: the shard is one, and the runs can be counted.
    fn is_sound(&self) -> bool {
        let mut lengths = self.axes.iter().map(|(_, values)| values.len()).chain([self.seeds.len()]);
        let cells = lengths.try_fold(1_usize, usize::checked_mul);
        (1..=self.shard.of).contains(&self.shard.number) && cells.is_some_and(|cells| cells <= CELLS_MAX)
    }

    /// How many runs the whole has.
    pub fn cells(&self) -> usize {
        self.axes.iter().map(|(_, values)| values.len()).product::<usize>() * self.seeds.len()
    }

    /// Which of `of` parts a run belongs to, from 1. Runs in virtual time are the same everywhere and are dealt one by one; live
    /// runs of one seed stay together, so that what is compared ran on the same machine.
    fn part_of(&self, cell: usize, of: usize) -> usize {
        let dealt = if self.engine == "live" { cell % self.seeds.len() } else { cell };
        dealt % of + 1
    }

    /// Whether a run belongs to this part.
    fn has(&self, cell: usize) -> bool {
        cell < self.cells() && self.part_of(cell, self.shard.of) == self.shard.number
    }

    /// The runs of this part, by their numbers.
    pub fn own(&self) -> Vec<usize> {
        (0..self.cells()).filter(|&cell| self.has(cell)).collect()
    }

    /// What is compared.
    pub fn figures(&self) -> Vec<Figure> {
        self.figures.iter().filter_map(|text| Figure::read(text).ok()).flatten().collect()
    }

    /// Whether both are of one comparison.
    fn is_akin(&self, other: &Self) -> bool {
        Self { shard: other.shard, ..self.clone() } == *other
    }
}

/// A part: its head, and the runs that have ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is compared.
    pub head: Head,
    /// In the order in which they ended.
    pub ran: Vec<Ran>,
}

impl Part {
    /// Reads the text of a part called `name`; a last line that was cut off is left out.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(name: &str, text: &str) -> Result<Self, PartError> {
        let no_part = || PartError::NoPart(words::plain(name));
        let mut lines = text.lines();
        let head: Head = lines.next().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(no_part)?;
        if head.schema != SCHEMA {
            return Err(PartError::Version(words::plain(name)));
        }
        if !head.is_sound() {
            return Err(no_part());
        }
        let read = lines.map(serde_json::from_str::<Ran>).take_while(Result::is_ok).flatten();
        let ran: Vec<Ran> = read.filter(|ran| head.has(ran.cell)).collect();
        Ok(Self { head, ran })
    }

    /// Finished runs as a comparison: those of one scenario under one name, each name with the path of its first run.
    ///
    /// # Errors
    /// When a run's histograms are none.
    pub fn of_summaries(names: &[String], summaries: &[Summary]) -> Result<Self, HdrError> {
        let kind = |summary: &Summary| {
            let facts = &summary.scenario;
            (facts.text.clone(), facts.overrides.clone(), facts.engine.clone())
        };
        let mut kinds = Vec::new();
        let (mut values, mut seeds) = (Vec::new(), Vec::new());
        let mut places = Vec::new();
        for (name, summary) in names.iter().zip(summaries) {
            let (own, seed) = (kind(summary), summary.scenario.seed);
            // The same scenario and seed twice is a comparison of two versions of something else.
            let is_free = |at: &usize| !places.contains(&(*at, seed));
            let at = (0..kinds.len()).filter(|&at| kinds[at] == own).find(is_free).unwrap_or(kinds.len());
            if at == kinds.len() {
                kinds.push(own);
                values.push(name.clone());
            }
            places.push((at, seed));
            if !seeds.contains(&seed) {
                seeds.push(seed);
            }
        }
        let rank_by = Figure::Latency(Percentile::P99);
        let figures = vec![Figure::Latency(Percentile::P50), rank_by, Figure::Dropped, Figure::Errors];
        let axes = vec![Axis { name: "run".to_owned(), values }];
        let matrix = Matrix { axes, seeds, figures: figures.clone(), rank_by, margin: MARGIN };
        let scenario = summaries.first().map(|summary| summary.scenario.clone());
        let (name, about, engine) = scenario
            .map_or_else(Default::default, |scenario| (scenario.name, scenario.summary, scenario.engine));
        let head = Head::new(&name, about, &engine, &matrix, String::new());
        let one = |((at, seed), summary): (&(usize, u64), &Summary)| {
            let place = matrix.seeds.iter().position(|known| known == seed).unwrap_or(0);
            Ran::new(at * matrix.seeds.len() + place, vec![*at], summary, &figures)
        };
        let ran = places.iter().zip(summaries).map(one).collect::<Result<_, _>>()?;
        Ok(Self { head, ran })
    }

    /// One line of a part.
    ///
    /// # Errors
    /// When it cannot be serialised, which would be a bug.
    pub fn line(value: &impl Serialize) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(value)? + "\n")
    }

    /// Whether all runs of its shard are there.
    pub fn is_whole(&self) -> bool {
        self.ran.len() == self.head.own().len()
    }
}

/// The whole that `parts`, each with its name, add up to.
///
/// # Errors
/// When they are of different comparisons, or a run is missing or there twice.
pub fn merge(parts: Vec<(String, Part)>) -> Result<Part, PartError> {
    let Some((first, part)) = parts.first() else { return Err(PartError::NoPart("nothing".to_owned())) };
    let (first, head) = (words::plain(first), Head { shard: Shard::WHOLE, ..part.head.clone() });
    let mut owners: Vec<Option<(Ran, String)>> = vec![None; head.cells()];
    let mut of = 1;
    for (name, part) in parts {
        let name = words::plain(&name);
        if !head.is_akin(&part.head) {
            return Err(PartError::Mixed(first, name));
        }
        of = of.max(part.head.shard.of);
        for ran in part.ran {
            let cell = ran.cell;
            if let Some((_, first)) = owners[cell].replace((ran, name.clone())) {
                return Err(PartError::Twice { cell, first, second: name });
            }
        }
    }
    let missing: Vec<usize> = (0..owners.len()).filter(|&cell| owners[cell].is_none()).collect();
    if missing.is_empty() {
        return Ok(Part { head, ran: owners.into_iter().flatten().map(|(ran, _)| ran).collect() });
    }
    let mut shards: Vec<String> =
        missing.iter().map(|&cell| format!("{}/{of}", head.part_of(cell, of))).collect();
    shards.sort();
    shards.dedup();
    Err(PartError::Missing { missing: missing.len(), all: owners.len(), shards: words::list(&shards) })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn parts(of: usize) -> Vec<(String, Part)> {
        let whole = sample::part();
        let one = |number: usize| {
            let shard = Shard { number, of };
            let head = Head { shard, ..whole.head.clone() };
            let ran = whole.ran.iter().filter(|ran| head.has(ran.cell)).rev().cloned().collect();
            (shard.file(), Part { head, ran })
        };
        (1..=of).map(one).collect()
    }

    #[test]
    fn parts_add_up_to_the_whole_in_any_order() {
        for of in [1, 2, 5] {
            let mut parts = parts(of);
            parts.reverse();
            assert_eq!(merge(parts).unwrap(), sample::part(), "{of}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let mut twice = parts(2);
        twice.push(twice[0].clone());
        assert!(
            merge(twice).unwrap_err().to_string().contains(" is there twice, in part-"),
            "the last line of a shard counts"
        );
        let error = merge(parts(3)[..2].to_vec()).unwrap_err().to_string();
        assert!(error.ends_with("run again with --shard 3/3"), "{error}");
        let mut mixed = parts(2);
        mixed[1].1.head.sha256 = "other".to_owned();
        assert!(merge(mixed).unwrap_err().to_string().contains("different comparisons"));
    }

    #[test]
    fn live_runs_of_one_seed_stay_together() {
        let whole = sample::part().head;
        let part = |engine: &str, number| {
            let head = Head { engine: engine.to_owned(), shard: Shard { number, of: 3 }, ..whole.clone() };
            head.own()
        };
        for engine in ["live", "model"] {
            let mut all = [1, 2, 3].map(|number| part(engine, number)).concat();
            all.sort_unstable();
            assert_eq!(all, (0..whole.cells()).collect::<Vec<_>>());
        }
        // Eight seeds: 0, 3 and 6 of each choice of values.
        assert_eq!(part("live", 1)[..6], [0, 3, 6, 8, 11, 14]);
        assert_eq!(part("model", 1)[..4], [0, 3, 6, 9]);
    }

    #[test]
    fn a_part_that_was_cut_off_is_read_up_to_there() {
        let part = sample::part();
        let mut text = Part::line(&part.head).unwrap();
        for ran in &part.ran {
            text += &Part::line(ran).unwrap();
        }
        let read = Part::read("x", &text).unwrap();
        assert!(read.is_whole() && read == part);
        let cut = Part::read("x", &text[..text.len() - 9]).unwrap();
        assert_eq!((cut.ran.len(), cut.is_whole()), (part.ran.len() - 1, false));
        assert!(Part::read("x\u{1b}", "{}").unwrap_err().to_string().starts_with("x\\u{1b} is no part"));
    }

    #[test]
    fn a_head_that_nobody_wrote_is_refused() {
        let sound = sample::part().head;
        let none = Head { shard: Shard { number: 1, of: 0 }, ..sound.clone() };
        let beyond = Head { shard: Shard { number: 9, of: 8 }, ..sound.clone() };
        let many = ("axis".to_owned(), vec![String::new(); 10_000]);
        let endless = Head { axes: vec![many; 6], ..sound };
        for head in [none, beyond, endless] {
            let error = Part::read("x", &Part::line(&head).unwrap()).unwrap_err().to_string();
            assert_eq!(error, "x is no part of a comparison");
        }
    }

    #[test]
    fn a_shard_is_written_as_a_fraction() {
        assert_eq!("3/8".parse(), Ok(Shard { number: 3, of: 8 }));
        for wrong in ["0/8", "9/8", "3", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
