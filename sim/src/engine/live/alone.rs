//! Parts of a run on their own: one mock target that nobody collects reports from, and the load against whatever listens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use tokio::sync::watch;

use super::report::channel;
use super::{EngineError, LISTEN, Thread, connect_all, generator, named, spawn, targets};
use crate::load::RequestIds;
use crate::measure::{Observation, Record};
use crate::mock::{Faults, Process};
use crate::plan::{MockPlan, Plan};

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
                processes: vec![watch::Sender::new(Process::Since(Instant::ZERO)).subscribe()],
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

/// Sends the load of `plan` to `gateway`, which is anybody's, and hands back how each request ended, in order of time. The
/// generator starts `clock`. Nothing is known of the far side: no attempts, no books.
///
/// # Errors
/// When nobody listens there, or the generator fails.
pub fn send_load(plan: &Plan, gateway: SocketAddr, clock: &Clock) -> Result<Vec<Record>, EngineError> {
    let (mut reporters, mut collector) = channel(1, clock);
    let start = generator::Start {
        load: plan.load.clone(),
        seed: plan.seed,
        ids: RequestIds::new(plan.seed, plan.load.total()),
        key: None,
        nodes: vec![gateway],
        streams: connect_all(&[gateway], plan.load.connections)?,
        clock: clock.clone(),
        reporter: reporters.pop().ok_or(EngineError::Thread("generator"))?,
        stop: Arc::default(),
    };
    let generator = named("generator", move || generator::run(start))?;
    let mut records = Vec::new();
    let mut running = true;
    while running {
        running = collector.collect(LISTEN);
        records.extend(collector.ready().into_iter().filter_map(|seen| match seen {
            Observation::Ended(record) => Some(record),
            _ => None,
        }));
    }
    let ended = generator.join().map_err(|_| EngineError::Thread("generator"))?;
    ended.map_err(EngineError::system("send the load"))?;
    Ok(records)
}
