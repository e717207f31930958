//! A gateway as one worker holds it: what is in force for it is looked up once and kept until that changes, so that each
//! question costs one load less. For whoever asks one question after the other and waits for nothing in between; who waits
//! would keep old snapshots alive.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::{Attempt, Gateway, Mirrored, Next, Rejection, RouteMatch, Snapshot};
use crate::outcome::Outcome;
use crate::request::Head;
use crate::rng::Rng;
use crate::time::Instant;

/// A gateway in the hands of one worker.
#[derive(Debug)]
pub struct Held {
    gateway: Arc<Gateway>,
    view: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Held {
    /// What `worker` has of `gateway`.
    pub fn new(gateway: Arc<Gateway>, worker: usize) -> Self {
        let view = Cache::new(Arc::clone(gateway.cell_of(worker)));
        Self { gateway, view }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What the worker has in force right now.
    #[inline]
    pub fn view(&mut self) -> &Snapshot {
        self.view.load()
    }

    /// As [`Gateway::begin`], for a request that was matched by this worker.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn begin(
        &mut self,
        matched: &RouteMatch,
        head: &Head<'_>,
        now: Instant,
        rng: &mut Rng,
    ) -> Result<Attempt, Rejection> {
        self.gateway.begin_in(self.view.load(), (matched, head), now, rng)
    }

    /// As [`Gateway::mirror`].
    #[inline]
    pub fn mirror(
        &mut self,
        matched: &RouteMatch,
        head: &Head<'_>,
        own: &Attempt,
        now: Instant,
        rng: &mut Rng,
    ) -> Mirrored {
        self.gateway.mirror_in(self.view.load(), (matched, head), own, now, rng)
    }

    /// As [`Gateway::finish`].
    #[inline]
    pub fn finish(&mut self, attempt: Attempt, outcome: Outcome, now: Instant, rng: &mut Rng) -> Next {
        self.gateway.finish_in(self.view.load(), attempt, outcome, now, rng)
    }
}
