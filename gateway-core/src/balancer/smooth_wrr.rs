//! nginx's smooth weighted round-robin (`nginx/nginx`, `src/http/ngx_http_upstream_round_robin.c`, `get_peer`): each member
//! gets its weight in credit, the one with the most is picked, the first of equals, and pays the sum of weights.
//! The credit is thus what a member is owed, times the sum of weights.
//!
//! A weight is a share. After each whole period (sum of weights over their greatest common divisor) all counts are exact. In
//! between nobody is far behind, but the deviation is not bounded by one request: 1, 1, 1, 1, 1, 1, 5, 5 in this order reach
//! 17/16.
//!
//! A pick costs O(k) by definition, under a lock: every credit changes with every pick.
//!
//! Of nginx's rule that a failure lowers a weight for some time nothing is kept: health is `health`'s business.

use std::cmp::Reverse;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use super::{Ask, Balancer, Choice, Member, NoChoice, Setup};

/// The credits of one epoch.
#[derive(Debug)]
pub struct SmoothWrr {
    members: Box<[Member]>,
    total: i64,
    credits: Mutex<Box<[i64]>>,
}

impl SmoothWrr {
    /// A first epoch: nobody has credit.
    pub fn new(members: Vec<Member>) -> Self {
        let credits = vec![0; members.len()];
        Self::with(members, credits)
    }

    fn with(members: Vec<Member>, credits: Vec<i64>) -> Self {
        let total = members.iter().map(|member| i64::from(member.weight)).sum();
        Self { members: members.into(), total, credits: Mutex::new(credits.into()) }
    }

    /// The member with the most credit pays for being picked.
    fn in_turn(&self) -> Option<usize> {
        let mut credits = self.lock();
        let mut richest: Option<(usize, i64)> = None;
        for (i, (credit, member)) in credits.iter_mut().zip(&self.members).enumerate() {
            *credit += i64::from(member.weight);
            if richest.is_none_or(|(_, most)| *credit > most) {
                richest = Some((i, *credit));
            }
        }
        let (picked, _) = richest?;
        credits[picked] -= self.total;
        Some(picked)
    }

    fn lock(&self) -> MutexGuard<'_, Box<[i64]>> {
        // Nothing panics while the lock is held.
        self.credits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Balancer for SmoothWrr {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.in_turn().map(Choice::of).ok_or(NoChoice::Empty)
    }

    /// Whoever has the most credit of those not tried. nginx's retries pay like first tries; ours do not.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let credits = self.lock();
        let standing = |&(i, member): &(usize, &Member)| {
            (ask.tried.contains(&member.target), Reverse(credits[i] + i64::from(member.weight)))
        };
        let richest = self.members.iter().enumerate().min_by_key(standing);
        richest.map(|(i, _)| Choice::of(i)).ok_or(NoChoice::Empty)
    }

    /// Those who stay keep their credit, in the old unit, as nginx's; those who join have none. The credit of those who
    /// leave is forgotten.
    fn succeed(&self, setup: Setup<'_>) -> Box<dyn Balancer> {
        let members = setup.available().members;
        let kept: FxHashMap<_, _> = self
            .members
            .iter()
            .zip(&**self.lock())
            .map(|(member, &credit)| (member.target, credit))
            .collect();
        let credit = |member: &Member| kept.get(&member.target).copied().unwrap_or(0);
        let credits = members.iter().map(credit).collect();
        Box::new(Self::with(members, credits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;
    use crate::id::TargetId;

    fn picks(balancer: &dyn Balancer, n: usize) -> Vec<usize> {
        let mut rng = dice(0);
        (0..n).map(|_| balancer.pick(&mut ask(&mut rng)).unwrap().member).collect()
    }

    #[test]
    fn nginxs_own_example_comes_out() {
        // From the commit that brought it to nginx (52327e0627f4, 2012): 5, 1, 1 give a a b a c a a.
        let balancer = SmoothWrr::new(members(&[5, 1, 1]));
        assert_eq!(picks(&balancer, 14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(SmoothWrr::new(vec![]).pick(&mut ask(&mut dice(0))), Err(NoChoice::Empty));
    }

    #[test]
    fn retries_go_to_the_richest_of_the_rest_and_cost_nothing() {
        let (balancer, mut rng) = (SmoothWrr::new(members(&[5, 1, 2])), dice(0));
        for (tried, expected) in [(&[TargetId(0)][..], 2), (&[TargetId(0), TargetId(2)], 1)] {
            assert_eq!(balancer.pick_again(&mut Ask { tried, ..ask(&mut rng) }).unwrap().member, expected);
        }
        let tried = &[0, 1, 2].map(TargetId);
        assert_eq!(balancer.pick_again(&mut Ask { tried, ..ask(&mut rng) }).unwrap().member, 0);
        assert_eq!(picks(&balancer, 8), picks(&SmoothWrr::new(members(&[5, 1, 2])), 8));
    }

    #[test]
    fn who_stays_keeps_its_credit() {
        let balancer = SmoothWrr::new(members(&[5, 1, 1]));
        picks(&balancer, 2);
        let (recipe, mut rng) = (recipe(Algorithm::SmoothWrr), dice(0));
        let mut flipped = members(&[5, 1, 1, 1]);
        flipped[2].available = false;
        let next = balancer.succeed(setup(flipped, &recipe, &mut rng));
        // Credits are -4, 2, and 0 for the one that joins; with weights 5, 1, 1 member 1 has 3, the most.
        assert_eq!(next.members().len(), 3);
        assert_eq!(picks(&*next, 1), [1]);
    }
}
