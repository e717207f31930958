//! Weighted random choice by the alias method of [`draw`](super::draw).
//!
//! A weight is a probability, in proportion to the sum of weights, exact to 2^-32.
//!
//! A pick costs O(1): one draw, no lock, nothing shared. Nothing is promised of counts: after n picks of a share s they
//! are off by sqrt(n s (1-s)) requests in the mean square.

use rand::Rng as _;

use super::draw::Draw;
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// The table of one epoch.
#[derive(Debug)]
pub struct Random {
    members: Box<[Member]>,
    draw: Draw,
}

impl Random {
    /// A table of those who are available.
    pub fn new(setup: Setup<'_>) -> Self {
        Self::of(setup.available().members)
    }

    /// A table of these members.
    pub(super) fn of(members: Vec<Member>) -> Self {
        Self { draw: Draw::by_weight(&members), members: members.into() }
    }
}

impl Balancer for Random {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice);
        }
        Ok(Choice::of(self.draw.one(ask.rng)))
    }

    /// Drawn by weight from those not tried, in O(k); from all when there are no others.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let untried = || self.members.iter().enumerate().filter(|(_, m)| !ask.tried.contains(&m.target));
        let total: u64 = untried().map(|(_, member)| u64::from(member.weight)).sum();
        let mut point = (u128::from(ask.rng.next_u64()) * u128::from(total)) >> 64;
        for (i, member) in untried() {
            match point.checked_sub(u128::from(member.weight)) {
                Some(rest) => point = rest,
                None => return Ok(Choice::of(i)),
            }
        }
        self.pick(ask)
    }

    /// A new table; there is nothing to remember.
    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self::new(setup))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members};
    use super::*;
    use crate::id::TargetId;

    #[test]
    fn nobody_to_draw_is_an_answer() {
        assert_eq!(Random::of(vec![]).pick(&mut ask(&mut dice(1))), Err(NoChoice));
    }

    #[test]
    fn another_try_is_drawn_by_weight_from_the_rest() {
        let (random, mut rng) = (Random::of(members(&[5, 2, 1])), dice(1));
        let mut counts = [0; 3];
        for _ in 0..3000 {
            let mut again = Ask { tried: &[TargetId(0)], ..ask(&mut rng) };
            counts[random.pick_again(&mut again).unwrap().member()] += 1;
        }
        // 2000 and four standard deviations of 26.
        assert!(counts[0] == 0 && (1896..=2104).contains(&counts[1]), "{counts:?}");
    }
}
