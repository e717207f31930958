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

/// First bits of a position that points are sorted by at first; fewer than a cell's.
const COARSE: u32 = 8;

/// Points by position, in cells by its top bits.
#[derive(Debug)]
pub(super) struct Ring {
    points: Box<[Point]>,
    /// How many points there are in the cells before each, and in all.
    index: Box<[u32]>,
    /// What shifts a position to its cell.
    shift: u32,
}

/// A point within its cell: the 32 bits of its position below those of the cell, and the member. As one word, since most of a
/// look-up in a large ring is waiting for memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Point(u64);

impl Ring {
    /// The ring of those of `shares` that are in, each as far as its share of the weight of all goes. Takes time in
    /// proportion to the points: they are counted into their cells, which then hold one each on average.
    pub(super) fn new(shares: &[Share], slots: u32) -> Self {
        let sorted = coarsely_sorted(shares);
        let count: usize = sorted.iter().map(Vec::len).sum();
        let cells = (count as u64).max(slots.max(CELLS_MIN).into()).next_power_of_two();
        let shift = u64::BITS - cells.trailing_zeros();
        let mut index = vec![0_u32; cells as usize + 1];
        for (position, _) in sorted.iter().flatten() {
            index[(position >> shift) as usize + 1] += 1;
        }
        for cell in 1..index.len() {
            index[cell] += index[cell - 1];
        }
        let mut points = vec![Point::default(); count];
        for &(position, member) in sorted.iter().flatten() {
            // Counts from a cell's start up to its end, which is the start of the next.
            let place = &mut index[(position >> shift) as usize];
            points[*place as usize] = Point::new(position, shift, member);
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
        let cell = (key >> self.shift) as usize;
        let (start, end) = (self.index[cell] as usize, self.index[cell + 1] as usize);
        let least = Point::new(key, self.shift, 0);
        let before = self.points[start..end].iter().take_while(|point| **point < least).count();
        let at = start + before;
        if at == self.points.len() { 0 } else { at }
    }

    /// The index of the member that stands there.
    pub(super) fn member(&self, place: usize) -> u32 {
        self.points[place].0 as u32
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }
}

impl Point {
    fn new(position: u64, shift: u32, member: u32) -> Self {
        Self((position << (u64::BITS - shift)) & !u64::from(u32::MAX) | u64::from(member))
    }
}

/// Points of each: its share of the weight, of so many points as all have together. None for who is not in.
fn counts(shares: &[Share]) -> Vec<u64> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let points = POINTS * shares.len() as u64;
    let count =
        |share: &Share| ((u128::from(share.weight) * u128::from(points) / u128::from(total)) as u64).max(1);
    shares.iter().map(|share| if share.is_in { count(share) } else { 0 }).collect()
}

/// The positions by their first bits: whoever goes through them in this order stays within what the processor has at hand.
fn coarsely_sorted(shares: &[Share]) -> Vec<Vec<(u64, u32)>> {
    let counts = counts(shares);
    let mean = counts.iter().sum::<u64>() as usize >> COARSE;
    let mut sorted: Vec<_> = (0..1 << COARSE).map(|_| Vec::with_capacity(mean + mean / 8)).collect();
    for (position, member) in positions(shares, &counts) {
        sorted[(position >> (u64::BITS - COARSE)) as usize].push((position, member));
    }
    sorted
}

/// The positions of everybody who is in, with the member's number among these, in no order.
fn positions(shares: &[Share], counts: &[u64]) -> impl Iterator<Item = (u64, u32)> {
    let members = (0..).zip(shares.iter().zip(counts).filter(|(share, _)| share.is_in));
    members.flat_map(|(member, (share, &count))| {
        let name = share.name.to_le_bytes();
        (0..count).map(move |number| (hash_with(number, &name), member))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::shares;
    use super::*;

    #[test]
    fn a_look_up_finds_what_a_search_finds() {
        let shares = shares(&[3, 1, 2, 200, 1]);
        let ring = Ring::new(&shares, 10);
        let mut sorted: Vec<_> = positions(&shares, &counts(&shares)).collect();
        sorted.sort_unstable();
        // A key within one point's last bits may be taken for the point itself; these are not that close.
        let beside = 1 << 30;
        let borders =
            sorted.iter().flat_map(|&(at, _)| [at, at.wrapping_add(beside), at.wrapping_sub(beside)]);
        for key in borders.chain([0, u64::MAX]) {
            let searched = sorted.partition_point(|&(position, _)| position < key) % ring.len();
            assert_eq!(ring.member(ring.place(key)), sorted[searched].1, "{key:x}");
        }
    }

    #[test]
    fn points_are_kongs_shares_and_nobody_has_none() {
        let counts = |weights: &[u32]| counts(&shares(weights));
        assert_eq!(counts(&[1, 1, 1]), [160, 160, 160]);
        assert_eq!(counts(&[100, 50]), [213, 106]);
        assert_eq!(counts(&[65_535, 1, 1])[1..], [1, 1]);
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
