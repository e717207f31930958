//! Several modelled runs of one plan under seeds of their own, on all cores: how many it takes, and their figures together. The
//! outcome depends on the plan alone, never on how many threads there are: results are taken in order, and whether there are
//! enough of them is decided between batches.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::engine::model;
use crate::measure::{Progress, Recorder};
use crate::plan::Plan;
use crate::summary::{Digest, Facts, Replications, Summary, summarise};

/// Runs between two looks at whether they are enough.
const BATCH: u32 = 8;
/// Runs whose results are kept until all of them are done.
const AT_ONCE: u32 = 256;
/// No precision is worth more runs.
const MOST: u32 = 10_000;

/// How sure a figure is to be: `latency p(99) 2%`.
#[derive(Clone, Debug, PartialEq)]
pub struct Precision {
    /// The figure's name.
    pub figure: String,
    /// Half the interval as a part of the mean, above zero.
    pub part: f64,
}

/// What a precision must look like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a figure and a share of it, such as \"latency p(99) 2%\": latency avg, p(50), p(90), p(99), p(99.9), max"
)]
pub struct PrecisionError;

impl std::str::FromStr for Precision {
    type Err = PrecisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (figure, part) = text.trim().rsplit_once(' ').ok_or(PrecisionError)?;
        let percent =
            part.strip_suffix('%').and_then(|part| part.parse::<f64>().ok()).ok_or(PrecisionError)?;
        let figure = figure.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_known =
            ["avg", "p(50)", "p(90)", "p(99)", "p(99.9)", "max"].map(|name| format!("latency {name}"));
        if !is_known.contains(&figure) || percent.is_nan() || percent <= 0.0 || percent > 100.0 {
            return Err(PrecisionError);
        }
        Ok(Self { figure, part: percent / 100.0 })
    }
}

/// Runs `plan` as often as it says, or until a figure is as sure as it should be. The first run's summary speaks for all.
/// `watch` hears how far the first run is, and how many are done.
///
/// # Panics
/// When a run does: a bug in the engine, whose figures nobody should trust then.
pub fn replicate(
    plan: &Plan,
    facts: &Facts,
    precision: Option<&Precision>,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&dyn Fn() -> Progress),
) -> Summary {
    let mut first = None;
    let mut digests: Vec<Digest> = Vec::new();
    loop {
        let done = digests.len() as u32;
        let wanted = wanted(plan, precision, &digests);
        if done >= wanted || (done > 0 && stop.load(Ordering::Acquire)) {
            break;
        }
        let numbers: Vec<u32> = (done..wanted.min(done + AT_ONCE)).collect();
        let total = wanted;
        digests.extend(batch(plan, facts, &numbers, total, &mut first, stop, watch));
    }
    let first = first.expect("there is one run at least");
    crate::summary::pool(first, &digests)
}

/// How many runs there should be, as far as is known by now.
fn wanted(plan: &Plan, precision: Option<&Precision>, digests: &[Digest]) -> u32 {
    let planned = plan.model.replications;
    let Some(precision) = precision else { return planned };
    let least = planned.max(BATCH);
    let done = digests.len() as u32;
    if done < least {
        return least;
    }
    let replications = Replications::of(digests);
    let is_sure =
        replications.figure(&precision.figure).is_some_and(|figure| figure.precision() <= precision.part);
    if is_sure { done } else { (done + BATCH).min(MOST) }
}

/// Runs with these numbers, side by side; their digests in order. The very first one's summary goes to `first`.
fn batch(
    plan: &Plan,
    facts: &Facts,
    numbers: &[u32],
    total: u32,
    first: &mut Option<Summary>,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&dyn Fn() -> Progress),
) -> Vec<Digest> {
    let next = AtomicU32::new(0);
    let done = AtomicU32::new(numbers[0]);
    let results: Mutex<Vec<(u32, Summary)>> = Mutex::new(Vec::new());
    let work = |watch: &mut dyn FnMut(&dyn Fn() -> Progress)| {
        while let Some(&number) = numbers.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            if number > 0 && stop.load(Ordering::Acquire) {
                break;
            }
            let summary = once(&plan.replication(number), facts, stop, &mut |now| {
                watch(&|| {
                    let mut progress = now();
                    progress.runs = Some((done.load(Ordering::Relaxed), total));
                    if number > 0 {
                        progress.milestones.clear();
                    }
                    progress
                });
            });
            done.fetch_add(1, Ordering::Relaxed);
            // Nobody panics while holding it.
            if let Ok(mut results) = results.lock() {
                results.push((number, summary));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(numbers.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| work(&mut |_| {}));
        }
        work(watch);
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(number, _)| *number);
    results
        .into_iter()
        .map(|(number, summary)| {
            let digest = Digest::of(&summary);
            if number == 0 {
                *first = Some(summary);
            }
            digest
        })
        .collect()
}

pub(crate) fn once(
    plan: &Plan,
    facts: &Facts,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&dyn Fn() -> Progress),
) -> Summary {
    let mut recorder = Recorder::new(plan);
    let conditions = model::run(plan, stop, &mut |seen| {
        recorder.record_all(seen);
        watch(&|| recorder.progress());
    });
    summarise(plan, &recorder.finish(conditions), facts.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::how_to;

    fn plan(replications: u32) -> Plan {
        let mut plan = how_to(600.0, 1, &[(500, "green")]);
        plan.model.replications = replications;
        plan
    }

    fn run(plan: &Plan, precision: Option<&Precision>) -> Summary {
        replicate(plan, &Facts::default(), precision, &AtomicBool::new(false), &mut |_| {})
    }

    #[test]
    fn one_run_is_the_plan_itself_and_several_have_seeds_of_their_own() {
        let one = run(&plan(1), None);
        let mut three = run(&plan(3), None);
        let replications = three.replications.take().unwrap();
        assert_eq!((one.replications.clone(), replications.count), (None, 3));
        assert_eq!(one.latency_us, three.latency_us, "the first run is the one with the plan's seed");
        let seeds = [0, 1, 2].map(|number| plan(3).replication(number).seed);
        assert!(seeds[0] == 42 && seeds[1] != seeds[2] && !seeds[1..].contains(&42));
    }

    #[test]
    fn the_outcome_is_the_same_whoever_computes_it() {
        assert_eq!(run(&plan(9), None), run(&plan(9), None));
    }

    #[test]
    fn runs_go_on_until_the_figure_is_sure() {
        let precision: Precision = "latency  p(99) 50%".parse().unwrap();
        assert_eq!(precision, Precision { figure: "latency p(99)".into(), part: 0.5 });
        let summary = run(&plan(1), Some(&precision));
        assert_eq!(summary.replications.unwrap().count, BATCH);
        for wrong in ["latency p(98) 2%", "2%", "latency p(99)", "latency p(99) 0%", "latency p(99) x%", ""] {
            assert!(wrong.parse::<Precision>().is_err(), "{wrong}");
        }
    }
}
