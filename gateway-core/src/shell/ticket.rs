//! One attempt as the shell holds it: whoever lets go of it without an outcome ends it, as `ClientGone` unless something else
//! was said before, so that nothing stays in flight for ever, whatever happens to the client.

use std::rc::Rc;
use std::time::Duration;

use super::connection::Connection;
use super::worker::Worker;
use crate::gateway::{Attempt, Finished, Next};
use crate::outcome::Outcome;
use crate::time::Instant;

/// An attempt under way.
pub(super) struct Ticket {
    worker: Rc<Worker>,
    /// The observer's number for the request.
    request: u64,
    /// `None` once it was finished.
    attempt: Option<Attempt>,
    read_timeout: Duration,
    let_go_as: Outcome,
}

impl Ticket {
    /// Holds `attempt`; tells the observer.
    pub(super) fn new(worker: &Rc<Worker>, request: u64, attempt: Attempt) -> Self {
        worker.observer.picked(request, &attempt);
        Self {
            worker: Rc::clone(worker),
            request,
            attempt: Some(attempt),
            read_timeout: Duration::ZERO,
            let_go_as: Outcome::ClientGone,
        }
    }

    /// The attempt.
    pub(super) fn attempt(&self) -> &Attempt {
        self.attempt.as_ref().expect("a ticket holds its attempt until it is finished")
    }

    /// The observer's number for the request.
    pub(super) fn request(&self) -> u64 {
        self.request
    }

    /// The head of the answer has come.
    pub(super) fn answered(&mut self, now: Instant) {
        if let Some(attempt) = &mut self.attempt {
            attempt.answered(now);
        }
    }

    /// How long a read of the answer's body may take.
    pub(super) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    /// The Service's read timeout, for the body.
    pub(super) fn set_read_timeout(&mut self, timeout: Duration) {
        self.read_timeout = timeout;
    }

    /// What it came to when it is let go of from now on.
    pub(super) fn let_go_as(&mut self, outcome: Outcome) {
        self.let_go_as = outcome;
    }

    /// The connection may be used again.
    pub(super) fn give_back(&self, connection: Connection) {
        self.worker.pool.put(self.attempt().target, connection);
    }

    /// Ends the attempt; the ticket of another one, when the gateway says so.
    pub(super) fn end(mut self, outcome: Outcome) -> Option<Self> {
        match self.finish(outcome) {
            Some(Next::Retry(attempt)) => Some(Self::new(&self.worker, self.request, attempt)),
            _ => None,
        }
    }

    fn finish(&mut self, outcome: Outcome) -> Option<Next> {
        let attempt = self.attempt.take()?;
        let now = self.worker.clock.now();
        let finished = attempt.finished(outcome, now);
        let next = self.worker.gateway.finish(attempt, outcome, now, &mut self.worker.rng.borrow_mut());
        let is_last = matches!(next, Next::Done);
        self.worker.observer.finished(self.request, Finished { is_last, ..finished });
        self.worker.tell_turns();
        Some(next)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Nobody waits for another try.
        let _ = self.finish(self.let_go_as);
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
