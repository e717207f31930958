//! `sim run FILE`: reads the scenario, or all of a folder, runs it, prints the final screen, and exits with the verdict's code.
//! All scenarios are checked before the first one runs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::{Format, RunArgs};
use super::exit::{self, Failure};
use super::github::Github;
use super::progress::Progress;
use super::{baseline, input, server, terminal, validate};
use crate::baseline::{Row, is_worse, markdown, table};
use crate::plan::Plan;
use crate::replicate::Precision;
use crate::report;
use crate::run::{Finished, Options, RunError, run as rehearse};
use crate::scenario::{self, Input};
use crate::signals::Stop;
use crate::summary::Summary;
use crate::words;

/// Runs one scenario, or several in turn.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode, Failure> {
    let inputs = inputs(args)?;
    // What is right and cannot work is told once, before anything runs.
    let warns = args.dry_run || !args.quiet;
    let plans = inputs.iter().map(|input| plan(input, warns)).collect::<Result<Vec<_>, _>>()?;
    if args.dry_run {
        let told = if args.format == Format::Deck { scenario::deck } else { scenario::dry_run };
        let mut said = plans.iter().map(|plan| say(&told(plan)));
        return said.try_for_each(|said| said).map(|()| ExitCode::SUCCESS);
    }
    if args.format == Format::Deck {
        return Err(no_deck());
    }
    let before = args.baseline.as_deref().map(baseline::read).transpose()?;
    let stop = Stop::on_signals().map_err(|e| server::no_signals(&e))?;
    let github = Github::from_environment();
    let mut code = 0;
    for turn in 0..args.repeat {
        for (input, plan) in inputs.iter().zip(&plans) {
            if stop.exit_code().is_some() {
                break;
            }
            let again = (turn > 0).then(|| self::plan(&later(input, plan, turn), false)).transpose()?;
            let finished = one(again.as_ref().unwrap_or(plan), args, &stop)?;
            let compared =
                before.as_ref().map(|before| baseline::compared(before, &finished.summary)).transpose()?;
            show(&finished.summary, &finished.folder, args.format, compared.as_deref())?;
            if let Some(github) = &github {
                github.tell(&finished.summary, &finished.folder, compared.as_deref());
            }
            code = code.max(exit_code(&finished.summary, compared.as_deref()));
        }
    }
    Ok(ExitCode::from(code))
}

/// The same scenario with the seed of a later turn.
fn later(input: &Input, plan: &Plan, turn: u32) -> Input {
    let most = i64::MAX.unsigned_abs();
    let seed = plan.seed.saturating_add(turn.into()).min(most);
    Input { seed: Some(seed), ..input.clone() }
}

fn one(plan: &Plan, args: &RunArgs, stop: &Stop) -> Result<Finished, Failure> {
    let options = Options {
        out: args.out.clone(),
        command: command(args, plan),
        strict: args.strict,
        precision: args.precision.clone(),
    };
    let mut progress = Progress::new(plan, args.quiet);
    let finished = rehearse(plan, &options, stop, &mut |now| progress.tick(now)).map_err(|e| failure(&e));
    progress.end(finished.as_ref().ok().map(|finished| &finished.summary));
    finished
}

/// The verdict's code; a run that passed may still be worse than its baseline.
fn exit_code(summary: &Summary, compared: Option<&[Row]>) -> u8 {
    match summary.verdict.exit_code {
        exit::OK if compared.is_some_and(is_worse) => exit::REGRESSION,
        code => code,
    }
}

/// Prints a run whose files are in `folder`, and how it compares; the report's path stays the last line, and JSON alone.
pub(super) fn show(
    summary: &Summary,
    folder: &Path,
    format: Format,
    compared: Option<&[Row]>,
) -> Result<(), Failure> {
    match format {
        Format::Text => {
            let page = folder.join("report.html").display().to_string();
            let table = compared.map_or_else(String::new, |rows| table(rows) + "\n");
            say(&(table + &report::screen(summary, &page, terminal::width())))
        }
        Format::Deck => Err(no_deck()),
        Format::Markdown => say(&(report::markdown(summary) + &compared.map_or_else(String::new, markdown))),
        Format::Json => {
            terminal::tell(&compared.map_or_else(String::new, table));
            say(&report::json(summary).map_err(|e| Failure::unexpected(&e))?)
        }
    }
}

fn no_deck() -> Failure {
    Failure::usage(&"--format deck says what steps would send, so it goes with --dry-run")
}

/// The scenarios that were asked for, read.
fn inputs(args: &RunArgs) -> Result<Vec<Input>, Failure> {
    let files = input::scenarios(&args.file).map_err(|e| Failure::scenario(&e))?;
    let read = |file: &PathBuf| {
        Ok(Input {
            path: file.display().to_string(),
            text: input::read(file, input::SCENARIO_MAX).map_err(|e| Failure::scenario(&e))?,
            sets: args.set.clone(),
            seed: args.seed,
            engine: args.engine.map(Into::into),
            surroundings: input::SURROUNDINGS,
            ..Input::default()
        })
    };
    files.iter().map(read).collect()
}

fn plan(input: &Input, warns: bool) -> Result<Plan, Failure> {
    validate::check(input, &words::plain(&input.path), warns).ok_or_else(Failure::scenario_shown)
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
    let mut command = format!("sim run {} --seed {}", quoted(&plan.source.path), plan.seed);
    if args.engine.is_some() {
        let _ = write!(command, " --engine {}", plan.engine.as_str());
    }
    if let Some(Precision { figure, part }) = &args.precision {
        let _ = write!(command, " --precision {}", quoted(&format!("{figure} {}%", part * 100.0)));
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
