//! What is known of one target's load, whoever picks: requests under way, and what its answers have shown. Belongs to the
//! target and outlives epochs, so that a change that does not concern a target never resets what is known of it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Estimate;

/// The load of one target, counted by all workers together.
// One cache line for all of it: who weighs a target reads its count and its estimates at once. Behind an `Arc`, whose counts have
// the line beside it, no two targets share what processors fetch together.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Load {
    in_flight: AtomicU32,
    response_time: Estimate,
    queue: Estimate,
}

impl Load {
    /// Attempts under way at it.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// An attempt begins.
    pub fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// An attempt has ended.
    ///
    /// # Panics
    /// When none was under way.
    pub fn leave(&self) {
        let before = self.in_flight.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "an attempt was finished that never began");
    }

    /// Seconds it takes to answer, as the algorithm in force averages them. An algorithm that follows another starts from
    /// what that one had learned.
    pub(super) fn response_time(&self) -> &Estimate {
        &self.response_time
    }

    /// Attempts under way when its answers came.
    pub(super) fn queue(&self) -> &Estimate {
        &self.queue
    }
}
