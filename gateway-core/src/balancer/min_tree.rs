//! Who has the smallest of many keys that change one at a time: a tournament tree in which eight meet at once, since eight
//! keys are one cache line. Finding and changing is O(log8 n): five lines for 10,000.

/// Keys that meet at once.
const WIDTH: usize = 8;

/// The key of nobody: infinite.
const NONE: u64 = f64::INFINITY.to_bits();

/// A tree of keys, none of them negative, from the leaves up. Of equal keys the first is the smallest. Keys are kept as their bits,
/// which are in the same order and compared faster.
#[derive(Debug)]
pub(super) struct MinTree {
    levels: Vec<Box<[Row]>>,
}

#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Row([u64; WIDTH]);

impl MinTree {
    /// A tree of these keys.
    pub(super) fn new(keys: impl Iterator<Item = f64>) -> Self {
        let mut keys: Vec<_> = keys.map(f64::to_bits).collect();
        let mut levels = Vec::new();
        loop {
            let level: Box<[_]> = keys.chunks(WIDTH).map(Row::new).collect();
            keys = level.iter().map(Row::least).collect();
            levels.push(level);
            if keys.len() <= 1 {
                return Self { levels };
            }
        }
    }

    /// A key.
    pub(super) fn get(&self, leaf: usize) -> f64 {
        f64::from_bits(self.levels[0][leaf / WIDTH].0[leaf % WIDTH])
    }

    /// Changes a key, and what is above it as far up as it matters.
    pub(super) fn set(&mut self, leaf: usize, key: f64) {
        let (mut at, mut key) = (leaf, key.to_bits());
        for level in &mut self.levels {
            let row = &mut level[at / WIDTH];
            if row.0[at % WIDTH] == key {
                return;
            }
            row.0[at % WIDTH] = key;
            at /= WIDTH;
            key = row.least();
        }
    }

    /// Where the smallest key is; none when all are infinite.
    pub(super) fn min(&self) -> Option<usize> {
        let least = self.levels.last()?.first()?.least();
        // It is the smallest on each level, so it need not be found out again.
        let find = |at: usize, level: &[Row]| at * WIDTH + level[at].place_of(least);
        let leaf = self.levels.iter().rev().fold(0, |at, level| find(at, level));
        (least < NONE).then_some(leaf)
    }
}

impl Row {
    fn new(keys: &[u64]) -> Self {
        let mut row = [NONE; WIDTH];
        row[..keys.len()].copy_from_slice(keys);
        Self(row)
    }

    fn least(&self) -> u64 {
        // In pairs, so that no comparison waits for more than two others.
        let pair = |at: usize| self.0[at].min(self.0[at + 1]);
        pair(0).min(pair(2)).min(pair(4).min(pair(6)))
    }

    /// The first place of what is known to be the least.
    fn place_of(&self, least: u64) -> usize {
        self.0.iter().position(|&key| key == least).unwrap_or(0)
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
                prop_assert_eq!(tree.min(), (0..keys.len()).min_by_key(|&i| keys[i]));
            }
        }
    }

    #[test]
    fn nobody_has_the_smallest_of_no_keys() {
        assert_eq!(MinTree::new([].into_iter()).min(), None);
        let mut tree = MinTree::new([1.0].into_iter());
        assert_eq!((tree.min(), tree.get(0).to_bits()), (Some(0), 1.0_f64.to_bits()));
        tree.set(0, f64::INFINITY);
        assert_eq!(tree.min(), None);
    }
}
