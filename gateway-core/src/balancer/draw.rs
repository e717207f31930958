//! Draws of members. By weight it is Walker's alias method (1974, built as Vose 1991): each member is a cell of the same width,
//! what it is short of is filled up by one other, and a draw is one cell and how far into it; exact to 2^-32 of all. O(1) a draw.
//! Of few members two are one draw: of a pair, from a table of all pairs.

use std::hint::select_unpredictable;

use rand::Rng as _;

use super::Member;
use super::crew::Score;
use crate::rng::Rng;

/// The most that are drawn at once; `Tuning.choices` is no more.
const CHOICES_MAX: usize = 16;
/// After so many draws in vain, of who was drawn already or is not wanted, one makes do with what there is (nginx's
/// `random two` gives up after as many).
const IN_VAIN_MAX: usize = 20;

/// Of so many the pairs are in a table, of 8 KB at most.
const PAIRED_MAX: usize = 32;
/// The weight of all pairs, to so many bits.
const PAIRS_BITS: u32 = 48;

/// The lower half of a draw.
const LOW: u64 = u32::MAX as u64;

/// How members are drawn.
#[derive(Debug)]
pub(super) enum Draw {
    /// Any of so many with the same probability.
    Evenly(usize),
    /// By weight.
    Alias(Alias),
}

/// The tables of some members with weights.
#[derive(Debug)]
pub(super) struct Alias {
    cells: Box<[Cell]>,
    /// Where there are few: the cell of first member `f` and second one `s` is the `f << bits | s`th. Those of nobody, and of the
    /// same twice, are empty. Nobody has to draw again then, as one of eight would of ten with weights 1, 2, 3, ...
    pairs: Option<Box<[Cell]>>,
    bits: u32,
}

/// The cell of one member.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// Below this it is the member itself, in 2^-32 of the cell.
    own: u32,
    /// Else it is this one.
    other: u32,
}

/// A number below `end`, or zero.
pub(super) fn below(end: usize, rng: &mut Rng) -> usize {
    (((rng.next_u64() >> 32) * end as u64) >> 32) as usize
}

/// Two different ones of so many, of two at least, any two with the same probability.
#[inline]
pub(super) fn two_of(members: usize, drawn: u64) -> (usize, usize) {
    let members = members as u64;
    let first = ((drawn >> 32) * members) >> 32;
    let second = ((drawn & LOW) * (members - 1)) >> 32;
    (first as usize, (second + u64::from(second >= first)) as usize)
}

/// The member that 32 bits draw: as the numerator of a share of all cells they say which cell, and what is left how far into it.
fn within(cells: &[Cell], drawn: u64) -> usize {
    let spread = drawn * cells.len() as u64;
    let cell = (spread >> 32) as usize;
    let Cell { own, other } = cells[cell];
    select_unpredictable((spread as u32) < own, cell, other as usize)
}

impl Draw {
    /// Draws in which a member has the share that its weight says.
    pub(super) fn by_weight(members: &[Member]) -> Self {
        if members.iter().all(|member| member.weight == members[0].weight) {
            return Self::Evenly(members.len());
        }
        let weights: Box<[_]> = members.iter().map(|member| u64::from(member.weight)).collect();
        Self::Alias(Alias::new(&weights))
    }

    /// One member, of at least one.
    pub(super) fn one(&self, rng: &mut Rng) -> usize {
        match self {
            Self::Evenly(members) => below(*members, rng),
            Self::Alias(alias) => within(&alias.cells, rng.next_u64() >> 32),
        }
    }

    /// Two members, of two at least, the second drawn from those that the first is not; where many differ in weight luck may
    /// have it that they are the same. Of two that are all there are the first is either with the same probability.
    #[inline]
    pub(super) fn two(&self, rng: &mut Rng) -> (usize, usize) {
        let drawn = rng.next_u64();
        match self {
            Self::Alias(Alias { pairs: Some(pairs), bits, .. }) => {
                let pair = within(pairs, drawn >> 32);
                (pair >> bits, pair & ((1 << bits) - 1))
            }
            Self::Alias(Alias { cells, .. }) if cells.len() > 2 => {
                (within(cells, drawn >> 32), within(cells, drawn & LOW))
            }
            _ => two_of(self.len(), drawn),
        }
    }

    /// Another member than the `first`, or the same again when there is no luck.
    pub(super) fn beside(&self, first: usize, rng: &mut Rng) -> usize {
        let is_other = |&member: &usize| member != first;
        (0..IN_VAIN_MAX).map(|_| self.one(rng)).find(is_other).unwrap_or(first)
    }

    /// How many there are to draw from.
    fn len(&self) -> usize {
        match self {
            Self::Evenly(members) => *members,
            Self::Alias(alias) => alias.cells.len(),
        }
    }

    /// The one with the smallest score of `choices` different fit ones, or of fewer when there is no luck; the first drawn of
    /// equals.
    pub(super) fn best<K: Score>(
        &self,
        choices: usize,
        rng: &mut Rng,
        is_fit: impl Fn(usize) -> bool,
        score: impl Fn(usize) -> K,
    ) -> Option<usize> {
        let mut drawn = [usize::MAX; CHOICES_MAX];
        let (mut count, mut in_vain) = (0, 0);
        let (mut best, mut least) = (None, K::WORST);
        while count < choices.min(CHOICES_MAX) && in_vain < IN_VAIN_MAX {
            let member = self.one(rng);
            if drawn[..count].contains(&member) || !is_fit(member) {
                in_vain += 1;
                continue;
            }
            drawn[count] = member;
            count += 1;
            let score = score(member);
            if score.is_less(least) || best.is_none() {
                (best, least) = (Some(member), score);
            }
        }
        best
    }
}

impl Alias {
    fn new(weights: &[u64]) -> Self {
        let bits = weights.len().next_power_of_two().ilog2();
        let pairs = (3..=PAIRED_MAX).contains(&weights.len()).then(|| cells(&pairs(weights, bits)));
        Self { cells: cells(weights), pairs, bits }
    }
}

/// The table for some weights, of which one at least is above zero.
fn cells(weights: &[u64]) -> Box<[Cell]> {
    let total: u64 = weights.iter().sum();
    // In units in which a cell is `total` wide.
    let mut widths: Box<[_]> = weights.iter().map(|weight| weight * weights.len() as u64).collect();
    let (mut short, mut long): (Vec<_>, Vec<_>) = (0..weights.len()).partition(|&i| widths[i] < total);
    let mut cells: Box<[_]> = (0..weights.len()).map(|i| Cell { own: u32::MAX, other: i as u32 }).collect();
    while let (Some(&giver), Some(taker)) = (long.last(), short.pop()) {
        let own = (u128::from(widths[taker]) << 32) / u128::from(total);
        cells[taker] = Cell { own: own as u32, other: giver as u32 };
        widths[giver] -= total - widths[taker];
        if widths[giver] < total {
            short.extend(long.pop());
        }
    }
    cells
}

/// What every pair weighs of members with these weights: as the first is drawn, and the second from the others.
fn pairs(weights: &[u64], bits: u32) -> Box<[u64]> {
    let total: u64 = weights.iter().sum();
    let weight = |pair: usize| {
        let (first, second) = (pair >> bits, pair & ((1 << bits) - 1));
        match (weights.get(first), weights.get(second)) {
            (Some(_), Some(_)) if first == second => 0,
            (Some(&one), Some(&other)) => {
                let first = (u128::from(one) << PAIRS_BITS) / u128::from(total);
                (first * u128::from(other) / u128::from(total - one)) as u64
            }
            _ => 0,
        }
    };
    (0..1 << (2 * bits)).map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dice, members};
    use super::*;

    #[test]
    fn cells_hold_exactly_what_the_weights_say() {
        // Aim: the table is right, not just likely. Method: the mass of each member, added up over all cells.
        for weights in [&[1, 2, 3][..], &[20, 50], &[65_535, 1], &[7], &[5, 5, 5], &[1, 1, 1, 97, 400]] {
            let draw = Draw::by_weight(&members(weights));
            let Draw::Alias(alias) = &draw else {
                assert!(weights.iter().all(|&weight| weight == weights[0]));
                continue;
            };
            let total: u32 = weights.iter().sum();
            for (mass, &weight) in masses(&alias.cells).iter().zip(weights) {
                assert!((mass - f64::from(weight) / f64::from(total)).abs() < 1e-8, "{weights:?}: {mass}");
            }
        }
    }

    /// What share of all draws each has.
    fn masses(cells: &[Cell]) -> Vec<f64> {
        let mut masses = vec![0.0; cells.len()];
        for (i, cell) in cells.iter().enumerate() {
            let own = f64::from(cell.own) / f64::from(u32::MAX);
            masses[i] += own / cells.len() as f64;
            masses[cell.other as usize] += (1.0 - own) / cells.len() as f64;
        }
        masses
    }

    #[test]
    fn pairs_are_drawn_as_one_and_then_one_of_the_others() {
        // Aim and method as above, for each pair.
        let heavy: Vec<_> = (1..=32).map(|i| if i == 7 { 1_000_000 } else { i }).collect();
        for weights in [&[1, 2, 3][..], &[65_535, 1, 1], &[1, 1, 1, 97, 400], &heavy] {
            let Draw::Alias(Alias { pairs: Some(pairs), bits, .. }) = Draw::by_weight(&members(weights))
            else {
                panic!("few, with different weights: {weights:?}");
            };
            let (total, masses) = (f64::from(weights.iter().sum::<u32>()), masses(&pairs));
            for (pair, mass) in masses.into_iter().enumerate() {
                let (first, second) = (pair >> bits, pair & ((1 << bits) - 1));
                let known = [first, second].map(|member| weights.get(member).copied().map(f64::from));
                let share = match known {
                    [Some(one), Some(other)] if first != second => one / total * other / (total - one),
                    _ => 0.0,
                };
                assert!((mass - share).abs() < 1e-8, "{weights:?}: {first}, {second}: {mass} for {share}");
                assert!(share > 0.0 || mass < 1e-12, "{weights:?}: {first}, {second} is no pair");
            }
        }
    }

    #[test]
    fn of_two_either_is_the_first_as_often() {
        let (draw, rng) = (Draw::by_weight(&members(&[1, 9])), &mut dice(0));
        let seen: Vec<_> = (0..10_000).map(|_| draw.two(rng)).collect();
        assert!(seen.iter().all(|&(first, second)| first + second == 1 && first != second));
        // Give or take four times 50.
        assert!(seen.iter().filter(|pair| pair.0 == 0).count().abs_diff(5000) < 200);
    }

    #[test]
    fn choices_are_different_fit_and_the_best_of_them() {
        // Four of eight are fit and four are wanted, so it is the smallest fit one unless twenty draws were in vain.
        let draw = Draw::by_weight(&members(&[1; 8]));
        let best = |seed| draw.best(4, &mut dice(seed), |member| member % 2 == 1, |member| member as f64);
        let best: Vec<_> = (0..200).map(|seed| best(seed).unwrap()).collect();
        assert!(best.iter().all(|member| member % 2 == 1));
        assert!(best.iter().filter(|&&member| member == 1).count() > 180, "{best:?}");
        assert_eq!(draw.best(2, &mut dice(0), |_| false, |_| 0.0), None);
    }

    #[test]
    fn the_second_is_drawn_from_those_that_the_first_is_not() {
        // Of weights 1, 2 and 3 the second of 3 is 2 in two cases of three, give or take four times 47 of 10,000.
        let (draw, rng) = (Draw::by_weight(&members(&[1, 2, 3])), &mut dice(0));
        let seconds = (0..10_000).filter(|_| draw.beside(2, rng) == 1).count();
        assert!(seconds.abs_diff(6667) < 190, "{seconds}");
        assert_eq!(Draw::Evenly(1).beside(0, rng), 0, "there is nobody else");
    }
}
