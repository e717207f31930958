//! Durations of the whole run, added up from those of its cells: no request is counted once more for them on its way.

use super::Recorder;
use crate::measure::cells::Timed;
use crate::measure::histogram::Times;
use crate::measure::phases::PhaseKind;

/// Durations of all requests so far.
pub(in crate::measure) struct Totals {
    /// Response times of the answered outside the warm-up.
    pub(in crate::measure) response: Times,
    /// Lag of the released.
    pub(in crate::measure) lag: Times,
    /// Client wait of those that were put on the wire.
    pub(in crate::measure) client_wait: Times,
}

impl Totals {
    fn add(&mut self, timed: &Timed, is_warm: bool) {
        if is_warm {
            self.response.add(&timed.answered.response);
        }
        self.lag.add(&timed.lag);
        self.client_wait.add(&timed.client_wait);
    }
}

impl Recorder {
    /// Those of all requests that have ended.
    pub(in crate::measure) fn totals(&self) -> Totals {
        let mut totals =
            Totals { response: Times::precise(), lag: Times::precise(), client_wait: Times::precise() };
        for (start, cells) in self.phases.starts().iter().zip(&self.cells) {
            for timed in cells.values().filter_map(|cell| cell.timed.as_deref()) {
                totals.add(timed, start.kind != PhaseKind::Warmup);
            }
        }
        totals.add(&self.untimed, false);
        // Those whose phase is not known yet.
        for (timed, is_warm) in self.pending_times() {
            totals.add(&timed, is_warm);
        }
        totals
    }

    fn pending_times(&self) -> [(Timed, bool); 2] {
        let mut times = [(Timed::new(), false), (Timed::new(), true)];
        for placed in &self.pending {
            let is_warm = placed.record.intended >= self.facts.warmup;
            times[usize::from(is_warm)].0.count(placed.record.ending, &placed.record.spans());
        }
        times
    }
}
