//! Within GitHub Actions: the summary goes to the step's page, failed thresholds beside their lines, verdict and path to the
//! step's outputs. The runner says by its environment where; without it nothing happens.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::terminal;
use crate::baseline::{Row, markdown};
use crate::report;
use crate::summary::{Outcome, Summary};
use crate::words;

/// GitHub refuses a whole step's summary that is larger, in bytes.
const SUMMARY_MAX: u64 = 1024 * 1024;

/// Where the runner wants to hear from a step.
#[derive(Debug)]
pub(super) struct Github {
    summary: PathBuf,
    output: Option<PathBuf>,
}

impl Github {
    /// What the environment says; `None` elsewhere.
    pub(super) fn from_environment() -> Option<Self> {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Some(Self { summary: path("GITHUB_STEP_SUMMARY")?, output: path("GITHUB_OUTPUT") })
    }

    /// Tells of a finished run whose files are in `folder`. That it could not is a warning: the verdict stands.
    pub(super) fn tell(&self, summary: &Summary, folder: &Path, compared: Option<&[Row]>) {
        terminal::tell(&report::annotations(summary));
        let text = report::markdown(summary) + &compared.map_or_else(String::new, markdown) + "\n";
        if let Err(e) = append(&self.summary, &text, SUMMARY_MAX) {
            terminal::warning(&format!("cannot write the step's summary: {e}"));
        }
        let verdict = match summary.verdict.result {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Invalid => "invalid",
        };
        let outputs = format!("verdict={verdict}\nreport={}\n", words::plain(&folder.display().to_string()));
        if let Some(Err(e)) = self.output.as_ref().map(|path| append(path, &outputs, u64::MAX)) {
            terminal::warning(&format!("cannot write the step's outputs: {e}"));
        }
    }
}

/// Adds `text` to a file that may become `most` bytes long.
fn append(path: &Path, text: &str, most: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    if file.metadata()?.len() + text.len() as u64 > most {
        return Err(io::Error::other("it is full"));
    }
    file.write_all(text.as_bytes())
}
