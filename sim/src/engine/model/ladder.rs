//! A queue of keys whose upper half is a time: the same order as a heap has, for less where many wait. What is due soon is a small
//! heap; what is due later lies in rungs, equal stretches of time whose keys need no order yet; what is due after those lies in
//! one heap of its own until the rungs are used up, and then their width is chosen anew (a ladder queue: Tang, Goh, Thng 2005,
//! with one ladder of rungs).
//!
//! Looking changes nothing, and whatever is entered between two looks finds its place: a key due before the end of the current
//! stretch goes to the heap directly.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Rungs; a multiple of 64.
const RUNGS: usize = 1024;

/// Keys in order, the smallest first.
#[derive(Debug)]
pub(super) struct Ladder {
    /// What is due before `near_end`; never empty unless all is.
    near: BinaryHeap<Reverse<u128>>,
    near_end: u64,
    rungs: Vec<Vec<Reverse<u128>>>,
    /// The rung that was made the near stretch last.
    passed: usize,
    /// A bit for each rung that is not empty.
    filled: [u64; RUNGS / 64],
    /// When the first rung begins, and how long each is, as a power of two.
    base: u64,
    shift: u32,
    /// What is due after the last rung.
    far: Vec<u128>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self {
            near: BinaryHeap::new(),
            near_end: 0,
            rungs: vec![Vec::new(); RUNGS],
            passed: 0,
            filled: [0; RUNGS / 64],
            base: 0,
            shift: 0,
            far: Vec::new(),
        }
    }
}

impl Ladder {
    #[inline]
    pub(super) fn push(&mut self, key: u128) {
        let at = time(key);
        if at < self.near_end {
            self.near.push(Reverse(key));
            return;
        }
        self.put(key);
        if self.near.is_empty() {
            self.advance();
        }
    }

    pub(super) fn peek(&self) -> Option<u128> {
        self.near.peek().map(|Reverse(key)| *key)
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<u128> {
        let Reverse(key) = self.near.pop()?;
        if self.near.is_empty() {
            self.advance();
        }
        Some(key)
    }

    /// Puts a key that is not near where it belongs.
    #[inline]
    fn put(&mut self, key: u128) {
        let rung = time(key).saturating_sub(self.base) >> self.shift;
        match self.rungs.get_mut(rung as usize) {
            Some(keys) => {
                keys.push(Reverse(key));
                self.filled[rung as usize / 64] |= 1 << (rung % 64);
            }
            None => self.far.push(key),
        }
    }

    /// Makes the next stretch that holds anything the near one.
    fn advance(&mut self) {
        let Some(rung) = self.first_filled() else {
            if !self.far.is_empty() {
                self.lay_rungs();
                self.advance();
            }
            return;
        };
        self.filled[rung / 64] &= !(1 << (rung % 64));
        // Both keep what room they have.
        let keys = std::mem::take(&mut self.rungs[rung]);
        self.rungs[rung] = std::mem::replace(&mut self.near, BinaryHeap::from(keys)).into_vec();
        // Beyond the end of time nothing is entered.
        let end = (u128::from(self.base) + ((rung as u128 + 1) << self.shift)).min(u64::MAX.into());
        self.near_end = end as u64;
        self.passed = rung;
    }

    /// The first rung that holds anything: none before the one that was the near stretch last.
    fn first_filled(&self) -> Option<usize> {
        let passed = self.passed / 64;
        let words = self.filled.iter().enumerate().skip(passed);
        let (number, word) = words.into_iter().find(|(_, word)| **word != 0)?;
        Some(number * 64 + word.trailing_zeros() as usize)
    }

    /// Lays all rungs anew over what is far away, so that half of it at least is on them.
    fn lay_rungs(&mut self) {
        let Some(first) = self.far.iter().min().map(|key| time(*key)) else { return };
        let middle = self.far.len() / 2;
        let (_, median, _) = self.far.select_nth_unstable(middle);
        let span = time(*median) - first;
        self.base = first;
        self.passed = 0;
        self.shift = (span / RUNGS as u64 + 1).next_power_of_two().ilog2();
        let mut far = std::mem::take(&mut self.far);
        let (base, shift) = (self.base, self.shift);
        let is_far = |key: &u128| (time(*key) - base) >> shift >= RUNGS as u64;
        for &key in far.iter().filter(|key| !is_far(key)) {
            self.put(key);
        }
        far.retain(is_far);
        self.far = far;
    }
}

fn time(key: u128) -> u64 {
    (key >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pops_are_those_of_a_heap(
            steps in prop::collection::vec((0_u64..8, prop_oneof![0_u64..4, 0_u64..100_000, 0_u64..u64::MAX / 2]), 1..2000)
        ) {
            let (mut ladder, mut heap, mut now) = (Ladder::default(), BinaryHeap::new(), 0_u64);
            for (number, (pops, ahead)) in steps.into_iter().enumerate() {
                let key = u128::from(now.saturating_add(ahead)) << 64 | number as u128;
                ladder.push(key);
                heap.push(Reverse(key));
                // Fewer are taken out than put in at first.
                for _ in 0..pops / 4 {
                    prop_assert_eq!(ladder.peek(), heap.peek().map(|Reverse(key)| *key));
                    let popped = heap.pop().map(|Reverse(key)| key);
                    prop_assert_eq!(ladder.pop(), popped);
                    now = popped.map_or(now, time);
                }
            }
            while let Some(Reverse(key)) = heap.pop() {
                prop_assert_eq!(ladder.pop(), Some(key));
            }
            prop_assert_eq!((ladder.pop(), ladder.peek()), (None, None));
        }
    }
}
