//! `sim list` and `sim init`: what scenarios there are, and a new one to start from.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::args::{InitArgs, ListArgs};
use super::exit::Failure;
use super::{input, terminal};
use crate::scenario::{self, Input};
use crate::words;

/// A scenario that runs as it is.
const STARTER: &str = include_str!("starter.toml");
/// Columns of a file's name.
const NAME: usize = 32;
/// Columns of a summary.
const SUMMARY: usize = 72;

/// One line of the list.
struct Line {
    name: String,
    engine: String,
    time: String,
    summary: String,
}

/// `sim list`.
pub(super) fn list(args: &ListArgs) -> Result<ExitCode, Failure> {
    let files = input::scenarios(&args.folder).map_err(|e| Failure::scenario(&e))?;
    let lines: Vec<_> = files.iter().map(|file| line(file)).collect();
    terminal::print(&table(&lines)).map_err(|e| Failure::environment(&e))?;
    Ok(ExitCode::SUCCESS)
}

fn line(file: &Path) -> Line {
    let name = words::plain(&file.file_name().unwrap_or_default().to_string_lossy());
    let nothing =
        |summary: String| Line { name: name.clone(), engine: String::new(), time: String::new(), summary };
    let text = match input::read(file, input::SCENARIO_MAX) {
        Ok(text) => text,
        Err(message) => return nothing(words::plain(&message)),
    };
    let path = file.display().to_string();
    let input = Input { path, text, surroundings: input::SURROUNDINGS, ..Input::default() };
    match scenario::read(&input).and_then(|plan| Ok((plan, scenario::matrix(&input)?))) {
        Ok((plan, matrix)) => {
            let time = format!("{} s", words::short(plan.load.duration().as_secs_f64(), 1));
            Line {
                name: name.clone(),
                engine: plan.engine.as_str().to_owned(),
                time: if matrix.len() > 1 { format!("{} × {time}", matrix.len()) } else { time },
                summary: words::plain(&plan.summary.unwrap_or_default()),
            }
        }
        Err(mistakes) => {
            let errors = words::counted(mistakes.len() as u64, "error");
            nothing(format!("{errors}: sim validate {}", words::plain(&file.display().to_string())))
        }
    }
}

fn table(lines: &[Line]) -> String {
    let wide = |text: fn(&Line) -> &str, least: usize| {
        lines.iter().map(|line| text(line).chars().count()).max().unwrap_or(0).max(least)
    };
    let name = wide(|line| &line.name, 8).min(NAME);
    let time = wide(|line| &line.time, 4);
    let mut out = format!("{:<name$}  engine  {:>time$}  what it shows\n", "scenario", "time");
    for line in lines {
        let row = format!(
            "{:<name$}  {:<6}  {:>time$}  {}",
            words::cut(&line.name, NAME),
            line.engine,
            line.time,
            words::cut(&line.summary, SUMMARY)
        );
        let _ = writeln!(out, "{}", row.trim_end());
    }
    out
}

/// `sim init`.
pub(super) fn init(args: &InitArgs) -> Result<ExitCode, Failure> {
    let print = |text: &str| terminal::print(text).map_err(|e| Failure::environment(&e));
    if input::is_stdin(&args.file) {
        print(STARTER)?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = args.file.display().to_string();
    // Never in the place of a file that is there.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.file)
        .and_then(|mut file| file.write_all(STARTER.as_bytes()));
    written.map_err(|e| Failure::environment(&format!("cannot write {name}: {e}")))?;
    print(&format!(
        "{}: a rollout to start from; next: sim run {}\n",
        words::plain(&name),
        words::plain(&name)
    ))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_to_start_from_is_valid() {
        let input = Input { path: "x.toml".into(), text: STARTER.to_owned(), ..Input::default() };
        let plan = scenario::read(&input).unwrap();
        assert_eq!((plan.name.as_str(), plan.thresholds.len()), ("my-rollout", 5));
    }
}
