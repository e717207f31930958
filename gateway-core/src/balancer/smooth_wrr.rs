//! nginx's smooth weighted round-robin (`nginx/nginx`, `src/http/ngx_http_upstream_round_robin.c`, `get_peer`): each member
//! gets its weight in credit, the one with the most is picked, the first of equals, and pays the sum of weights.
//! The credit is thus what a member is owed, times the sum of weights.
//!
//! A weight is a share. After each whole period (sum of weights over their greatest common divisor) all counts are exact. In
//! between nobody is far behind, but the deviation is not bounded by one request: 1, 1, 1, 1, 1, 1, 5, 5 in this order reach
//! 17/16.
//!
//! A turn costs O(k) by definition: every credit changes with every pick. The order follows from the weights alone, though, so it is
//! computed ahead and handed out as [`turns`](super::turns) does; a period that is short enough is computed only once.
//!
//! Of nginx's rule that a failure lowers a weight for some time nothing is kept: health is `health`'s business.

use super::turns::{Pace, Past, Rota, Sequence, Shares};
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// The turns of one epoch.
#[derive(Debug)]
pub struct SmoothWrr(Rota<Credits>);

/// What everybody has.
#[derive(Debug)]
struct Credits {
    shares: Shares,
    /// What everybody had at first.
    first: Box<[i64]>,
    now: Box<[i64]>,
    picks: Box<[u64]>,
}

impl SmoothWrr {
    /// A first epoch: nobody has credit.
    pub fn new(setup: Setup<'_>) -> Self {
        Self::of(setup.available().members)
    }

    /// The same of these members.
    pub(super) fn of(members: Vec<Member>) -> Self {
        let pace = Pace::FIRST.looking_at(members.len());
        Self(Rota::new(Credits::new(&members), members, pace))
    }
}

impl Balancer for SmoothWrr {
    fn members(&self) -> &[Member] {
        self.0.members()
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.0.in_turn().map(|(ticket, member)| Choice::counted(member, ticket))
    }

    /// nginx's retries go to whoever has the most credit of those not tried, and pay like first tries; ours do not.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.0.besides(ask.tried).map(Choice::of)
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    /// Those who stay keep their credit, in the old unit, as nginx's; those who join have none. The credit of those who
    /// leave is forgotten.
    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let members = setup.available().members;
        let pace = Pace::LATER.looking_at(members.len());
        let next = self.0.prepare(Credits::new(&members), members, pace);
        Successor::new(next.members().into(), || Self(next.begin(Credits::carry_on).0))
    }
}

impl Credits {
    fn new(members: &[Member]) -> Self {
        let none: Box<[i64]> = vec![0; members.len()].into();
        let picks = vec![0; members.len()].into();
        Self { shares: Shares::new(members), now: none.clone(), first: none, picks }
    }

    /// Gives those who stay what they had when the last epoch ended.
    fn carry_on(&mut self, past: &Past<'_, Self>) {
        let slots: u64 = past.picks.iter().sum();
        for (credit, place) in self.first.iter_mut().zip(past.places) {
            *credit = place.map_or(0, |place| past.sequence.after(slots, past.picks, place as usize));
        }
        self.now.copy_from_slice(&self.first);
    }

    /// What a member has after so many slots, in which there were so many picks of each.
    fn after(&self, slots: u64, picks: &[u64], member: usize) -> i64 {
        let earned = slots.cast_signed() * self.shares.weights[member].cast_signed();
        let paid = picks[member].cast_signed() * self.shares.total.cast_signed();
        self.first[member] + earned - paid
    }
}

impl Sequence for Credits {
    /// Whoever has the most when all have got their weight, the first of equals; it pays for being picked.
    fn next_member(&mut self) -> u32 {
        let (mut richest, mut most) = (0, i64::MIN);
        for (i, (credit, weight)) in self.now.iter_mut().zip(&self.shares.weights).enumerate() {
            *credit += weight.cast_signed();
            if *credit > most {
                (richest, most) = (i, *credit);
            }
        }
        self.now[richest] -= self.shares.total.cast_signed();
        self.picks[richest] += 1;
        richest as u32
    }

    fn picks(&self) -> &[u64] {
        &self.picks
    }

    fn shares(&self) -> &Shares {
        &self.shares
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members, picks, recipe, setup};
    use super::*;
    use crate::entity::Algorithm;

    #[test]
    fn nginxs_own_example_comes_out() {
        // From the commit that brought it to nginx (52327e0627f4, 2012): 5, 1, 1 give a a b a c a a.
        let balancer = SmoothWrr::of(members(&[5, 1, 1]));
        assert_eq!(picks(&balancer, 14), [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(SmoothWrr::of(vec![]).pick(&mut ask(&mut dice(0))), Err(NoChoice));
    }

    #[test]
    fn who_stays_keeps_its_credit() {
        let balancer = SmoothWrr::of(members(&[5, 1, 1]));
        picks(&balancer, 2);
        let (recipe, mut rng) = (recipe(Algorithm::SmoothWrr), dice(0));
        let mut flipped = members(&[5, 1, 1, 1]);
        flipped[2].available = false;
        let next = balancer.succeed(setup(flipped, &recipe, &mut rng)).begin();
        // Credits are -4, 2, and 0 for the one that joins; with weights 5, 1, 1 member 1 has 3, the most.
        assert_eq!(next.members().len(), 3);
        assert_eq!(picks(&*next, 1), [1]);
    }
}
