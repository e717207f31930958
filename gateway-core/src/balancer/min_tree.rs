//! Who has the smallest of many keys that change one at a time: a tournament tree in which eight meet at once, since eight
//! keys are one cache line. Each row tells the next who has won, so the winner of all is known; changing a key is O(log8 n).

use std::hint::select_unpredictable;

/// Keys that meet at once.
pub(super) const WIDTH: usize = 8;

/// The key of nobody: infinite.
const NONE: u64 = f64::INFINITY.to_bits();

/// A tree of keys, none of them negative. Of equal keys the first is the smallest. Keys are kept as their bits, which are in the same
/// order and compared faster; the last of them give way to the number of the leaf. Fractions whose parts have up to 16 binary
/// digits stay apart all the same, where there are no more than half a million leaves.
#[derive(Debug, PartialEq)]
pub(super) struct MinTree {
    /// From the leaves up.
    levels: Vec<Box<[Row]>>,
    least: u64,
    /// The bits that say which leaf it is.
    numbers: u64,
}

/// Entries that meet: see [`MinTree::entry`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
struct Row([u64; WIDTH]);

impl MinTree {
    /// A tree of these keys.
    pub(super) fn new(keys: impl ExactSizeIterator<Item = f64>) -> Self {
        let numbers = (keys.len().next_power_of_two() - 1) as u64;
        let mut tree = Self { levels: Vec::new(), least: u64::MAX, numbers };
        let mut winners: Vec<_> = keys.enumerate().map(|(leaf, key)| tree.entry(leaf, key)).collect();
        while winners.len() > 1 || tree.levels.is_empty() {
            let level: Box<[_]> = winners.chunks(WIDTH).map(Row::new).collect();
            winners = level.iter().map(Row::least).collect();
            tree.levels.push(level);
        }
        tree.least = winners.first().copied().unwrap_or(u64::MAX);
        tree
    }

    /// Changes a key, and what is above it as far up as it matters.
    pub(super) fn set(&mut self, leaf: usize, key: f64) {
        self.rise(0, leaf, self.entry(leaf, key));
    }

    /// Changes the keys of the so-manieth [`WIDTH`] leaves, and what is above them.
    pub(super) fn set_row(&mut self, at: usize, keys: impl Iterator<Item = f64>) {
        let mut row = self.levels[0][at];
        let leaves = (at * WIDTH..).zip(keys);
        row.0.iter_mut().zip(leaves).for_each(|(place, (leaf, key))| *place = self.entry(leaf, key));
        if row != self.levels[0][at] {
            self.levels[0][at] = row;
            self.rise(1, at, row.least());
        }
    }

    /// An entry comes to its place on a level.
    fn rise(&mut self, level: usize, mut at: usize, mut winner: u64) {
        for level in &mut self.levels[level..] {
            let (row, place) = (&mut level[at / WIDTH], at % WIDTH);
            if row.0[place] == winner {
                return;
            }
            // The best of the others is known before it is known who comes from below, so that nothing waits for more than one
            // comparison a level.
            let other = row.least_beside(place);
            row.0[place] = winner;
            winner = winner.min(other);
            at /= WIDTH;
        }
        self.least = winner;
    }

    /// Where the smallest key is; nowhere when all are infinite.
    pub(super) fn min(&self) -> Option<usize> {
        (self.least < NONE).then_some((self.least & self.numbers) as usize)
    }

    /// Whether the smallest key is smaller than this one would be in its place.
    pub(super) fn min_is_less(&self, key: f64) -> bool {
        self.least < self.entry((self.least & self.numbers) as usize, key)
    }

    fn entry(&self, leaf: usize, key: f64) -> u64 {
        key.to_bits() & !self.numbers | leaf as u64
    }
}

impl Row {
    fn new(entries: &[u64]) -> Self {
        let mut row = [u64::MAX; WIDTH];
        row[..entries.len()].copy_from_slice(entries);
        Self(row)
    }

    fn least(&self) -> u64 {
        self.least_beside(WIDTH)
    }

    /// The least of all places but one.
    fn least_beside(&self, place: usize) -> u64 {
        // In pairs, so that no comparison waits for more than two others, and without a branch: who wins is chance.
        let entry = |at: usize| select_unpredictable(at == place, u64::MAX, self.0[at]);
        let pair = |at: usize| entry(at).min(entry(at + 1));
        pair(0).min(pair(2)).min(pair(4).min(pair(6)))
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
                prop_assert_eq!(tree.min(), least);
                let is_less = |key: u8| least.is_some_and(|i| keys[i] < key);
                prop_assert_eq!([5, 10].map(|key| tree.min_is_less(key.into())), [5, 10].map(is_less));
            }
        }
    }

    #[test]
    fn nobody_has_the_smallest_of_no_keys() {
        assert_eq!(MinTree::new([0.0; 0].into_iter()).min(), None);
        let mut tree = MinTree::new([1.0].into_iter());
        assert_eq!(tree.min(), Some(0));
        tree.set(0, f64::INFINITY);
        assert_eq!(tree.min(), None);
    }
}
