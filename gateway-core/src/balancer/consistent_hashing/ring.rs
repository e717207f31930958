//! The ring: each member has points on a circle of 64-bit positions, a key belongs to the first point at or after its own
//! place. Where a point is depends on the name of its member and the point's number alone, so when somebody comes or goes no
//! key moves between two that stay.
//!
//! How many points a member has are Kong's shares: floor(weight / mean weight x 160), at least 1. Kong puts them into `slots`
//! cells, of which there are too few from about 61 members on. Here `slots` sizes the index into the points instead: at least
//! 1000 cells, and never so few that they hold more than four points on average, so that a look-up is two loads.
//!
//! Positions count to 36 bits. Two points that agree in all of them, ten among the 1.6 million of 10,000 members, stand in the order
//! of the members.

use super::Share;
use crate::balancer::hash::hash_with;

/// Points of a member of mean weight, as Kong's.
const POINTS: u64 = 160;
/// The least size of the index, as Kong's of its ring.
const CELLS_MIN: u64 = 1000;
/// Points of a cell, at most, on average.
const CROWD: u64 = 4;
/// Cells for each member, at least: what a cell does not say of a position must leave room for the member in a point.
const CELLS_EACH: u64 = 16;

/// Bits of a position.
const POSITION: u32 = 36;
/// First bits of a position that points are sorted by at first; fewer than a cell's.
const COARSE: u32 = 8;
/// Points that are compared at once.
const WINDOW: usize = 8;

/// Points by position, in cells by its first bits.
#[derive(Debug)]
pub(super) struct Ring {
    /// See [`Layout::point`]; after the last one there is a window of nothing.
    points: Box<[u32]>,
    /// How many points there are in the cells before each, and in all.
    index: Box<[u32]>,
    layout: Layout,
}

/// Where the bits of a position and of a member are.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bits of a position that say its cell.
    cell: u32,
    /// Bits that a member's number needs.
    member: u32,
}

impl Ring {
    /// The ring of those of `shares` that are in, each as far as its share of the weight of all goes. Takes time in
    /// proportion to the points: they are counted into their cells, which then hold a few each.
    pub(super) fn new(shares: &[Share], slots: u32) -> Self {
        let counts = counts(shares);
        let layout = Layout::of(&counts, slots);
        let sorted = coarsely_sorted(shares, &counts, layout);
        let count: usize = sorted.iter().map(Vec::len).sum();
        let mut index = vec![0_u32; (1 << layout.cell) + 1];
        for &long in sorted.iter().flatten() {
            index[layout.cell(long) + 1] += 1;
        }
        for cell in 1..index.len() {
            index[cell] += index[cell - 1];
        }
        let mut points = vec![0; count + WINDOW];
        for &long in sorted.iter().flatten() {
            // Counts from a cell's start up to its end, which is the start of the next.
            let place = &mut index[layout.cell(long)];
            points[*place as usize] = layout.point(long, long as u32 & layout.members());
            *place += 1;
        }
        index.rotate_right(1);
        index[0] = 0;
        for ends in index.windows(2) {
            points[ends[0] as usize..ends[1] as usize].sort_unstable();
        }
        Self { points: points.into(), index: index.into(), layout }
    }

    /// Where a key belongs.
    pub(super) fn place(&self, key: u64) -> usize {
        let cell = self.layout.cell(key);
        let (start, end) = (self.index[cell] as usize, self.index[cell + 1] as usize);
        let (points, least) = (&self.points[start..], self.layout.point(key, 0));
        // All of a window whatever there is in the cell: how many these are is chance, and would be guessed wrong.
        let before = match points.first_chunk::<WINDOW>() {
            Some(window) if end - start <= WINDOW => {
                let before = |(place, &point): (usize, &u32)| {
                    u32::from(point < least) & u32::from(place < end - start)
                };
                window.iter().enumerate().map(before).sum::<u32>() as usize
            }
            _ => points[..end - start].partition_point(|&point| point < least),
        };
        let at = start + before;
        if at == self.len() { 0 } else { at }
    }

    /// The index of the member that stands there.
    pub(super) fn member(&self, place: usize) -> u32 {
        self.points[place] & self.layout.members()
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        self.points.len() - WINDOW
    }
}

impl Layout {
    /// The layout for members with so many points each, none of those who are not in.
    fn of(counts: &[u64], slots: u32) -> Self {
        let members = counts.iter().filter(|&&count| count > 0).count() as u64;
        let points: u64 = counts.iter().sum();
        let cells = (points / CROWD).max(CELLS_EACH * members).max(slots.into()).max(CELLS_MIN);
        Self {
            cell: cells.next_power_of_two().trailing_zeros(),
            member: members.next_power_of_two().trailing_zeros(),
        }
    }

    /// The cell of a position.
    fn cell(self, position: u64) -> usize {
        (position >> (u64::BITS - self.cell)) as usize
    }

    /// A point within its cell: what the cell does not say of its position, and the member; in the order of both.
    fn point(self, position: u64, member: u32) -> u32 {
        let rest = (position << self.cell) >> (u64::BITS - POSITION + self.cell);
        (rest as u32) << self.member | member
    }

    /// The bits that a member's number may have.
    fn members(self) -> u32 {
        (1 << self.member) - 1
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

/// The positions, with the member's number in their last bits, by their first bits: whoever goes through them in this order stays
/// within what the processor has at hand.
fn coarsely_sorted(shares: &[Share], counts: &[u64], layout: Layout) -> Vec<Vec<u64>> {
    let mean = counts.iter().sum::<u64>() as usize >> COARSE;
    let mut sorted: Vec<_> = (0..1 << COARSE).map(|_| Vec::with_capacity(mean + mean / 8)).collect();
    for (position, member) in positions(shares, counts) {
        let long = position & !u64::from(layout.members()) | u64::from(member);
        sorted[(position >> (u64::BITS - COARSE)) as usize].push(long);
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
        // cell may walk; with four points to a cell at most it is the largest of that many Poisson counts.
        let ring = Ring::new(&shares(&vec![1; 10_000]), 10_000);
        assert_eq!(ring.len(), 1_600_000);
        assert_eq!(ring.index.len(), (1 << 19) + 1);
        let longest = ring.index.windows(2).map(|ends| ends[1] - ends[0]).max();
        assert!(longest < Some(20), "{longest:?}");
    }
}
