//! The recorder's side of an ended request: where it counts at once, and where once its phase is known.

use super::{COST_WINDOW, Ledger, Placed, RATE_GRACE, Recorder, SLOWEST};
use crate::measure::by_upstream::ByUpstream;
use crate::measure::cells::PartKey;
use crate::measure::measured::{KindTally, Slow};
use crate::measure::parts::Timing;
use crate::measure::phases::PhaseKind;
use crate::measure::record::Spans;
use crate::measure::sums::Late;
use crate::measure::switches::MeasuredSwitch;
use crate::measure::{Ending, Record};

impl Recorder {
    /// Counts what does not depend on the phase.
    pub(super) fn count(
        &mut self,
        (record, spans): (&Record, &Spans),
        stream: usize,
        mock: Option<u32>,
        wrong_version: bool,
    ) {
        self.so_far.count(record.ending, wrong_version);
        self.released_in_time +=
            u64::from(spans.lag.is_some() && record.released <= self.facts.end + RATE_GRACE);
        self.bins.ended(record, spans);
        let is_warm = record.intended >= self.facts.warmup;
        let numbering = &self.facts.numbering;
        let user = || (stream, numbering.user(record.index));
        self.rollout.ended(record, (stream, user), mock);
        match record.ending {
            Ending::Dropped(cause) => self.samples.add(cause, record),
            Ending::Answered(_) if is_warm => self.note_slow(record),
            Ending::Answered(_) => {}
        }
    }

    fn note_slow(&mut self, record: &Record) {
        if let [.., least] = self.slowest.as_slice()
            && self.slowest.len() == SLOWEST
            && record.response_time() < least.record.response_time()
        {
            return;
        }
        let slow = Slow { record: *record };
        let at = self.slowest.partition_point(|other| !other.is_faster_than(&slow));
        if at < SLOWEST {
            self.slowest.insert(at, slow);
            self.slowest.truncate(SLOWEST);
        }
    }

    /// Counts a request in its phase, once that is known.
    pub(super) fn place(&mut self, placed: &Placed, spans: &Spans) {
        let record = &placed.record;
        let Some(phase) = self.phases.of(record.intended) else {
            self.pending.push(*placed);
            return;
        };
        if matches!(self.books, Ledger::Sums(_)) {
            self.kind_tally(phase, placed.kind).intended += 1;
        }
        self.placed_until = self.placed_until.max(Some(record.intended));
        // Latencies leave the warm-up out, but the warm-up itself may show its own.
        let is_timed =
            record.intended >= self.facts.warmup || self.phases.starts()[phase].kind == PhaseKind::Warmup;
        let &Placed { upstream, mock, attempts, wrong_version, .. } = placed;
        if self.cells.len() <= phase {
            self.cells.resize_with(phase + 1, ByUpstream::default);
        }
        let cell = self.cells[phase].of(upstream);
        cell.count((record, spans), wrong_version, is_timed);
        cell.attempts.count(attempts);
        if !is_timed {
            self.untimed.count(record.ending, spans);
        }
        // The times of a target are those of its parts, and those that no part keeps.
        let key = PartKey { upstream, mock, kind: placed.kind };
        let timing = Timing { is_warm: record.intended >= self.facts.warmup, is_timed };
        self.parts.count((phase, key), (record.ending, spans), wrong_version, timing);
        if self.facts.switches && record.intended >= self.facts.warmup {
            self.note_cost(record);
        }
    }

    fn kind_tally(&mut self, phase: usize, kind: usize) -> &mut KindTally {
        if self.kinds.len() <= phase {
            self.kinds.resize(phase + 1, vec![KindTally::default(); self.again.len()]);
        }
        &mut self.kinds[phase][kind]
    }

    /// A modelled request will not be served any more: what the books say of it counts, once its phase is known.
    pub(super) fn settle(&mut self, late: &Late) {
        let (lost, duplicate) = (late.answered && late.served == 0, late.served > 1);
        if !lost && !duplicate {
            return;
        }
        let Some(phase) = self.phases.of(late.intended) else {
            self.unsettled.push(*late);
            return;
        };
        let tally = self.kind_tally(phase, self.facts.numbering.kind(late.index));
        tally.lost += u64::from(lost);
        tally.duplicates += u64::from(duplicate);
    }

    /// Nothing will be served any more.
    pub(super) fn settle_all(&mut self) {
        for late in std::mem::take(&mut self.unsettled) {
            self.settle(&late);
        }
        while let Ledger::Sums(sums) = &mut self.books
            && let Some(late) = sums.take_late()
        {
            self.settle(&late);
        }
    }

    /// Counts a request in the steady state before the next switch, or in the window after the last one.
    fn note_cost(&mut self, record: &Record) {
        let response = matches!(record.ending, Ending::Answered(_)).then(|| record.response_time());
        let applied = |switch: &MeasuredSwitch| switch.applied().filter(|&at| at <= record.intended);
        let last = self.switches.iter().rposition(|switch| applied(switch).is_some());
        match last.and_then(|at| applied(&self.switches[at]).map(|applied| (at, applied))) {
            Some((at, applied)) if record.intended < applied + COST_WINDOW => {
                self.switches[at].after.record(response);
            }
            last => self.samples.steady(last.map_or(0, |(at, _)| at + 1)).record(response),
        }
    }
}
