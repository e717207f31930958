//! Requests counted once each: `intended = answered + dropped`, dropped by cause. Intended is counted from the schedule,
//! the other side from what ended, so that the sum is a check and not a definition.

use super::{Cause, Ending};

/// One page of the ledger: a phase, an Upstream, a target, or the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests with a complete answer of a target.
    pub answered: u64,
    /// Of those, with a 5xx status.
    pub target_5xx: u64,
    /// Of those, answered by a version that was not in force when the request was picked.
    pub wrong_version: u64,
    dropped: [u64; Cause::ALL.len()],
}

impl Tally {
    /// Counts one request.
    pub fn count(&mut self, ending: Ending, wrong_version: bool) {
        match ending {
            Ending::Answered(status) => {
                self.answered += 1;
                self.target_5xx += u64::from(status >= 500);
                self.wrong_version += u64::from(wrong_version);
            }
            Ending::Dropped(cause) => self.dropped[cause as usize] += 1,
        }
    }

    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.target_5xx += other.target_5xx;
        self.wrong_version += other.wrong_version;
        for (sum, n) in self.dropped.iter_mut().zip(other.dropped) {
            *sum += n;
        }
    }

    /// Requests dropped for `cause`.
    pub fn dropped_by(&self, cause: Cause) -> u64 {
        self.dropped[cause as usize]
    }

    /// Requests dropped for any cause.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Answered and dropped: what must have been intended.
    pub fn ended(&self) -> u64 {
        self.answered + self.dropped()
    }

    /// The cause that dropped most, if any did; the first listed of equals.
    pub fn largest_cause(&self) -> Option<Cause> {
        let most = *self.dropped.iter().max()?;
        Cause::ALL.into_iter().find(|&cause| most > 0 && self.dropped_by(cause) == most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn causes_are_numbered_in_the_order_reports_list_them() {
        assert!(Cause::ALL.iter().enumerate().all(|(at, &cause)| cause as usize == at));
    }

    fn ending() -> impl Strategy<Value = Ending> {
        prop_oneof![
            (100_u16..600).prop_map(Ending::Answered),
            (0..Cause::ALL.len()).prop_map(|cause| Ending::Dropped(Cause::ALL[cause])),
        ]
    }

    proptest! {
        #[test]
        fn whatever_ends_is_counted_once_and_pages_add_up(
            endings in prop::collection::vec((ending(), any::<bool>()), 0..300), cut in 0.0..1.0_f64,
        ) {
            let page = |endings: &[(Ending, bool)]| {
                let mut page = Tally::default();
                for &(ending, wrong) in endings {
                    page.count(ending, wrong);
                }
                page
            };
            let whole = page(&endings);
            prop_assert_eq!(whole.ended(), endings.len() as u64);
            prop_assert_eq!(whole.dropped(), Cause::ALL.map(|cause| whole.dropped_by(cause)).iter().sum::<u64>());
            let (first, rest) = endings.split_at((cut * endings.len() as f64) as usize);
            let mut sum = page(first);
            sum.add(&page(rest));
            prop_assert_eq!(sum, whole);
            prop_assert!(whole.wrong_version <= whole.answered && whole.target_5xx <= whole.answered);
        }
    }

    #[test]
    fn the_largest_cause_is_named_only_when_something_was_dropped() {
        let mut page = Tally::default();
        page.count(Ending::Answered(200), false);
        assert_eq!(page.largest_cause(), None);
        for cause in [Cause::Refused, Cause::Overflow, Cause::Overflow] {
            page.count(Ending::Dropped(cause), false);
        }
        assert_eq!(page.largest_cause(), Some(Cause::Overflow));
    }
}
