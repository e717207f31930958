//! What waits in the generator: requests for a connection, and everything that is under way for its time. There is one queue
//! for each stream, since within a stream all wait equally long, so that nothing is ever sorted.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_core::time::Instant;

use super::super::connection::Job;

/// Something is due for the request on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alarm {
    pub(super) at: Instant,
    /// The connection.
    pub(super) number: usize,
    /// The request that was on it.
    pub(super) index: u64,
}

/// Alarms, each stream's in order of time.
#[derive(Debug)]
pub(super) struct Alarms {
    streams: Vec<VecDeque<Alarm>>,
}

impl Alarms {
    /// None yet, for so many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self { streams: vec![VecDeque::new(); streams] }
    }

    /// Adds one that is later than all of its stream.
    pub(super) fn push(&mut self, stream: usize, alarm: Alarm) {
        self.streams[stream].push_back(alarm);
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.streams.iter().filter_map(|alarms| alarms.front()).map(|alarm| alarm.at).min()
    }

    /// Takes out one that is due and still matters. What matters no longer is forgotten.
    pub(super) fn due(&mut self, now: Instant, matters: impl Fn(&Alarm) -> bool) -> Option<Alarm> {
        for alarms in &mut self.streams {
            while let Some(alarm) = alarms.front() {
                let matters = matters(alarm);
                if matters && alarm.at > now {
                    break;
                }
                let alarm = alarms.pop_front();
                if matters {
                    return alarm;
                }
            }
        }
        None
    }
}

/// Requests that wait for a connection.
#[derive(Debug)]
pub(super) struct Waiting {
    streams: Vec<VecDeque<Job>>,
    /// How long those of each stream wait at most.
    patience: Vec<Duration>,
    len: usize,
}

impl Waiting {
    /// Nobody yet; a place in `patience` for each stream.
    pub(super) fn new(patience: Vec<Duration>) -> Self {
        Self { streams: vec![VecDeque::new(); patience.len()], patience, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds one that has begun to wait after all others.
    pub(super) fn push(&mut self, job: Job) {
        self.streams[job.arrival.stream].push_back(job);
        self.len += 1;
    }

    /// Whoever waits longest.
    pub(super) fn pop(&mut self) -> Option<Job> {
        let fronts = self.streams.iter().enumerate();
        let (_, first) = fronts.filter_map(|(at, jobs)| Some((jobs.front()?.waits, at))).min()?;
        self.len -= 1;
        self.streams[first].pop_front()
    }

    /// When the next one has waited too long.
    pub(super) fn next(&self) -> Option<Instant> {
        let fronts = self.streams.iter().zip(&self.patience);
        fronts.filter_map(|(jobs, patience)| Some(jobs.front()?.waits + *patience)).min()
    }

    /// One that has waited too long.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Job> {
        let mut streams = self.streams.iter_mut().zip(&self.patience);
        let is_over = |job: &Job, patience| job.waits + patience <= now;
        let (jobs, _) =
            streams.find(|(jobs, patience)| jobs.front().is_some_and(|job| is_over(job, **patience)))?;
        self.len -= 1;
        jobs.pop_front()
    }

    /// Whether a request waits.
    pub(super) fn has(&self, stream: usize, index: u64) -> bool {
        self.streams[stream].iter().any(|job| job.arrival.index == index)
    }

    /// Takes a request out.
    pub(super) fn remove(&mut self, stream: usize, index: u64) {
        let jobs = &mut self.streams[stream];
        if let Some(at) = jobs.iter().position(|job| job.arrival.index == index) {
            jobs.remove(at);
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Arrival;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn alarms_ring_in_time_and_what_matters_no_longer_is_forgotten() {
        let mut alarms = Alarms::new(2);
        for (stream, at, index) in [(0, 10, 1), (0, 20, 2), (1, 12, 3), (1, 15, 4)] {
            alarms.push(stream, Alarm { at: ms(at), number: 0, index });
        }
        assert_eq!(alarms.next(), Some(ms(10)));
        let mut rung = |now| alarms.due(ms(now), |alarm| alarm.index != 3).map(|alarm| alarm.index);
        assert_eq!(
            [9, 10, 14, 15, 19, 30, 30].map(&mut rung),
            [None, Some(1), None, Some(4), None, Some(2), None]
        );
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn whoever_waits_longest_is_first_and_each_stream_has_its_patience() {
        let mut waiting = Waiting::new(vec![Duration::from_millis(100), Duration::from_millis(5)]);
        let job = |index, stream, at| {
            let arrival = Arrival { index, intended: ms(at), stream, kind: 0, user: 0, vu: 0 };
            Job::new(arrival, ms(at))
        };
        for (index, stream, at) in [(0, 0, 1), (9, 1, 2), (1, 0, 3), (8, 1, 4), (2, 0, 5)] {
            waiting.push(job(index, stream, at));
        }
        assert_eq!((waiting.len(), waiting.next()), (5, Some(ms(7))));
        assert!(waiting.overdue(ms(6)).is_none());
        assert_eq!(waiting.overdue(ms(7)).map(|job| job.arrival.index), Some(9));
        assert!(waiting.has(0, 1) && !waiting.has(1, 1));
        waiting.remove(0, 1);
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop()).map(|job| job.arrival.index).collect();
        assert_eq!((order, waiting.len()), (vec![0, 8, 2], 0));
    }
}
