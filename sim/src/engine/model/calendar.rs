//! The calendar: what will happen, in order of time. At one moment control comes before everything else, and what was
//! entered first comes first, so that the order is a function of the program alone. Where assertions are on, each entry is
//! compared with that of a plain heap.

#[cfg(debug_assertions)]
use std::cmp::Reverse;
#[cfg(debug_assertions)]
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use gateway_core::time::Instant;

use super::ladder::Ladder;

/// Who an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The steps of the plan.
    Step,
    /// A fault begins or ends at this target.
    Change(u32),
    /// What the gateway does by itself.
    Gateway,
    /// Somebody departs from this target's station.
    Departure(u32),
    /// A flight gets on.
    Flight(u32),
    /// A probe has taken too long.
    ProbeOver(u32),
    /// Word that the client of a flight has gone is at the gateway.
    Gone(u32),
}

/// Entries up to 2^34, of which 2^24 of each kind may wait at once.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    /// Time, class, number of entry, kind, and whose: one compare decides time and tie.
    entries: Ladder,
    /// Those that were entered in the order they are due in, as messages are that all take equally long.
    queue: VecDeque<u128>,
    /// The same once more.
    #[cfg(debug_assertions)]
    all: BinaryHeap<Reverse<u128>>,
    next: u64,
    now: Instant,
}

/// One entry: its number tells it from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Instant,
    pub(super) number: u64,
    pub(super) event: Event,
}

const WHOSE: u32 = 24;
const KIND: u32 = 4;
const NUMBER: u32 = 34;
/// Later than every entry.
const NOTHING: u128 = u128::MAX;

impl Event {
    /// Class and kind, and whose.
    const fn code(self) -> (u128, u128, u32) {
        match self {
            Self::Step => (0, 0, 0),
            Self::Change(target) => (0, 1, target),
            Self::Gateway => (0, 2, 0),
            Self::Departure(target) => (1, 3, target),
            Self::Flight(slot) => (1, 4, slot),
            Self::ProbeOver(slot) => (1, 5, slot),
            Self::Gone(slot) => (1, 6, slot),
        }
    }

    fn decode(kind: u32, whose: u32) -> Self {
        match kind {
            0 => Self::Step,
            1 => Self::Change(whose),
            2 => Self::Gateway,
            3 => Self::Departure(whose),
            4 => Self::Flight(whose),
            5 => Self::ProbeOver(whose),
            _ => Self::Gone(whose),
        }
    }
}

impl Calendar {
    /// Enters what happens at `at`; the entry's number.
    ///
    /// # Panics
    /// When that is past: time never goes back.
    #[inline]
    pub(super) fn push(&mut self, at: Instant, event: Event) -> u64 {
        let (key, number) = self.key(at, event);
        self.entries.push(key);
        number
    }

    /// Enters what happens at `at`, later than all that was entered this way before; the entry's number. Costs far less.
    ///
    /// # Panics
    /// When that is past, or something entered this way comes after it.
    #[inline]
    pub(super) fn push_last(&mut self, at: Instant, event: Event) -> u64 {
        let (key, number) = self.key(at, event);
        assert!(self.queue.back().is_none_or(|last| *last < key), "an event at {at} is not the last one");
        self.queue.push_back(key);
        number
    }

    #[inline]
    fn key(&mut self, at: Instant, event: Event) -> (u128, u64) {
        assert!(at >= self.now, "an event at {at} is entered at {}", self.now);
        let (class, kind, whose) = event.code();
        let number = self.next;
        self.next += 1;
        assert!(number < 1 << NUMBER && whose < 1 << WHOSE, "too many entries");
        let key = u128::from(at.as_nanos()) << 64
            | class << (NUMBER + KIND + WHOSE)
            | u128::from(number) << (KIND + WHOSE)
            | kind << WHOSE
            | u128::from(whose);
        #[cfg(debug_assertions)]
        self.all.push(Reverse(key));
        (key, number)
    }

    /// When the next entry is due.
    pub(super) fn peek(&self) -> Option<Instant> {
        let (queued, entered) = (self.queue.front().copied(), self.entries.peek());
        let first = queued
            .map_or(entered, |queued| entered.map_or(Some(queued), |entered| Some(queued.min(entered))));
        first.map(|key| Instant::from_nanos((key >> 64) as u64))
    }

    /// The next entry, if it is due by then.
    ///
    /// # Panics
    /// When time goes back: a bug.
    #[inline]
    pub(super) fn pop(&mut self, by: Instant) -> Option<Entry> {
        let queued = self.queue.front().copied().unwrap_or(NOTHING);
        let entered = self.entries.peek().unwrap_or(NOTHING);
        let key = queued.min(entered);
        let at = Instant::from_nanos((key >> 64) as u64);
        if key == NOTHING || at > by {
            return None;
        }
        if queued == key {
            self.queue.pop_front();
        } else {
            self.entries.pop();
        }
        #[cfg(debug_assertions)]
        assert_eq!(Some(key), self.all.pop().map(|Reverse(key)| key), "the order is a heap's");
        assert!(at >= self.now, "time runs backwards: {} to {at}", self.now);
        self.now = at;
        let low = key as u64;
        let event = Event::decode((low >> WHOSE) as u32 & ((1 << KIND) - 1), low as u32 & ((1 << WHOSE) - 1));
        Some(Entry { at, number: low >> (KIND + WHOSE) & ((1 << NUMBER) - 1), event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_comes_first_and_then_who_was_entered_first() {
        let mut calendar = Calendar::default();
        let (early, late) = (Instant::from_millis(1), Instant::from_millis(2));
        let entries = [
            (late, Event::Flight(7)),
            (late, Event::Departure(3)),
            (late, Event::Step),
            (early, Event::Flight((1 << 24) - 1)),
            (late, Event::Flight(1)),
            (late, Event::Change(9)),
            (late, Event::Gateway),
            (late, Event::ProbeOver(2)),
            (late, Event::Gone(5)),
        ];
        for (number, (at, event)) in (0..).zip(entries) {
            assert_eq!(calendar.push(at, event), number);
        }
        assert_eq!(calendar.peek(), Some(early));
        let order: Vec<_> = std::iter::from_fn(|| calendar.pop(Instant::MAX))
            .map(|entry| (entry.number, entry.event))
            .collect();
        let expected = [3, 2, 5, 6, 0, 1, 4, 7, 8].map(|number: u64| (number, entries[number as usize].1));
        assert_eq!(order, expected);
    }

    #[test]
    #[should_panic(expected = "is entered at")]
    fn nothing_is_entered_into_the_past() {
        let mut calendar = Calendar::default();
        calendar.push(Instant::from_millis(2), Event::Step);
        calendar.pop(Instant::MAX);
        calendar.push(Instant::from_millis(1), Event::Step);
    }
}
