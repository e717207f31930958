//! The ring: each member has points on a circle of 64-bit positions, a key belongs to the first point at or after its own
//! place. Where a point is depends on the name of its member and the point's number alone, so when somebody comes or goes no
//! key moves between two that stay.
//!
//! How many points a member has are Kong's shares: floor(weight / mean weight x 160), at least 1. Kong puts them into `slots`
//! cells, of which there are too few from about 61 members on. Here `slots` sizes the index into the points instead: at least
//! 1000 cells, and never fewer than there are points, so that a look-up is one step on average, and no place is taken twice.

use super::Share;
use crate::balancer::hash::hash_with;

/// Points of a member of mean weight, as Kong's.
const POINTS: u64 = 160;
/// The least size of the index, as Kong's of its ring.
const CELLS_MIN: u32 = 1000;

/// Points by position, and where to begin to look for one.
#[derive(Debug)]
pub(super) struct Ring {
    points: Box<[Point]>,
    /// For each value of a position's top bits: how many points have smaller ones.
    index: Box<[u32]>,
    /// What shifts a position to its top bits.
    shift: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    position: u64,
    member: u32,
}

impl Ring {
    /// The ring of those of `shares` that are in, each as far as its share of the weight of all goes. Takes time in
    /// proportion to the points: they are counted into their cells, which then hold one each on average.
    pub(super) fn new(shares: &[Share], slots: u32) -> Self {
        let unsorted = points(shares);
        let cells = (unsorted.len() as u64).max(slots.max(CELLS_MIN).into()).next_power_of_two();
        let shift = u64::BITS - cells.trailing_zeros();
        let cell = |point: &Point| (point.position >> shift) as usize;
        let mut index = vec![0_u32; cells as usize + 1];
        for point in &unsorted {
            index[cell(point) + 1] += 1;
        }
        for i in 1..index.len() {
            index[i] += index[i - 1];
        }
        let mut points = vec![Point::default(); unsorted.len()];
        for point in &unsorted {
            // Counts a cell's start up to its end, which is the start of the next.
            let place = &mut index[cell(point)];
            points[*place as usize] = *point;
            *place += 1;
        }
        index.rotate_right(1);
        index[0] = 0;
        for ends in index.windows(2) {
            points[ends[0] as usize..ends[1] as usize].sort_unstable();
        }
        Self { points: points.into(), index: index.into(), shift }
    }

    /// Where a key belongs.
    pub(super) fn place(&self, key: u64) -> usize {
        let mut at = self.index[(key >> self.shift) as usize] as usize;
        while self.points.get(at).is_some_and(|point| point.position < key) {
            at += 1;
        }
        if at == self.points.len() { 0 } else { at }
    }

    /// The index of the member that stands there.
    pub(super) fn member(&self, place: usize) -> u32 {
        self.points[place].member
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }
}

/// The points of everybody who is in, numbered among themselves, in no order.
fn points(shares: &[Share]) -> Vec<Point> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let count = |share: &Share| {
        let points = u128::from(share.weight) * shares.len() as u128 * u128::from(POINTS) / u128::from(total);
        (points as u64).max(1)
    };
    let members = (0..).zip(shares.iter().filter(|share| share.is_in));
    let point = |member, share: &Share, number| Point {
        position: hash_with(number, &share.name.to_le_bytes()),
        member,
    };
    members
        .flat_map(|(member, share)| (0..count(share)).map(move |number| point(member, share, number)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::shares;
    use super::*;

    #[test]
    fn a_look_up_finds_what_a_search_finds() {
        let ring = Ring::new(&shares(&[3, 1, 2, 200, 1]), 10);
        assert!(ring.points.is_sorted());
        let borders = ring.points.iter().flat_map(|point| [point.position, point.position.wrapping_add(1)]);
        for key in borders.chain([0, u64::MAX]) {
            let searched = ring.points.partition_point(|point| point.position < key) % ring.len();
            assert_eq!(ring.place(key), searched, "{key:x}");
        }
    }

    #[test]
    fn points_are_kongs_shares_and_nobody_has_none() {
        let count =
            |weights: &[u32], member| points(&shares(weights)).iter().filter(|p| p.member == member).count();
        assert_eq!((count(&[1, 1, 1], 0), count(&[100, 50], 0), count(&[100, 50], 1)), (160, 213, 106));
        assert_eq!(count(&[65_535, 1, 1], 2), 1);
    }

    #[test]
    fn ten_thousand_members_take_as_many_steps_as_they_have_points() {
        // Aim: nothing in it grows faster than the points. Method: count the longest stretch that a look-up or a sort of one
        // cell may walk; with one point to a cell it is the largest of that many Poisson counts.
        let ring = Ring::new(&shares(&vec![1; 10_000]), 10_000);
        assert_eq!(ring.len(), 1_600_000);
        assert_eq!(ring.index.len(), (1 << 21) + 1);
        let longest = ring.index.windows(2).map(|ends| ends[1] - ends[0]).max();
        assert!(longest < Some(16), "{longest:?}");
    }
}
