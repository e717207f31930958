//! Lets happen in a gateway what happens by itself: workers that look for changes at their own moments. A thread of its own
//! that sleeps until the next such moment. For a gateway in which nothing happens by itself there is none.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use gateway_core::gateway::Gateway;
use gateway_core::shell::Clock;

use super::EngineError;

/// While the clock stands, and at the longest.
const TICK: Duration = Duration::from_millis(50);

/// The thread. Dropped, it ends.
#[derive(Debug, Default)]
pub struct Ticker(Option<(SyncSender<()>, JoinHandle<()>)>);

impl Ticker {
    /// Starts ticking.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(gateway: Arc<Gateway>, clock: Clock) -> Result<Self, EngineError> {
        if gateway.next_timeout().is_none() {
            return Ok(Self::default());
        }
        let (stop, stopped) = sync_channel::<()>(1);
        let tick = move || {
            loop {
                let now = clock.now();
                gateway.handle_timeout(now);
                // Which worker learnt of what shows in its picks.
                drop(gateway.news());
                let wait = gateway.next_timeout().map_or(TICK, |at| at.since(now)).min(TICK);
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let handle = thread::Builder::new().name("ticker".to_owned()).spawn(tick);
        Ok(Self(Some((stop, handle.map_err(EngineError::system("start a thread"))?))))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some((stop, handle)) = self.0.take() {
            drop(stop);
            // It panics only when the gateway does, which its workers say too.
            let _ = handle.join();
        }
    }
}
