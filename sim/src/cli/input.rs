//! Files that the command line or a scenario names, read whole and within bounds, and the environment; `-` is standard input.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use gateway_core::deck::FILE_MAX;

use crate::scenario::Surroundings;

/// Largest scenario that is read, in bytes: far more than anybody writes, far less than memory.
pub(super) const SCENARIO_MAX: u64 = 4 << 20;

/// The world as scenarios may ask for it.
pub(super) const SURROUNDINGS: Surroundings =
    Surroundings { file: |path| read(path, FILE_MAX as u64), variable };

/// Whether `file` stands for standard input.
pub(super) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// What a file is called in messages.
pub(super) fn name(file: &Path) -> String {
    if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() }
}

/// The scenarios that a path stands for: a folder's, by name, or itself.
pub(super) fn scenarios(path: &Path) -> Result<Vec<PathBuf>, String> {
    if is_stdin(path) || !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    let entries = fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let is_scenario = |file: &PathBuf| file.extension().is_some_and(|end| end == "toml") && file.is_file();
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_scenario).collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{} holds no scenario, no file that ends in .toml", path.display()));
    }
    Ok(files)
}

/// The text of a file of at most `most` bytes.
pub(super) fn read(file: &Path, most: u64) -> Result<String, String> {
    let (is_stdin, named) = (is_stdin(file), name(file));
    let cannot = |why: &dyn std::fmt::Display| format!("cannot read {named}: {why}");
    if file.is_dir() {
        return Err(cannot(&"it is a folder; name the file in it"));
    }
    let source: Box<dyn Read> = if is_stdin {
        Box::new(std::io::stdin())
    } else {
        Box::new(fs::File::open(file).map_err(|e| cannot(&e))?)
    };
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
    if bytes.len() as u64 > most {
        return Err(cannot(&format!("it is larger than {} MiB", most >> 20)));
    }
    String::from_utf8(bytes).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = 1 + valid.matches('\n').count();
        cannot(&format!("line {line} is not UTF-8"))
    })
}

/// An environment variable.
#[expect(clippy::disallowed_methods, reason = "decK files name variables of the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
