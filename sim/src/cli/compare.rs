//! `sim compare`: what is compared, from scenarios or finished runs; runs what has to be run, prints the ranking, and exits with
//! what the comparison says.

#![expect(
    clippy::disallowed_methods,
    reason = "the wall clock dates a comparison and says how long it may take"
)]

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use super::args::{CompareArgs, Printed};
use super::exit::{self, Failure};
use super::{baseline, input, merge, server, terminal, validate};
use crate::compare::{Head, Part, Ran, Shard};
use crate::matrix::{self, Job, MakePlan, MatrixError};
use crate::plan::{Axis, Engine, Matrix, Plan};
use crate::scenario::{self, Input};
use crate::signals::Stop;
use crate::words;

/// Compares scenarios or finished runs.
pub(super) fn compare(args: &CompareArgs) -> Result<ExitCode, Failure> {
    let is_run = |file: &PathBuf| file.is_dir() && file.join("report.json").is_file();
    if args.files.iter().all(is_run) {
        return finished(args);
    }
    if let Some(run) = args.files.iter().find(|file| is_run(file)) {
        let run = words::plain(&run.display().to_string());
        return Err(Failure::usage(&format!("{run} is a finished run; compare it with finished runs alone")));
    }
    let inputs = args.files.iter().map(|file| read(file, args)).collect::<Result<Vec<_>, _>>()?;
    let (matrix, plan) = design(&inputs)?;
    let sha256 = fingerprint(&inputs, &matrix)?;
    let whole = Head::new(&plan.name, plan.summary.clone(), plan.engine.as_str(), &matrix, sha256);
    let head = Head { shard: args.shard.unwrap_or(Shard::WHOLE), ..whole };
    let several = inputs.len() > 1;
    let make = |cell: usize| {
        let cell = matrix.cell(cell);
        let (of, choice) = if several { (cell.choice[0], &cell.choice[1..]) } else { (0, &cell.choice[..]) };
        let input = Input { choice: choice.to_vec(), seed: Some(cell.seed), ..inputs[of].clone() };
        scenario::read(&input).ok()
    };
    let started = SystemTime::now();
    let Some(part) = make_part(args, &head, plan.engine, &make)? else { return Ok(ExitCode::SUCCESS) };
    match part {
        Made::Stopped(code) => Ok(ExitCode::from(code)),
        Made::Whole(part) => merge::show(&part, &args.shown, matrix::volatile(started)),
    }
}

/// What became of a part.
enum Made {
    Whole(Box<Part>),
    Stopped(u8),
}

/// Runs what is not there yet. Nothing comes of a shard but its file.
fn make_part(
    args: &CompareArgs,
    head: &Head,
    engine: Engine,
    make: &MakePlan<'_>,
) -> Result<Option<Made>, Failure> {
    let journal = journal(args, head);
    let there = kept(&journal, head);
    if args.shard.is_some() && there.len() == head.own().len() {
        terminal::tell(&format!("{} is there already\n", words::plain(&journal.display().to_string())));
        return Ok(None);
    }
    let kept = if args.resume { there } else { Vec::new() };
    let stop = Stop::on_signals().map_err(|e| server::no_signals(&e))?;
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = args.jobs.map_or(cores, usize::from);
    let mut progress = Progress::new(head, kept.len(), args.quiet);
    let job = Job { head, plan: make, engine, threads, journal: &journal };
    let made = matrix::run(&job, kept, &stop, &mut |done, of| progress.tick(done, of));
    progress.end();
    let (part, journal) = made.map_err(|e| failure(&e))?;
    if let Some(code) = stop.exit_code() {
        let said = format!("{} of {} runs are kept; --resume goes on", part.ran.len(), head.own().len());
        terminal::warning(&said);
        return Ok(Some(Made::Stopped(code)));
    }
    if args.shard.is_some() {
        terminal::tell(&format!("{}: {}\n", head.shard.file(), words::counted(part.ran.len() as u64, "run")));
        return Ok(None);
    }
    journal.remove().map_err(|e| Failure::environment(&e))?;
    Ok(Some(Made::Whole(Box::new(part))))
}

/// Where what has ended is written down: a part's file, or a hidden one that goes when the comparison is whole.
fn journal(args: &CompareArgs, head: &Head) -> PathBuf {
    match args.shard {
        Some(shard) => args.shown.out.join(shard.file()),
        None => args.shown.out.join(&head.name).join(format!(".compare-{}.ndjson", &head.sha256[..12])),
    }
}

/// Runs that a stopped comparison has left, if it is the same one.
fn kept(journal: &Path, head: &Head) -> Vec<Ran> {
    let text = input::read(journal, merge::PART_MAX).ok();
    let part = text.and_then(|text| Part::read("", &text).ok());
    part.filter(|part| part.head == *head).map_or_else(Vec::new, |part| part.ran)
}

// === What is compared ===

fn read(file: &Path, args: &CompareArgs) -> Result<Input, Failure> {
    Ok(Input {
        path: file.display().to_string(),
        text: input::read(file, input::SCENARIO_MAX).map_err(|e| Failure::scenario(&e))?,
        sets: args.set.clone(),
        vary: args.vary.clone(),
        repeat: args.repeat,
        seed: args.seed,
        engine: args.engine.map(Into::into),
        is_compared: true,
        surroundings: input::SURROUNDINGS,
        ..Input::default()
    })
}

/// What varies, and the first plan. Of several scenarios, they themselves are the first axis, and the others must be alike.
fn design(inputs: &[Input]) -> Result<(Matrix, Plan), Failure> {
    let mut first: Option<(Matrix, Plan)> = None;
    for input in inputs {
        let matrix = match scenario::matrix(input) {
            Ok(matrix) => matrix,
            Err(mistakes) => {
                terminal::tell(&scenario::render(&mistakes, input, terminal::wants_color()));
                return Err(Failure::scenario_shown());
            }
        };
        match &first {
            Some((other, _)) if (&other.axes, &other.seeds) != (&matrix.axes, &matrix.seeds) => {
                let said =
                    "scenarios that are compared with each other have the same axes and the same seeds";
                return Err(Failure::usage(&format!("{said}: --seed, --repeat and --vary set them for all")));
            }
            Some(_) => {}
            None => {
                let plan = validate::check(input, &words::plain(&input.path), true)
                    .ok_or_else(Failure::scenario_shown)?;
                first = Some((matrix, plan));
            }
        }
    }
    let (mut matrix, plan) = first.ok_or_else(|| Failure::usage(&"name a scenario"))?;
    if inputs.len() > 1 {
        let stem = |input: &Input| {
            let stem = Path::new(&input.path).file_stem();
            stem.map_or_else(|| input.path.clone(), |stem| stem.to_string_lossy().into_owned())
        };
        matrix
            .axes
            .insert(0, Axis { name: "scenario".to_owned(), values: unlike(inputs.iter().map(stem), inputs) });
    }
    Ok((matrix, plan))
}

/// Names that differ: short ones where they do, else the paths, else numbered.
fn unlike(short: impl Iterator<Item = String>, inputs: &[Input]) -> Vec<String> {
    let differ = |names: &[String]| (1..names.len()).all(|at| !names[..at].contains(&names[at]));
    let short: Vec<String> = short.collect();
    let long: Vec<String> = inputs.iter().map(|input| input.path.clone()).collect();
    match (differ(&short), differ(&long)) {
        (true, _) => short,
        (false, true) => long,
        (false, false) => short.iter().enumerate().map(|(at, name)| format!("{name} {}", at + 1)).collect(),
    }
}

/// What two comparisons share when they are the same one.
fn fingerprint(inputs: &[Input], matrix: &Matrix) -> Result<String, Failure> {
    let mut text = format!("{:?}", (&matrix.axes, &matrix.seeds));
    for input in inputs {
        let plan = scenario::read(input)
            .map_err(|_| Failure::unexpected(&"a scenario changed while it was read"))?;
        text.push_str(&plan.source.resolved);
        text.push_str(&input.text);
        text.push_str(plan.engine.as_str());
    }
    Ok(scenario::sha256(&text))
}

// === Finished runs ===

fn finished(args: &CompareArgs) -> Result<ExitCode, Failure> {
    let summaries = args.files.iter().map(|run| baseline::read(run)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = args.files.iter().map(|run| run.display().to_string()).collect();
    let part = Part::of_summaries(&names, &summaries).map_err(|e| Failure::scenario(&e))?;
    merge::show(&part, &args.shown, matrix::volatile(SystemTime::now()))
}

pub(super) fn failure(error: &MatrixError) -> Failure {
    match error {
        MatrixError::Engine { .. } | MatrixError::Artefact(_) => Failure::environment(error),
        MatrixError::NoPlan(_) => Failure::scenario(error),
        MatrixError::Histogram(_) | MatrixError::Json(_) => Failure::unexpected(error),
    }
}

/// What is printed at the end.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    terminal::print(text).map_err(|e| Failure::environment(&format!("cannot write to standard output: {e}")))
}

/// The exit code of a comparison: one with runs that cannot be trusted judges nothing.
pub(super) fn code(comparison: &crate::compare::Comparison, fails: bool) -> u8 {
    match (comparison.invalid, fails && comparison.is_worse()) {
        (0, false) => exit::OK,
        (0, true) => exit::REGRESSION,
        _ => exit::NOT_TRUSTWORTHY,
    }
}

/// Whether markdown, JSON or a screen is wanted is the caller's.
pub(super) fn rendered(
    comparison: &crate::compare::Comparison,
    folder: &Path,
    format: Printed,
    all: bool,
) -> Result<String, Failure> {
    match format {
        Printed::Text => {
            let page = folder.join("compare.html").display().to_string();
            Ok(crate::compare::screen(comparison, &page, terminal::width(), all))
        }
        Printed::Markdown => Ok(crate::compare::markdown(comparison)),
        Printed::Json => crate::compare::json(comparison).map_err(|e| Failure::unexpected(&e)),
    }
}

/// How far a comparison is: one line redrawn on a terminal, a line for each tenth elsewhere.
struct Progress {
    quiet: bool,
    redraw: bool,
    began: Instant,
    /// Runs that were there before.
    before: usize,
    told: usize,
    drawn: bool,
}

impl Progress {
    fn new(head: &Head, before: usize, quiet: bool) -> Self {
        if !quiet {
            terminal::tell(&format!(
                "{}  {}  {} runs\n",
                words::plain(&head.name),
                head.engine,
                head.own().len()
            ));
        }
        Self { quiet, redraw: terminal::can_redraw(), began: Instant::now(), before, told: 0, drawn: false }
    }

    fn tick(&mut self, done: usize, of: usize) {
        let tenth = done * 10 / of.max(1);
        if self.quiet || !(self.redraw || tenth > self.told) {
            return;
        }
        self.told = tenth;
        let took = self.began.elapsed().as_secs_f64();
        let left = took / (done - self.before).max(1) as f64 * (of - done) as f64;
        let line = format!(
            "  {} of {} runs   {} s   about {} s left\n",
            words::count(done as u64),
            words::count(of as u64),
            words::decimal(took, 0),
            words::decimal(left, 0)
        );
        self.end();
        terminal::tell(&line);
        self.drawn = self.redraw;
    }

    /// Takes the line off the screen.
    fn end(&mut self) {
        if self.drawn {
            terminal::tell("\x1b[1A\x1b[J");
            self.drawn = false;
        }
    }
}
