//! `sim validate FILE...`: every mistake of every file, then one line for each file.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{ValidateArgs, input, terminal};
use crate::scenario::{self, Input};
use crate::words;

/// Checks all files.
pub(super) fn validate(args: &ValidateArgs) -> Result<ExitCode, Failure> {
    let mut code = exit::OK;
    for file in &args.files {
        let name = file.file_name().map_or_else(|| file.to_string_lossy(), |name| name.to_string_lossy());
        let name = words::plain(&name);
        let said = match input::read(file, input::SCENARIO_MAX) {
            Err(message) => {
                terminal::error(&message);
                code = exit::SCENARIO;
                continue;
            }
            Ok(text) => {
                let input = Input {
                    path: file.display().to_string(),
                    text,
                    surroundings: input::SURROUNDINGS,
                    ..Input::default()
                };
                match scenario::read(&input) {
                    Ok(plan) => format!("{name}: {}\n", scenario::describe(&plan)),
                    Err(mistakes) => {
                        code = exit::SCENARIO;
                        let mut text = scenario::render(&mistakes, &input, terminal::wants_color());
                        let _ = writeln!(text, "{name}: {}", words::counted(mistakes.len() as u64, "error"));
                        terminal::tell(&text);
                        continue;
                    }
                }
            }
        };
        terminal::print(&said).map_err(|e| Failure::environment(&e))?;
    }
    Ok(ExitCode::from(code))
}
