//! Who has the smallest of many keys that change one at a time: a tournament tree in which eight meet at once, since eight
//! keys are one cache line. Each row tells the next who has won, so the winner of all is known; changing a key is O(log8 n).

use std::hint::select_unpredictable;

/// Keys that meet at once.
const WIDTH: usize = 8;

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
        let mut at = leaf / WIDTH;
        let was = std::mem::replace(&mut self.leaves[at].0[leaf % WIDTH], key.to_bits());
        if was == key.to_bits() {
            return;
        }
        let mut winner = self.leaves[at].winner(at as u32);
        for level in &mut self.above {
            let row = &mut level[at / WIDTH];
            if !row.replace(at % WIDTH, winner) {
                return;
            }
            winner = row.winner();
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
        // In pairs, so that no comparison waits for more than two others, and without a branch: who wins is chance.
        let key = |at: usize| (self.0[at], at);
        let less = |one: (u64, usize), other: (u64, usize)| {
            let is_other = other.0 < one.0;
            (one.0.min(other.0), select_unpredictable(is_other, other.1, one.1))
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
        let (key, place) = self.keys.least();
        Winner { key, leaf: self.leaves[place] }
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
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..20), 0..100),
        ) {
            let mut tree = MinTree::new(keys.iter().map(|&key| key.into()));
            for (at, key) in changes {
                let at = at.index(keys.len());
                keys[at] = key;
                tree.set(at, key.into());
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
