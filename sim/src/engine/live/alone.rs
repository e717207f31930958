//! One mock target without a run around it: nobody collects what it reports.

use std::net::SocketAddr;
use std::time::Duration;

use gateway_core::shell::Clock;

use super::report::channel;
use gateway_core::time::Instant;
use tokio::sync::watch;

use super::{EngineError, Thread, spawn, targets};
use crate::load::RequestIds;
use crate::mock::Faults;
use crate::plan::MockPlan;

/// How long requests under way may take once it is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// A mock target that serves until it is stopped.
pub struct MockTarget {
    address: SocketAddr,
    thread: Thread,
}

impl MockTarget {
    /// Starts `mock` at `address`; port 0 is a free one.
    ///
    /// # Errors
    /// When the address is taken or the system gives no thread.
    pub fn start(address: SocketAddr, mock: MockPlan) -> Result<Self, EngineError> {
        let clock = Clock::started();
        let (mut reporters, _) = channel(1, &clock);
        let reporter = reporters.pop().ok_or(EngineError::Thread("targets"))?;
        let mocks = vec![mock];
        let listeners = targets::listen(&mocks, address)?;
        let address = listeners.addresses.values().next().copied().unwrap_or(address);
        let thread = spawn("targets", move |stop| {
            targets::run(targets::Start {
                listeners,
                mocks,
                faults: Faults::new(&[], &[], 0),
                seed: 0,
                ids: RequestIds::new(0, 0),
                clock,
                reporter,
                stop,
                processes: vec![watch::Sender::new(Some(Instant::ZERO)).subscribe()],
                drain: DRAIN,
            })
        })?;
        Ok(Self { address, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more and lets requests under way finish.
    ///
    /// # Errors
    /// When its thread has failed.
    pub fn stop(self) -> Result<(), EngineError> {
        if self.thread.end() { Ok(()) } else { Err(EngineError::Thread("targets")) }
    }
}
