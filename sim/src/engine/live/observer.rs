//! What a gateway worker tells about its attempts, on its own thread.

use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use gateway_core::gateway::{Attempt, Finished};
use gateway_core::shell::{Clock, CopyNews, Observer};
use hyper::HeaderMap;

use super::report::Reporter;
use crate::load::{RequestIds, ids};
use crate::measure::{Copied, Observation};
use crate::rollout::Seen;

/// Between two reports of a worker that sees little.
const FLUSH: Duration = Duration::from_millis(10);
/// A request that is not of this run, such as somebody's curl: it is not reported.
const FOREIGN: u64 = u64::MAX;

/// The observer of one worker.
pub(super) struct WorkerObserver {
    reporter: Rc<Reporter>,
    ids: RequestIds,
    clock: Clock,
    /// The rollout's machine is told too.
    seen: Sender<Seen>,
}

impl WorkerObserver {
    /// An observer that reports until its worker ends. Made on the worker's thread.
    pub(super) fn start(reporter: Reporter, ids: RequestIds, clock: Clock, seen: Sender<Seen>) -> Self {
        let reporter = Rc::new(reporter);
        tokio::task::spawn_local(flush(Rc::clone(&reporter)));
        Self { reporter, ids, clock, seen }
    }
}

async fn flush(reporter: Rc<Reporter>) {
    let mut ticks = tokio::time::interval(FLUSH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        reporter.flush();
    }
}

impl Observer for WorkerObserver {
    fn request(&self, headers: &HeaderMap) -> u64 {
        headers.get(ids::HEADER).and_then(|id| self.ids.index(id.as_bytes())).unwrap_or(FOREIGN)
    }

    fn picked(&self, request: u64, attempt: &Attempt) {
        if request != FOREIGN {
            // Once the run is over nobody asks.
            let _ = self.seen.send(Seen::Picked { target: attempt.target });
            self.reporter.report(Observation::picked(request, attempt));
        }
    }

    fn connected(&self, request: u64, attempt: &Attempt) {
        if request != FOREIGN
            && let Some(connected) = Observation::connected(request, attempt, self.clock.now())
        {
            self.reporter.report(connected);
        }
    }

    fn finished(&self, request: u64, finished: Finished) {
        if request != FOREIGN {
            let _ = self.seen.send(Seen::Finished(request, finished));
            self.reporter.report(Observation::finished(request, finished));
        }
    }

    fn copied(&self, request: u64, news: CopyNews) {
        if request != FOREIGN {
            let copied = match news {
                CopyNews::Overflow => Copied::Overflow,
                CopyNews::NoTarget => Copied::NoTarget,
                CopyNews::Compared(compared) => Copied::Compared(Box::new(compared)),
            };
            self.reporter.report(Observation::Copied { request, at: self.clock.now(), copied });
        }
    }
}
