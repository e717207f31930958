//! Who learns late learns when it looks: every so often, at moments of its own. Workers look so for the routing of their node, and
//! nodes for the configuration they share.

use std::sync::Arc;
use std::time::Duration;

use super::{Cause, Gateway, Options, Writer};
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

impl Gateway {
    /// A node beside others: it begins with the configuration of `origin`, the node that takes changes, and learns of changes
    /// when it looks there, `every` so often at moments of its own. Its revisions are those of `origin`, but for what the health of
    /// targets makes of them in its own eyes.
    ///
    /// # Panics
    /// When `every` is zero: nobody looks without end.
    pub fn beside(origin: Arc<Self>, every: Duration, options: Options) -> Self {
        assert!(every > Duration::ZERO, "a node looks from time to time");
        let node = Self::with((*origin.config()).clone(), options);
        let looks = Looks::new(every, 1, rng::draw(options.seed, rng::fnv1a("node"), options.node.into()));
        node.writer().origin = Some((origin, looks));
        node
    }

    /// A node whose moment has come takes over what is new. Locks are taken away from the origin, never towards it.
    pub(super) fn look_at_origin(&self, writer: &mut Writer, now: Instant) {
        let Some((origin, looks)) = &mut writer.origin else { return };
        if !looks.due(now)[0] {
            return;
        }
        let news = {
            let theirs = origin.writer();
            ((*origin.config()).clone(), theirs.changed)
        };
        if news.1 != writer.changed {
            let applied = self.put(writer, news, Cause::Look, now);
            writer.tell(applied);
        }
    }

    /// Workers whose moment has come learn of the newest routing.
    pub(super) fn look(&self, writer: &mut Writer, now: Instant) {
        let Some(looks) = &mut writer.looks else { return };
        let due = looks.due(now);
        let has_news =
            |view: usize| due[view] && !Arc::ptr_eq(self.views[view].load().routing(), &writer.routing);
        if (0..self.views.len()).any(has_news) {
            let applied = self.publish((writer, &self.config()), Cause::Look, now, |view| due[view]);
            writer.tell(applied);
        }
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
