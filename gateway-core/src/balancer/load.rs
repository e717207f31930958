//! What is known of one target's load, whoever picks: requests under way. Belongs to the target and outlives epochs, so that a
//! change that does not concern a target never resets what is known of it.

use std::sync::atomic::{AtomicU32, Ordering};

use crossbeam_utils::CachePadded;

/// The load of one target, counted by all workers together.
#[derive(Debug, Default)]
pub struct Load {
    in_flight: CachePadded<AtomicU32>,
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
}
