//! `sim merge`: parts of a comparison into one, as if one machine had made them. Also what follows once a comparison is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use super::args::{MergeArgs, Shown};
use super::exit::Failure;
use super::{compare, input};
use crate::compare::{Part, merge as add};
use crate::matrix;
use crate::summary::Volatile;

/// Largest part that is read, in bytes: a hundred thousand runs.
pub(super) const PART_MAX: u64 = 4 << 30;

/// Puts parts together.
#[expect(clippy::disallowed_methods, reason = "the wall clock dates a comparison")]
pub(super) fn merge(args: &MergeArgs) -> Result<ExitCode, Failure> {
    let started = SystemTime::now();
    let mut parts = Vec::new();
    for file in args.parts.iter().map(|path| files(path)).collect::<Result<Vec<_>, _>>()?.concat() {
        let name = file.display().to_string();
        let text = input::read(&file, PART_MAX).map_err(|e| Failure::scenario(&e))?;
        let part = Part::read(&name, &text).map_err(|e| Failure::scenario(&e))?;
        parts.push((name, part));
    }
    let part = add(parts).map_err(|e| Failure::scenario(&e))?;
    show(&part, &args.shown, matrix::volatile(started))
}

/// The parts that a path stands for: a folder's, by name, or itself.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let cannot = |e: std::io::Error| Failure::scenario(&format!("cannot read {}: {e}", path.display()));
    let entries = fs::read_dir(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    let is_part = |file: &PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("part-") && name.ends_with(".ndjson")
    };
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_part).collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::scenario(&format!("{} holds no part of a comparison", path.display())));
    }
    Ok(files)
}

/// Judges what is whole, leaves its files and prints it.
pub(super) fn show(part: &Part, shown: &Shown, volatile: Volatile) -> Result<ExitCode, Failure> {
    let (comparison, folder) =
        matrix::publish(part, &shown.out, volatile).map_err(|e| compare::failure(&e))?;
    compare::print(&compare::rendered(&comparison, &folder, shown.format, shown.all)?)?;
    Ok(ExitCode::from(compare::code(&comparison, shown.fail_if_worse)))
}
