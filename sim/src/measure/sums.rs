//! The books of a run that makes no mistakes of its own: what happened to a request is known when it ends, so nothing is kept of
//! it afterwards. That each number of the schedule ended once is checked by how many there were, their sum and the sum of their
//! squares: one end too many and one too few cannot agree in all three.

use std::collections::VecDeque;

use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

/// Requests that have ended and may still be served, at most: those of whom more than one attempt was made, or whose client went
/// away. Beyond that the oldest counts as it stands.
const LATE_MAX: usize = 65_536;

/// The books of a modelled run.
#[derive(Debug)]
pub(super) struct Sums {
    /// For each stream of the load.
    streams: Vec<Sum>,
    late: FxHashMap<u64, Late>,
    /// Which of those is the oldest.
    order: VecDeque<u64>,
}

/// All numbers of a stream that ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    n: u128,
    numbers: u128,
    squares: u128,
}

/// A request that has ended and may still be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    /// Which request.
    pub(super) index: u64,
    /// When it should have been sent.
    pub(super) intended: Instant,
    /// Whether the client has an answer.
    pub(super) answered: bool,
    /// How often it is in the targets' books so far.
    pub(super) served: u32,
}

impl Sums {
    /// Those of a load of so many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self { streams: vec![Sum::default(); streams], late: FxHashMap::default(), order: VecDeque::new() }
    }

    /// The `nth` request of a stream ended, from 0.
    pub(super) fn end(&mut self, stream: usize, nth: u64) {
        let (sum, nth) = (&mut self.streams[stream], u128::from(nth));
        sum.n += 1;
        sum.numbers += nth;
        sum.squares += nth * nth;
    }

    /// A request ended that may still be served; one that is now too old for that, if there is one.
    pub(super) fn wait_for(&mut self, late: Late) -> Option<Late> {
        self.late.insert(late.index, late);
        self.order.push_back(late.index);
        if self.order.len() <= LATE_MAX {
            return None;
        }
        self.order.pop_front().and_then(|oldest| self.late.remove(&oldest))
    }

    /// Whether a request has ended and may still be served.
    pub(super) fn is_late(&self, request: u64) -> bool {
        !self.late.is_empty() && self.late.contains_key(&request)
    }

    /// A target wrote a request into its book that has ended.
    pub(super) fn serve(&mut self, request: u64) {
        if let Some(late) = self.late.get_mut(&request) {
            late.served += 1;
        }
    }

    /// One of those that might still have been served, until there is none.
    pub(super) fn take_late(&mut self) -> Option<Late> {
        self.order.pop_front().and_then(|oldest| self.late.remove(&oldest))
    }

    /// How many ended of each stream.
    pub(super) fn ends(&self) -> impl Iterator<Item = u64> {
        self.streams.iter().map(|sum| sum.n as u64)
    }

    /// # Panics
    /// When those of some stream that ended are not its first ones, each once: then the engine is broken.
    pub(super) fn check(&self) {
        for sum in &self.streams {
            let n = sum.n;
            let last = n.saturating_sub(1);
            let squares = n * last * (2 * n).saturating_sub(1) / 6;
            let expected = Sum { n, numbers: n * last / 2, squares };
            assert_eq!(*sum, expected, "each request ends once");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(numbers: &[u64]) -> Sums {
        let mut sums = Sums::new(1);
        for &nth in numbers {
            sums.end(0, nth);
        }
        sums
    }

    #[test]
    fn numbers_may_end_in_any_order() {
        for numbers in [&[][..], &[0], &[3, 1, 0, 2, 4]] {
            let sums = ended(numbers);
            sums.check();
            assert!(sums.ends().eq([numbers.len() as u64]));
        }
    }

    #[test]
    fn one_too_many_and_one_too_few_are_found() {
        for numbers in [&[1][..], &[0, 0], &[0, 2, 2, 3], &[1, 1, 1, 3, 4], &[0, 3, 3, 3, 1, 5, 6]] {
            let sums = ended(numbers);
            assert!(std::panic::catch_unwind(|| sums.check()).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn the_oldest_is_waited_for_no_longer() {
        let mut sums = Sums::new(1);
        let late = |index| Late { index, intended: Instant::ZERO, answered: false, served: 0 };
        for index in 0..LATE_MAX as u64 {
            assert!(sums.wait_for(late(index)).is_none());
        }
        sums.serve(0);
        let oldest = sums.wait_for(late(LATE_MAX as u64)).map(|late| (late.index, late.served));
        assert_eq!((oldest, sums.is_late(0), sums.is_late(1)), (Some((0, 1)), false, true));
    }
}
