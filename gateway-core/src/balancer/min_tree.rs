//! Who has the smallest of many keys that change one at a time: a tournament tree, in which of every two that meet the winner
//! meets another, so the winner of all is known; changing a key is O(log2 n) comparisons with numbers that are known beforehand.

/// Keys that are one cache line.
pub(super) const WIDTH: usize = 8;

/// The key of nobody: infinite.
const NONE: u64 = f64::INFINITY.to_bits();

/// A tree of keys, none of them negative. Of equal keys the first is the smallest. Keys are kept as their bits, which are in the same
/// order and compared faster; the last of them give way to the number of the leaf. Fractions whose parts have up to 16 binary
/// digits stay apart all the same, where there are no more than half a million leaves.
#[derive(Debug, PartialEq)]
pub(super) struct MinTree {
    /// See [`Self::entry`]. The less of the two at 2n and 2n + 1 stands at n, so the least at 1; the second half are the leaves.
    entries: Box<[u64]>,
    /// The bits that say which leaf it is.
    numbers: u64,
}

impl MinTree {
    /// A tree of these keys.
    pub(super) fn new(keys: impl ExactSizeIterator<Item = f64>) -> Self {
        let leaves = keys.len().next_power_of_two();
        let numbers = (leaves - 1) as u64;
        let mut tree = Self { entries: vec![u64::MAX; 2 * leaves.max(WIDTH)].into(), numbers };
        let first = tree.first_leaf();
        for (leaf, key) in keys.enumerate() {
            tree.entries[first + leaf] = tree.entry(leaf, key);
        }
        (1..first).rev().for_each(|at| tree.meet(at));
        tree
    }

    /// Changes a key, and what is above it.
    pub(super) fn set(&mut self, leaf: usize, key: f64) {
        let (at, entry) = (self.first_leaf() + leaf, self.entry(leaf, key));
        if self.entries[at] != entry {
            self.rise(at, entry);
        }
    }

    /// Changes the keys of the so-manieth [`WIDTH`] leaves, and what is above them.
    pub(super) fn set_row(&mut self, at: usize, keys: impl Iterator<Item = f64>) {
        let first = self.first_leaf() + at * WIDTH;
        let mut has_changed = false;
        for (leaf, key) in (at * WIDTH..).zip(keys.take(WIDTH)) {
            let (entry, place) = (self.entry(leaf, key), self.first_leaf() + leaf);
            has_changed |= self.entries[place] != entry;
            self.entries[place] = entry;
        }
        if has_changed {
            let above = [first / 2..first / 2 + WIDTH / 2, first / 4..first / 4 + WIDTH / 4];
            above.into_iter().flatten().for_each(|at| self.meet(at));
            let top = first / WIDTH;
            self.rise(top, self.entries[2 * top].min(self.entries[2 * top + 1]));
        }
    }

    /// Finds out which is the less of those below.
    fn meet(&mut self, at: usize) {
        self.entries[at] = self.entries[2 * at].min(self.entries[2 * at + 1]);
    }

    /// An entry comes to its place, and as far up as it wins.
    fn rise(&mut self, mut at: usize, mut winner: u64) {
        self.entries[at] = winner;
        // All the way, and without a branch: who wins is chance.
        while at > 1 {
            winner = winner.min(self.entries[at ^ 1]);
            at /= 2;
            self.entries[at] = winner;
        }
    }

    /// Where the smallest key is; nowhere when all are infinite.
    pub(super) fn min(&self) -> Option<usize> {
        let least = self.entries[1];
        (least < NONE).then_some((least & self.numbers) as usize)
    }

    /// Whether the smallest key is smaller than this one would be in its place.
    pub(super) fn min_is_less(&self, key: f64) -> bool {
        let least = self.entries[1];
        least < self.entry((least & self.numbers) as usize, key)
    }

    fn entry(&self, leaf: usize, key: f64) -> u64 {
        key.to_bits() & !self.numbers | leaf as u64
    }

    fn first_leaf(&self) -> usize {
        self.entries.len() / 2
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
