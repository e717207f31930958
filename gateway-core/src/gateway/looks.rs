//! Who learns late learns when it looks: every so often, at moments of its own. Workers look so for the routing of their node, and
//! nodes for the configuration they share.

use std::time::Duration;

use crate::rng;
use crate::time::{self, Instant};

/// When each of several looks next.
#[derive(Clone, Debug)]
pub(super) struct Looks {
    interval: Duration,
    next: Vec<Instant>,
}

impl Looks {
    /// For so many, each with a phase of its own that is drawn from `seed`: those started together do not look together for
    /// long.
    pub(super) fn new(interval: Duration, count: usize, seed: u64) -> Self {
        let draw = |number: usize| rng::draw(seed, rng::fnv1a("sync"), number as u64);
        let phase = |number| Instant::from_nanos(draw(number) % time::nanos(interval).max(1));
        Self { interval, next: (0..count).map(phase).collect() }
    }

    /// The next moment at which anybody looks. Changed by [`due`](Self::due) alone.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.next.iter().copied().min()
    }

    /// Whether each looks now; those that do look again an interval later.
    pub(super) fn due(&mut self, now: Instant) -> Vec<bool> {
        let look = |next: &mut Instant| {
            let is_due = *next <= now;
            if is_due {
                *next = now + self.interval;
            }
            is_due
        };
        self.next.iter_mut().map(look).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_looks_once_in_every_interval_at_a_moment_of_its_own() {
        let interval = Duration::from_secs(5);
        let mut looks = Looks::new(interval, 50, 42);
        let mut phases = looks.next.clone();
        assert!(phases.iter().all(|phase| *phase < Instant::ZERO + interval));
        phases.sort_unstable();
        phases.dedup();
        assert_eq!(phases.len(), 50);
        let mut looked = 0;
        while let Some(now) = looks.next_time().filter(|next| *next < Instant::ZERO + 3 * interval) {
            looked += looks.due(now).into_iter().filter(|is_due| *is_due).count();
        }
        assert_eq!(looked, 150);
    }
}
