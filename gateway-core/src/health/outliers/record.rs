//! What outlier detection counts of one target, shared by all workers without a lock. Leaves what follows from it to
//! [`Outliers`](super::Outliers).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::entity::OutlierDetection;
use crate::outcome::Outcome;

/// One request, in the upper half of the word of an [`OutlierRecord`]; successes are in the lower half.
const REQUEST: u64 = 1 << 32;
/// One request that succeeded.
const SUCCESS: u64 = REQUEST + 1;

/// One target's requests and successes of this interval, and its failures in a row. Nothing else is published through
/// them, so all are `Relaxed`.
#[derive(Debug, Default)]
pub struct OutlierRecord {
    /// Both in one word, so that no interval sees more successes than requests. Room for 4 billion an interval.
    interval: AtomicU64,
    failures_in_a_row: AtomicU32,
}

/// Requests of one target in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All that said something about the target.
    pub(super) requests: u32,
    /// Those that did not fail.
    pub(super) successes: u32,
}

impl OutlierRecord {
    /// Counts the end of a try; whether the target has now failed `consecutive_5xx` times in a row, upon which
    /// [`Outliers::eject`](super::Outliers::eject) is to be called. The row begins anew then, as in Envoy.
    ///
    /// As in Envoy by default, failed tries and timeouts are failures like 5xx answers.
    pub fn observe(&self, outcome: Outcome, settings: &OutlierDetection) -> bool {
        let has_failed = match outcome {
            Outcome::ClientGone => return false,
            Outcome::Answered { status } => status >= 500,
            Outcome::Failed { .. } => true,
        };
        self.interval.fetch_add(if has_failed { REQUEST } else { SUCCESS }, Ordering::Relaxed);
        if !has_failed {
            self.forgive();
            return false;
        }
        let failures = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let is_outlier = settings.consecutive_5xx > 0 && failures >= settings.consecutive_5xx;
        if is_outlier {
            self.forgive();
        }
        is_outlier
    }

    /// Begins a row of failures anew. Writes only when there is one: most targets succeed most of the time.
    pub(super) fn forgive(&self) {
        if self.failures_in_a_row.load(Ordering::Relaxed) > 0 {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Ends the interval: what was counted in it.
    pub(super) fn take(&self) -> Tally {
        let word = self.interval.swap(0, Ordering::Relaxed);
        Tally { requests: (word >> 32) as u32, successes: word as u32 }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::outcome::Failure;

    const OK: Outcome = Outcome::Answered { status: 200 };
    const BROKEN: Outcome = Outcome::Answered { status: 503 };

    #[test]
    fn five_failures_in_a_row_stand_out_and_five_more_do_again() {
        let settings = OutlierDetection::default();
        let record = OutlierRecord::default();
        let refused = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
        for outcome in
            [BROKEN, refused, BROKEN, refused, OK, BROKEN, BROKEN, Outcome::ClientGone, BROKEN, refused]
        {
            assert!(!record.observe(outcome, &settings));
        }
        assert!(record.observe(BROKEN, &settings));
        let again: Vec<_> = (0..5).map(|_| record.observe(BROKEN, &settings)).collect();
        assert_eq!(again, [false, false, false, false, true]);
        assert_eq!(record.take(), Tally { requests: 15, successes: 1 });
        assert_eq!(record.take(), Tally::default());
    }

    #[test]
    fn zero_switches_rows_off() {
        let settings = OutlierDetection { consecutive_5xx: 0, ..OutlierDetection::default() };
        let record = OutlierRecord::default();
        assert!((0..20).all(|_| !record.observe(BROKEN, &settings)));
    }

    #[test]
    fn no_request_is_lost_between_threads_and_ticks() {
        // Aim: intervals add up. Method: four threads count while a fifth ends intervals all the time.
        let settings = OutlierDetection::default();
        let record = OutlierRecord::default();
        let mut seen = Tally::default();
        thread::scope(|scope| {
            let observe = |outcome| (0..10_000).for_each(|_| _ = record.observe(outcome, &settings));
            let workers = [OK, OK, BROKEN, OK].map(|outcome| scope.spawn(move || observe(outcome)));
            while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
                let tally = record.take();
                assert!(tally.successes <= tally.requests);
                seen.requests += tally.requests;
                seen.successes += tally.successes;
            }
        });
        let rest = record.take();
        assert_eq!((seen.requests + rest.requests, seen.successes + rest.successes), (40_000, 30_000));
    }
}
