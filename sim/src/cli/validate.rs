//! `sim validate FILE...`: every mistake of every file, then one line for each file.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use super::exit::{self, Failure};
use super::{ValidateArgs, terminal};
use crate::scenario::{self, Input};
use crate::words;

/// Largest scenario that is read, in bytes: far more than anybody writes, far less than memory.
const FILE_MAX: u64 = 4 << 20;

/// Checks all files.
pub(super) fn validate(args: &ValidateArgs) -> Result<ExitCode, Failure> {
    let mut code = exit::OK;
    for file in &args.files {
        let name = file.file_name().map_or_else(|| file.to_string_lossy(), |name| name.to_string_lossy());
        let name = words::plain(&name);
        let said = match read(file) {
            Err(message) => {
                terminal::error(&message);
                code = exit::SCENARIO;
                continue;
            }
            Ok(text) => {
                let input = Input { path: file.display().to_string(), text, sets: vec![], seed: None };
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

/// The text of a scenario; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<String, String> {
    let is_stdin = file.as_os_str() == "-";
    let named = if is_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read {named}: {why}");
    if file.is_dir() {
        return Err(cannot(&"it is a folder; name the scenario file in it"));
    }
    let source: Box<dyn Read> = if is_stdin {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(|e| cannot(&e))?)
    };
    let mut bytes = Vec::new();
    source.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(cannot(&"it is larger than 4 MiB"));
    }
    String::from_utf8(bytes).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = 1 + valid.matches('\n').count();
        cannot(&format!("line {line} is not UTF-8"))
    })
}
