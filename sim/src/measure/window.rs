//! Something for each request under way, found by its number. Numbers come one after another and most requests end soon, so the
//! lowest bits of its number are a request's place; whoever finds that taken, by one that takes very long, goes to a map.

use std::hint::black_box;

use rustc_hash::FxHashMap;

/// Places at first; a power of two.
const PLACES: usize = 64;

/// One value for each request under way, and at least twice as many places as there are values.
#[derive(Debug)]
pub(super) struct Window<T> {
    places: Vec<Option<(u64, T)>>,
    crowd: FxHashMap<u64, T>,
    len: usize,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { places: empty(PLACES), crowd: FxHashMap::default(), len: 0 }
    }
}

impl<T> Window<T> {
    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// That of `request`.
    #[inline]
    pub(super) fn get_mut(&mut self, request: u64) -> Option<&mut T> {
        let place = self.place(request);
        match &mut self.places[place] {
            Some((number, value)) if *number == request => Some(value),
            _ => self.crowd.get_mut(&request),
        }
    }

    /// Reads that of `request`, to have it at hand.
    #[inline]
    pub(super) fn look_at(&self, request: u64) {
        black_box(self.places[self.place(request)].as_ref().map(|(number, _)| *number));
    }

    /// Adds that of `request`, which has none.
    #[inline]
    pub(super) fn insert(&mut self, request: u64, value: T) {
        if 2 * self.len >= self.places.len() {
            self.grow();
        }
        self.len += 1;
        self.put(request, value);
    }

    /// Takes out that of `request`.
    #[inline]
    pub(super) fn remove(&mut self, request: u64) -> Option<T> {
        let place = self.place(request);
        let found = match &mut self.places[place] {
            taken @ Some(_) if taken.as_ref().is_some_and(|(number, _)| *number == request) => {
                taken.take().map(|(_, value)| value)
            }
            _ => self.crowd.remove(&request),
        };
        self.len -= usize::from(found.is_some());
        found
    }

    fn place(&self, request: u64) -> usize {
        request as usize & (self.places.len() - 1)
    }

    fn put(&mut self, request: u64, value: T) {
        let place = self.place(request);
        match &mut self.places[place] {
            free @ None => *free = Some((request, value)),
            Some(_) => {
                self.crowd.insert(request, value);
            }
        }
    }

    #[cold]
    fn grow(&mut self) {
        let places = empty(2 * self.places.len());
        let before = std::mem::replace(&mut self.places, places);
        let crowd = std::mem::take(&mut self.crowd);
        for (request, value) in before.into_iter().flatten() {
            self.put(request, value);
        }
        #[expect(
            clippy::iter_over_hash_type,
            reason = "whoever finds no place stays in the map, whatever the order"
        )]
        for (request, value) in crowd {
            self.put(request, value);
        }
    }
}

fn empty<T>(places: usize) -> Vec<Option<(u64, T)>> {
    (0..places).map(|_| None).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_map_holds(steps in prop::collection::vec((0_u64..3000, any::<bool>()), 1..2000)) {
            let (mut window, mut map) = (Window::default(), std::collections::BTreeMap::new());
            for (at, (request, leaves)) in steps.into_iter().enumerate() {
                if leaves {
                    prop_assert_eq!(window.remove(request), map.remove(&request));
                } else if let Some(value) = window.get_mut(request) {
                    prop_assert_eq!(Some(&*value), map.get(&request));
                } else {
                    prop_assert!(map.insert(request, at).is_none());
                    window.insert(request, at);
                }
                prop_assert_eq!(window.len(), map.len());
            }
            for (request, value) in map {
                prop_assert_eq!(window.remove(request), Some(value));
            }
        }
    }
}
