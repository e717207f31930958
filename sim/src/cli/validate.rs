//! `sim validate FILE...`: every mistake of every file, and what cannot work though it is none, then one line for each
//! file.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::args::ValidateArgs;
use super::exit::{self, Failure};
use super::{input, terminal};
use crate::plan::Plan;
use crate::scenario::{self, Diagnostic, Input};
use crate::words;

/// Checks all files.
pub(super) fn validate(args: &ValidateArgs) -> Result<ExitCode, Failure> {
    let mut code = exit::OK;
    for file in &args.files {
        let name = file.file_name().map_or_else(|| file.to_string_lossy(), |name| name.to_string_lossy());
        let name = words::plain(&name);
        let text = match input::read(file, input::SCENARIO_MAX) {
            Ok(text) => text,
            Err(message) => {
                terminal::error(&message);
                code = exit::SCENARIO;
                continue;
            }
        };
        let path = file.display().to_string();
        let input = Input { path, text, surroundings: input::SURROUNDINGS, ..Input::default() };
        // What is wrong with the scenario itself is wrong with each choice of its matrix.
        let checked = check(&input, &name, true).and_then(|plan| Some((plan, runs(&input, &name)?)));
        let Some((plan, runs)) = checked else {
            code = exit::SCENARIO;
            continue;
        };
        let each =
            if runs > 1 { format!(" in each of {} runs", words::count(runs as u64)) } else { String::new() };
        let said = format!("{name}: {}{each}\n{}", scenario::describe(&plan), scenario::reachable(&plan));
        terminal::print(&said).map_err(|e| Failure::environment(&e))?;
    }
    Ok(ExitCode::from(code))
}

/// The plan of a scenario that is called `name`, or all that is wrong with it on stderr. With `warns`, also what is right and
/// cannot work.
pub(super) fn check(input: &Input, name: &str, warns: bool) -> Option<Plan> {
    let (plan, warnings) = scenario::check(input).map_err(|mistakes| tell(&mistakes, input, name)).ok()?;
    if warns {
        terminal::tell(&scenario::render_warnings(&warnings, input, terminal::wants_color()));
    }
    Some(plan)
}

/// How many runs a comparison of the scenario makes, one where nothing varies; or all that is wrong with other choices than
/// the first, on stderr.
fn runs(input: &Input, name: &str) -> Option<usize> {
    let matrix = scenario::matrix(input).map_err(|mistakes| tell(&mistakes, input, name)).ok()?;
    Some(matrix.len())
}

fn tell(mistakes: &[Diagnostic], input: &Input, name: &str) {
    let mut text = scenario::render(mistakes, input, terminal::wants_color());
    let _ = writeln!(text, "{name}: {}", words::counted(mistakes.len() as u64, "error"));
    terminal::tell(&text);
}
