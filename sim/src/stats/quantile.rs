//! Quantiles by rank, and how far off they may be. A quantile of n values is the value of one rank, never a mixture of
//! two; its interval lies between two ranks and assumes nothing about the shape of the values.

use statrs::distribution::{Binomial, DiscreteCDF};

/// Keeps 0.99 x 100 from being rounded up to rank 100.
const ROUNDING: f64 = 1e-9;

/// The rank (from 1) of the quantile `q` (0 to 1) of `n` values: the smallest one with at least `q` of them at or below
/// it. `None` when there are no values.
pub fn rank(n: u64, q: f64) -> Option<u64> {
    (n > 0).then(|| ((q * n as f64 - ROUNDING).ceil() as u64).clamp(1, n))
}

/// The ranks between which the true quantile `q` lies with at least 95 % confidence, when `n` independent values were
/// seen. `None` when so few values say nothing: for a median, fewer than 6.
pub fn ranks(n: u64, q: f64) -> Option<(u64, u64)> {
    const TAIL: f64 = 0.025;
    if n == 0 {
        return None;
    }
    // As many values as the binomial says lie below the true quantile: P(below < low) and P(below >= high) are each at
    // most a tail.
    let below = Binomial::new(q, n).ok()?;
    let low = partition(n, |k| below.cdf(k) <= TAIL);
    let high = partition(n, |k| below.cdf(k) < 1.0 - TAIL) + 1;
    (low >= 1 && high <= n).then_some((low, high))
}

/// The first `k` in `0..=n` for which `is_before` no longer holds.
fn partition(n: u64, is_before: impl Fn(u64) -> bool) -> u64 {
    let (mut from, mut to) = (0, n);
    while from < to {
        let middle = from + (to - from) / 2;
        if is_before(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

/// A value and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// `after` minus `before` with its 95 % interval, for independent estimates: the ends are as far away as both halves
/// together, added as squares (MOVER, Zou and Donner 2008), so a skewed interval stays skewed.
pub fn difference(after: Estimate, before: Estimate) -> Estimate {
    let value = after.value - before.value;
    let low = value - (after.value - after.low).hypot(before.high - before.value);
    let high = value + (after.high - after.value).hypot(before.value - before.low);
    Estimate { value, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_of_one_rank() {
        assert_eq!(
            [rank(0, 0.5), rank(1, 0.99), rank(100, 0.99), rank(101, 0.99)],
            [None, Some(1), Some(99), Some(100)]
        );
        assert_eq!([rank(1000, 0.999), rank(9, 0.5), rank(5, 0.0)], [Some(999), Some(5), Some(1)]);
    }

    #[test]
    fn a_rank_below_the_last_means_that_something_lies_beyond() {
        // Aim: "n (1 - q) is at least 1" and "the rank is not the last" are the same. Method: all small n.
        for (q, one_in) in [(0.5, 2), (0.9, 10), (0.99, 100), (0.999, 1000)] {
            for n in 1..3000 {
                assert_eq!(rank(n, q).unwrap() < n, n >= one_in, "{q} {n}");
            }
        }
    }

    #[test]
    fn intervals_of_the_median_are_those_of_the_tables() {
        // The sign test's tables: for n = 6 the whole range, for n = 10 ranks 2 and 9, for n = 100 ranks 40 and 61.
        assert_eq!(ranks(5, 0.5), None);
        assert_eq!(ranks(6, 0.5), Some((1, 6)));
        assert_eq!(ranks(10, 0.5), Some((2, 9)));
        assert_eq!(ranks(100, 0.5), Some((40, 61)));
    }

    #[test]
    fn the_reference_bounds_of_a_high_quantile_come_out() {
        // reference/balancers.md 4.1: of 10,000 values p99 is between the empirical .9880 and .9920; 368 values are
        // needed for any upper bound.
        let (low, high) = ranks(10_000, 0.99).unwrap();
        assert!(low.abs_diff(9_880) <= 1 && high.abs_diff(9_920) <= 1, "{low} {high}");
        assert_eq!(ranks(367, 0.99), None);
        assert!(ranks(368, 0.99).is_some());
    }

    #[test]
    fn a_difference_is_at_least_as_unsure_as_each_side() {
        let after = Estimate { value: 5.0, low: 4.0, high: 8.0 };
        let before = Estimate { value: 4.0, low: 4.0, high: 4.0 };
        assert_eq!(difference(after, before), Estimate { value: 1.0, low: 0.0, high: 4.0 });
        let unsure = Estimate { value: 4.0, low: 1.0, high: 8.0 };
        let wider = difference(after, unsure);
        assert!(wider.low < 0.0 - 3.0 && wider.high > 4.0);
    }
}
