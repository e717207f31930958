//! Whether counts can be what chance makes of given shares: the G-test (Sokal and Rohlf, *Biometry*), with the chi-squared
//! distribution as its reference.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The smallest count that may be expected of a cell; smaller ones are counted together, else the reference does not hold.
const EXPECTED_MIN: f64 = 5.0;

/// What a test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GTest {
    /// 2 times the sum of O ln(O / E).
    pub statistic: f64,
    /// The chance of one at least so large when the shares hold.
    pub p_value: f64,
}

/// Tests counts against shares that sum to 1. `None` when there are too few counts to say anything, or only one cell.
pub fn g_test(counts: &[u64], shares: &[f64]) -> Option<GTest> {
    let total: u64 = counts.iter().sum();
    let cells = || counts.iter().zip(shares).map(|(&count, share)| (count as f64, share * total as f64));
    let (large, small): (Vec<_>, Vec<_>) = cells().partition(|(_, expected)| *expected >= EXPECTED_MIN);
    let rest = small.iter().fold((0.0, 0.0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
    let rest = Some(rest).filter(|(_, expected)| *expected >= EXPECTED_MIN);
    let cells: Vec<(f64, f64)> = large.into_iter().chain(rest).collect();
    if cells.len() < 2 {
        return None;
    }
    let term = |(observed, expected): &(f64, f64)| {
        if *observed > 0.0 { observed * (observed / expected).ln() } else { 0.0 }
    };
    let statistic = (2.0 * cells.iter().map(term).sum::<f64>()).max(0.0);
    let reference = ChiSquared::new((cells.len() - 1) as f64).ok()?;
    Some(GTest { statistic, p_value: reference.sf(statistic) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_textbook_case() {
        // 315 : 108 : 101 : 32 against 9 : 3 : 3 : 1, Mendel's peas: G = 0.4754, p = 0.9243.
        let shares = [9.0, 3.0, 3.0, 1.0].map(|n| n / 16.0);
        let test = g_test(&[315, 108, 101, 32], &shares).unwrap();
        assert!((test.statistic - 0.4754).abs() < 1e-3, "{test:?}");
        assert!((test.p_value - 0.9243).abs() < 1e-3, "{test:?}");
    }

    #[test]
    fn exact_shares_are_likely_and_wrong_ones_are_not() {
        assert!(g_test(&[8000, 4000], &[2.0 / 3.0, 1.0 / 3.0]).unwrap().p_value > 0.99);
        assert!(g_test(&[7500, 4500], &[2.0 / 3.0, 1.0 / 3.0]).unwrap().p_value < 1e-9);
    }

    #[test]
    fn few_counts_say_nothing_and_rare_cells_are_counted_together() {
        assert_eq!(g_test(&[2, 3], &[0.5, 0.5]), None);
        assert_eq!(g_test(&[100], &[1.0]), None);
        let shares = [0.96, 0.01, 0.01, 0.01, 0.01];
        let together = g_test(&[192, 2, 2, 2, 2], &shares).unwrap();
        assert!(together.p_value > 0.99, "{together:?}");
    }
}
