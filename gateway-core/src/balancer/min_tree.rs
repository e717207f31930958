//! Who has the smallest of many keys that change one at a time: a tournament tree in which eight meet at once, since eight
//! keys are one cache line. Each row tells the next who has won, so the winner of all is known; changing a key is O(log8 n).

use std::hint::select_unpredictable;

/// Keys that meet at once.
pub(super) const WIDTH: usize = 8;

/// The key of nobody: infinite.
const NONE: u64 = f64::INFINITY.to_bits();

/// A tree of keys, none of them negative, from the leaves up. Of equal keys the first is the smallest. Keys are kept as their bits,
/// which are in the same order and compared faster.
#[derive(Debug, PartialEq)]
pub(super) struct MinTree {
    leaves: Box<[Row]>,
    above: Vec<Box<[Winners]>>,
    least: Winner,
}

/// Keys that meet.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Row([u64; WIDTH]);

/// The smallest of some rows, and the leaf that each is of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Winners {
    keys: Row,
    leaves: [u32; WIDTH],
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Winner {
    key: u64,
    leaf: u32,
}

impl MinTree {
    /// A tree of these keys.
    pub(super) fn new(keys: impl Iterator<Item = f64>) -> Self {
        let keys: Vec<_> = keys.map(f64::to_bits).collect();
        let leaves: Box<[_]> = keys.chunks(WIDTH).map(Row::new).collect();
        let mut winners: Vec<_> = leaves.iter().zip(0..).map(|(row, at)| row.winner(at)).collect();
        let mut above = Vec::new();
        while winners.len() > 1 {
            let level: Box<[_]> = winners.chunks(WIDTH).map(Winners::new).collect();
            winners = level.iter().map(Winners::winner).collect();
            above.push(level);
        }
        Self { leaves, above, least: winners.first().copied().unwrap_or(Winner { key: NONE, leaf: 0 }) }
    }

    /// Changes a key, and what is above it as far up as it matters.
    pub(super) fn set(&mut self, leaf: usize, key: f64) {
        let key = key.to_bits();
        let (at, place) = (leaf / WIDTH, leaf % WIDTH);
        let row = &mut self.leaves[at];
        if row.0[place] == key {
            return;
        }
        // On each level the best of the others is known before it is known who comes from below, so that nothing waits for more
        // than one comparison a level.
        let (others, other) = row.least_beside(place);
        row.0[place] = key;
        let other = Winner { key: others, leaf: (at * WIDTH + other) as u32 };
        self.rise(at, other.or(Winner { key, leaf: leaf as u32 }));
    }

    /// Changes the keys of the so-manieth [`WIDTH`] leaves, and what is above them.
    pub(super) fn set_row(&mut self, at: usize, keys: impl Iterator<Item = f64>) {
        let row = &mut self.leaves[at];
        let was = *row;
        row.0.iter_mut().zip(keys).for_each(|(place, key)| *place = key.to_bits());
        if *row != was {
            let winner = row.winner(at as u32);
            self.rise(at, winner);
        }
    }

    /// Somebody wins a row of leaves.
    fn rise(&mut self, mut at: usize, mut winner: Winner) {
        for level in &mut self.above {
            let (row, place) = (&mut level[at / WIDTH], at % WIDTH);
            let other = row.winner_beside(place);
            if !row.replace(place, winner) {
                return;
            }
            winner = other.or(winner);
            at /= WIDTH;
        }
        self.least = winner;
    }

    /// Where the smallest key is, and the key; none when all are infinite.
    pub(super) fn min(&self) -> Option<(usize, f64)> {
        let Winner { key, leaf } = self.least;
        (key < NONE).then_some((leaf as usize, f64::from_bits(key)))
    }
}

impl Row {
    fn new(keys: &[u64]) -> Self {
        let mut row = [NONE; WIDTH];
        row[..keys.len()].copy_from_slice(keys);
        Self(row)
    }

    /// The smallest key and its place.
    fn least(&self) -> (u64, usize) {
        self.least_beside(WIDTH)
    }

    /// The smallest key of all places but one, and its place.
    fn least_beside(&self, place: usize) -> (u64, usize) {
        // In pairs, so that no comparison waits for more than two others, and without a branch: who wins is chance.
        let key = |at: usize| (select_unpredictable(at == place, u64::MAX, self.0[at]), at);
        let less = |one: (u64, usize), other: (u64, usize)| {
            (one.0.min(other.0), select_unpredictable(other.0 < one.0, other.1, one.1))
        };
        let pair = |at: usize| less(key(at), key(at + 1));
        less(less(pair(0), pair(2)), less(pair(4), pair(6)))
    }

    /// The winner of a row of leaves, the so-manieth.
    fn winner(&self, row: u32) -> Winner {
        let (key, place) = self.least();
        Winner { key, leaf: row * WIDTH as u32 + place as u32 }
    }
}

impl Winner {
    /// The smaller of two, of equals the first.
    fn or(self, other: Self) -> Self {
        let number = |one: Self| u128::from(one.key) << u32::BITS | u128::from(one.leaf);
        let is_less = number(other) < number(self);
        Self { key: self.key.min(other.key), leaf: select_unpredictable(is_less, other.leaf, self.leaf) }
    }
}

impl Winners {
    fn new(winners: &[Winner]) -> Self {
        let mut row = Self { keys: Row([NONE; WIDTH]), leaves: [0; WIDTH] };
        for (at, &winner) in winners.iter().enumerate() {
            row.replace(at, winner);
        }
        row
    }

    /// Whether that is another than it was.
    fn replace(&mut self, at: usize, Winner { key, leaf }: Winner) -> bool {
        let was = (self.keys.0[at], self.leaves[at]);
        (self.keys.0[at], self.leaves[at]) = (key, leaf);
        was != (key, leaf)
    }

    fn winner(&self) -> Winner {
        self.winner_beside(WIDTH)
    }

    /// The winner of all places but one.
    fn winner_beside(&self, place: usize) -> Winner {
        let (key, at) = self.keys.least_beside(place);
        Winner { key, leaf: self.leaves[at] }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_finds_what_a_scan_finds(
            mut keys in prop::collection::vec(0_u8..20, 1..700),
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..20, any::<bool>()), 0..100),
        ) {
            let mut tree = MinTree::new(keys.iter().map(|&key| key.into()));
            for (at, key, whole_row) in changes {
                let at = at.index(keys.len());
                keys[at] = key;
                if whole_row {
                    let row = at / WIDTH;
                    tree.set_row(row, keys[row * WIDTH..].iter().map(|&key| key.into()));
                } else {
                    tree.set(at, key.into());
                }
                let least = (0..keys.len()).min_by_key(|&i| keys[i]);
                prop_assert_eq!(tree.min(), least.map(|i| (i, keys[i].into())));
            }
        }
    }

    #[test]
    fn nobody_has_the_smallest_of_no_keys() {
        assert_eq!(MinTree::new([].into_iter()).min(), None);
        let mut tree = MinTree::new([1.0].into_iter());
        assert_eq!(tree.min(), Some((0, 1.0)));
        tree.set(0, f64::INFINITY);
        assert_eq!(tree.min(), None);
    }
}
