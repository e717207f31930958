//! `sim baseline save|show|diff`: a run kept to compare later ones with. Any `report.json` is a baseline; a saved one is the
//! same without its bins over time.

use std::path::Path;
use std::process::ExitCode;

use super::args::{BaselineArgs, BaselineVerb};
use super::exit::{self, Failure};
use super::{report, terminal};
use crate::baseline::{self, BaselineError, Row};
use crate::summary::{Histograms, Series, Summary};
use crate::{artefacts, words};

/// `sim baseline`.
pub(super) fn baseline(args: &BaselineArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        BaselineVerb::Save { run, file } => save(run, file),
        BaselineVerb::Show { file } => show(file),
        BaselineVerb::Diff { file, run } => diff(file, run),
    }
}

/// Reads a baseline, or any run: a file or a run's folder.
pub(super) fn read(path: &Path) -> Result<Summary, Failure> {
    if path.is_dir() { report::read(&path.join("report.json")) } else { report::read(path) }
}

/// Compares a run with the baseline it was asked to be compared with.
pub(super) fn compared(before: &Summary, after: &Summary) -> Result<Vec<Row>, Failure> {
    if before.scenario.sha256 != after.scenario.sha256 {
        terminal::warning("the scenario has changed since the baseline, or its flags have");
    }
    baseline::compare(before, after).map_err(|e| match e {
        BaselineError::Other { .. } | BaselineError::Untrusted => Failure::usage(&e),
        BaselineError::Histogram(_) => Failure::environment(&e),
    })
}

fn save(run: &Path, file: &Path) -> Result<ExitCode, Failure> {
    let mut summary = read(run)?;
    if baseline::compare(&summary, &summary).is_err() {
        return Err(Failure::usage(&"this run was not trustworthy, so it is no baseline"));
    }
    summary.series = Series::default();
    summary.histograms = Histograms { bins: Vec::new(), ..summary.histograms };
    let json = crate::report::json(&summary).map_err(|e| Failure::unexpected(&e))?;
    artefacts::replace(file, json.as_bytes()).map_err(|e| Failure::environment(&e))?;
    let name = words::plain(&file.display().to_string());
    say(&format!("{name}: {}, from now on: --baseline {name}\n", words::plain(&summary.scenario.name)))?;
    Ok(ExitCode::SUCCESS)
}

fn show(file: &Path) -> Result<ExitCode, Failure> {
    let summary = read(file)?;
    let name = file.display().to_string();
    say(&crate::report::screen(&summary, &name, terminal::width()))?;
    Ok(ExitCode::SUCCESS)
}

fn diff(file: &Path, run: &Path) -> Result<ExitCode, Failure> {
    let rows = compared(&read(file)?, &read(run)?)?;
    say(&baseline::table(&rows))?;
    Ok(ExitCode::from(if baseline::is_worse(&rows) { exit::REGRESSION } else { exit::OK }))
}

fn say(text: &str) -> Result<(), Failure> {
    terminal::print(text).map_err(|e| Failure::environment(&format!("cannot write to standard output: {e}")))
}
