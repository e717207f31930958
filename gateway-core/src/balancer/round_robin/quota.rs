//! The sequence itself: Tijdeman's rule for the chairman assignment problem (Discrete Mathematics 32, 1980, 323-330).
//!
//! With k members of weights w (sum W) and D = 2k - 2, the (c+1)-th turn of a member is a job that may run from the first
//! slot n with lag(n) = x + n w/W - c >= 1/D, and must run before the first slot after which, unserved, its lag would
//! exceed 1 - 1/D; x is what it was owed at the start (see [`super::job`]). In each slot the released job with the earliest deadline
//! runs. Then no lag ever leaves [-(1 - 1/D), 1 - 1/D], and no smaller bound holds for all weights.
//!
//! Why: a job runs only when released, so after it the lag is at least 1/D - 1. If no job were released, all lags would be
//! below 1/D, but before each pick they sum to 1 and there are k <= D of them. And a missed deadline would need more jobs
//! due in a stretch than it has slots, which the same sums exclude. (Constant shares and x = 0; with x the bound holds
//! while the positive x sum to at most 1/2, and was exceeded in 5 of 60,000 epochs beyond that.)
//!
//! Several of the members, taken together, may be further off than one: where they are versions, [`levels`](super::levels) keeps their
//! shares too.
//!
//! All arithmetic is in integers; owed lags are in units of 2^-32 of a request.

use super::job::Job;
use super::queue::Queue;
use crate::balancer::turns::{Sequence, Shares};

/// One request, in the units of owed lags.
pub(super) const ONE: i64 = 1 << 32;

/// How far below and above its lag a member's turn has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Margin {
    /// 1/D for each.
    Even,
    /// Half its share: see [`levels`](super::levels).
    ByShare {
        /// Whether turns begin after that and not on it.
        is_late: bool,
    },
}

/// The state of the sequence after some slots.
#[derive(Debug)]
pub(super) struct Quota {
    shares: Shares,
    /// What each member was owed at the start.
    owed: Box<[i64]>,
    /// Picks of each so far.
    picks: Box<[u64]>,
    /// The sum of `picks`.
    slots: u64,
    /// The next turn of each; of nobody where one member has all turns. Before the sequence begins, as if nothing were owed.
    jobs: Box<[Job]>,
    queue: Queue,
}

impl Quota {
    /// A sequence of members with these shares, before it is known what anybody is owed.
    pub(super) fn prepared(shares: Shares, margin: Margin) -> Self {
        let members = shares.weights.len();
        let job = |&weight| match margin {
            Margin::Even => Job::first(members, weight, shares.total),
            Margin::ByShare { is_late } => Job::by_share(weight, shares.total, is_late),
        };
        // One member alone has all turns.
        let jobs = if members > 1 { shares.weights.iter().map(job).collect() } else { Box::default() };
        Self {
            owed: Box::default(),
            picks: vec![0; members].into(),
            slots: 0,
            jobs,
            queue: Queue::new(members),
            shares,
        }
    }

    /// Begins a prepared sequence in which member i is owed `owed[i]`.
    pub(super) fn begin(&mut self, owed: Vec<i64>) {
        for (member, (job, &owed)) in (0..).zip(self.jobs.iter_mut().zip(&owed)) {
            job.owe(owed);
            self.queue.put(member, job);
        }
        self.owed = owed.into();
    }

    /// The lag of each member, what was owed included, when `picks` have been made. They sum to zero exactly.
    pub(super) fn lags(&self, picks: &[u64]) -> Vec<i64> {
        let period = self.shares.period().max(1);
        let slots: u64 = picks.iter().sum();
        let (rounds, rest) = (slots / period, slots % period);
        let parts = self.shares.parts_of(i128::from(rest) * i128::from(ONE));
        let mut lags: Vec<i64> = picks
            .iter()
            .zip(self.shares.slots().iter().zip(parts))
            .zip(&self.owed)
            .map(|((&picks, (&slots, part)), &owed)| {
                let whole = (rounds * slots).cast_signed() - picks.cast_signed();
                owed + whole * ONE + part
            })
            .collect();
        settle(&mut lags, 0);
        lags
    }
}

impl Sequence for Quota {
    fn next_member(&mut self) -> u32 {
        self.slots += 1;
        if self.picks.len() == 1 {
            self.picks[0] += 1;
            return 0;
        }
        let member = self.queue.serve(self.slots.cast_signed(), &mut self.jobs);
        self.picks[member as usize] += 1;
        member
    }

    fn picks(&self) -> &[u64] {
        &self.picks
    }

    fn shares(&self) -> &Shares {
        &self.shares
    }
}

/// Spreads what rounding left over, less than a unit for each member, so that the lags come to `sum`.
pub(super) fn settle(lags: &mut [i64], sum: i64) {
    let mut over = lags.iter().sum::<i64>() - sum;
    let step = over.signum();
    for lag in lags.iter_mut() {
        if over == 0 {
            break;
        }
        *lag -= step;
        over -= step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The start of a sequence in which member i is owed `owed[i]`.
    fn quota(weights: &[u32], owed: &[i64]) -> Quota {
        let shares = Shares::of(weights.iter().map(|&weight| weight.into()).collect());
        let mut quota = Quota::prepared(shares, Margin::Even);
        quota.begin(owed.to_vec());
        quota
    }

    /// Runs `slots` slots and returns the largest lag of any member after any of them, in units of 1/(W ONE).
    fn largest_lag(weights: &[u32], owed: &[i64], slots: u64) -> f64 {
        let mut quota = quota(weights, owed);
        let total: i128 = weights.iter().map(|&w| i128::from(w)).sum();
        let mut largest = 0;
        for slot in 1..=slots {
            quota.next_member();
            for (i, &weight) in weights.iter().enumerate() {
                let exact = (i128::from(slot) * i128::from(weight) - i128::from(quota.picks[i]) * total)
                    * i128::from(ONE)
                    + i128::from(owed[i]) * total;
                largest = largest.max(exact.abs());
            }
        }
        largest as f64 / (total * i128::from(ONE)) as f64
    }

    fn bound(members: usize) -> f64 {
        1.0 - 1.0 / (2 * members - 2) as f64
    }

    #[test]
    fn reference_deviations_come_out() {
        // The floor form's figures of the reference table: deviation over one period.
        for (weights, expected) in [
            (&[100, 50][..], 0.333),
            (&[5, 1, 1], 0.714),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.836),
            (&[65_535, 1], 0.5),
            (&[95, 5], 0.5),
            (&[2, 1, 1], 0.75),
            (&[9, 1, 1, 1, 1, 1, 1, 1, 1, 1], 17.0 / 18.0),
        ] {
            let period = weights.iter().map(|&w| u64::from(w)).sum();
            let seen = largest_lag(weights, &vec![0; weights.len()], period);
            assert!((seen - expected).abs() < 0.0006, "{weights:?}: {seen}");
        }
    }

    #[test]
    fn every_small_weight_set_keeps_the_bound_and_repeats() {
        // Aim: the bound holds for each weight set with a sum up to 14, in ascending order. Method: exhaustive.
        fn sets(smallest: u32, left: u32, set: &mut Vec<u32>, visit: &mut dyn FnMut(&[u32])) {
            if set.len() > 1 {
                visit(set);
            }
            for weight in smallest..=left {
                set.push(weight);
                sets(weight, left - weight, set, visit);
                set.pop();
            }
        }
        let mut seen = 0;
        sets(1, 14, &mut Vec::new(), &mut |weights| {
            seen += 1;
            let total: u64 = weights.iter().map(|&w| u64::from(w)).sum();
            let largest = largest_lag(weights, &vec![0; weights.len()], total);
            assert!(largest <= bound(weights.len()) + 1e-12, "{weights:?}: {largest}");
            let mut quota = quota(weights, &vec![0; weights.len()]);
            for _ in 0..quota.shares.period() {
                quota.next_member();
            }
            assert!(quota.shares.are_met(&vec![0; weights.len()], &quota.picks), "{weights:?}");
        });
        assert!(seen > 400, "{seen}");
    }
}
