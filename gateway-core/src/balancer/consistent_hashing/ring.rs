//! The ring: each member has points on a circle of 64-bit positions, a key belongs to the first point at or after its own
//! place. Where a point is depends on the name of its member and the point's number alone, so when somebody comes or goes no
//! key moves between two that stay.
//!
//! How many points a member has are Kong's shares: floor(weight / mean weight x 160), at least 1. Kong puts them into `slots`
//! cells, of which there are too few from about 61 members on. Here a cell has room for twenty points, there are at least as many
//! as give room to `slots`, and never so few that they hold more than thirteen on average. A cell is one cache line with
//! its points in order and after them whoever comes next, so that a look-up is one load; the few cells that hold more are
//! found elsewhere. A point takes three bytes, since what a large ring costs is memory.
//!
//! Keys are told apart by the first 27 bits of their places. Of two points that agree in all of them, one in 80 among the 1.6
//! million of 10,000 members, the first one gets the keys there, as it does the keys before.

use super::Share;
use crate::balancer::hash::hash_with;

/// Points of a member of mean weight, as Kong's.
const POINTS: u64 = 160;
/// The least of `slots`, as Kong's.
const SLOTS_MIN: u32 = 1000;
/// Points of a cell, at most, on average.
const CROWD: u64 = 13;

/// Bits of a position.
const POSITION: u32 = 27;
/// First bits of a position that points are sorted by at first; no more than a cell's.
const COARSE: u32 = 9;
/// Bits beyond a cell's that they are sorted by then: a cell's points are all but in order after that.
const FINE: u32 = 4;
/// What a cell has room for: its points, and one more for whoever comes after them.
const ROOM: usize = 21;
/// Bits of a point.
const POINT: u32 = u16::BITS + LOW;
/// The last bits of a point, which say nothing of a position.
const LOW: u32 = u8::BITS;
/// Says in the last place of a cell that there are more points than it has room for. No point looks like it.
const MORE: u32 = (1 << POINT) - 1;

/// Points by position, in cells by its first bits.
#[derive(Debug)]
pub(super) struct Ring {
    cells: Box<[Cell]>,
    /// Cells with more points than there is room for, in order: which, and all of its points as they would stand in it.
    crowded: Vec<(usize, Vec<u32>)>,
    layout: Layout,
}

/// Points in order, see [`Layout::point`]; in the places that are left over the one after them, as if at the cell's end.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Cell {
    /// The first bits of each: where it is. See [`high`].
    high: [i16; ROOM],
    /// The last bits of each.
    low: [u8; ROOM],
}

/// The points of some neighbouring cells, as positions with the member's number in their last bits, by cell.
#[derive(Debug)]
struct Part {
    longs: Vec<u64>,
    /// Where those begin that agree in some bits more than a cell's.
    starts: Vec<u32>,
}

/// Where the bits of a position and of a member are.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Bits of a position that say its cell.
    cell: u32,
    /// The bits of a position that its cell does not say.
    rest: u32,
    /// Bits that a member's number needs, and one number more; no fewer than say nothing of a position.
    member: u32,
    /// The bits that a member's number may have.
    members: u32,
}

impl Ring {
    /// The ring of those of `shares` that are in, each as far as its share of the weight of all goes. Takes time in
    /// proportion to the points: twice each is put where its first bits say, so that those of a cell are then all but in order.
    pub(super) fn new(shares: &[Share], slots: u32) -> Self {
        let counts = counts(shares);
        let layout = Layout::of(&counts, slots);
        let sorted = coarsely_sorted(shares, &counts, layout);
        let first = sorted.iter().find_map(|some| some.iter().min()).expect("there is somebody");
        let nobody = Cell { high: [0; ROOM], low: [0; ROOM] };
        let mut ring = Self { cells: vec![nobody; 1 << layout.cell].into(), crowded: Vec::new(), layout };
        let mut part = Part { longs: Vec::new(), starts: vec![0; 1 << (layout.cell - COARSE + FINE)] };
        // From the last to the first, so that each is told who comes after it: after the last the first of all.
        let mut next = *first as u32 & layout.members;
        for (number, longs) in sorted.iter().enumerate().rev() {
            part.fill(longs);
            next = ring.take(number, &mut part, next);
        }
        ring.crowded.reverse();
        ring
    }

    /// Takes the cells of one of the parts that points are coarsely sorted by, before which `next` comes; who comes first from
    /// there on.
    #[inline(never)]
    fn take(&mut self, number: usize, part: &mut Part, mut next: u32) -> u32 {
        let layout = self.layout;
        let member = |long: u64| long as u32 & layout.members;
        let (mut end, cells) = (part.longs.len(), 1 << (layout.cell - COARSE));
        for at in (0..cells).rev() {
            let start = part.starts[at << FINE] as usize;
            let longs = &mut part.longs[start..end];
            longs.sort_unstable();
            let (points, beyond) =
                (longs.iter().map(|&long| layout.point(long, member(long))), layout.beyond(next));
            let cell = number * cells + at;
            if longs.len() < ROOM {
                self.cells[cell] = Cell::new(points, beyond);
            } else {
                self.cells[cell] = Cell::new(points.clone().take(ROOM - 1), MORE);
                self.crowded.push((cell, points.chain([beyond]).collect()));
            }
            next = longs.first().map_or(next, |&first| member(first));
            end = start;
        }
        next
    }

    /// The member that a key belongs to.
    #[inline]
    pub(super) fn look_up(&self, key: u64) -> u32 {
        let (at, least) = (self.layout.cell(key), self.layout.point(key, 0));
        let (cell, reached) = (&self.cells[at], high(least));
        // All of them whatever there is in the cell: how many these are is chance, and would be guessed wrong. The signs of
        // differences are added up in a third of the instructions that comparisons take.
        let falls_short = |&high: &i16| high.saturating_sub(reached) >> (i16::BITS - 1);
        let short = -cell.high[..ROOM - 1].iter().map(falls_short).sum::<i16>();
        // The last one never does.
        let point = cell.point(short as usize);
        if point == MORE { self.look_up_crowded(at, least) } else { point & self.layout.members }
    }

    #[cold]
    fn look_up_crowded(&self, cell: usize, least: u32) -> u32 {
        let points = self.crowded_points(cell);
        points[points.partition_point(|&point| point < least)] & self.layout.members
    }

    /// The members of all points from where a key belongs on, once around; whoever comes next after a cell's last point may
    /// be told more than once.
    pub(super) fn lap(&self, key: u64) -> impl Iterator<Item = u32> {
        let (cell, least) = (self.layout.cell(key), self.layout.point(key, 0));
        let later = self.points(cell).filter(move |&point| point >= least);
        let cells = self.cells.len();
        let others = (1..cells).flat_map(move |step| self.points((cell + step) % cells));
        let earlier = self.points(cell).filter(move |&point| point < least);
        later.chain(others).chain(earlier).map(|point| point & self.layout.members)
    }

    /// The points of a cell in order, and the one after them.
    fn points(&self, cell: usize) -> impl Iterator<Item = u32> {
        let is_crowded = self.cells[cell].point(ROOM - 1) == MORE;
        let crowded = if is_crowded { self.crowded_points(cell) } else { &[] };
        let room = if is_crowded { 0 } else { ROOM };
        (0..room).map(move |place| self.cells[cell].point(place)).chain(crowded.iter().copied())
    }

    /// The points of a cell that there is no room for in it.
    fn crowded_points(&self, cell: usize) -> &[u32] {
        let at = self.crowded.binary_search_by_key(&cell, |&(cell, _)| cell);
        &self.crowded[at.expect("a cell that says so has more points")].1
    }
}

impl Cell {
    /// A cell of these points, no more than there is room for, and in the places that are left over another one.
    fn new(points: impl Iterator<Item = u32>, beyond: u32) -> Self {
        let mut cell = Self { high: [high(beyond); ROOM], low: [beyond as u8; ROOM] };
        for ((first, last), point) in cell.high.iter_mut().zip(&mut cell.low).zip(points) {
            (*first, *last) = (high(point), point as u8);
        }
        cell
    }

    fn point(&self, place: usize) -> u32 {
        let first = (self.high[place] ^ i16::MIN).cast_unsigned();
        u32::from(first) << LOW | u32::from(self.low[place])
    }
}

/// The first bits of a point, less half of what they may be: signed numbers are what processors compare many of at once.
fn high(point: u32) -> i16 {
    (point >> LOW) as i16 ^ i16::MIN
}

impl Part {
    /// Holds these instead. Counted first, so that each is then put where it belongs.
    // Apart, as the other loops over all points, so that each has all registers to itself.
    #[inline(never)]
    fn fill(&mut self, longs: &[u64]) {
        let bits = self.starts.len().trailing_zeros();
        let place = |long: u64| ((long << COARSE) >> (u64::BITS - bits)) as usize;
        self.starts.fill(0);
        for &long in longs {
            self.starts[place(long)] += 1;
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.longs.resize(longs.len(), 0);
        for &long in longs {
            let start = &mut self.starts[place(long)];
            *start -= 1;
            self.longs[*start as usize] = long;
        }
    }
}

impl Layout {
    /// The layout for members with so many points each, none of those who are not in.
    fn of(counts: &[u64], slots: u32) -> Self {
        let members = counts.iter().filter(|&&count| count > 0).count() as u64;
        let points: u64 = counts.iter().sum();
        let slots = u64::from(slots.max(SLOTS_MIN)) / (ROOM as u64 - 1);
        let cells = points.div_ceil(CROWD).max(slots).next_power_of_two().trailing_zeros();
        let member = (members + 1).next_power_of_two().trailing_zeros().max(LOW);
        // What a cell does not say of a position must leave room for the member in a point.
        let cell = cells.max(POSITION + member - POINT);
        Self { cell, rest: (1 << (POSITION - cell)) - 1, member, members: (1 << member) - 1 }
    }

    /// The cell of a position.
    fn cell(self, position: u64) -> usize {
        (position >> (u64::BITS - self.cell)) as usize
    }

    /// A point within its cell: what the cell does not say of its position, and the member.
    fn point(self, position: u64, member: u32) -> u32 {
        ((position >> (u64::BITS - POSITION)) as u32 & self.rest) << self.member | member
    }

    /// As if a member's point were at a cell's end: no position is after it.
    fn beyond(self, member: u32) -> u32 {
        self.point(u64::MAX, member)
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
#[inline(never)]
fn coarsely_sorted(shares: &[Share], counts: &[u64], layout: Layout) -> Vec<Vec<u64>> {
    let mean = counts.iter().sum::<u64>() as usize >> COARSE;
    let mut sorted: Vec<_> = (0..1 << COARSE).map(|_| Vec::with_capacity(mean + mean / 8)).collect();
    positions(shares, counts).for_each(|(position, member)| {
        let long = position & !u64::from(layout.members) | u64::from(member);
        sorted[(position >> (u64::BITS - COARSE)) as usize].push(long);
    });
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
        for (weights, is_crowded) in [(vec![3, 1, 2, 200, 1], false), (vec![1; 2600], true)] {
            let shares = shares(&weights);
            let ring = Ring::new(&shares, 10);
            assert_eq!(!ring.crowded.is_empty(), is_crowded);
            let counted = |position| position >> (u64::BITS - POSITION);
            let mut sorted: Vec<(u64, u32)> = positions(&shares, &counts(&shares)).collect();
            sorted.sort_unstable();
            let beside = 1 << (u64::BITS - POSITION);
            let borders: Vec<_> = sorted
                .iter()
                .flat_map(|&(at, _)| [at, at.wrapping_add(beside), at.wrapping_sub(beside)])
                .collect();
            for (at, _) in &mut sorted {
                *at = counted(*at);
            }
            for key in borders.into_iter().chain([0, u64::MAX]) {
                let searched =
                    sorted.partition_point(|&(position, _)| position < counted(key)) % sorted.len();
                assert_eq!(ring.look_up(key), sorted[searched].1, "{key:x}");
                assert_eq!(ring.lap(key).next(), Some(sorted[searched].1), "{key:x}");
            }
        }
    }

    #[test]
    fn a_lap_comes_by_all_points_in_order() {
        let shares = shares(&[1; 40]);
        let ring = Ring::new(&shares, 10);
        let mut sorted: Vec<(u64, u32)> = positions(&shares, &counts(&shares)).collect();
        sorted.sort_unstable();
        for start in [0, 17, sorted.len() - 1] {
            let mut expected: Vec<_> =
                (0..sorted.len()).map(|i| sorted[(start + i) % sorted.len()].1).collect();
            let mut seen: Vec<_> = ring.lap(sorted[start].0).collect();
            expected.dedup();
            seen.dedup();
            assert_eq!(seen[..expected.len()], expected);
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
        // cell may walk; with thirteen points to a cell at most it is the largest of that many Poisson counts. Few cells are so full.
        let ring = Ring::new(&shares(&vec![1; 10_000]), 10_000);
        assert_eq!(ring.cells.len(), 1 << 17);
        let longest = ring.crowded.iter().map(|(_, points)| points.len()).max();
        assert!(longest < Some(45) && ring.crowded.len() < 2600, "{longest:?} in {}", ring.crowded.len());
    }
}
