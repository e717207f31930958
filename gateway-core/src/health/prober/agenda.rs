//! What is to be done when: each thing once at most, the earliest first, and equal times in the order of the things.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Instant;

/// Things with a time each. Every operation takes logarithmic time.
#[derive(Debug)]
pub(super) struct Agenda<K> {
    by_time: BTreeSet<(Instant, K)>,
    times: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Agenda<K> {
    /// Puts a thing at a time, or nowhere; where it stood before no longer counts.
    pub(super) fn set(&mut self, thing: K, time: Option<Instant>) {
        if let Some(old) = self.times.remove(&thing) {
            self.by_time.remove(&(old, thing));
        }
        if let Some(time) = time {
            self.times.insert(thing, time);
            self.by_time.insert((time, thing));
        }
    }

    /// What comes first, and when.
    pub(super) fn first(&self) -> Option<(Instant, K)> {
        self.by_time.first().copied()
    }
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), times: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_stands_where_it_was_put_last() {
        let mut agenda = Agenda::default();
        agenda.set('b', Some(Instant::from_millis(1)));
        agenda.set('a', Some(Instant::from_millis(1)));
        assert_eq!(agenda.first(), Some((Instant::from_millis(1), 'a')));
        agenda.set('a', Some(Instant::from_millis(2)));
        assert_eq!(agenda.first(), Some((Instant::from_millis(1), 'b')));
        agenda.set('b', None);
        assert_eq!(agenda.first(), Some((Instant::from_millis(2), 'a')));
    }
}
