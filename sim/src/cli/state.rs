//! `--state FILE`: the configuration of a running gateway in a file, after each change. A thread of its own writes; what
//! changes while it writes is written once behind it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use gateway_core::deck;
use gateway_core::gateway::Gateway;

use super::exit::Failure;
use super::terminal;
use crate::artefacts::{self, ArtefactError};

/// Why the thread wakes.
enum Wake {
    Changed,
    End,
}

/// Tells the thread that something has changed, from any thread, without waiting.
#[derive(Clone)]
pub(super) struct Changes(SyncSender<Wake>);

/// The thread.
pub(super) struct State {
    changes: Changes,
    handle: JoinHandle<Result<(), ArtefactError>>,
}

impl Changes {
    /// Something has changed.
    pub(super) fn tell(&self) {
        // A full channel says that already.
        let _ = self.0.try_send(Wake::Changed);
    }
}

impl State {
    /// Keeps what `gateway` holds in `path` from now on.
    pub(super) fn keep(path: PathBuf, gateway: Arc<Gateway>) -> Result<Self, Failure> {
        let (sender, wakes) = sync_channel(1);
        let handle = thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || keep(&path, &gateway, &wakes))
            .map_err(|e| Failure::environment(&format!("cannot start a thread: {e}")))?;
        Ok(Self { changes: Changes(sender), handle })
    }

    /// Where changes are told.
    pub(super) fn changes(&self) -> Changes {
        self.changes.clone()
    }

    /// Writes a last time and ends.
    pub(super) fn end(self) -> Result<(), Failure> {
        let _ = self.changes.0.send(Wake::End);
        match self.handle.join() {
            Ok(written) => written.map_err(|e| Failure::environment(&e)),
            Err(_) => Err(Failure::unexpected(&"the state thread failed")),
        }
    }
}

/// Writes now what `gateway` holds.
pub(super) fn write(path: &Path, gateway: &Gateway) -> Result<(), ArtefactError> {
    artefacts::replace(path, deck::write(&gateway.config()).as_bytes())
}

fn keep(path: &Path, gateway: &Gateway, wakes: &Receiver<Wake>) -> Result<(), ArtefactError> {
    loop {
        let wake = wakes.recv();
        let written = write(path, gateway);
        match (wake, written) {
            // The next change may find the disk in a better state.
            (Ok(Wake::Changed), Err(e)) => terminal::error(&e.to_string()),
            (Ok(Wake::Changed), Ok(())) => {}
            (_, written) => return written,
        }
    }
}
