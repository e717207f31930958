//! Durations counted in the bins of an HDR histogram, with the exact smallest, largest and sum beside it. Its size depends on
//! its precision and on the longest duration, never on how much was recorded.

use std::time::Duration;

use gateway_core::time;

use super::log_bins::LogBins;
use crate::hdr;
use crate::stats::{self, Estimate};

/// A distribution of durations.
// One cache line: there is one for each of thousands of targets.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Times {
    bins: LogBins,
    n: u64,
    min_ns: u64,
    max_ns: u64,
    sum_ns: u128,
}

impl Times {
    /// Values within 0.1 %; 30 KB for milliseconds, 100 KB for an hour.
    pub fn precise() -> Self {
        Self::with_digits(3)
    }

    /// Values within 0.8 %; 4 KB for milliseconds, 14 KB for an hour.
    pub fn coarse() -> Self {
        Self::with_digits(2)
    }

    fn with_digits(digits: u8) -> Self {
        Self { bins: LogBins::new(digits), n: 0, min_ns: u64::MAX, max_ns: 0, sum_ns: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        self.count(time::nanos(duration));
    }

    /// Counts one duration of so many nanoseconds.
    #[inline]
    pub fn count(&mut self, ns: u64) {
        self.bins.count(ns);
        self.n += 1;
        self.min_ns = self.min_ns.min(ns);
        self.max_ns = self.max_ns.max(ns);
        self.sum_ns += u128::from(ns);
    }

    /// Counts all that `other` has counted; exact where its precision is the same.
    ///
    /// # Panics
    /// When `other` is more precise.
    pub fn add(&mut self, other: &Self) {
        self.bins.add(&other.bins);
        self.n += other.n;
        self.min_ns = self.min_ns.min(other.min_ns);
        self.max_ns = self.max_ns.max(other.max_ns);
        self.sum_ns += other.sum_ns;
    }

    /// The bins as text, in nanoseconds; see [`hdr`].
    pub fn encoded(&self) -> String {
        hdr::encode(&self.bins.to_histogram())
    }

    /// How many durations.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many were longer than an hour and count as an hour in quantiles.
    pub fn saturated(&self) -> u64 {
        self.bins.saturated()
    }

    /// The shortest, microseconds, exact.
    pub fn min_us(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min_ns as f64 / 1e3)
    }

    /// The longest, microseconds, exact.
    pub fn max_us(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max_ns as f64 / 1e3)
    }

    /// The mean, microseconds, exact.
    pub fn mean_us(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum_ns as f64 / self.n as f64 / 1e3)
    }

    /// The value of `rank` (from 1) in microseconds: the upper end of its bin, exact at both ends.
    /// `None` when there are not so many.
    pub fn at_rank(&self, rank: u64) -> Option<f64> {
        if rank == 0 || rank > self.n {
            return None;
        }
        if rank == self.n {
            return self.max_us();
        }
        let mut below = 0;
        for (ns, count) in self.bins.iter() {
            below += count;
            if below >= rank {
                return Some(ns.clamp(self.min_ns, self.max_ns) as f64 / 1e3);
            }
        }
        self.max_us()
    }

    /// The quantile `q` in microseconds, even when it is the last value; `None` without values.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.at_rank(stats::rank(self.n, q)?)
    }

    /// The quantile `q` in microseconds; `None` when no value lies beyond it.
    pub fn beyond(&self, q: f64) -> Option<f64> {
        let rank = stats::rank(self.n, q)?;
        (rank < self.n).then(|| self.at_rank(rank)).flatten()
    }
}

/// Durations of requests of which some never ended: those count as infinitely long.
#[derive(Clone, Debug, Default)]
pub struct Intended {
    /// Those that ended; made on first use.
    times: Option<Box<Times>>,
    /// Those that did not.
    dropped: u64,
}

impl Intended {
    /// Counts one request that took so long, or `None` for one that never ended.
    pub fn record(&mut self, duration: Option<Duration>) {
        match duration {
            Some(duration) => {
                self.times.get_or_insert_with(|| Box::new(Times::precise())).record(duration);
            }
            None => self.dropped += 1,
        }
    }

    /// How many requests.
    pub fn n(&self) -> u64 {
        self.dropped + self.times.as_ref().map_or(0, |times| times.n())
    }

    /// The median with its interval, microseconds; `None` when any of the three is a drop or there are too few.
    pub fn median(&self) -> Option<Estimate> {
        let times = self.times.as_ref()?;
        let (low, high) = stats::ranks(self.n(), 0.5)?;
        Some(Estimate {
            value: times.at_rank(stats::rank(self.n(), 0.5)?)?,
            low: times.at_rank(low)?,
            high: times.at_rank(high)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(times: &[u64]) -> Times {
        let mut all = Times::precise();
        for &ns in times {
            all.record(Duration::from_nanos(ns));
        }
        all
    }

    proptest! {
        #[test]
        fn ranks_are_within_a_bin_of_the_sorted_values_and_never_below(
            mut values in prop::collection::vec(1_000_u64..10_000_000_000, 1..200), q in 0.0..1.0_f64,
        ) {
            let times = of(&values);
            values.sort_unstable();
            let exact = values[(stats::rank(values.len() as u64, q).unwrap() - 1) as usize] as f64 / 1e3;
            let seen = times.quantile(q).unwrap();
            prop_assert!(seen >= exact && seen <= exact * 1.001 + 0.512, "{seen} for {exact}");
        }

        #[test]
        fn adding_is_recording_both(
            a in prop::collection::vec(1_000_u64..10_000_000, 0..50),
            b in prop::collection::vec(1_000_u64..10_000_000, 1..50),
        ) {
            let mut sum = of(&a);
            sum.add(&of(&b));
            let both = of(&[a, b].concat());
            prop_assert_eq!((sum.n(), sum.min_us(), sum.max_us()), (both.n(), both.min_us(), both.max_us()));
            prop_assert_eq!((sum.quantile(0.5), sum.mean_us()), (both.quantile(0.5), both.mean_us()));
        }
    }

    #[test]
    fn all_but_the_bins_lies_in_one_cache_line() {
        assert_eq!(size_of::<Times>(), 64);
    }

    #[test]
    fn nothing_beyond_is_nothing_known() {
        let times = of(&[1_000_000; 99]);
        assert_eq!((times.beyond(0.99), times.quantile(0.99)), (None, Some(1000.0)));
        assert!(of(&[1_000_000; 100]).beyond(0.99).is_some());
        assert_eq!((of(&[]).beyond(0.5), of(&[]).max_us(), of(&[]).mean_us()), (None, None, None));
    }

    #[test]
    fn what_is_too_long_is_counted_and_its_maximum_kept() {
        let times = of(&[7_200_000_000_000, 5]);
        assert_eq!((times.saturated(), times.max_us(), times.min_us()), (1, Some(7.2e9), Some(0.005)));
    }

    #[test]
    fn a_median_of_which_half_were_dropped_is_unknown() {
        let mut requests = Intended::default();
        for _ in 0..100 {
            requests.record(Some(Duration::from_millis(4)));
        }
        assert!(requests.median().is_some());
        (0..85).for_each(|_| requests.record(None));
        assert_eq!((requests.n(), requests.median()), (185, None));
    }
}
