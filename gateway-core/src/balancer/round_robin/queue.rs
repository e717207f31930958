//! Whose turn it is in a slot: of the members whose job is released, the one whose job is due first; of equal ones the first
//! member. Few members are all looked at, which takes fewer steps than to keep them in an order; many wait by their release in one
//! timing wheel and then by their deadline in another.
//!
//! With a debt beyond what the proof of [`quota`](super::quota) covers nobody may be released; then whoever comes next is served.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::select_unpredictable;

use super::job::Job;
use super::timing_wheel::Wheel;

/// So many are few.
const FEW: usize = 16;

/// The next job of each member.
#[derive(Debug)]
pub(super) enum Queue {
    Few(Few),
    Many(Box<Many>),
}

/// The slots of each member's job.
#[derive(Debug)]
pub(super) struct Few {
    releases: Box<[i64]>,
    deadlines: Box<[i64]>,
}

/// Members by the slots of their jobs.
#[derive(Debug)]
pub(super) struct Many {
    /// Those whose job is not released yet, by its release.
    waiting: Wheel,
    /// Those whose job is released, by its deadline: the ones that are due by `horizon`, and the others.
    due: BinaryHeap<Reverse<(i64, u32)>>,
    due_later: Wheel,
    horizon: i64,
}

impl Queue {
    /// A queue for so many members, nobody in it.
    pub(super) fn new(members: usize) -> Self {
        if members <= FEW { Self::Few(Few::new(members)) } else { Self::Many(Box::new(Many::new(members))) }
    }

    /// Puts in a member that is not, before the first slot. All have to be put in before anybody is served.
    #[inline]
    pub(super) fn put(&mut self, member: u32, job: &Job) {
        match self {
            Self::Few(few) => few.put(member as usize, job),
            Self::Many(many) => many.put(1, member, job),
        }
    }

    /// Whose turn it is in the next slot. Its job is done, and the one after it takes its place.
    #[inline]
    pub(super) fn serve(&mut self, slot: i64, jobs: &mut [Job]) -> u32 {
        match self {
            Self::Few(few) => few.serve(slot, jobs),
            Self::Many(many) => many.serve(slot, jobs),
        }
    }
}

impl Few {
    fn new(members: usize) -> Self {
        Self { releases: vec![0; members].into(), deadlines: vec![0; members].into() }
    }

    #[inline]
    fn put(&mut self, member: usize, job: &Job) {
        (self.releases[member], self.deadlines[member]) = (job.release(), job.deadline());
    }

    #[inline]
    fn serve(&mut self, slot: i64, jobs: &mut [Job]) -> u32 {
        let member = self.first(slot);
        let job = &mut jobs[member];
        job.advance();
        self.put(member, job);
        member as u32
    }

    /// Without a branch on who is released and who is due sooner: that would be guessed wrong.
    #[inline]
    fn first(&self, slot: i64) -> usize {
        let (mut first, mut earliest) = (self.releases.len(), i64::MAX);
        for (member, (&release, &deadline)) in self.releases.iter().zip(&self.deadlines).enumerate() {
            let deadline = select_unpredictable(release <= slot, deadline, i64::MAX);
            first = select_unpredictable(deadline < earliest, member, first);
            earliest = deadline.min(earliest);
        }
        if first < self.releases.len() { first } else { self.next() }
    }

    /// Who is released next.
    #[cold]
    fn next(&self) -> usize {
        let next = self.releases.iter().enumerate().min_by_key(|(_, release)| **release);
        next.map_or(0, |(member, _)| member)
    }
}

impl Many {
    fn new(members: usize) -> Self {
        let (waiting, due_later) = (Wheel::new(members), Wheel::new(members));
        Self { waiting, due: BinaryHeap::new(), due_later, horizon: 0 }
    }

    #[inline]
    fn put(&mut self, now: i64, member: u32, job: &Job) {
        self.waiting.put(now, job.release().max(now), member);
    }

    // Apart, so that where there are few nothing is saved and restored for this.
    #[inline(never)]
    fn serve(&mut self, slot: i64, jobs: &mut [Job]) -> u32 {
        for member in self.waiting.empty(slot) {
            let deadline = jobs[member as usize].deadline();
            if deadline <= self.horizon {
                self.due.push(Reverse((deadline, member)));
            } else {
                self.due_later.put(self.horizon, deadline, member);
            }
        }
        let member = self.first_due().unwrap_or_else(|| self.next(slot));
        let job = &mut jobs[member as usize];
        job.advance();
        self.put(slot + 1, member, job);
        member
    }

    #[inline]
    fn first_due(&mut self) -> Option<u32> {
        if self.due.is_empty() {
            let horizon = self.due_later.first(self.horizon)?;
            self.horizon = horizon;
            let mut due = self.due_later.empty(horizon);
            let first = due.next()?;
            let Some(second) = due.next() else { return Some(first) };
            let due = [first, second].into_iter().chain(due);
            self.due.extend(due.map(|member| Reverse((horizon, member))));
        }
        self.due.pop().map(|Reverse((_, member))| member)
    }

    /// The first member of those that are released next.
    #[cold]
    fn next(&mut self, slot: i64) -> u32 {
        let next = self.waiting.first(slot).expect("a member is waiting or released");
        let mut members: Vec<_> = self.waiting.empty(next).collect();
        members.sort_unstable();
        for &member in &members[1..] {
            self.waiting.put(slot, next, member);
        }
        members[0]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::quota::ONE;
    use super::*;

    proptest! {
        #[test]
        fn few_are_served_in_the_order_that_many_are(
            members in prop::collection::vec((1_u64..300, -2 * ONE..2 * ONE), 2..=FEW),
        ) {
            // Aim: how members are looked for changes nobody's turn, be the debts more than anybody can make up for or nothing at
            // all. Method: the same jobs through both.
            let total = members.iter().map(|(weight, _)| weight).sum();
            for owes in [true, false] {
                let mut jobs: Vec<_> =
                    members.iter().map(|(weight, _)| Job::first(members.len(), *weight, total)).collect();
                jobs.iter_mut().zip(&members).filter(|_| owes).for_each(|(job, (_, owed))| job.owe(*owed));
                let queues =
                    [Queue::Few(Few::new(members.len())), Queue::Many(Box::new(Many::new(members.len())))];
                let [few, many] = queues.map(|mut queue| {
                    let mut jobs = jobs.clone();
                    (0..).zip(&jobs).for_each(|(member, job)| queue.put(member, job));
                    (1..1000).map(|slot| queue.serve(slot, &mut jobs)).collect::<Vec<_>>()
                });
                prop_assert_eq!(few, many);
            }
        }
    }
}
