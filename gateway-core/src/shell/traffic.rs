//! What `GET /status` tells: connections and requests of all workers. Each worker counts for itself, so that counting costs
//! no worker another's cache line.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

/// The counts of one worker.
#[derive(Debug, Default)]
pub(super) struct Traffic(CachePadded<Counts>);

#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    closed: AtomicU64,
    requests: AtomicU64,
}

/// Counts added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) accepted: u64,
    pub(super) closed: u64,
    pub(super) requests: u64,
}

impl Traffic {
    pub(super) fn accepted(&self) {
        self.0.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.0.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// These counts added to `totals`.
    pub(super) fn add_to(&self, totals: Totals) -> Totals {
        Totals {
            accepted: totals.accepted + self.0.accepted.load(Ordering::Relaxed),
            closed: totals.closed + self.0.closed.load(Ordering::Relaxed),
            requests: totals.requests + self.0.requests.load(Ordering::Relaxed),
        }
    }
}
