//! From the threads that see things to the one that listens: batches over a bounded channel, put back into order of time.
//!
//! Each thread says with a batch up to which moment it has reported everything. What is older than the least of these
//! moments cannot be preceded by anything still to come, so it is handed on, sorted.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;

use crate::measure::Observation;

/// Batches under way; a thread that finds the channel full waits, and its lateness shows.
const BATCHES_MAX: usize = 4096;
/// A batch is sent when it holds so many observations, whatever the time.
const BATCH: usize = 256;

/// What one thread has seen.
struct Batch {
    source: usize,
    /// Everything before this has been reported.
    until: Instant,
    seen: Vec<Observation>,
}

/// One thread's end of the channel.
pub(super) struct Reporter {
    source: usize,
    clock: Clock,
    sender: SyncSender<Batch>,
    seen: RefCell<Vec<Observation>>,
}

impl Reporter {
    /// Reports `seen`, a little later.
    pub(super) fn report(&self, seen: Observation) {
        let full = {
            let mut batch = self.seen.borrow_mut();
            batch.push(seen);
            batch.len() >= BATCH
        };
        if full {
            self.flush();
        }
    }

    /// Sends what there is, and word that all until now has been said. Called at least each 10 ms or so.
    pub(super) fn flush(&self) {
        self.flush_until(self.clock.now());
    }

    /// The same for a thread that is in the middle of something that began at `until`.
    pub(super) fn flush_until(&self, until: Instant) {
        let seen = self.seen.replace(Vec::with_capacity(BATCH));
        // Nobody listens any more only when the run has failed already.
        let _ = self.sender.send(Batch { source: self.source, until, seen });
    }
}

impl Drop for Reporter {
    /// Whatever ends the thread, nobody waits for it.
    fn drop(&mut self) {
        self.flush_until(Instant::MAX);
    }
}

/// The listening end.
pub(super) struct Collector {
    receiver: Receiver<Batch>,
    /// Up to when each thread has reported.
    until: Vec<Instant>,
    waiting: Vec<Observation>,
}

/// A channel with `sources` senders.
pub(super) fn channel(sources: usize, clock: &Clock) -> (Vec<Reporter>, Collector) {
    let (sender, receiver) = sync_channel(BATCHES_MAX);
    let reporters = (0..sources)
        .map(|source| Reporter {
            source,
            clock: clock.clone(),
            sender: sender.clone(),
            seen: RefCell::new(Vec::with_capacity(BATCH)),
        })
        .collect();
    (reporters, Collector { receiver, until: vec![Instant::ZERO; sources], waiting: Vec::new() })
}

impl Collector {
    /// Waits for batches, `most` at most. False when every sender has gone.
    pub(super) fn collect(&mut self, most: Duration) -> bool {
        match self.receiver.recv_timeout(most) {
            Ok(batch) => self.take(batch),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while let Ok(batch) = self.receiver.try_recv() {
            self.take(batch);
        }
        true
    }

    fn take(&mut self, batch: Batch) {
        let until = &mut self.until[batch.source];
        *until = batch.until.max(*until);
        self.waiting.extend(batch.seen);
    }

    /// What nothing can precede any more, in order of time.
    pub(super) fn ready(&mut self) -> Vec<Observation> {
        let until = self.until.iter().copied().min().unwrap_or(Instant::MAX);
        let (mut ready, waiting): (Vec<_>, Vec<_>) =
            self.waiting.drain(..).partition(|observation| moment(observation).0 < until);
        self.waiting = waiting;
        ready.sort_by_key(moment);
        ready
    }
}

/// When it was, and between equals: steps first, then picks before finishes before ends.
fn moment(observation: &Observation) -> (Instant, u8) {
    match observation {
        Observation::Stepped(step) => (step.applied.unwrap_or(step.requested), 0),
        Observation::Began { at, .. } | Observation::Configured { at, .. } => (*at, 0),
        Observation::Rollout(mark) => (mark.at, 1),
        Observation::Cpu(sample) => (sample.at, 1),
        Observation::Picked(pick) => (pick.at, 2),
        Observation::Served { at, .. } | Observation::Connected { at, .. } => (*at, 3),
        Observation::Finished { at, .. } | Observation::Copied { at, .. } | Observation::Keyed { at, .. } => {
            (*at, 4)
        }
        Observation::Retried { at, .. } | Observation::Hedged { at, .. } => (*at, 5),
        Observation::Ended(record) => (record.done, 5),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::id::TargetId;
    use gateway_core::outcome::Outcome;

    fn served(ms: u64) -> Observation {
        Observation::Served { request: ms, mock: 0, at: Instant::from_millis(ms) }
    }

    fn finished(ms: u64) -> Observation {
        let outcome = Outcome::ClientGone;
        Observation::Finished { at: Instant::from_millis(ms), upstream: None, target: TargetId(0), outcome }
    }

    fn times(observations: &[Observation]) -> Vec<(u64, u8)> {
        observations.iter().map(|o| (moment(o).0.as_nanos() / 1_000_000, moment(o).1)).collect()
    }

    #[test]
    fn what_two_threads_see_comes_out_in_order_and_not_before_both_have_spoken() {
        let (mut reporters, mut collector) = channel(2, &Clock::stopped());
        let (b, a) = (reporters.pop().unwrap(), reporters.pop().unwrap());
        a.report(served(1));
        a.report(served(7));
        a.flush_until(Instant::from_millis(8));
        assert!(collector.collect(Duration::ZERO));
        assert_eq!(times(&collector.ready()), [], "the other thread may have seen something earlier");
        b.report(finished(7));
        b.report(finished(3));
        b.flush_until(Instant::from_millis(6));
        assert!(collector.collect(Duration::ZERO));
        assert_eq!(times(&collector.ready()), [(1, 3), (3, 4)]);
        drop((a, b));
        while collector.collect(Duration::ZERO) {}
        assert_eq!(times(&collector.ready()), [(7, 3), (7, 4)], "a thread that has gone holds nobody up");
    }
}
