//! Drives the rollout's machine and the registry of targets in real time, and carries out their orders the way a user would: by
//! calls of the Admin API over HTTP. Decides nothing.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::gateway::{Applied, Cause};
use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::alarm::Alarm;
use super::report::Reporter;
use crate::measure::{Observation, StepMoments};
use crate::mock::Process;
use crate::rollout::{AdminCall, Machine, Move, Order, OrderId, Output, Registry, Seen, Task};

/// How long a call of the Admin API may take before the step counts as failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two reports of the thread, and so the latest that it learns of what the gateway did.
const FLUSH: Duration = Duration::from_millis(10);

/// What the thread is given.
pub(super) struct Start {
    pub(super) machine: Machine,
    pub(super) registry: Registry,
    /// Each mock's process.
    pub(super) processes: Vec<watch::Sender<Process>>,
    /// Where each mock listens.
    pub(super) ports: Vec<SocketAddr>,
    pub(super) admin: SocketAddr,
    pub(super) clock: Clock,
    pub(super) reporter: Reporter,
    /// What the gateway has put in force, in order.
    pub(super) applied: Receiver<Applied>,
    /// What the gateway's workers did.
    pub(super) seen: Receiver<Seen>,
    pub(super) stop: oneshot::Receiver<()>,
}

/// Goes through all steps, then waits to be told to stop.
pub(super) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let control = Control {
            admin: start.admin,
            alarm: Alarm::new(&start.clock)?,
            clock: start.clock,
            reporter: start.reporter,
            applied: start.applied,
            seen: start.seen,
            processes: start.processes,
            ports: start.ports,
            awaited: Cell::default(),
        };
        tokio::select! {
            rang = control.alarm.run() => rang,
            () = control.drive(start.machine, start.registry) => Ok(()),
            _ = start.stop => Ok(()),
        }
    })
}

struct Control {
    admin: SocketAddr,
    alarm: Rc<Alarm>,
    clock: Clock,
    reporter: Reporter,
    applied: Receiver<Applied>,
    seen: Receiver<Seen>,
    processes: Vec<watch::Sender<Process>>,
    ports: Vec<SocketAddr>,
    /// The mocks that the machine waits for, and the order to acknowledge once they accept connections.
    awaited: Cell<Option<(OrderId, Vec<u32>)>>,
}

impl Control {
    /// Never ends: what the gateway does by itself is told to the end of the run.
    async fn drive(&self, mut machine: Machine, mut registry: Registry) {
        loop {
            // First what the workers did, then what was put in force meanwhile: of the two, an attempt's epoch is told first.
            let seen: Vec<_> = self.seen.try_iter().collect();
            self.tell_epochs(&mut machine);
            for seen in seen {
                machine.observe(seen);
            }
            self.look_whether_ready(&mut machine).await;
            let now = self.clock.now();
            if let Some(due) = registry.due(now) {
                self.register(due, &mut registry, &mut machine).await;
                continue;
            }
            match machine.poll(now) {
                Some(Output::Order(order)) => self.carry_out(order, &mut machine).await,
                Some(Output::Mark(mark)) => self.reporter.report(Observation::Rollout(Box::new(mark))),
                None => {
                    let next = machine.next_time().min(registry.next_time());
                    self.idle_until(next.min(now + FLUSH)).await;
                }
            }
        }
    }

    async fn carry_out(&self, order: Order, machine: &mut Machine) {
        let ok = match order.task {
            Task::Admin(calls) => self.change(order.step, &calls, machine).await,
            Task::Start(mocks) => self.set_processes(&mocks, Process::Since(self.clock.now())),
            Task::Stop(mocks) => self.set_processes(&mocks, Process::Gone),
            Task::AwaitReady(mocks) => return self.awaited.set(Some((order.id, mocks))),
        };
        machine.acked(order.id, self.clock.now(), ok);
    }

    /// A target leaves or comes back. What the gateway refuses, as after a change of the file's own, stays undone.
    async fn register(&self, due: Move, registry: &mut Registry, machine: &mut Machine) {
        self.reporter.flush_until(self.clock.now());
        let weight = self.call_in_time(&due.question()).await.and_then(|answer| weight(&answer));
        if let Some(call) = weight.and_then(|weight| registry.call(due, weight)) {
            self.call_in_time(&call).await;
        }
        self.tell_epochs(machine);
        self.reporter.flush();
    }

    /// Whether somebody was there to be told.
    fn set_processes(&self, mocks: &[u32], process: Process) -> bool {
        mocks.iter().all(|&mock| self.processes[mock as usize].send(process).is_ok())
    }

    /// Acknowledges once all who are waited for accept connections, as a readiness probe sees it.
    async fn look_whether_ready(&self, machine: &mut Machine) {
        let Some((order, mut mocks)) = self.awaited.take() else { return };
        while let Some(&mock) = mocks.last() {
            if TcpStream::connect(self.ports[mock as usize]).await.is_err() {
                return self.awaited.set(Some((order, mocks)));
            }
            mocks.pop();
        }
        machine.acked(order, self.clock.now(), true);
    }

    /// Whether all calls of a step succeeded.
    async fn change(&self, step: usize, calls: &[AdminCall], machine: &mut Machine) -> bool {
        let requested = self.clock.now();
        // Whatever happens while the step is under way must be reported behind it.
        self.reporter.flush_until(requested);
        let mut ok = true;
        for call in calls {
            ok = ok && self.call_in_time(call).await.is_some();
        }
        let acked = ok.then(|| self.clock.now());
        let applied = self.tell_epochs(machine).filter(|_| ok);
        self.reporter.report(Observation::Stepped(StepMoments { step, requested, acked, applied }));
        self.reporter.flush();
        ok
    }

    /// Tells of the epochs that began since this was called last; when the last change that somebody asked for was put in
    /// force, if one was.
    fn tell_epochs(&self, machine: &mut Machine) -> Option<Instant> {
        let mut changed = None;
        for applied in self.applied.try_iter() {
            if applied.cause == Cause::Change {
                changed = Some(applied.at);
            }
            if let Some(configured) = Observation::configured(&applied) {
                self.reporter.report(configured);
            }
            for epoch in applied.epochs {
                machine.observe(Seen::Began(epoch.clone()));
                self.reporter.report(Observation::Began { at: applied.at, epoch: Arc::new(epoch) });
            }
        }
        changed
    }

    /// Waits, and says meanwhile that nothing has happened.
    async fn idle_until(&self, until: Instant) {
        self.reporter.flush();
        self.alarm.wait_until(until).await;
    }

    /// The body of a call's answer, if that came in time and says that it succeeded.
    async fn call_in_time(&self, call: &AdminCall) -> Option<Bytes> {
        tokio::time::timeout(CALL_TIMEOUT, self.call(call)).await.ok()?.ok()?
    }

    /// The body of an answer that says so. Each call has a connection of its own, as curl's.
    async fn call(&self, call: &AdminCall) -> Result<Option<Bytes>, Box<dyn std::error::Error>> {
        let body = call.body.as_ref().map_or_else(String::new, ToString::to_string);
        let request = Request::builder()
            .method(call.method)
            .uri(&call.path)
            .header(HOST, self.admin.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::<Bytes>::from(body))?;
        let stream = TcpStream::connect(self.admin).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let serving = tokio::task::spawn_local(connection);
        let response = sender.send_request(request).await?;
        let ok = response.status().is_success();
        let body = response.into_body().collect().await?.to_bytes();
        serving.abort();
        Ok(ok.then_some(body))
    }
}

/// The weight of a target, as the Admin API tells it.
fn weight(target: &[u8]) -> Option<u16> {
    let target: serde_json::Value = serde_json::from_slice(target).ok()?;
    u16::try_from(target["weight"].as_u64()?).ok()
}
