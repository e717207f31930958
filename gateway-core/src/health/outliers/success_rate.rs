//! Whose success rate stands out from the others', as a function over one interval's numbers.

use super::record::Tally;
use crate::entity::OutlierDetection;
use crate::id::TargetId;

/// Percent by which a rate must be below the threshold to be so for certain: equal rates do not stand out.
const ROUNDING: f64 = 1e-9;

/// Who has a success rate below the mean by more than so many standard deviations, of those with enough requests, the
/// worst first; nobody when these are too few.
pub(super) fn standing_out(tallies: &[(TargetId, Tally)], settings: &OutlierDetection) -> Vec<TargetId> {
    let volume = settings.success_rate_request_volume.max(1);
    let mut rates: Vec<_> = tallies
        .iter()
        .filter(|(_, tally)| tally.requests >= volume)
        .map(|(target, tally)| (*target, f64::from(tally.successes) * 100.0 / f64::from(tally.requests)))
        .collect();
    let minimum = settings.success_rate_minimum_hosts;
    if minimum == 0 || rates.len() < minimum as usize {
        return Vec::new();
    }
    let threshold = success_rate_threshold(
        rates.iter().map(|(_, rate)| *rate),
        f64::from(settings.success_rate_stdev_factor) / 1000.0,
    );
    rates.retain(|(_, rate)| *rate < threshold - ROUNDING);
    rates.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    rates.into_iter().map(|(target, _)| target).collect()
}

/// `mean - factor * stdev` of success rates, with the standard deviation of the whole population.
fn success_rate_threshold(rates: impl Iterator<Item = f64> + Clone, factor: f64) -> f64 {
    let count = rates.clone().count() as f64;
    let mean = rates.clone().sum::<f64>() / count;
    let variance = rates.map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    mean - factor * variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Targets from 0, each with 100 requests and so many successes.
    fn tallies(successes: &[u32]) -> Vec<(TargetId, Tally)> {
        let tally = |(i, &successes)| (TargetId(i as u32), Tally { requests: 100, successes });
        successes.iter().enumerate().map(tally).collect()
    }

    #[test]
    fn who_stands_out_is_what_envoy_computes_by_hand() {
        // Envoy's own example: 50, 100, 100, 100, 100 have mean 90, variance 400, deviation 20; with a factor of 1.9
        // the threshold is 52.
        let rates = [50.0, 100.0, 100.0, 100.0, 100.0];
        assert!((success_rate_threshold(rates.into_iter(), 1.9) - 52.0).abs() < 1e-9);
        let settings = OutlierDetection::default();
        assert_eq!(standing_out(&tallies(&[50, 100, 100, 100, 100]), &settings), [TargetId(0)]);
        // 97, 99, 99, 99, 97: mean 98.2, deviation sqrt(0.96) = 0.98, threshold 96.3.
        assert_eq!(standing_out(&tallies(&[97, 99, 99, 99, 97]), &settings), []);
        // 40 and 39 among 12: mean 89.9, deviation 22.5, threshold 47.1; the worst comes first.
        let two = tallies(&[40, 100, 100, 100, 100, 100, 100, 100, 100, 100, 39, 100]);
        assert_eq!(standing_out(&two, &settings), [TargetId(10), TargetId(0)]);
    }

    #[test]
    fn a_comparison_needs_enough_hosts_with_enough_requests() {
        let settings = OutlierDetection::default();
        assert_eq!(standing_out(&tallies(&[0, 100, 100, 100]), &settings), []);
        let mut five = tallies(&[0, 100, 100, 100, 100]);
        five[4].1.requests = 99;
        assert_eq!(standing_out(&five, &settings), []);
        let off = OutlierDetection { success_rate_minimum_hosts: 0, ..settings };
        assert_eq!(standing_out(&tallies(&[0, 100, 100, 100, 100]), &off), []);
    }

    #[test]
    fn equal_rates_never_stand_out() {
        let strict = OutlierDetection { success_rate_stdev_factor: 0, ..OutlierDetection::default() };
        for successes in 0..=100 {
            assert_eq!(standing_out(&tallies(&[successes; 7]), &strict), []);
        }
    }
}
