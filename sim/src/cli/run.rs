//! `sim run FILE`: reads the scenario, runs it, prints the final screen, and exits with the verdict's code.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::exit::Failure;
use super::progress::Progress;
use super::{Format, RunArgs, input, server, terminal, validate};
use crate::plan::Plan;
use crate::report;
use crate::run::{Options, RunError, run as rehearse};
use crate::scenario::{self, Input};
use crate::signals::Stop;
use crate::summary::Summary;
use crate::words;

/// Runs one scenario.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let plan = plan(args)?;
    if args.dry_run {
        return say(&scenario::dry_run(&plan)).map(|()| ExitCode::SUCCESS);
    }
    let stop = Stop::on_signals().map_err(|e| server::no_signals(&e))?;
    let options = Options { out: args.out.clone(), command: command(args, &plan), strict: args.strict };
    let mut progress = Progress::new(&plan, args.quiet);
    let finished = rehearse(&plan, &options, &stop, &mut |now| progress.tick(now)).map_err(|e| failure(&e));
    progress.end(finished.as_ref().ok().map(|finished| &finished.summary));
    let finished = finished?;
    show(&finished.summary, &finished.folder, args.format)?;
    Ok(ExitCode::from(finished.summary.verdict.exit_code))
}

/// Prints a run whose files are in `folder`.
pub(super) fn show(summary: &Summary, folder: &Path, format: Format) -> Result<(), Failure> {
    match format {
        Format::Text => {
            let page = folder.join("report.html").display().to_string();
            say(&report::screen(summary, &page, terminal::width()))
        }
        Format::Json => say(&report::json(summary).map_err(|e| Failure::unexpected(&e))?),
    }
}

fn plan(args: &RunArgs) -> Result<Plan, Failure> {
    let text = input::read(&args.file, input::SCENARIO_MAX).map_err(|e| Failure::scenario(&e))?;
    let input = Input {
        path: args.file.display().to_string(),
        text,
        sets: args.set.clone(),
        seed: args.seed,
        engine: args.engine.map(Into::into),
        surroundings: input::SURROUNDINGS,
    };
    validate::check(&input, &words::plain(&input.path), args.dry_run).ok_or_else(Failure::scenario_shown)
}

fn failure(error: &RunError) -> Failure {
    match error {
        RunError::Engine(_) | RunError::Artefact(_) => Failure::environment(error),
        RunError::Report(_) => Failure::unexpected(error),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    terminal::print(text).map_err(|e| Failure::environment(&format!("cannot write to standard output: {e}")))
}

/// The command that runs the same again, for a shell.
fn command(args: &RunArgs, plan: &Plan) -> String {
    let mut command = format!("sim run {} --seed {}", quoted(&args.file.display().to_string()), plan.seed);
    if args.engine.is_some() {
        let _ = write!(command, " --engine {}", plan.engine.as_str());
    }
    for set in &args.set {
        let _ = write!(command, " --set {}", quoted(set));
    }
    command
}

fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(harmless) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(quoted("load.rate=5000"), "load.rate=5000");
        assert_eq!(quoted("steps[0].at=5s"), "'steps[0].at=5s'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
