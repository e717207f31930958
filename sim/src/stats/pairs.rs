//! Whether two things differ, from one number of each on the same seeds. The differences over pairs are what is looked at:
//! from twenty pairs on by Student's t, below by Wilcoxon's signed ranks, which assume nothing but that a difference is as
//! likely to be above its middle as below. Pure; leaves what was measured and what matters to `compare`.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{ALPHA, Estimate};

/// From so many pairs on the mean of the differences is near enough to normal.
const T_MIN: usize = 20;
/// Ties and zeros that are rounding.
const SAME: f64 = 1e-12;

/// How sure an interval is.
pub const CONFIDENCE: f64 = 0.95;

/// What pairs say of a difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The difference with its 95 % interval; infinite ends where there are too few pairs for one.
    pub difference: Estimate,
    /// How many pairs.
    pub n: usize,
}

/// The difference that `differences`, one for each pair, stand for. `None` without pairs.
pub fn paired(differences: &[f64]) -> Option<Paired> {
    let n = differences.len();
    if n == 0 || differences.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let difference = if n >= T_MIN { by_t(differences) } else { by_ranks(differences) };
    Some(Paired { difference, n })
}

/// The chance of differences at least so far from `from`, when that is their true middle: two-sided.
pub fn p_value(differences: &[f64], from: f64) -> f64 {
    let moved: Vec<f64> = differences.iter().map(|difference| difference - from).collect();
    if moved.is_empty() {
        return 1.0;
    }
    if moved.len() < T_MIN || moved.iter().any(|difference| difference.is_infinite()) {
        return signed_ranks(&moved);
    }
    let (mean, error) = mean_and_error(&moved);
    if error < SAME {
        return if mean.abs() < SAME { 1.0 } else { 0.0 };
    }
    let t = StudentsT::new(0.0, 1.0, (moved.len() - 1) as f64);
    t.map_or(1.0, |t| (2.0 * t.sf((mean / error).abs())).min(1.0))
}

/// The fewest pairs of which any outcome at all can tell two apart when so many comparisons share the level (Holm): the
/// smallest two-sided p-value of n signed ranks is 2^(1-n). From twenty on there is no smallest one.
pub fn pairs_needed(comparisons: usize) -> usize {
    let level = ALPHA / comparisons.max(1) as f64;
    let needed = 1 + (1.0 / level).log2().ceil() as usize;
    needed.min(T_MIN)
}

/// The mean and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

fn by_t(differences: &[f64]) -> Estimate {
    if differences.iter().any(|difference| difference.is_infinite()) {
        return by_ranks(differences);
    }
    mean(differences)
}

/// The mean of values of any number, with its 95 % interval by Student's t; infinite ends for one value.
pub fn mean(values: &[f64]) -> Estimate {
    let (value, error) = mean_and_error(values);
    let t = StudentsT::new(0.0, 1.0, values.len() as f64 - 1.0);
    let half = t.map_or(f64::INFINITY, |t| t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * error);
    Estimate { value, low: value - half, high: value + half }
}

/// Hodges and Lehmann's estimate (1963): the median of the means of all two differences, with the interval that Wilcoxon's
/// distribution gives.
fn by_ranks(differences: &[f64]) -> Estimate {
    let n = differences.len();
    let mut means: Vec<f64> = (0..n)
        .flat_map(|i| (i..n).map(move |j| (i, j)))
        .map(|(i, j)| walsh(differences[i], differences[j]))
        .collect();
    means.sort_by(f64::total_cmp);
    let middle = means.len() / 2;
    let value =
        if means.len().is_multiple_of(2) { walsh(means[middle - 1], means[middle]) } else { means[middle] };
    let counts = rank_sums(n);
    let total = 2_f64.powf(n as f64);
    let mut below = 0.0;
    // The largest rank sum whose tail is at most a half of what the interval may miss.
    let outside = counts.iter().take_while(|count| {
        below += **count / total;
        below <= (1.0 - CONFIDENCE) / 2.0
    });
    match outside.count() {
        0 => Estimate { value, low: f64::NEG_INFINITY, high: f64::INFINITY },
        out => Estimate { value, low: means[out - 1].min(value), high: means[means.len() - out].max(value) },
    }
}

/// The middle of two, also where one or both are infinite.
fn walsh(a: f64, b: f64) -> f64 {
    let middle = f64::midpoint(a, b);
    if middle.is_nan() { 0.0 } else { middle }
}

/// In how many of the 2^n choices of signs the ranks 1 to n with a plus sum to 0, 1, 2, ...
fn rank_sums(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut counts = vec![0.0; most + 1];
    counts[0] = 1.0;
    for rank in 1..=n {
        for sum in (rank..=most).rev() {
            counts[sum] += counts[sum - rank];
        }
    }
    counts
}

/// Wilcoxon's test (1945): two-sided, exact but for ties, which share their ranks and are counted as the nearest whole sum
/// towards the middle. Zeros are left out, as Wilcoxon did.
fn signed_ranks(differences: &[f64]) -> f64 {
    let mut sizes: Vec<(f64, bool)> = differences
        .iter()
        .filter(|difference| difference.abs() > SAME)
        .map(|difference| (difference.abs(), *difference > 0.0))
        .collect();
    let n = sizes.len();
    if n == 0 {
        return 1.0;
    }
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut plus = 0.0;
    let mut from = 0;
    while from < n {
        let to = (from..n)
            .take_while(|&at| {
                sizes[at].0 - sizes[from].0 <= SAME || sizes[at].0.total_cmp(&sizes[from].0).is_eq()
            })
            .count()
            + from;
        let shared = (from + 1 + to) as f64 / 2.0;
        plus += shared * sizes[from..to].iter().filter(|(_, is_plus)| *is_plus).count() as f64;
        from = to;
    }
    let whole = (n * (n + 1) / 2) as f64;
    let smaller = plus.min(whole - plus).ceil() as usize;
    let counts = rank_sums(n);
    let tail: f64 = counts.iter().take(smaller + 1).sum();
    (2.0 * tail / 2_f64.powf(n as f64)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pairs_are_needed_as_the_smallest_p_value_says() {
        for comparisons in [1, 2, 7, 100, 1000] {
            let n = pairs_needed(comparisons);
            let smallest = |n: usize| p_value(&(1..=n).map(|i| i as f64).collect::<Vec<_>>(), 0.0);
            let level = ALPHA / comparisons as f64;
            assert!(smallest(n) <= level && smallest(n - 1) > level, "{comparisons}: {n}");
        }
        assert_eq!(pairs_needed(1_000_000), T_MIN);
    }

    #[test]
    fn published_rank_sums_come_out() {
        // Wilcoxon's tables: for n = 6 the smallest two-sided p is 2/64, for n = 10 a rank sum of 8 is the 5 % point.
        assert!((p_value(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.0) - 2.0 / 64.0).abs() < 1e-12);
        let eight = [-1.0, -3.0, -4.0, 2.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
        let nine = [-2.0, -3.0, -4.0, 1.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
        assert!(p_value(&eight, 0.0) < 0.05 && p_value(&nine, 0.0) > 0.05);
    }

    #[test]
    fn an_interval_of_few_pairs_has_no_ends_and_one_of_six_spans_them_all() {
        let five = paired(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap().difference;
        assert_eq!((five.value, five.low, five.high), (3.0, f64::NEG_INFINITY, f64::INFINITY));
        let six = paired(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap().difference;
        assert_eq!((six.value, six.low, six.high), (3.5, 1.0, 6.0));
    }

    #[test]
    fn a_textbook_t_interval() {
        // 1 to 20: mean 10.5, standard error 1.3229, t(19) 2.0930.
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        let Estimate { value, low, high } = paired(&values).unwrap().difference;
        assert!((value - 10.5).abs() < 1e-9 && (low - 7.7312).abs() < 1e-3 && (high - 13.2688).abs() < 1e-3);
        assert!((p_value(&values, 7.7312) - 0.05).abs() < 1e-3);
    }

    #[test]
    fn no_difference_at_all_is_no_evidence_and_a_constant_one_is() {
        for n in [6, 20] {
            assert!(p_value(&vec![0.0; n], 0.0) >= 1.0, "{n}");
            assert!(p_value(&vec![0.1; n], 0.0) < 0.05, "{n}");
        }
        assert_eq!(paired(&[]), None);
        assert!(p_value(&[f64::INFINITY; 8], 0.0) < 0.05);
    }
}
