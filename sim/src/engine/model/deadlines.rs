//! Deadlines that are all the same time away when they are set, so that they stand in order by themselves: a list through the
//! flights they belong to. Setting and lifting one costs the same however many there are, and none outlives its flight.

use std::time::Duration;

use gateway_core::time::Instant;

/// Nobody.
const NONE: u32 = u32::MAX;

/// Deadlines `after` the moment at which they are set.
#[derive(Debug)]
pub(super) struct Deadlines {
    after: Duration,
    links: Vec<Link>,
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    at: Instant,
    before: u32,
    next: u32,
    is_set: bool,
}

impl Deadlines {
    /// None yet.
    pub(super) fn new(after: Duration) -> Self {
        Self { after, links: Vec::new(), first: NONE, last: NONE }
    }

    /// How far away they are.
    pub(super) fn after(&self) -> Duration {
        self.after
    }

    /// Sets that of flight `slot`, which has none; when it is.
    #[inline]
    pub(super) fn set(&mut self, slot: u32, now: Instant) -> Instant {
        let at = now + self.after;
        let unset = Link { at: Instant::ZERO, before: NONE, next: NONE, is_set: false };
        if self.links.len() <= slot as usize {
            self.links.resize(slot as usize + 1, unset);
        }
        debug_assert!(!self.links[slot as usize].is_set);
        self.links[slot as usize] = Link { at, before: self.last, next: NONE, is_set: true };
        match self.last {
            NONE => self.first = slot,
            last => self.links[last as usize].next = slot,
        }
        self.last = slot;
        at
    }

    /// Lifts that of flight `slot`, if it has one.
    #[inline]
    pub(super) fn lift(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize).filter(|link| link.is_set) else { return };
        link.is_set = false;
        let Link { before, next, .. } = *link;
        match before {
            NONE => self.first = next,
            before => self.links[before as usize].next = next,
        }
        match next {
            NONE => self.last = before,
            next => self.links[next as usize].before = before,
        }
    }

    /// When that of flight `slot` is, if it has one.
    pub(super) fn of(&self, slot: u32) -> Option<Instant> {
        self.links.get(slot as usize).filter(|link| link.is_set).map(|link| link.at)
    }

    /// The first one, and whose it is.
    pub(super) fn first(&self) -> Option<(Instant, u32)> {
        self.links.get(self.first as usize).map(|link| (link.at, self.first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stand_in_order_and_can_be_lifted_anywhere() {
        let mut deadlines = Deadlines::new(Duration::from_millis(10));
        for (slot, ms) in [(5, 0), (2, 1), (9, 1), (0, 4)] {
            deadlines.set(slot, Instant::from_millis(ms));
        }
        let first =
            |deadlines: &Deadlines| deadlines.first().map(|(at, slot)| (at.as_nanos() / 1_000_000, slot));
        assert_eq!(deadlines.of(9), Some(Instant::from_millis(11)));
        deadlines.lift(2);
        assert_eq!(deadlines.of(2), None);
        deadlines.lift(7);
        deadlines.lift(2);
        assert_eq!(first(&deadlines), Some((10, 5)));
        deadlines.lift(5);
        assert_eq!(first(&deadlines), Some((11, 9)));
        deadlines.set(5, Instant::from_millis(5));
        deadlines.lift(9);
        deadlines.lift(0);
        assert_eq!(first(&deadlines), Some((15, 5)));
        deadlines.lift(5);
        assert_eq!(first(&deadlines), None);
    }
}
