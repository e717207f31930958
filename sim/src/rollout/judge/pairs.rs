//! Requests and their copies side by side. Where both versions were asked the same, only requests that one of them alone failed say
//! which is worse; a request that is bad for both says nothing of either.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Side;

/// Halves that wait for the other one; of more the oldest are forgotten, most of which never had a copy.
const WAITING_MAX: usize = 65_536;

/// Halves of pairs.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    waiting: FxHashMap<u64, (Side, bool)>,
    order: VecDeque<u64>,
}

impl Pairs {
    /// One half has ended. The side that was bad alone, once both have.
    pub(super) fn see(&mut self, request: u64, side: Side, is_bad: bool) -> Option<Side> {
        match self.waiting.remove(&request) {
            Some((other, was_bad)) if other != side => match (was_bad, is_bad) {
                (true, false) => Some(other),
                (false, true) => Some(side),
                _ => None,
            },
            _ => {
                self.waiting.insert(request, (side, is_bad));
                self.order.push_back(request);
                if self.order.len() > WAITING_MAX {
                    self.order.pop_front().and_then(|oldest| self.waiting.remove(&oldest));
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_bad_alone_is_told_whoever_comes_first() {
        let (own, copy) = (Side::Stable, Side::Canary);
        let mut pairs = Pairs::default();
        let mut both = |request, first: (Side, bool), second: (Side, bool)| {
            assert_eq!(pairs.see(request, first.0, first.1), None);
            pairs.see(request, second.0, second.1)
        };
        assert_eq!(both(1, (own, false), (copy, true)), Some(copy));
        assert_eq!(both(2, (copy, true), (own, false)), Some(copy));
        assert_eq!(both(3, (own, true), (copy, false)), Some(own));
        assert_eq!(both(4, (own, true), (copy, true)), None);
        assert_eq!(both(5, (own, false), (copy, false)), None);
    }

    #[test]
    fn who_has_no_copy_is_forgotten_in_the_end() {
        let mut pairs = Pairs::default();
        (0..2 * WAITING_MAX as u64).for_each(|request| {
            pairs.see(request, Side::Stable, true);
        });
        assert_eq!((pairs.waiting.len(), pairs.order.len()), (WAITING_MAX, WAITING_MAX));
        assert_eq!(pairs.see(0, Side::Canary, false), None, "that was long ago");
    }
}
