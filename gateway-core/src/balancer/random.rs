//! Weighted random choice by the alias method (Walker 1974; Vose 1991): the sum of weights is cut into k columns of equal
//! height, each with a part of its own member and a part of one other. A column is drawn, then a height in it.
//!
//! A weight is a probability, in proportion to the sum of weights. Heights are integers, in units in which the table is
//! exact; a draw of 64 bits gives each unit the same chance but for 2^-64.
//!
//! A pick costs O(1): one draw, no lock, nothing shared. Nothing is promised of counts: after n picks of a share s they
//! are off by sqrt(n s (1-s)) requests in the mean square.

use std::hint::select_unpredictable;

use rand::Rng as _;

use super::{Ask, Balancer, Choice, Member, NoChoice, Setup};

/// The table of one epoch.
#[derive(Debug)]
pub struct Random {
    members: Box<[Member]>,
    columns: Box<[Column]>,
    /// Height of each column: the sum of weights.
    height: u64,
}

/// A part of one member's share, and on top of it a part of another's.
#[derive(Clone, Copy, Debug)]
struct Column {
    /// Up to here it is its own member's.
    own: u64,
    /// Whose it is above.
    other: u32,
}

impl Random {
    /// A table of these members.
    pub fn new(members: Vec<Member>) -> Self {
        let height = members.iter().map(|member| u64::from(member.weight)).sum();
        Self { columns: columns(&members, height).into(), height, members: members.into() }
    }

    /// The member at one of the 2^64 points of the table.
    fn at(&self, point: u64) -> usize {
        let (column, rest) = scale(point, self.columns.len() as u64);
        let (height, _) = scale(rest, self.height);
        let Column { own, other } = self.columns[column as usize];
        // No processor could foresee which.
        select_unpredictable(height < own, column as usize, other as usize)
    }
}

impl Balancer for Random {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice::Empty);
        }
        Ok(Choice::of(self.at(ask.rng.next_u64())))
    }

    /// Drawn by weight from those not tried, in O(k); from all when there are no others.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let untried = || self.members.iter().enumerate().filter(|(_, m)| !ask.tried.contains(&m.target));
        let total = untried().map(|(_, member)| u64::from(member.weight)).sum();
        let (mut point, _) = scale(ask.rng.next_u64(), total);
        for (i, member) in untried() {
            match point.checked_sub(u64::from(member.weight)) {
                Some(rest) => point = rest,
                None => return Ok(Choice::of(i)),
            }
        }
        self.pick(ask)
    }

    /// A new table; there is nothing to remember.
    fn succeed(&self, setup: Setup<'_>) -> Box<dyn Balancer> {
        Box::new(Self::new(setup.available().members))
    }
}

/// One of `n` equal parts, and how far into it, out of 2^64 (Lemire 2019).
const fn scale(point: u64, n: u64) -> (u64, u64) {
    let product = point as u128 * n as u128;
    ((product >> 64) as u64, product as u64)
}

/// Vose's way: who has less than a column of `height` is topped up by somebody who has more. In units of 1/k of a weight, so
/// that k columns hold everything exactly.
fn columns(members: &[Member], height: u64) -> Vec<Column> {
    let full = |i: usize| Column { own: height, other: i as u32 };
    let mut columns: Vec<_> = (0..members.len()).map(full).collect();
    let mut left: Vec<_> = members.iter().map(|m| u64::from(m.weight) * members.len() as u64).collect();
    let (mut more, mut less): (Vec<_>, Vec<_>) = (0..members.len()).partition(|&i| left[i] >= height);
    while let (Some(short), Some(&long)) = (less.pop(), more.last()) {
        columns[short] = Column { own: left[short], other: long as u32 };
        left[long] -= height - left[short];
        if left[long] < height {
            more.pop();
            less.push(long);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members};
    use super::*;
    use crate::id::TargetId;

    /// What each member has in all columns together.
    fn parts(random: &Random) -> Vec<u64> {
        let mut parts = vec![0; random.members.len()];
        for (i, column) in random.columns.iter().enumerate() {
            parts[i] += column.own;
            parts[column.other as usize] += random.height - column.own;
        }
        parts
    }

    #[test]
    fn the_table_gives_each_member_exactly_its_weight() {
        for weights in [&[1][..], &[100, 50], &[5, 1, 1], &[65_535, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]] {
            let k = weights.len() as u64;
            let expected: Vec<_> = weights.iter().map(|&weight| u64::from(weight) * k).collect();
            assert_eq!(parts(&Random::new(members(weights))), expected);
        }
    }

    #[test]
    fn the_edges_of_the_table_belong_to_somebody() {
        let random = Random::new(members(&[3, 1]));
        assert_eq!([0, u64::MAX / 2 + 1, u64::MAX].map(|point| random.at(point)), [0, 1, 0]);
        assert_eq!(Random::new(vec![]).pick(&mut ask(&mut dice(1))), Err(NoChoice::Empty));
    }

    #[test]
    fn another_try_is_drawn_by_weight_from_the_rest() {
        let (random, mut rng) = (Random::new(members(&[5, 2, 1])), dice(1));
        let mut counts = [0; 3];
        for _ in 0..3000 {
            let mut again = Ask { tried: &[TargetId(0)], ..ask(&mut rng) };
            counts[random.pick_again(&mut again).unwrap().member] += 1;
        }
        // 2000 and four standard deviations of 26.
        assert!(counts[0] == 0 && (1896..=2104).contains(&counts[1]), "{counts:?}");
    }
}
