//! Exit codes, and the message that goes with those that are not a verdict. The verdict's own (0, 97, 99, 130, 143)
//! come from the summary.

use std::process::ExitCode;

use super::terminal;

/// Every scenario given was fine, or the run passed.
pub(super) const OK: u8 = 0;
/// A bug, or something nobody foresaw.
const UNEXPECTED: u8 = 1;
/// The scenario is invalid or cannot be read.
pub(super) const SCENARIO: u8 = 3;
/// The machine refused: a port is taken, a folder cannot be written.
const ENVIRONMENT: u8 = 4;

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
