//! Hands out a sequence of members, one turn to each caller, without a lock: no turn is lost, none is given twice, and when
//! the epoch ends it is known exactly which have been given.
//!
//! The counter says which turn is next. The turns to come stand in a ring of entries, each marked with the parity of its
//! lap, so that a worker can tell an entry of this lap from one that is still of the last.
//!
//! *While the ring runs* a worker reads the counter, then the entry, and then claims the turn by compare-and-exchange. An
//! entry of the last lap sends it to compute more. An entry of the next lap cannot mislead it: whoever wrote that had seen
//! the counter move past this turn, so the exchange fails. A worker may thus sleep as long as it likes between any two steps.
//!
//! *Once the ring holds a whole period* it repeats for ever, nothing is written any more, and a turn is one `fetch_add` and
//! one look into the ring.
//!
//! `interleavings` walks through every order of these steps, so this file names its atomics by way of `super::sync`.

use std::sync::PoisonError;

use crossbeam_utils::CachePadded;

use super::sync::{AtomicBool, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::balancer::NoChoice;
use crate::balancer::turns::divisor::Divisor;
use crate::balancer::turns::{Pace, Sequence};

/// Set in the counter when the epoch has ended. Counters never come near it otherwise.
const CLOSED: u64 = 1 << 63;

/// The turns of one epoch.
#[derive(Debug)]
pub(super) struct Turns<S> {
    /// Turns given so far, and [`CLOSED`].
    next: CachePadded<AtomicU64>,
    /// The ring; see [`entry`].
    entries: Box<[AtomicU32]>,
    /// The length of the ring.
    length: Divisor,
    /// Whether the ring is a whole period that repeats for ever.
    repeats: AtomicBool,
    /// See [`Pace::every`]; a power of two.
    every: u64,
    /// Apart from what everybody reads.
    source: CachePadded<Mutex<Source<S>>>,
}

/// What the entries come from.
#[derive(Debug)]
struct Source<S> {
    sequence: S,
    /// Slots so far: whole laps of the ring, and places of it.
    slots: u64,
    lap: u64,
    place: usize,
    /// Picks of each member before the lap that is being computed.
    before: Box<[u64]>,
}

impl<S: Sequence> Turns<S> {
    /// The turns of an epoch that begins at once.
    pub(super) fn new(sequence: S, pace: Pace) -> Self {
        let turns = Self::prepared(sequence, pace);
        turns.begin(pace, |_| ());
        turns
    }

    /// The turns of an epoch that is to begin; none is computed yet.
    pub(super) fn prepared(sequence: S, pace: Pace) -> Self {
        let period = sequence.shares().period();
        let length = if period <= pace.period_max { period as usize } else { pace.ring };
        Self {
            next: CachePadded::new(AtomicU64::new(0)),
            entries: (0..length).map(|_| AtomicU32::new(0)).collect(),
            length: Divisor::new(length.max(1) as u64),
            repeats: AtomicBool::new(false),
            every: pace.every.next_power_of_two(),
            source: CachePadded::new(Mutex::new(Source {
                before: sequence.picks().into(),
                sequence,
                slots: 0,
                lap: 0,
                place: 0,
            })),
        }
    }

    /// Begins the epoch, after `start` has told the sequence what it begins with.
    pub(super) fn begin<R>(&self, pace: Pace, start: impl FnOnce(&mut S) -> R) -> R {
        let mut source = self.lock();
        let started = start(&mut source.sequence);
        self.compute(&mut source, pace.at_once.min(self.entries.len()));
        started
    }

    /// The next turn: its number, from 0, and whose it is. There must be members.
    pub(super) fn take(&self) -> Result<(u64, usize), NoChoice> {
        let is_table = self.repeats.load(Ordering::Acquire);
        let (turn, entry) = if is_table { self.take_from_table() } else { self.take_from_ring() };
        if turn & CLOSED == 0 { Ok((turn, member(entry))) } else { Err(NoChoice) }
    }

    /// Whether no turn is given any more.
    pub(super) fn are_closed(&self) -> bool {
        self.next.load(Ordering::Acquire) & CLOSED != 0
    }

    /// The next turn and its entry; no turn when it has [`CLOSED`] in it. A pair of numbers goes through no memory.
    fn take_from_table(&self) -> (u64, u32) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if turn & CLOSED != 0 {
            return (turn, 0);
        }
        (turn, self.entry_of(turn).load(Ordering::Relaxed))
    }

    /// The same while the ring runs. Apart, so that a look into a table saves and restores nothing.
    #[inline(never)]
    fn take_from_ring(&self) -> (u64, u32) {
        loop {
            // Another worker's progress is the only reason to go round again, but for once per lap to compute.
            let turn = self.next.load(Ordering::Acquire);
            if turn & CLOSED != 0 {
                return (turn, 0);
            }
            let (lap, place) = self.length.divide(turn);
            let entry = self.entries[place as usize].load(Ordering::Acquire);
            if !is_of_lap(entry, lap) {
                self.compute(&mut self.lock(), 2 * self.every as usize);
                if self.repeats.load(Ordering::Acquire) {
                    return self.take_from_table();
                }
            } else if self.claim(turn) {
                if turn & (self.every - 1) == 0 {
                    self.compute_ahead();
                }
                return (turn, entry);
            }
        }
    }

    fn claim(&self, turn: u64) -> bool {
        // Release: whoever sees the counter beyond this turn also sees what this worker saw in the ring.
        self.next.compare_exchange_weak(turn, turn + 1, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Computes some more entries, unless somebody else is at it.
    #[cold]
    fn compute_ahead(&self) {
        if let Ok(mut source) = self.source.try_lock() {
            self.compute(&mut source, 2 * self.every as usize);
        }
    }

    /// Computes so many more entries, fewer where the ring has no room for them.
    fn compute(&self, source: &mut Source<S>, some: usize) {
        let length = self.entries.len() as u64;
        // An entry may be overwritten when its turn has been given.
        let end = (self.next.load(Ordering::Acquire) & !CLOSED) + length;
        let mut left = some.min(end.saturating_sub(source.slots) as usize);
        while left > 0 && !self.repeats.load(Ordering::Relaxed) {
            let here = left.min(self.entries.len() - source.place);
            for place in &self.entries[source.place..source.place + here] {
                place.store(entry(source.sequence.next_member(), source.lap), Ordering::Release);
            }
            left -= here;
            source.slots += here as u64;
            source.place += here;
            if source.place == self.entries.len() {
                (source.place, source.lap) = (0, source.lap + 1);
                self.repeats.store(source.repeats(length), Ordering::Release);
                source.before.copy_from_slice(source.sequence.picks());
            }
        }
    }

    /// Whose turns they are in one lap from `start` on, as far as they are computed. Takes none.
    pub(super) fn lap_from(&self, start: usize) -> impl Iterator<Item = usize> {
        let length = self.entries.len();
        let entries =
            (0..length).map(move |i| self.entries[(start % length + i) % length].load(Ordering::Acquire));
        entries.filter(|&entry| entry != 0).map(member)
    }

    /// Ends the epoch; what `read` makes of the picks of each member until then, whole laps of a table left out.
    pub(super) fn close<R>(&self, read: impl FnOnce(&S, &[u64]) -> R) -> R {
        let source = self.lock();
        let given = self.next.fetch_or(CLOSED, Ordering::AcqRel) & !CLOSED;
        read(&source.sequence, &self.picks(&source, given))
    }

    /// Picks of each member in so many turns, whole laps of a table left out.
    fn picks(&self, source: &Source<S>, given: u64) -> Vec<u64> {
        let mut picks = source.sequence.picks().to_vec();
        let computed = source.slots;
        for turn in given..computed {
            picks[self.member_of(turn)] -= 1;
        }
        // Beyond what was computed the ring repeats, and after a whole lap of it everything is as it was.
        let length = self.entries.len() as u64;
        let beyond = given.saturating_sub(computed).checked_rem(length).unwrap_or(0);
        for turn in computed..computed + beyond {
            picks[self.member_of(turn)] += 1;
        }
        picks
    }

    fn member_of(&self, turn: u64) -> usize {
        member(self.entry_of(turn).load(Ordering::Acquire))
    }

    fn entry_of(&self, turn: u64) -> &AtomicU32 {
        &self.entries[self.length.divide(turn).1 as usize]
    }

    fn lock(&self) -> MutexGuard<'_, Source<S>> {
        // A panic while the lock was held could only have been an arithmetic bug in the sequence.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the ring has become a period that repeats.
    #[cfg(test)]
    pub(super) fn repeats(&self) -> bool {
        self.repeats.load(Ordering::Acquire)
    }

    /// Turns given so far.
    #[cfg(test)]
    pub(super) fn given(&self) -> u64 {
        self.next.load(Ordering::Acquire) & !CLOSED
    }
}

impl<S: Sequence> Source<S> {
    /// Whether the lap that was computed last, of so many slots, follows again and again.
    fn repeats(&self, lap: u64) -> bool {
        let shares = self.sequence.shares();
        lap == shares.period()
            && shares.are_met(&self.before, self.sequence.picks())
            && self.sequence.is_settled(&self.before)
    }
}

/// A member's turn in a lap: twice its number, from 1, and a bit that is set in even laps. Zero is not computed yet, and of
/// no lap that anybody could be in.
fn entry(member: u32, lap: u64) -> u32 {
    (member + 1) << 1 | u32::from(lap.is_multiple_of(2))
}

fn member(entry: u32) -> usize {
    (entry >> 1) as usize - 1
}

/// Whether an entry is of this lap, where it can only be of this one or of the one before.
fn is_of_lap(entry: u32, lap: u64) -> bool {
    (entry & 1 == 1) == lap.is_multiple_of(2)
}
