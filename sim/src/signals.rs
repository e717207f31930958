//! Ctrl-C and SIGTERM: the first asks for an honest end (drain, report), the second ends the process at once with 130 or
//! 143. SIGHUP asks a server to read its files again. Leaves what is asked to whoever listens.

#![expect(clippy::disallowed_methods, reason = "the second signal ends the process at once")]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

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
        listen(&[SignalKind::interrupt(), SignalKind::terminate()], move |kind| asked.ask(exit_code(kind)))?;
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

/// What a signal asks of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGHUP: read the files again.
    Reload,
    /// SIGTERM or Ctrl-C: drain and end.
    End,
}

/// What signals ask of a server from now on. The second one that asks for the end is not delivered: it ends the process.
///
/// # Errors
/// When the system gives no thread or no signal handler.
pub fn wishes() -> io::Result<Receiver<Wish>> {
    let (wish, wishes) = channel();
    let stop = Stop::default();
    listen(&[SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()], move |kind| {
        let asked = if kind == SignalKind::hangup() { Wish::Reload } else { Wish::End };
        if asked == Wish::End {
            stop.ask(exit_code(kind));
        }
        // A server that is ending already has heard enough.
        let _ = wish.send(asked);
    })?;
    Ok(wishes)
}

/// What a shell says of a process that such a signal ended.
fn exit_code(kind: SignalKind) -> u8 {
    if kind == SignalKind::interrupt() { 130 } else { 143 }
}

/// Calls `heard` for each signal of these kinds, on a thread of its own, until the process ends.
fn listen(kinds: &[SignalKind], heard: impl Fn(SignalKind) + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (sender, mut signals) = unbounded_channel();
    for &kind in kinds {
        let _inside = runtime.enter();
        let (mut source, sender) = (signal(kind)?, sender.clone());
        runtime.spawn(async move { while source.recv().await.is_some() && sender.send(kind).is_ok() {} });
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            while let Some(kind) = signals.recv().await {
                heard(kind);
            }
        });
    })?;
    Ok(())
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
