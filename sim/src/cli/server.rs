//! What the verbs that serve until they are told to stop have in common.

use std::io;

use super::exit::Failure;
use super::terminal;

/// Prints the one line that says where it listens.
pub(super) fn ready(line: &str) -> Result<(), Failure> {
    terminal::print(&format!("{line}\n"))
        .map_err(|e| Failure::environment(&format!("cannot write to standard output: {e}")))
}

/// The system takes no signal handler.
pub(super) fn no_signals(error: &io::Error) -> Failure {
    Failure::environment(&format!("cannot listen for Ctrl-C: {error}"))
}
