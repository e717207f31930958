//! An always-valid test of a ratio of two rates: looked at after every event, it is wrong no more often than it says. Only bad
//! events count: if one version fails no more than `null` times as often as the other, each bad event belongs to it with a
//! known chance at most, whatever the rate is and however it changes. The e-value is a mean of likelihood ratios over a grid of
//! alternatives, a supermartingale under the null, so that by Ville's inequality it ever exceeds 1 / alpha with a chance of
//! alpha at most (Wald 1945; Ramdas, Grunwald, Vovk and Shafer 2023, *Game-theoretic statistics*).

/// Alternatives, as multiples of the null's ratio.
const GRID: [f64; 8] = [1.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Evidence that a ratio of rates is higher than `null` (or, mirrored, lower).
#[derive(Clone, Debug)]
pub struct RatioTest {
    null: f64,
    alternatives: [f64; GRID.len()],
    /// Logarithm of the likelihood ratio of each alternative.
    logs: [f64; GRID.len()],
}

impl RatioTest {
    /// Against "the ratio is `null` at most".
    pub fn above(null: f64) -> Self {
        Self { null, alternatives: GRID.map(|times| null * times), logs: [0.0; GRID.len()] }
    }

    /// Against "the ratio is `null` at least".
    pub fn below(null: f64) -> Self {
        Self { null, alternatives: GRID.map(|times| null / times), logs: [0.0; GRID.len()] }
    }

    /// A bad event that belongs to the first version (`is_first`), which had this `share` of all events, 0 to 1, when it
    /// happened. With a share of 0 or 1 there is nobody to compare with, and nothing is learnt.
    pub fn event(&mut self, is_first: bool, share: f64) {
        if !(share > 0.0 && share < 1.0) {
            return;
        }
        let of = |ratio: f64| share * ratio / (share * ratio + 1.0 - share);
        let null = of(self.null);
        for (log, &ratio) in self.logs.iter_mut().zip(&self.alternatives) {
            let alternative = of(ratio);
            *log += if is_first { alternative / null } else { (1.0 - alternative) / (1.0 - null) }.ln();
        }
    }

    /// An event of the first version whose chance to be bad is `rate` times the ratio, on its own: nothing is compared, so a
    /// change that hits everybody looks the same.
    pub fn trial(&mut self, is_bad: bool, rate: f64) {
        const CERTAIN: f64 = 1.0 - 1e-9;
        let chance = |ratio: f64| (rate * ratio).min(CERTAIN);
        let null = chance(self.null);
        for (log, &ratio) in self.logs.iter_mut().zip(&self.alternatives) {
            let alternative = chance(ratio);
            *log += if is_bad { alternative / null } else { (1.0 - alternative) / (1.0 - null) }.ln();
        }
    }

    /// The e-value: 1 says nothing, and beyond 1 / alpha the null is rejected at level alpha.
    pub fn evidence(&self) -> f64 {
        self.logs.iter().map(|log| log.exp()).sum::<f64>() / GRID.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::rng::{Rng, stream};
    use rand::RngExt as _;

    /// One run of so many seconds at 1,000 per second with a share and both rates: after how many requests the null was
    /// rejected at 1 %, looked at after each.
    fn run(null: f64, share: f64, rates: (f64, f64), seconds: usize, rng: &mut Rng) -> Option<usize> {
        let mut test = RatioTest::above(null);
        for request in 0..seconds * 1000 {
            let is_first = rng.random_bool(share);
            if rng.random_bool(if is_first { rates.0 } else { rates.1 }) {
                test.event(is_first, share);
                if test.evidence() >= 100.0 {
                    return Some(request);
                }
            }
        }
        None
    }

    /// The share of runs that rejected, and the median time to it in seconds.
    fn many(runs: u64, null: f64, share: f64, rates: (f64, f64), seconds: usize) -> (f64, f64) {
        let one = |number| run(null, share, rates, seconds, &mut stream(7, "runs", number));
        let mut ends: Vec<_> = (0..runs).filter_map(one).collect();
        ends.sort_unstable();
        let median = ends.get(ends.len() / 2).map_or(f64::INFINITY, |&request| request as f64 / 1000.0);
        (ends.len() as f64 / runs as f64, median)
    }

    #[test]
    fn equal_versions_are_seldom_told_apart_however_often_one_looks() {
        // Aim: no more false alarms than alpha with a look after every request. Method: 10,000 runs of equal versions at each
        // share, an even higher rate than in practice so that there are many bad events to be fooled by.
        for share in [0.01, 0.05, 0.2, 0.5] {
            let (alarms, _) = many(10_000, 1.0, share, (0.02, 0.02), 2);
            assert!(alarms <= 0.01, "share {share}: {alarms}");
        }
        // The ratio that is just tolerated is the worst null.
        let (alarms, _) = many(10_000, 1.5, 0.2, (0.03, 0.02), 2);
        assert!(alarms <= 0.01, "{alarms}");
    }

    #[test]
    fn a_shared_outage_fools_nobody() {
        let (alarms, _) = many(2_000, 1.0, 0.2, (0.1, 0.1), 4);
        assert!(alarms <= 0.01, "{alarms}");
    }

    #[test]
    fn worse_versions_are_found_as_fast_as_the_reference_says() {
        // reference/rollouts.md 3.3: median seconds at a share of 5 %, with 0.1 % failing in the old version.
        for (rate, low, high) in [(0.01, 6.0, 12.0), (0.05, 0.5, 2.5), (0.2, 0.1, 1.5)] {
            let (found, median) = many(300, 1.0, 0.05, (rate, 0.001), 120);
            assert!(found > 0.99 && (low..=high).contains(&median), "{rate}: {found} {median}");
        }
        let (found, median) = many(300, 1.0, 0.5, (0.01, 0.001), 60);
        assert!(found > 0.99 && (1.0..=5.0).contains(&median), "{found} {median}");
    }

    #[test]
    fn good_versions_are_told_to_be_good() {
        // Aim: the mirrored test accepts. Method: equal rates at an even share against "twice as bad at least".
        let mut test = RatioTest::below(2.0);
        (0..400).for_each(|event| test.event(event % 2 == 0, 0.5));
        assert!(test.evidence() > 100.0);
    }

    #[test]
    fn without_the_other_nothing_is_learnt() {
        let mut test = RatioTest::above(1.0);
        for share in [0.0, 1.0] {
            test.event(true, share);
        }
        assert!((test.evidence() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn alone_a_version_is_held_against_a_rate() {
        let mut test = RatioTest::above(1.5);
        (0..1000).for_each(|request| test.trial(request % 20 == 0, 0.001));
        assert!(test.evidence() > 100.0);
        let mut good = RatioTest::above(1.5);
        (0..1000).for_each(|request| good.trial(request == 500, 0.001));
        assert!(good.evidence() < 10.0);
    }
}
