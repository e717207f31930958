//! Whose each of many places is, in two bytes where these say all members apart: what a look-up in a large table costs is memory.

/// The members that places belong to.
#[derive(Debug)]
pub(super) enum Owners {
    Narrow(Box<[u16]>),
    Wide(Box<[u32]>),
}

impl Owners {
    /// The owner of each place, among the first so many `members`.
    pub(super) fn new(owners: impl Iterator<Item = u32>, members: usize) -> Self {
        if u16::try_from(members).is_ok() {
            Self::Narrow(owners.map(|member| member as u16).collect())
        } else {
            Self::Wide(owners.collect())
        }
    }

    /// How many places there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(owners) => owners.len(),
            Self::Wide(owners) => owners.len(),
        }
    }

    /// Whose this place is.
    #[inline]
    pub(super) fn get(&self, place: usize) -> u32 {
        match self {
            Self::Narrow(owners) => owners[place].into(),
            Self::Wide(owners) => owners[place],
        }
    }

    /// The owners of all places from `start` on, once around.
    pub(super) fn lap(&self, start: usize) -> impl Iterator<Item = u32> {
        (start..self.len()).chain(0..start).map(|place| self.get(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_two_bytes_do_not_number_are_told_apart_as_well() {
        for (members, is_narrow) in [(3, true), (65_535, true), (65_536, false), (100_000, false)] {
            let last = members as u32 - 1;
            let owners = Owners::new([0, last, 1].into_iter(), members);
            assert_eq!(matches!(owners, Owners::Narrow(_)), is_narrow);
            assert_eq!((owners.len(), owners.get(1)), (3, last));
            assert!(owners.lap(2).eq([1, 0, last]));
        }
    }
}
