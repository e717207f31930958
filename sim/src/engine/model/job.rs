//! A request of the modelled client, from its release to its end.

use gateway_core::time::Instant;

use crate::load::{Arrival, Waits};
use crate::measure::{Cause, Ending};

/// A request that has been released, at its intended moment, and not yet ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) arrival: Arrival,
    /// Which attempt, from 1, and how the last one failed.
    pub(super) attempt: u32,
    pub(super) failed: Option<Ending>,
    pub(super) hedged: bool,
    /// Whether it is the second one.
    pub(super) is_second: bool,
    /// Whether the run was stopped before it was due.
    pub(super) is_abandoned: bool,
    /// Since when it wants a connection.
    pub(super) waits: Instant,
    pub(super) on_wire: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    /// Who answered.
    pub(super) target: Option<u32>,
}

impl Job {
    /// A request that was just released.
    pub(super) fn new(arrival: Arrival) -> Self {
        Self {
            arrival,
            attempt: 1,
            failed: None,
            hedged: false,
            is_second: false,
            is_abandoned: false,
            waits: arrival.intended,
            on_wire: None,
            first_byte: None,
            target: None,
        }
    }

    /// Whether it ever was in the system.
    pub(super) fn was_released(&self, ending: Ending) -> bool {
        ending != Ending::Dropped(Cause::Overflow) && !self.is_abandoned
    }

    /// How it ends when it was never sent: as its last attempt did, if it had one.
    pub(super) fn unsent(&self) -> Ending {
        self.failed.unwrap_or(Ending::Dropped(Cause::Unsent))
    }
}

impl Waits for Job {
    fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    fn waits(&self) -> Instant {
        self.waits
    }
}
