//! What is under way in the generator and waits for its time. There is one queue for each stream, since within a stream all wait
//! equally long, so that nothing is ever sorted.

use std::collections::VecDeque;

use gateway_core::time::Instant;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
