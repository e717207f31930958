//! A timing wheel (Varghese and Lauck 1987): members, each by a slot in which it is to be seen to. Putting one in and finding
//! the next takes a few steps however many there are: slots near by have a place each, in which members stand in a list; what is
//! further off than the wheel reaches waits in a heap, whose turn comes seldom.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nobody: the end of a list.
const NOBODY: u32 = u32::MAX;

/// Members by slot; each is in it at most once.
#[derive(Debug)]
pub(super) struct Wheel {
    /// The first of the list of each place.
    heads: Box<[u32]>,
    /// Who comes after each member.
    next: Box<[u32]>,
    /// How many stand in those lists.
    near: usize,
    far: BinaryHeap<Reverse<(i64, u32)>>,
    /// The first slot of those; never when there is nobody.
    far_first: i64,
}

impl Wheel {
    /// An empty wheel for so many members. It reaches as far as they come round when they weigh about the same, so that of those that
    /// are further off no more than every other slot sees one.
    pub(super) fn new(members: usize) -> Self {
        Self {
            heads: vec![NOBODY; (2 * members).next_power_of_two()].into(),
            next: vec![NOBODY; members].into(),
            near: 0,
            far: BinaryHeap::new(),
            far_first: i64::MAX,
        }
    }

    /// Puts a member in that was not, at a slot that is not before `now`. All slots before `now` must have been emptied.
    #[inline]
    pub(super) fn put(&mut self, now: i64, slot: i64, member: u32) {
        if (slot - now).cast_unsigned() as usize >= self.heads.len() {
            return self.put_far(slot, member);
        }
        let place = self.place(slot);
        self.next[member as usize] = self.heads[place];
        self.heads[place] = member;
        self.near += 1;
    }

    /// Takes out everybody of this slot, the first that has not been emptied. To be gone through to the end.
    #[inline]
    pub(super) fn empty(&mut self, slot: i64) -> impl Iterator<Item = u32> {
        let place = self.place(slot);
        let mut first = std::mem::replace(&mut self.heads[place], NOBODY);
        std::iter::from_fn(move || {
            let member = first;
            if member == NOBODY {
                return if self.far_first <= slot { self.take_far() } else { None };
            }
            first = self.next[member as usize];
            self.near -= 1;
            Some(member)
        })
    }

    #[inline(never)]
    fn put_far(&mut self, slot: i64, member: u32) {
        self.far.push(Reverse((slot, member)));
        self.far_first = self.far_first.min(slot);
    }

    /// Takes out the first of those far off, in whose slot the wheel has arrived.
    #[inline(never)]
    fn take_far(&mut self) -> Option<u32> {
        let Reverse((_, member)) = self.far.pop()?;
        self.far_first = self.far.peek().map_or(i64::MAX, |&Reverse((slot, _))| slot);
        Some(member)
    }

    /// The first slot from `now` on at which there is anybody. Whoever asks again from there looks at each slot once.
    pub(super) fn first(&self, now: i64) -> Option<i64> {
        if self.near > 0 {
            let end = self.far_first.min(now + (self.heads.len() as u64).cast_signed());
            let near = (now..end).find(|&slot| self.heads[self.place(slot)] != NOBODY);
            if near.is_some() {
                return near;
            }
        }
        (self.far_first < i64::MAX).then_some(self.far_first)
    }

    fn place(&self, slot: i64) -> usize {
        slot.cast_unsigned() as usize & (self.heads.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn everybody_comes_in_its_slot(steps in prop::collection::vec((1_i64..400, 0_i64..3), 1..40)) {
            // Aim: near and far, across turns of the wheel, nobody is lost or early. Method: 40 members, each put in again so many
            // slots after it came, beside a sorted list.
            let mut wheel = Wheel::new(steps.len());
            let mut expected: Vec<(i64, u32)> = Vec::new();
            for (member, &(step, _)) in (0..).zip(&steps) {
                wheel.put(0, step, member);
                expected.push((step, member));
            }
            for now in 1..2000 {
                expected.sort_unstable();
                prop_assert_eq!(wheel.first(now), expected.first().map(|&(slot, _)| slot));
                let mut came: Vec<_> = wheel.empty(now).collect();
                came.sort_unstable();
                let due: Vec<_> = expected.iter().take_while(|(slot, _)| *slot == now).map(|&(_, m)| m).collect();
                prop_assert_eq!(&came, &due);
                expected.drain(..due.len());
                for member in came {
                    let (step, more) = steps[member as usize];
                    let again = now + step * more + 1;
                    wheel.put(now + 1, again, member);
                    expected.push((again, member));
                }
            }
        }
    }
}
