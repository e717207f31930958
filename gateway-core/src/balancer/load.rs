//! What is known of one target's load, whoever picks: requests under way, and what its answers have shown. Belongs to the
//! target and outlives epochs, so that a change that does not concern a target never resets what is known of it.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Estimate;

/// Loads in a chunk: whatever a byte says is one of them, so that nobody has to look whether it is.
const PLACES: usize = u8::MAX as usize + 1;
/// Where there are no more targets than this, each has its lines to itself.
const APART_MAX: usize = 256;
/// So many places further is a line that no processor fetches together with this one, which holds 16 counts.
const APART: usize = 32;

/// The load of one target, counted by all workers together. A clone is the same load.
#[derive(Clone, Debug)]
pub struct Load<T = ()> {
    chunk: Arc<Chunk>,
    at: u8,
    /// What its holder reads together with it: there is room for four bytes.
    note: T,
}

/// Hands out loads. Those of few targets lie apart, so that workers who count at different ones never wait for each other. Those of
/// many lie close together: who compares some then reads few lines and pages, at the price that workers who count at different ones
/// may now and then wait for each other. A chunk of 5 KB is kept as long as one of its loads is.
#[derive(Debug, Default)]
pub struct Loads {
    chunk: Arc<Chunk>,
    /// The first place that is free.
    next: usize,
}

/// Requests under way.
#[derive(Debug, Default)]
pub struct Count(AtomicU32);

/// Some loads, each kind of number by itself: who asks for one kind reads the lines of that kind only.
#[derive(Debug)]
#[repr(align(128))]
struct Chunk {
    in_flight: [Count; PLACES],
    response_time: [Estimate; PLACES],
    queue: [Estimate; PLACES],
}

impl<T> Load<T> {
    /// Attempts under way at it.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.count().in_flight()
    }

    /// An attempt begins.
    pub fn enter(&self) {
        self.count().enter();
    }

    /// An attempt has ended.
    ///
    /// # Panics
    /// When none was under way.
    pub fn leave(&self) {
        self.count().leave();
    }

    /// Seconds it takes to answer, as the algorithm in force averages them. An algorithm that follows another starts from
    /// what that one had learned.
    #[inline]
    pub(super) fn response_time(&self) -> &Estimate {
        &self.chunk.response_time[usize::from(self.at)]
    }

    /// Attempts under way when its answers came.
    pub(super) fn queue(&self) -> &Estimate {
        &self.chunk.queue[usize::from(self.at)]
    }

    /// The same load, with a note.
    pub(super) fn with<N>(self, note: N) -> Load<N> {
        Load { chunk: self.chunk, at: self.at, note }
    }

    /// What was noted.
    #[inline]
    pub(super) fn note(&self) -> &T {
        &self.note
    }

    fn count(&self) -> &Count {
        &self.chunk.in_flight[usize::from(self.at)]
    }
}

/// One that has nothing to do with others.
impl Default for Load {
    fn default() -> Self {
        Loads::default().one_of(1)
    }
}

impl Loads {
    /// The load of a new target of an Upstream that has so many.
    pub fn one_of(&mut self, targets: usize) -> Load {
        let step = if targets > APART_MAX { 1 } else { APART };
        let mut at = self.next.next_multiple_of(step);
        if at >= PLACES {
            (self.chunk, at) = (Arc::default(), 0);
        }
        self.next = at + step;
        Load { chunk: Arc::clone(&self.chunk), at: at as u8, note: () }
    }
}

impl Count {
    /// How many.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// One begins.
    pub fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One has ended.
    ///
    /// # Panics
    /// When none was under way.
    pub fn leave(&self) {
        let before = self.0.fetch_sub(1, Ordering::Relaxed);
        assert!(before > 0, "an attempt was finished that never began");
    }
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            in_flight: array::from_fn(|_| Count::default()),
            response_time: array::from_fn(|_| Estimate::default()),
            queue: array::from_fn(|_| Estimate::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where its count is, in bytes.
    fn address(load: &Load) -> usize {
        std::ptr::from_ref(load.count()).addr()
    }

    #[test]
    fn few_lie_apart_and_many_close_together() {
        let mut loads = Loads::default();
        let mut some = |n: usize, of| -> Vec<_> { (0..n).map(|_| loads.one_of(of)).collect() };
        let (few, many, more) = (some(20, 20), some(1000, 1000), some(20, 20));
        for (i, load) in few.iter().chain(&more).enumerate() {
            let others = few.iter().chain(&many).chain(&more);
            let beside = others.filter(|other| address(load) / 128 == address(other) / 128).count();
            assert_eq!(beside, 1, "the {i}th has nobody but itself beside it");
        }
        let lines: std::collections::BTreeSet<_> = many.iter().map(|load| address(load) / 64).collect();
        assert!(lines.len() <= 1000 / 16 + 2, "{}", lines.len());
    }

    #[test]
    fn each_is_counted_by_itself_and_a_clone_is_the_same() {
        let mut loads = Loads::default();
        let loads: Vec<_> = (0..600).map(|_| loads.one_of(600)).collect();
        for (i, load) in loads.iter().enumerate() {
            (0..i).for_each(|_| load.clone().with(i).enter());
        }
        assert!(loads.iter().enumerate().all(|(i, load)| load.in_flight() == i as u32));
    }

    #[test]
    fn with_a_weight_it_takes_sixteen_bytes() {
        assert_eq!(size_of::<Load<u32>>(), 16);
    }
}
