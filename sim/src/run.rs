//! The straight line of one run: a place for the report, the engine, the recorder, the summary, the files, the verdict.
//! Owns no step of it. Leaves arguments and printing to `cli`.

#![expect(clippy::disallowed_methods, reason = "the wall clock names the folder and dates the report")]

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gateway_core::gateway::Balancing;

use crate::artefacts::{ArtefactError, Draft};
use crate::engine::{EngineError, live};
use crate::measure::{Progress, Recorder};
use crate::plan::{Engine, Plan};
use crate::replicate::{Precision, replicate};
use crate::report::{self, ReportError};
use crate::signals::Stop;
use crate::summary::{Environment, Facts, Summary, Volatile, summarise};

/// What a run needs beside its plan.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where reports go.
    pub out: PathBuf,
    /// The command that runs it again.
    pub command: String,
    /// Whether a DEGRADED measurement fails the run.
    pub strict: bool,
    /// How sure a figure is to be; only modelled runs are repeated for it.
    pub precision: Option<Precision>,
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What happened.
    pub summary: Summary,
    /// The folder that holds its files.
    pub folder: PathBuf,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The engine could not run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The files could not be written.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// A file could not be drawn: a bug.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// Runs `plan` and leaves a report. `watch` is called at least each 50 ms with a way to ask how far the run is.
///
/// # Errors
/// When the engine cannot run or the files cannot be written. A failed threshold is no error: it is in the summary.
pub fn run(
    plan: &Plan,
    options: &Options,
    stop: &Stop,
    watch: &mut dyn FnMut(&dyn Fn() -> Progress),
) -> Result<Finished, RunError> {
    let started = SystemTime::now();
    let started_at = humantime::format_rfc3339_seconds(started).to_string();
    let stamp = started_at.replace(['-', ':'], "");
    let draft = Draft::of_run(&options.out, &plan.name, &stamp, plan.seed)?;

    let facts = Facts {
        environment: environment(plan, &options.command),
        volatile: Volatile::default(),
        strict: options.strict,
    };
    let mut summary = match plan.engine {
        Engine::Live => rehearse(plan, facts, stop, watch)?,
        Engine::Model => replicate(plan, &facts, options.precision.as_ref(), stop.flag(), watch),
    };
    let wall_s = started.elapsed().map_or(0.0, |elapsed| (elapsed.as_secs_f64() * 10.0).round() / 10.0);
    summary.volatile = Volatile { started_at, wall_s, host: host() };
    if let Some(code) = stop.exit_code() {
        summary.verdict.exit_code = code;
    }

    draft.write("scenario.resolved.toml", plan.source.resolved.as_bytes())?;
    for (name, content) in report::files(&summary)? {
        draft.write(&name, &content)?;
    }
    Ok(Finished { summary, folder: draft.publish()? })
}

/// One live run.
pub(crate) fn rehearse(
    plan: &Plan,
    facts: Facts,
    stop: &Stop,
    watch: &mut dyn FnMut(&dyn Fn() -> Progress),
) -> Result<Summary, EngineError> {
    let mut recorder = Recorder::new(plan);
    let conditions = live::run(plan, stop.flag(), &mut |seen| {
        recorder.record_all(seen);
        watch(&|| recorder.progress());
    })?;
    Ok(summarise(plan, &recorder.finish(conditions), facts))
}

fn environment(plan: &Plan, command: &str) -> Environment {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    Environment {
        version: format!("sim {} ({profile})", env!("CARGO_PKG_VERSION")),
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        workers: plan.gateway.options.workers,
        balancing: match plan.gateway.options.balancing {
            Balancing::Shared => "shared".to_owned(),
            Balancing::PerWorker => "per-worker".to_owned(),
        },
        connections: plan.load.connections,
        clock: one_line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        command: command.to_owned(),
    }
}

/// The kernel's version, without what a builder may have added to it; never the machine's name.
pub fn host() -> String {
    let release = one_line("/proc/sys/kernel/osrelease").unwrap_or_default();
    let numbers: Vec<_> = release.split(['.', '-']).take(2).collect();
    format!("kernel {}", numbers.join("."))
}

fn one_line(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
