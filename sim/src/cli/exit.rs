//! Exit codes, and the message that goes with those that are not a verdict. The verdict's own (0, 97, 99, 130, 143)
//! come from the summary.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::terminal;

/// Every scenario given was fine, or the run passed.
pub(super) const OK: u8 = 0;
/// A bug, or something nobody foresaw.
const UNEXPECTED: u8 = 1;
/// Wrong arguments; clap's own code.
const USAGE: u8 = 2;
/// The scenario is invalid or cannot be read.
pub(super) const SCENARIO: u8 = 3;
/// The machine refused: a port is taken, a folder cannot be written.
const ENVIRONMENT: u8 = 4;
/// The measurement cannot be trusted.
pub(super) const NOT_TRUSTWORTHY: u8 = 97;
/// Thresholds were met, and yet a figure is worse than the baseline's.
pub(super) const REGRESSION: u8 = 98;

/// `sim help exit-codes`.
pub(super) fn codes() -> String {
    let rows = [
        ("0", "the run passed, or what was asked for was done"),
        ("1", "something unexpected: a bug, please report it"),
        ("2", "wrong arguments"),
        ("3", "a scenario is invalid or cannot be read; nothing ran"),
        ("4", "the machine refused: a port is taken, a folder cannot be written"),
        ("97", "the measurement cannot be trusted, so nothing was judged"),
        ("98", "a figure is worse than the baseline's, and not by chance; compare only with --fail-if-worse"),
        ("99", "a threshold was not met"),
        ("130", "stopped by Ctrl-C; the report says how far it came"),
        ("143", "stopped by SIGTERM; the report says how far it came"),
    ];
    let mut out = "Exit codes of `sim`; of several runs the highest counts.\n\n".to_owned();
    for (code, meaning) in rows {
        let _ = writeln!(out, "  {code:>3}  {meaning}");
    }
    out
}

/// Why there is no verdict.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    /// Empty when everything has been said already.
    message: String,
}

impl Failure {
    /// The scenario cannot be used, and why.
    pub(super) fn scenario(message: &impl ToString) -> Self {
        Self { code: SCENARIO, message: message.to_string() }
    }

    /// The machine refused something.
    pub(super) fn environment(message: &impl ToString) -> Self {
        Self { code: ENVIRONMENT, message: message.to_string() }
    }

    /// A bug.
    pub(super) fn unexpected(message: &impl ToString) -> Self {
        Self { code: UNEXPECTED, message: message.to_string() }
    }

    /// The arguments make no sense.
    pub(super) fn usage(message: &impl ToString) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// The scenario's mistakes have been printed.
    pub(super) fn scenario_shown() -> Self {
        Self { code: SCENARIO, message: String::new() }
    }

    /// Files that cannot be used, and why, one mistake a line.
    pub(super) fn scenario_lines(mistakes: &[String]) -> Self {
        for mistake in mistakes {
            terminal::error(mistake);
        }
        Self::scenario_shown()
    }

    /// Prints the message and gives the code.
    pub(super) fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            terminal::error(&self.message);
        }
        ExitCode::from(self.code)
    }
}
