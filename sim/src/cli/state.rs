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

/// Where the thread hears of it.
pub(super) struct News(Receiver<Wake>);

/// Both ends. What is told before anybody keeps a state is heard then.
pub(super) fn changes() -> (Changes, News) {
    let (sender, wakes) = sync_channel(1);
    (Changes(sender), News(wakes))
}

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
    /// Keeps what `gateway` holds in `path` from now on. It is written once before this returns: a file that cannot be is
    /// told before anybody relies on it.
    pub(super) fn keep(
        path: PathBuf,
        gateway: Arc<Gateway>,
        (changes, news): (Changes, News),
    ) -> Result<Self, Failure> {
        write(&path, &gateway).map_err(|e| Failure::environment(&e))?;
        let handle = thread::Builder::new()
            .name("state".to_owned())
            .spawn(move || keep(&path, &gateway, &news.0))
            .map_err(|e| Failure::environment(&format!("cannot start a thread: {e}")))?;
        Ok(Self { changes, handle })
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

fn write(path: &Path, gateway: &Gateway) -> Result<(), ArtefactError> {
    artefacts::replace(path, deck::write(&gateway.config()).as_bytes())
}

fn keep(path: &Path, gateway: &Gateway, wakes: &Receiver<Wake>) -> Result<(), ArtefactError> {
    loop {
        let is_last = !matches!(wakes.recv(), Ok(Wake::Changed));
        let written = write(path, gateway);
        match written {
            written if is_last => return written,
            // The next change may find the disk in a better state.
            Err(e) => terminal::error(&e.to_string()),
            Ok(()) => {}
        }
    }
}
