//! Having at hand what many observations will be counted in: where there are thousands of targets, each is counted in places that
//! have been out of reach for long, and to read those of many at once takes hardly longer than to read one.

use super::Recorder;
use crate::measure::Observation;

/// So many targets do not fit into the processor's nearest caches.
const WIDE: usize = 1_000;
/// Observations whose places are read at once.
const AT_ONCE: usize = 64;

impl Recorder {
    /// Takes several, in order; costs less than one by one.
    ///
    /// # Panics
    /// As [`record`](Self::record).
    pub fn record_all(&mut self, seen: &[Observation]) {
        for some in seen.chunks(AT_ONCE) {
            if self.targets.len() >= WIDE {
                for seen in some {
                    self.look_at(seen);
                }
            }
            for seen in some {
                self.record(seen);
            }
        }
    }

    /// Reads what an observation will be counted in.
    fn look_at(&mut self, seen: &Observation) {
        let (target, at) = match seen {
            Observation::Picked(pick) => {
                self.weights.look_at(pick);
                (self.facts.mocks.get(pick.target), pick.at)
            }
            Observation::Finished { target, at, .. } => (self.facts.mocks.get(*target), *at),
            Observation::Ended(record) => {
                self.open.look_at(record.index);
                self.parts.look_at(record.target, self.facts.numbering.kind(record.index));
                (record.target, record.intended)
            }
            _ => return,
        };
        if let Some(target) = target {
            self.bins.look_at(target, at);
        }
    }
}
