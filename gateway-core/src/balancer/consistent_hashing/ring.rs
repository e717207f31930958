//! The ring: each member has points on a circle of 64-bit positions, a key belongs to the first point at or after its own place.
//! Where a point is depends on the name of its member and the point's number alone, so when somebody comes or goes no key moves
//! between two that stay.
//!
//! Places are told apart by their first 20 bits: these are the cells of the ring. Kong has `slots` of them, 65,536 at most,
//! which are too few; here there is always a million, since another number would move keys. Of several points in one cell one
//! gets its keys: the first point of a member before later ones of others, then whichever comes first. The others are hidden:
//! one in a hundred where 130 members have 160 points each, and half of the 1.6 million of 10,000. Of many more than that
//! shares become uneven: of 65,000 members the busiest has twice the mean.
//!
//! How many points a member has are Kong's shares: floor(weight / mean weight x 160), at least 1. Who has one point only gets no
//! keys of its own while that is hidden, which happens to one in 200 of 10,000 members.

use super::Share;
use super::owners::Owners;
use crate::balancer::hash::hash_with;

/// Points of a member of mean weight, as Kong's.
const POINTS: u64 = 160;

/// Bits of a position that say its cell.
const CELL: u32 = 20;
/// Cells of the ring.
const CELLS: usize = 1 << CELL;
/// Cells of a stretch.
const STRETCH: usize = u32::BITS as usize;
/// Where more than this many points are not hidden, it is written down whose each cell is.
const MANY: usize = CELLS / 16;

/// First bits of a position that say its part of the ring, which points are sorted by at first.
const PART: u32 = 9;
/// Cells of a part.
const PART_CELLS: usize = CELLS >> PART;
/// The bit of a claim that says that the point is not its member's first one.
const LATER: u64 = 1 << (u64::BITS - 1);

/// Points by cell. 256 KiB and two bytes for each point that is not hidden; where these are many, two bytes for each cell as well.
#[derive(Debug)]
pub(super) struct Ring {
    stretches: Box<[Stretch]>,
    /// Whose each point is that is not hidden, in order, and after the last the first again.
    points: Owners,
    /// Whose each cell is, where there are many points: found in one load instead of two that wait for each other.
    cells: Option<Owners>,
}

/// Some neighbouring cells.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    /// Points in order that come before it.
    before: u32,
    /// A bit for each of its cells: whether there is a point.
    taken: u32,
}

impl Ring {
    /// The ring of those of `shares` that are in, which must be somebody, each as far as its share of the weight of all goes.
    /// Takes time in proportion to the points. They are sorted by part first: to claim a cell anywhere is to wait for memory.
    pub(super) fn new(shares: &[Share]) -> Self {
        let mask = (shares.len() as u64).next_power_of_two() - 1;
        let (mut stretches, mut points) = (vec![Stretch::default(); CELLS / STRETCH], Vec::new());
        let mut best = vec![0; PART_CELLS];
        let parts = stretches.chunks_exact_mut(PART_CELLS / STRETCH);
        for (claims, stretches) in claims(shares, mask).iter().zip(parts) {
            settle(claims, stretches, &mut best);
            for (stretch, best) in stretches.iter_mut().zip(best.chunks_exact(STRETCH)) {
                stretch.before = points.len() as u32;
                points.extend(stretch.cells().map(|cell| (best[cell] & mask) as u32));
            }
        }
        points.push(points[0]);
        let cells = (points.len() > MANY).then(|| Owners::new(owners(&stretches, &points), shares.len()));
        Self { stretches: stretches.into(), points: Owners::new(points.into_iter(), shares.len()), cells }
    }

    /// The member that a key belongs to.
    #[inline]
    pub(super) fn look_up(&self, key: u64) -> u32 {
        match &self.cells {
            Some(cells) => cells.get(cell(key)),
            None => self.points.get(self.point(key)),
        }
    }

    /// The members of all points from where a key belongs on, once around.
    pub(super) fn lap(&self, key: u64) -> impl Iterator<Item = u32> {
        self.points.lap(self.point(key))
    }

    /// The point that a key belongs to: so many are before its cell.
    #[inline]
    fn point(&self, key: u64) -> usize {
        let cell = cell(key);
        let Stretch { before, taken } = self.stretches[cell / STRETCH];
        let earlier = taken & ((1 << (cell % STRETCH)) - 1);
        (before + earlier.count_ones()) as usize
    }
}

impl Stretch {
    /// Which of its cells have a point, in order.
    fn cells(self) -> impl Iterator<Item = usize> {
        let some = |taken: u32| (taken != 0).then_some(taken);
        let left = std::iter::successors(some(self.taken), move |left| some(left & (left - 1)));
        left.map(|left| left.trailing_zeros() as usize)
    }
}

/// The cell of a position.
#[inline]
fn cell(position: u64) -> usize {
    (position >> (u64::BITS - CELL)) as usize
}

/// Takes the cells of one part for those who claim them. The `best` claim to each that is taken is the least.
#[inline(never)]
fn settle(claims: &[u64], stretches: &mut [Stretch], best: &mut [u64]) {
    for &claim in claims {
        let cell = cell(claim << 1 >> PART);
        let (taken, bit) = (&mut stretches[cell / STRETCH].taken, 1 << (cell % STRETCH));
        best[cell] = if *taken & bit == 0 { claim } else { best[cell].min(claim) };
        *taken |= bit;
    }
}

/// Whose each cell is.
fn owners(stretches: &[Stretch], points: &[u32]) -> impl Iterator<Item = u32> {
    let mut point = 0;
    (0..CELLS).map(move |cell| {
        let owner = points[point];
        point += (stretches[cell / STRETCH].taken >> (cell % STRETCH) & 1) as usize;
        owner
    })
}

/// What everybody's points claim, by part of the ring: whether it is a later point, what the part does not say of its position,
/// and in the last bits, of which `mask` says how many, the member's number among those who are in.
// Apart, as the other loop over all points, so that each has all registers to itself.
#[inline(never)]
fn claims(shares: &[Share], mask: u64) -> Vec<Vec<u64>> {
    let counts = counts(shares);
    let mean = counts.iter().sum::<u64>() as usize >> PART;
    let mut claims: Vec<_> = (0..1 << PART).map(|_| Vec::with_capacity(mean + mean / 8)).collect();
    let members = shares.iter().zip(counts).filter(|(share, _)| share.is_in);
    for (member, (share, count)) in (0..).zip(members) {
        for number in 0..count {
            let position = hash_with(number, &share.name.to_le_bytes());
            let later = if number == 0 { 0 } else { LATER };
            let claim = later | (position << PART >> 1) & !mask | member;
            claims[(position >> (u64::BITS - PART)) as usize].push(claim);
        }
    }
    claims
}

/// Points of each: its share of the weight, of so many points as all have together.
fn counts(shares: &[Share]) -> Vec<u64> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let points = POINTS * shares.len() as u64;
    let count =
        |share: &Share| ((u128::from(share.weight) * u128::from(points) / u128::from(total)) as u64).max(1);
    shares.iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::shares;
    use super::*;

    /// Whose each cell is, by name.
    fn names(shares: &[Share]) -> Vec<u64> {
        let (ring, all) = (Ring::new(shares), shares.iter().filter(|share| share.is_in).collect::<Vec<_>>());
        keys().map(|key| all[ring.look_up(key) as usize].name).collect()
    }

    /// A key of each cell.
    fn keys() -> impl Iterator<Item = u64> {
        (0..CELLS as u64).map(|cell| cell << (u64::BITS - CELL) | 0x1234)
    }

    /// The points that are not hidden, in order: the cell of each and its member.
    fn searched(shares: &[Share]) -> Vec<(usize, u32)> {
        let mut points = Vec::new();
        for (member, (share, count)) in (0..).zip(shares.iter().zip(counts(shares))) {
            points.extend((0..count).map(|number| {
                let position = hash_with(number, &share.name.to_le_bytes());
                (cell(position), number > 0, position, member)
            }));
        }
        points.sort_unstable();
        points.dedup_by_key(|point| point.0);
        points.into_iter().map(|(cell, _, _, member)| (cell, member)).collect()
    }

    #[test]
    fn a_look_up_and_a_lap_find_what_a_search_finds() {
        for (weights, is_large) in [(vec![1], false), (vec![3, 1, 2, 200, 1], false), (vec![1; 10_000], true)]
        {
            let shares = shares(&weights);
            let (ring, searched) = (Ring::new(&shares), searched(&shares));
            assert_eq!(ring.cells.is_some(), is_large);
            let mut next = 0;
            for (cell, key) in keys().enumerate() {
                next += usize::from(searched.get(next).is_some_and(|point| point.0 < cell));
                let member = searched[next % searched.len()].1;
                assert_eq!((ring.look_up(key), ring.lap(key).next()), (member, Some(member)), "{cell}");
            }
            for start in [0, searched.len() / 2, searched.len() - 1] {
                let (later, earlier) = (&searched[start..], &searched[..start]);
                let mut lap: Vec<_> = later.iter().chain(earlier).map(|point| point.1).collect();
                let key = (searched[start].0 as u64) << (u64::BITS - CELL);
                let mut seen: Vec<_> = ring.lap(key).collect();
                lap.dedup();
                seen.dedup();
                assert!(seen.starts_with(&lap));
            }
        }
    }

    #[test]
    fn no_key_moves_between_two_that_stay_however_many_there_are() {
        // Aim: not one, whether somebody is deleted or ill, where there are more points than cells as well. Method: all cells.
        for members in [2, 3, 50, 1000, 10_000] {
            let mut shares = shares(&vec![1; members]);
            let (before, gone) = (names(&shares), shares[members / 2].name);
            shares[members / 2].is_in = false;
            let ill = names(&shares);
            shares.remove(members / 2);
            let deleted = names(&shares);
            assert!(ill == deleted, "{members}");
            let mut all = before.iter().zip(&deleted);
            assert!(all.all(|(before, after)| before == after || *before == gone), "{members}");
            assert!(!deleted.contains(&gone));
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter() {
        for weights in [vec![3, 1, 2, 200, 1], vec![1; 10_000]] {
            let mut shares = shares(&weights);
            let before = names(&shares);
            shares.reverse();
            assert!(names(&shares) == before);
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
    fn who_has_one_point_beside_a_million_is_hardly_ever_without_keys() {
        // 9000 members of one point each, and 1000 who have 1.6 million.
        let weights: Vec<_> = (0..10_000).map(|member| if member < 9000 { 1 } else { 65_535 }).collect();
        let shares = shares(&weights);
        let mut seen = names(&shares);
        seen.sort_unstable();
        let without = shares.iter().filter(|share| seen.binary_search(&share.name).is_err()).count();
        assert!(without < 60, "{without}");
    }
}
