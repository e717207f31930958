//! A run against an earlier one, its baseline: which figures became worse, and whether chance alone could have done it. A figure
//! is worse when the 95 % interval of the difference lies beyond zero and the difference matters; a bare ratio would cry wolf
//! on every busy afternoon. Any report is a baseline. Leaves files and exit codes to `cli`.

use std::fmt::Write as _;

use crate::hdr::HdrError;
use crate::stats::{self, Estimate};
use crate::summary::{Outcome, Summary, quantile};
use crate::words;

/// Smaller changes of a latency do not matter: runs of the same program on the same machine differ by as much.
const MATTERS: f64 = 0.05;
/// A share is compared in parts of a million of requests.
const MILLION: f64 = 1e6;

/// What became of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The interval lies above zero, by enough to matter.
    Worse,
    /// The same below zero.
    Better,
    /// Chance could have done it, or it does not matter.
    Same,
}

/// One figure of both runs.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub name: &'static str,
    /// In the baseline.
    pub before: Estimate,
    /// In this run.
    pub after: Estimate,
    /// This run's minus the baseline's, with its 95 % interval.
    pub difference: Estimate,
    /// The judgement.
    pub change: Change,
    /// Whether it is a latency in microseconds, else a share in parts of a million.
    is_time: bool,
}

/// Why two runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Two scenarios, or two engines.
    #[error("the baseline is of {before}, this run of {after}")]
    Other {
        /// Scenario and engine of the baseline.
        before: String,
        /// And of this run.
        after: String,
    },
    /// Its figures mean nothing.
    #[error("the baseline was not trustworthy itself; save another")]
    Untrusted,
    /// A report is damaged.
    #[error("the latencies of a report are damaged: {0}")]
    Histogram(#[from] HdrError),
}

/// Compares a run with its baseline.
///
/// # Errors
/// When they are of different scenarios or engines, or cannot be read.
pub fn compare(before: &Summary, after: &Summary) -> Result<Vec<Row>, BaselineError> {
    let of = |run: &Summary| {
        format!("{} ({})", words::plain(&run.scenario.name), words::plain(&run.scenario.engine))
    };
    if of(before) != of(after) {
        return Err(BaselineError::Other { before: of(before), after: of(after) });
    }
    if before.verdict.result == Outcome::Invalid {
        return Err(BaselineError::Untrusted);
    }
    let [old, new] = [before, after].map(|run| run.histograms.of(|phase| phase != "warmup"));
    let (old, new) = (old?, new?);
    let mut rows = Vec::new();
    for (name, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
        if let (Some(before), Some(after)) = (quantile(&old, q), quantile(&new, q)) {
            rows.push(Row::new(name, before, after, MATTERS * before.value, true));
        }
    }
    for (name, count) in [("dropped", dropped as fn(&Summary) -> u64), ("5xx answers", bad)] {
        let share = |run: &Summary| stats::proportion(count(run), run.requests.intended);
        if let (Some(before), Some(after)) = (share(before), share(after)) {
            let [before, after] = [before, after].map(|share| Estimate {
                value: share.value * MILLION,
                low: share.low * MILLION,
                high: share.high * MILLION,
            });
            rows.push(Row::new(name, before, after, 0.0, false));
        }
    }
    Ok(rows)
}

fn dropped(run: &Summary) -> u64 {
    run.requests.dropped
}

fn bad(run: &Summary) -> u64 {
    run.requests.target_5xx
}

impl Row {
    fn new(name: &'static str, before: Estimate, after: Estimate, matters: f64, is_time: bool) -> Self {
        let difference = stats::difference(after, before);
        let change = if difference.low > 0.0 && difference.value > matters {
            Change::Worse
        } else if difference.high < 0.0 && difference.value < -matters {
            Change::Better
        } else {
            Change::Same
        };
        Self { name, before, after, difference, change, is_time }
    }

    /// Before, after, and the difference with its interval, in words.
    fn cells(&self) -> [String; 3] {
        let one = |value: f64| {
            if self.is_time { words::time_in_ms(value) } else { format!("{} ppm", words::decimal(value, 0)) }
        };
        let signed = |value: f64| {
            if self.is_time { words::signed(value / 1e3, 2) } else { words::signed(value, 0) }
        };
        let Estimate { value, low, high } = self.difference;
        let difference = format!("{} ({} to {})", signed(value), signed(low), signed(high));
        [one(self.before.value), one(self.after.value), difference]
    }
}

impl Change {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Same => "no change",
        }
    }
}

/// Whether any figure became worse.
pub fn is_worse(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.change == Change::Worse)
}

/// The comparison for a terminal.
pub fn table(rows: &[Row]) -> String {
    let mut out = format!("  {:<12}{:>12}{:>12}   difference (95 %)\n", "baseline", "before", "now");
    for row in rows {
        let [before, after, difference] = row.cells();
        let _ = writeln!(
            out,
            "  {:<12}{before:>12}{after:>12}   {difference:<28}  {}",
            row.name,
            row.change.word()
        );
    }
    out
}

/// The comparison in markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut out =
        "\n| Against the baseline | Before | Now | Difference (95 %) | |\n| --- | --: | --: | --: | --- |\n"
            .to_owned();
    for row in rows {
        let [before, after, difference] = row.cells();
        let _ = writeln!(out, "| {} | {before} | {after} | {difference} | {} |", row.name, row.change.word());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::rehearsal::{change, how_to, measure, play};
    use crate::measure::{Ending, Record};
    use crate::plan::Plan;
    use crate::summary::{Facts, summarise};

    /// The how-to with another seed, each answer `more` later, one request in `drops` dropped.
    fn run(seed: u64, more: Duration, drops: u64) -> Summary {
        let plan = Plan { seed, ..how_to(600.0, 30, &[(10_000, "green")]) };
        let mut said = play(&plan);
        change(&mut said, |_| true, |record: &mut Record| record.done = record.done + more);
        if drops > 0 {
            let lost = |record: &Record| record.index.is_multiple_of(drops);
            change(&mut said, lost, |record| {
                record.ending = Ending::Dropped(crate::measure::Cause::Refused);
                record.target = None;
            });
        }
        summarise(&plan, &measure(&plan, &said), Facts::default())
    }

    fn changes(before: &Summary, after: &Summary) -> Vec<Change> {
        compare(before, after).unwrap().iter().map(|row| row.change).collect()
    }

    #[test]
    fn another_seed_is_no_change_and_a_slower_run_is_worse() {
        use Change::{Better, Same, Worse};
        let base = run(1, Duration::ZERO, 0);
        assert_eq!(changes(&base, &run(2, Duration::ZERO, 0)), [Same; 5]);
        let slow = run(2, Duration::from_millis(2), 0);
        assert_eq!(changes(&base, &slow), [Worse, Worse, Worse, Same, Same]);
        assert_eq!(changes(&slow, &base), [Better, Better, Better, Same, Same]);
        // What can be told from chance and does not matter: 2 % of the median.
        assert_eq!(changes(&base, &run(1, Duration::from_micros(100), 0)), [Same; 5]);
    }

    #[test]
    fn a_few_drops_may_be_chance_and_many_are_not() {
        let base = run(1, Duration::ZERO, 0);
        assert_eq!(changes(&base, &run(2, Duration::ZERO, 17_999))[3], Change::Same);
        assert_eq!(changes(&base, &run(2, Duration::ZERO, 500))[3], Change::Worse);
    }

    #[test]
    fn only_runs_of_one_scenario_and_engine_are_compared() {
        let base = run(1, Duration::ZERO, 0);
        let mut other = base.clone();
        other.scenario.engine = "model".to_owned();
        let error = compare(&base, &other).unwrap_err().to_string();
        assert_eq!(error, "the baseline is of blue-green (live), this run of blue-green (model)");
        other = base.clone();
        other.verdict.result = Outcome::Invalid;
        assert!(compare(&other, &base).is_err() && compare(&base, &other).is_ok());
    }

    #[test]
    fn the_comparison_reads_like_this() {
        let rows = compare(&run(1, Duration::ZERO, 0), &run(2, Duration::from_millis(2), 500)).unwrap();
        insta::assert_snapshot!("baseline", format!("{}\n{}", table(&rows), markdown(&rows)));
    }
}
