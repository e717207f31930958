//! The mock targets on sockets: one listener for each name, one thread for all. What they answer, how long they take and what
//! goes wrong is `mock`'s to say; here it is carried out. Each request goes into the target's book when its head has
//! arrived.

mod port;

mod door;
mod line;

mod counter;
mod said;
mod server;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use gateway_core::shell::Clock;
use hyper::header::HeaderName;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinSet, LocalSet};

use self::server::Server;
use super::alarm::Alarm;
use super::report::Reporter;
use crate::load::RequestIds;
use crate::mock::{Faults, Process, Visits};
use crate::plan::MockPlan;

pub(super) use self::port::{Listeners, listen};

/// The header that says which mock answered: its index in the plan.
pub(super) const TARGET: HeaderName = HeaderName::from_static("x-sim-target");
/// Between two reports of the thread.
const FLUSH: Duration = Duration::from_millis(10);

/// What the thread is given.
pub(super) struct Start {
    pub(super) listeners: Listeners,
    pub(super) mocks: Vec<MockPlan>,
    pub(super) faults: Faults,
    pub(super) seed: u64,
    pub(super) ids: RequestIds,
    pub(super) clock: Clock,
    pub(super) reporter: Reporter,
    pub(super) stop: oneshot::Receiver<()>,
    /// Each mock's process, as steps start and end it.
    pub(super) processes: Vec<watch::Receiver<Process>>,
    /// How long requests under way may take then.
    pub(super) drain: Duration,
}

/// What all targets share.
struct Shared {
    faults: Rc<Faults>,
    seed: u64,
    ids: RequestIds,
    /// Which requests were seen before.
    visits: RefCell<Visits>,
    reporter: Reporter,
}

/// Serves until told to stop, then for `drain` those who are connected.
pub(super) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let alarm = Alarm::new(&start.clock)?;
        let Start { faults, seed, ids, reporter, .. } = start;
        let shared =
            Rc::new(Shared { faults: Rc::new(faults), seed, ids, visits: RefCell::default(), reporter });
        // Each door and connection holds a receiver: when all are gone, all have ended.
        let (draining, stopped) = watch::channel(false);
        let mut doors = JoinSet::new();
        let parts = start.listeners.ports.into_iter().zip(start.mocks).zip(start.processes);
        for (number, (((port, listener), mock), process)) in parts.enumerate() {
            let server = Rc::new(Server::new(number, mock, &shared, &start.clock, &alarm));
            let counter = server.counter();
            tokio::task::spawn_local(async move { counter.run().await });
            doors.spawn_local(door::keep(server, port, listener, stopped.clone(), process));
        }
        drop(stopped);
        let flushing = async {
            let mut ticks = tokio::time::interval(FLUSH);
            loop {
                ticks.tick().await;
                shared.reporter.flush();
            }
        };
        let stopping = async {
            let _ = start.stop.await;
            let _ = draining.send(true);
            // Who has not ended by then is cut off.
            let _ = tokio::time::timeout(start.drain, draining.closed()).await;
        };
        tokio::select! {
            rang = alarm.run() => rang,
            () = flushing => Ok(()),
            failed = failed(&mut doors) => Err(failed),
            () = stopping => Ok(()),
        }
    })
}

/// Why a door could not go on; never when all could.
async fn failed(doors: &mut JoinSet<io::Result<()>>) -> io::Error {
    while let Some(ended) = doors.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return e,
            Err(e) => return e.into(),
        }
    }
    std::future::pending().await
}
