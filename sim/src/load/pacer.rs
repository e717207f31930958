//! What is due next, for an engine: the schedule of an open loop, or the turns of a closed one. An engine asks, waits, sends,
//! and tells what has ended; it need not know which of both it carries out.

use std::iter::Peekable;

use gateway_core::time::Instant;

use super::closed::Turns;
use super::{Load, Schedule, Shape};

/// A request that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which, from 0.
    pub index: u64,
    /// When.
    pub intended: Instant,
    /// Whose turn it is in a closed loop; 0 in an open one.
    pub vu: u32,
}

/// The requests of a run as they come due.
pub enum Pacer {
    /// Whatever happens.
    Open(Peekable<Schedule>),
    /// As answers come.
    Closed(Turns),
}

impl Pacer {
    /// The requests of `load` under `seed`.
    pub fn new(load: &Load, seed: u64) -> Self {
        match &load.shape {
            Shape::Closed(plan) => Self::Closed(Turns::new(plan.clone(), seed)),
            Shape::Rate(_) | Shape::Trace(_) => Self::Open(Schedule::new(load, seed).peekable()),
        }
    }

    /// When the next request is due; `None` when there is none, or none before another ends.
    pub fn due(&mut self) -> Option<Instant> {
        match self {
            Self::Open(schedule) => schedule.peek().map(|(_, intended)| *intended),
            Self::Closed(turns) => turns.due(),
        }
    }

    /// The next request, if it is due.
    pub fn take(&mut self, now: Instant) -> Option<Due> {
        match self {
            Self::Open(schedule) => {
                let (index, intended) = schedule.next_if(|(_, intended)| *intended <= now)?;
                Some(Due { index, intended, vu: 0 })
            }
            Self::Closed(turns) => turns.take(now),
        }
    }

    /// A request has ended.
    pub fn ended(&mut self, vu: u32, at: Instant) {
        if let Self::Closed(turns) = self {
            turns.ended(vu, at);
        }
    }

    /// Whether nothing will come due any more.
    pub fn is_over(&mut self, now: Instant) -> bool {
        match self {
            Self::Open(schedule) => schedule.peek().is_none(),
            Self::Closed(turns) => turns.is_over(now),
        }
    }

    /// Ends it early. A request that an open loop still intends, until there is none; a closed loop intends none.
    pub fn abandon(&mut self) -> Option<Due> {
        match self {
            Self::Open(_) => self.take(Instant::MAX),
            Self::Closed(turns) => {
                turns.stop();
                None
            }
        }
    }
}
