//! Ctrl-C and SIGTERM: the first asks for an honest end (drain, report, exit code 130 or 143), the second ends the process
//! at once. Leaves the ending itself to the engine, which looks at [`Stop::flag`].

#![expect(clippy::disallowed_methods, reason = "the second signal ends the process at once")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// What signals have asked for so far.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    flag: AtomicBool,
    /// Exit code of the first signal; 0 while there was none.
    exit_code: AtomicU8,
}

impl Stop {
    /// Listens from now on, until the process ends.
    ///
    /// # Errors
    /// When the system gives no thread or no signal handler.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        let asked = stop.clone();
        let runtime = Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                loop {
                    let code = tokio::select! {
                        Some(()) = interrupt.recv() => 130,
                        Some(()) = terminate.recv() => 143,
                        else => return,
                    };
                    asked.ask(code);
                }
            });
        })?;
        Ok(stop)
    }

    /// Set once the run should end.
    pub fn flag(&self) -> &AtomicBool {
        &self.0.flag
    }

    /// The exit code of the signal that asked for the end: 130 for Ctrl-C, 143 for SIGTERM.
    pub fn exit_code(&self) -> Option<u8> {
        Some(self.0.exit_code.load(Ordering::Relaxed)).filter(|&code| code != 0)
    }

    fn ask(&self, code: u8) {
        if self.0.exit_code.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            std::process::exit(code.into());
        }
        self.0.flag.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_asks_for_an_end_and_names_its_code() {
        let stop = Stop::default();
        assert_eq!((stop.exit_code(), stop.flag().load(Ordering::Acquire)), (None, false));
        stop.ask(143);
        assert_eq!((stop.exit_code(), stop.flag().load(Ordering::Acquire)), (Some(143), true));
    }
}
