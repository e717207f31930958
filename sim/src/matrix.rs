//! The runs of a comparison: modelled ones side by side on all cores, live ones one after the other in an order that is fair, with
//! a rest between. What has ended is written down at once. The outcome depends on the runs alone, never on threads or order.

#![expect(clippy::disallowed_methods, reason = "a rest between two live runs is wall time")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::artefacts::{ArtefactError, Draft, Journal};
use crate::compare::{self, Comparison, Head, Part, Ran};
use crate::engine::EngineError;
use crate::hdr::HdrError;
use crate::plan::{Engine, Figure, Plan};
use crate::replicate;
use crate::run;
use crate::signals::Stop;
use crate::summary::{Facts, Summary, Volatile};

/// Between two live runs: connections close, caches and clocks settle.
const REST: Duration = Duration::from_secs(1);

/// A run that is to be made.
pub type MakePlan<'a> = dyn Fn(usize) -> Option<Plan> + Sync + 'a;

/// Why a comparison has no end.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// A live run could not be made.
    #[error("run {cell}: {source}")]
    Engine {
        /// Its number.
        cell: usize,
        /// Why.
        source: EngineError,
    },
    /// A file could not be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// A summary is damaged: a bug.
    #[error("the latencies of a run are damaged: {0}")]
    Histogram(#[from] HdrError),
    /// Something cannot be serialised: a bug.
    #[error("cannot write a comparison: {0}")]
    Json(#[from] serde_json::Error),
    /// A choice of values is no plan any more.
    #[error("run {0} is no scenario any more: a file changed meanwhile")]
    NoPlan(usize),
}

/// What is to be run and how.
pub struct Job<'a> {
    /// What is compared, and which part of it is made here.
    pub head: &'a Head,
    /// The plan of a run, by its number.
    pub plan: &'a MakePlan<'a>,
    /// What runs them.
    pub engine: Engine,
    /// Runs at once, in the model engine.
    pub threads: usize,
    /// Where what has ended is written down.
    pub journal: &'a Path,
}

/// Makes the runs that `kept` does not have; `watch` hears how many have ended, of how many. Returns all of them and the journal;
/// when `stop` was asked, what there is.
///
/// # Errors
/// When a run cannot be made, or what has ended cannot be written down.
pub fn run(
    job: &Job<'_>,
    kept: Vec<Ran>,
    stop: &Stop,
    watch: &mut dyn FnMut(usize, usize),
) -> Result<(Part, Journal), MatrixError> {
    let mut part = Part { head: job.head.clone(), ran: kept };
    let mut text = Part::line(&part.head)?;
    for ran in &part.ran {
        text += &Part::line(ran)?;
    }
    let mut journal = Journal::begin(job.journal, &text)?;
    let own = job.head.own();
    let left: Vec<usize> =
        own.iter().copied().filter(|cell| part.ran.iter().all(|ran| ran.cell != *cell)).collect();
    let mut ended = |ran: Result<Ran, MatrixError>| {
        let ran = ran?;
        journal.add(&Part::line(&ran)?)?;
        part.ran.push(ran);
        watch(part.ran.len(), own.len());
        Ok(())
    };
    match job.engine {
        Engine::Model => side_by_side(job, &left, stop, &mut ended)?,
        Engine::Live => in_turn(job, &left, stop, &mut ended)?,
    }
    part.ran.sort_by_key(|ran| ran.cell);
    Ok((part, journal))
}

type Ended<'a> = dyn FnMut(Result<Ran, MatrixError>) -> Result<(), MatrixError> + 'a;

/// Each thread takes the next run that nobody has taken.
fn side_by_side(
    job: &Job<'_>,
    cells: &[usize],
    stop: &Stop,
    ended: &mut Ended<'_>,
) -> Result<(), MatrixError> {
    let (next, halt) = (AtomicUsize::new(0), stop.flag());
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..job.threads.clamp(1, cells.len().max(1)) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(&cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let ran = modelled(job, cell, stop);
                    // One that was stopped on its way is no run.
                    if halt.load(Ordering::Acquire) || sender.send(ran).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let told = results.iter().try_for_each(&mut *ended);
        if told.is_err() {
            // Nobody starts another.
            next.store(cells.len(), Ordering::Relaxed);
        }
        told
    })
}

fn modelled(job: &Job<'_>, cell: usize, stop: &Stop) -> Result<Ran, MatrixError> {
    let plan = (job.plan)(cell).ok_or(MatrixError::NoPlan(cell))?;
    let summary = replicate::once(&plan, &Facts::default(), stop.flag(), &mut |_| {});
    ran(job.head, cell, &summary)
}

/// Live runs: all choices of values with one seed before the next, every other time from the last to the first, so that a
/// machine that becomes slower is slower for all.
fn in_turn(job: &Job<'_>, cells: &[usize], stop: &Stop, ended: &mut Ended<'_>) -> Result<(), MatrixError> {
    for (turn, cell) in fair(cells, job.head.seeds.len()).into_iter().enumerate() {
        if turn > 0 && stop.exit_code().is_none() {
            thread::sleep(REST);
        }
        if stop.exit_code().is_some() {
            break;
        }
        let plan = (job.plan)(cell).ok_or(MatrixError::NoPlan(cell))?;
        let summary = run::rehearse(&plan, Facts::default(), stop, &mut |_| {})
            .map_err(|source| MatrixError::Engine { cell, source })?;
        if !summary.verdict.aborted {
            ended(ran(job.head, cell, &summary))?;
        }
    }
    Ok(())
}

/// The order of live runs.
fn fair(cells: &[usize], seeds: usize) -> Vec<usize> {
    let mut order = cells.to_vec();
    order.sort_by_key(|&cell| {
        let (choice, seed) = (cell / seeds, cell % seeds);
        (seed, if seed.is_multiple_of(2) { choice } else { usize::MAX - choice })
    });
    order
}

fn ran(head: &Head, cell: usize, summary: &Summary) -> Result<Ran, MatrixError> {
    let figures: Vec<Figure> = head.figures();
    let mut rest = cell / head.seeds.len();
    let mut choice: Vec<usize> = Vec::new();
    for (_, values) in head.axes.iter().rev() {
        choice.insert(0, rest % values.len());
        rest /= values.len();
    }
    Ok(Ran::new(cell, choice, summary, &figures)?)
}

/// Judges a whole part and leaves its files in a folder of their own below `out`.
///
/// # Errors
/// When they cannot be written.
pub fn publish(
    part: &Part,
    out: &Path,
    volatile: Volatile,
) -> Result<(Comparison, std::path::PathBuf), MatrixError> {
    let stamp = volatile.started_at.replace(['-', ':'], "");
    let draft = Draft::of_comparison(out, &part.head.name, &stamp)?;
    let comparison = compare::judge(part, volatile);
    for (name, content) in compare::files(&comparison)? {
        draft.write(name, content.as_bytes())?;
    }
    let mut cells = Part::line(&part.head)?;
    for ran in &part.ran {
        cells += &Part::line(ran)?;
    }
    draft.write(&part.head.shard.file(), cells.as_bytes())?;
    Ok((comparison, draft.publish()?))
}

/// What changes from time to time: the moment, how long it took, and the machine.
pub fn volatile(started: std::time::SystemTime) -> Volatile {
    let wall_s = started.elapsed().map_or(0.0, |elapsed| (elapsed.as_secs_f64() * 10.0).round() / 10.0);
    Volatile { started_at: humantime::format_rfc3339_seconds(started).to_string(), wall_s, host: run::host() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Shard;
    use crate::scenario::{self, Input};

    const SCENARIO: &str = r#"
name = "small"
engine = "model"
[load]
rate = 500
duration = "2s"
arrivals = "poisson"
[[load.requests]]
path = "/"
[[services]]
name = "s"
host = "u"
[[routes]]
paths = ["/"]
service = { name = "s" }
[[upstreams]]
name = "u"
algorithm = "${algorithm}"
targets = { count = 3, name = "t-{i}:80" }
[[mocks]]
match = "*"
latency = { exponential = "4ms" }
[matrix]
algorithm = ["random", "least-connections"]
seed = { from = 1, count = 4 }
"#;

    fn head() -> Head {
        let input = Input { text: SCENARIO.to_owned(), ..Input::default() };
        let matrix = scenario::matrix(&input).unwrap();
        Head::new("small", None, "model", &matrix, String::new())
    }

    fn plan(cell: usize) -> Option<Plan> {
        let input = Input {
            text: SCENARIO.to_owned(),
            choice: vec![cell / 4],
            seed: Some(1 + cell as u64 % 4),
            ..Input::default()
        };
        scenario::read(&input).ok()
    }

    fn made(threads: usize, head: &Head, kept: Vec<Ran>) -> (Part, usize) {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("part.ndjson");
        let job = Job { head, plan: &plan, engine: Engine::Model, threads, journal: &journal };
        let mut made = 0;
        let (part, _) = run(&job, kept, &Stop::default(), &mut |_, _| made += 1).unwrap();
        let text = std::fs::read_to_string(&journal).unwrap();
        let mut read = Part::read("journal", &text).unwrap();
        read.ran.sort_by_key(|ran| ran.cell);
        assert!(read == part && part.is_whole(), "what is written down is what was made");
        (part, made)
    }

    #[test]
    fn threads_shards_and_stops_change_nothing() {
        let head = head();
        let (whole, all) = made(1, &head, Vec::new());
        assert_eq!((whole.ran.len(), all), (8, 8));
        assert_eq!(made(3, &head, Vec::new()).0, whole);
        let (resumed, left) = made(2, &head, whole.ran[2..5].to_vec());
        assert!(resumed == whole && left == 5);
        let parts = (1..=3).map(|number| {
            let head = Head { shard: Shard { number, of: 3 }, ..head.clone() };
            (number.to_string(), made(2, &head, Vec::new()).0)
        });
        let merged = compare::merge(parts.collect()).unwrap();
        let json = |part| compare::json(&compare::judge(part, Volatile::default())).unwrap();
        assert_eq!(json(&merged), json(&whole));
    }

    #[test]
    fn live_runs_take_turns_in_both_directions() {
        // Three choices with two seeds: all with the first seed, then all with the second, backwards.
        assert_eq!(fair(&[0, 1, 2, 3, 4, 5], 2), [0, 2, 4, 5, 3, 1]);
    }
}
