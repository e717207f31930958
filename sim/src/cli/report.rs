//! `sim report RUN`: every file of a run once more from its `report.json`, and the final screen.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::args::ReportArgs;
use super::exit::Failure;
use super::run::show;
use crate::artefacts;
use crate::report;
use crate::summary::{SCHEMA, Summary};

/// Renders a run again, in its folder.
pub(super) fn report(args: &ReportArgs) -> Result<ExitCode, Failure> {
    let summary = read(&args.run.join("report.json"))?;
    for (name, content) in report::files(&summary).map_err(|e| Failure::unexpected(&e))? {
        artefacts::replace(&args.run.join(name), &content).map_err(|e| Failure::environment(&e))?;
    }
    show(&summary, &args.run, args.format, None)?;
    Ok(ExitCode::SUCCESS)
}

/// The run of a `report.json`.
pub(super) fn read(path: &Path) -> Result<Summary, Failure> {
    let cannot = |why: String| Failure::environment(&format!("cannot read {}: {why}", path.display()));
    let text = fs::read(path).map_err(|e| cannot(e.to_string()))?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|e| cannot(e.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => return Err(cannot(format!("schema {schema} is not {SCHEMA}"))),
        None => return Err(cannot("it is not a report.json".to_owned())),
    }
    serde_json::from_value(value).map_err(|e| cannot(e.to_string()))
}
