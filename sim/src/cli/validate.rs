//! `sim validate FILE...`: every mistake of every file, and what cannot work though it is none, then one line for each
//! file.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{ValidateArgs, input, terminal};
use crate::plan::Plan;
use crate::scenario::{self, Input};
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
        let Some(plan) = check(&input, &name, true) else {
            code = exit::SCENARIO;
            continue;
        };
        let said = format!("{name}: {}\n", scenario::describe(&plan));
        terminal::print(&said).map_err(|e| Failure::environment(&e))?;
    }
    Ok(ExitCode::from(code))
}

/// The plan of a scenario that is called `name`, or all that is wrong with it on stderr. With `warns`, also what is right and
/// cannot work.
pub(super) fn check(input: &Input, name: &str, warns: bool) -> Option<Plan> {
    let color = terminal::wants_color();
    match scenario::check(input) {
        Ok((plan, warnings)) => {
            if warns {
                terminal::tell(&scenario::render_warnings(&warnings, input, color));
            }
            Some(plan)
        }
        Err(mistakes) => {
            let mut text = scenario::render(&mistakes, input, color);
            let _ = writeln!(text, "{name}: {}", words::counted(mistakes.len() as u64, "error"));
            terminal::tell(&text);
            None
        }
    }
}
