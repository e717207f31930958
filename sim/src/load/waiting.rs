//! Requests that wait for a connection, whoever waits longest first. There is one queue for each stream, since within a stream
//! all wait equally long, so that nothing is ever sorted.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_core::time::Instant;

use super::Arrival;

/// Something that waits for a connection.
pub trait Waits {
    /// Which request it is.
    fn arrival(&self) -> &Arrival;
    /// Since when it waits.
    fn waits(&self) -> Instant;
}

/// Requests that wait for a connection.
#[derive(Debug)]
pub struct Waiting<J> {
    streams: Vec<VecDeque<J>>,
    /// How long those of each stream wait at most.
    patience: Vec<Duration>,
    len: usize,
}

impl<J: Waits> Waiting<J> {
    /// Nobody yet; a place in `patience` for each stream.
    pub fn new(patience: Vec<Duration>) -> Self {
        Self { streams: patience.iter().map(|_| VecDeque::new()).collect(), patience, len: 0 }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one that has begun to wait after all others.
    pub fn push(&mut self, job: J) {
        self.streams[job.arrival().stream].push_back(job);
        self.len += 1;
    }

    /// Whoever waits longest.
    pub fn pop(&mut self) -> Option<J> {
        let fronts = self.streams.iter().enumerate();
        let (_, first) = fronts.filter_map(|(at, jobs)| Some((jobs.front()?.waits(), at))).min()?;
        self.len -= 1;
        self.streams[first].pop_front()
    }

    /// When the next one has waited too long.
    pub fn next(&self) -> Option<Instant> {
        let fronts = self.streams.iter().zip(&self.patience);
        fronts.filter_map(|(jobs, patience)| Some(jobs.front()?.waits() + *patience)).min()
    }

    /// One that has waited too long.
    pub fn overdue(&mut self, now: Instant) -> Option<J> {
        let mut streams = self.streams.iter_mut().zip(&self.patience);
        let is_over = |job: &J, patience| job.waits() + patience <= now;
        let (jobs, _) =
            streams.find(|(jobs, patience)| jobs.front().is_some_and(|job| is_over(job, **patience)))?;
        self.len -= 1;
        jobs.pop_front()
    }

    /// Whether a request waits.
    pub fn has(&self, stream: usize, index: u64) -> bool {
        self.streams[stream].iter().any(|job| job.arrival().index == index)
    }

    /// Takes a request out.
    pub fn remove(&mut self, stream: usize, index: u64) {
        let jobs = &mut self.streams[stream];
        if let Some(at) = jobs.iter().position(|job| job.arrival().index == index) {
            jobs.remove(at);
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Job(Arrival, Instant);

    impl Waits for Job {
        fn arrival(&self) -> &Arrival {
            &self.0
        }

        fn waits(&self) -> Instant {
            self.1
        }
    }

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn whoever_waits_longest_is_first_and_each_stream_has_its_patience() {
        let mut waiting = Waiting::new(vec![Duration::from_millis(100), Duration::from_millis(5)]);
        let job = |index, stream, at| {
            let arrival = Arrival { index, intended: ms(at), stream, kind: 0, user: 0, vu: 0 };
            Job(arrival, ms(at))
        };
        for (index, stream, at) in [(0, 0, 1), (9, 1, 2), (1, 0, 3), (8, 1, 4), (2, 0, 5)] {
            waiting.push(job(index, stream, at));
        }
        assert_eq!((waiting.len(), waiting.next()), (5, Some(ms(7))));
        assert!(waiting.overdue(ms(6)).is_none());
        assert_eq!(waiting.overdue(ms(7)).map(|job| job.0.index), Some(9));
        assert!(waiting.has(0, 1) && !waiting.has(1, 1));
        waiting.remove(0, 1);
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop()).map(|job| job.0.index).collect();
        assert_eq!((order, waiting.len()), (vec![0, 8, 2], 0));
    }
}
