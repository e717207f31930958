//! Carries out the plan's steps at their times, the way a user would: by a call of the Admin API over HTTP.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use gateway_core::gateway::{Applied, Cause};
use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::alarm::Alarm;
use super::report::Reporter;
use crate::measure::{Observation, StepMoments};
use crate::plan::{Action, Step};

/// How long a call of the Admin API may take before the step counts as failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two reports of the thread.
const FLUSH: Duration = Duration::from_millis(10);

/// What the thread is given.
pub(super) struct Start {
    pub(super) steps: Vec<Step>,
    pub(super) admin: SocketAddr,
    pub(super) clock: Clock,
    pub(super) reporter: Reporter,
    /// What the gateway has put in force, in order.
    pub(super) applied: Receiver<Applied>,
    pub(super) stop: oneshot::Receiver<()>,
}

/// Carries out all steps, then waits to be told to stop.
pub(super) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let control = Control {
            admin: start.admin,
            alarm: Alarm::new(&start.clock)?,
            clock: start.clock,
            reporter: start.reporter,
            applied: start.applied,
        };
        tokio::select! {
            rang = control.alarm.run() => rang,
            () = control.carry_out(&start.steps) => Ok(()),
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
}

impl Control {
    async fn carry_out(&self, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            self.idle_until(Instant::ZERO + step.at).await;
            let requested = self.clock.now();
            // Whatever happens while the step is under way must be reported behind it.
            self.reporter.flush_until(requested);
            let ok =
                matches!(tokio::time::timeout(CALL_TIMEOUT, self.call(&step.action)).await, Ok(Ok(true)));
            let acked = ok.then(|| self.clock.now());
            let applied = self.tell_epochs().filter(|_| ok);
            self.reporter.report(Observation::Stepped(StepMoments {
                step: number,
                requested,
                acked,
                applied,
            }));
            self.reporter.flush();
        }
        self.idle_until(Instant::MAX).await;
    }

    /// Tells of the epochs that began since this was called last; when the last change that somebody asked for was put in
    /// force, if one was.
    fn tell_epochs(&self) -> Option<Instant> {
        let mut changed = None;
        for applied in self.applied.try_iter() {
            if applied.cause == Cause::Change {
                changed = Some(applied.at);
            }
            for epoch in applied.epochs {
                self.reporter.report(Observation::Began { at: applied.at, epoch: Arc::new(epoch) });
            }
        }
        changed
    }

    /// Waits, and says meanwhile that nothing has happened.
    async fn idle_until(&self, until: Instant) {
        loop {
            let now = self.clock.now();
            if now >= until {
                return;
            }
            // A change of health may come at any time; nobody waits for what it was.
            self.tell_epochs();
            self.reporter.flush();
            self.alarm.wait_until(until.min(now + FLUSH)).await;
        }
    }

    /// Whether the call succeeded. Each call has a connection of its own, as curl's.
    async fn call(&self, action: &Action) -> Result<bool, Box<dyn std::error::Error>> {
        let Action::SetHost { service_name, host, .. } = action;
        let body = serde_json::json!({ "host": host }).to_string();
        let request = Request::patch(format!("/services/{}", segment(service_name)))
            .header(HOST, self.admin.to_string())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::<bytes::Bytes>::from(body))?;
        let stream = TcpStream::connect(self.admin).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let serving = tokio::task::spawn_local(connection);
        let response = sender.send_request(request).await?;
        let ok = response.status().is_success();
        response.into_body().collect().await?;
        serving.abort();
        Ok(ok)
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
