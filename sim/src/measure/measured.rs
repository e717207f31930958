//! What a recorder hands over: everything `summary` judges, and what a progress line shows in the meantime.

use std::collections::BTreeMap;

use gateway_core::id::UpstreamId;
use gateway_core::time::Instant;

use super::cells::{Attempts, Cell, Part, PartKey};
use super::copies::Copies;
use super::histogram::{Intended, Times};
use super::ledger::Tally;
use super::lens::Nearby;
use super::phases::PhaseKind;
use super::recorder::{Ledger, Recorder, Totals};
use super::rollout::MeasuredRollout;
use super::series::Bins;
use super::switches::MeasuredSwitch;
use super::weights::{LagRange, MeasuredWeights};
use super::{Cause, Conditions, Record};
use crate::load::Schedule;

/// Ids kept for each drop cause.
const SAMPLES: usize = 3;

/// A finished run, measured. Its ledger balances, overall and in each phase.
#[derive(Debug)]
pub struct Measured {
    /// Requests of the schedule.
    pub intended: u64,
    /// The stretches of the run, in order of time.
    pub phases: Vec<MeasuredPhase>,
    /// How many switches were planned: with several, their phases are numbered.
    pub switches_planned: usize,
    /// Each switch that was tried.
    pub switches: Vec<MeasuredSwitch>,
    /// The rollout.
    pub rollout: MeasuredRollout,
    /// Copies of requests.
    pub copies: Copies,
    /// What was near each switch, by its number.
    pub near: BTreeMap<usize, Nearby>,
    /// Each stretch of each Upstream.
    pub weights: Vec<MeasuredWeights>,
    /// For each Upstream that was picked from, the range of lags in each bin.
    pub lag_ranges: BTreeMap<UpstreamId, LagRange>,
    /// Each target of the plan.
    pub targets: Vec<TargetTally>,
    /// The run over time.
    pub bins: Bins,
    /// Response times of answered requests outside the warm-up.
    pub response: Times,
    /// Lag of all released requests.
    pub lag: Times,
    /// Client wait of all requests that were put on the wire.
    pub client_wait: Times,
    /// Requests released before the end of the planned time.
    pub released_in_time: u64,
    /// Requests dropped: which, when.
    pub drops: Drops,
    /// The slowest answered requests outside the warm-up, slowest first.
    pub slowest: Vec<Slow>,
    /// What could not be measured as it should.
    pub warnings: Vec<Warning>,
    /// Requests the targets saw that nobody here sent.
    pub strangers: u64,
    /// Attempts of the client that failed and were followed by another, by how they failed.
    pub retried: Tally,
    /// What was sent more than once, for each kind of request.
    pub again: Vec<Again>,
    /// Whether there were too many parts to keep the latencies of each.
    pub parts_are_crowded: bool,
    /// What the machine did to the measurement.
    pub conditions: Conditions,
}

/// One stretch of the run.
#[derive(Debug)]
pub struct MeasuredPhase {
    /// What it is.
    pub kind: PhaseKind,
    /// Its first moment.
    pub from: Instant,
    /// Where it ends, exclusive.
    pub to: Instant,
    /// The requests of the schedule that belong to it, for each kind of request, in the order of the load's templates.
    pub kinds: Vec<KindTally>,
    /// Its requests, by the Upstream they were picked from.
    pub cells: BTreeMap<Option<UpstreamId>, Cell>,
    /// Its requests, by Upstream, target and kind.
    pub parts: BTreeMap<PartKey, Part>,
}

impl MeasuredPhase {
    /// The requests of the schedule that belong to it.
    pub fn expected(&self) -> KindTally {
        let mut sum = KindTally::default();
        self.kinds.iter().for_each(|kind| sum.add(kind));
        sum
    }

    /// All its requests.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::default();
        self.cells.values().for_each(|cell| sum.add(&cell.tally));
        sum
    }

    /// How often all its requests were sent to targets.
    pub fn attempts(&self) -> Attempts {
        let mut sum = Attempts::default();
        self.cells.values().for_each(|cell| sum.add(cell.attempts));
        sum
    }
}

/// The requests of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindTally {
    /// Requests intended.
    pub intended: u64,
    /// Of those, in the targets' books more than once.
    pub duplicates: u64,
    /// Of those, answered but in no target's book.
    pub lost: u64,
}

impl KindTally {
    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.intended += other.intended;
        self.duplicates += other.duplicates;
        self.lost += other.lost;
    }
}

/// What was sent more than once, of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// Requests that were sent a second time before their answer.
    pub hedges: u64,
}

impl Again {
    /// Counts all that `other` has counted.
    pub fn add(&mut self, other: &Self) {
        self.retries += other.retries;
        self.hedges += other.hedges;
    }
}

/// One target over the whole run.
#[derive(Debug, Default)]
pub struct TargetTally {
    /// Attempts its book saw.
    pub served: u64,
    /// How the requests ended that it answered, or that were last picked for it.
    pub tally: Tally,
    /// Response times of its answers outside the warm-up; made on first use.
    pub response: Option<Box<Times>>,
}

impl TargetTally {
    /// Response times of its answers; made on first use.
    pub(super) fn times(&mut self) -> &mut Times {
        self.response.get_or_insert_with(|| Box::new(Times::coarse()))
    }
}

/// One slow request.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// Its record.
    pub record: Record,
}

impl Slow {
    /// By response time; of equals the earlier request counts as slower, so that the order never depends on reports.
    pub(super) fn is_faster_than(&self, other: &Self) -> bool {
        let key = |slow: &Self| (slow.record.response_time(), std::cmp::Reverse(slow.record.index));
        key(self) < key(other)
    }
}

/// Something that could not be measured as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// When it was noticed.
    pub at: Instant,
    /// In words.
    pub text: String,
}

/// Dropped requests by cause.
pub type Drops = BTreeMap<Cause, DropSample>;

/// The requests dropped for one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropSample {
    /// The first of them, by index.
    pub first: Vec<u64>,
    /// Intended time of the earliest.
    pub from: Instant,
    /// Intended time of the latest.
    pub to: Instant,
}

/// Samples kept along the way.
#[derive(Debug, Default)]
pub(super) struct Samples {
    pub(super) drops: Drops,
    /// Steady states before each switch, in order.
    steady: Vec<Intended>,
}

impl Samples {
    pub(super) fn add(&mut self, cause: Cause, record: &Record) {
        let sample = self.drops.entry(cause).or_insert_with(|| DropSample {
            first: Vec::new(),
            from: record.intended,
            to: record.intended,
        });
        sample.from = sample.from.min(record.intended);
        sample.to = sample.to.max(record.intended);
        let at = sample.first.partition_point(|&index| index < record.index);
        sample.first.insert(at, record.index);
        sample.first.truncate(SAMPLES);
    }

    /// The steady state before this switch.
    pub(super) fn steady(&mut self, switch: usize) -> &mut Intended {
        if self.steady.len() <= switch {
            self.steady.resize_with(switch + 1, Intended::default);
        }
        &mut self.steady[switch]
    }
}

impl Measured {
    pub(super) fn new(mut recorder: Recorder, conditions: Conditions) -> Self {
        let grid = recorder.bins.grid;
        recorder.bins.finish();
        let mut phases = phases_of(&recorder);
        let count = intend(&mut recorder, &mut phases);
        let Totals { response, lag, client_wait } = recorder.totals();
        for (phase, cells) in phases.iter_mut().zip(std::mem::take(&mut recorder.cells)) {
            phase.cells = cells.into_all().filter(|(_, cell)| cell.tally.ended() > 0).collect();
        }
        recorder.parts.finish();
        let parts_are_crowded = recorder.parts.crowded;
        for (target, others) in recorder.targets.iter_mut().zip(std::mem::take(&mut recorder.parts.others)) {
            target.response = others;
        }
        for ((phase, key), part) in recorder.parts.into_all() {
            let times = part.times.as_ref().filter(|_| phases[phase].kind != PhaseKind::Warmup);
            if let (Some(times), Some(mock)) = (times, key.mock) {
                recorder.targets[mock as usize].times().add(&times.response);
            }
            if let Some(target) = key.mock.and_then(|mock| recorder.targets.get_mut(mock as usize)) {
                target.tally.add(&part.tally);
                // Versions are no matter of targets.
                target.tally.wrong_version = 0;
            }
            phases[phase].parts.insert(key, part);
        }
        check(&phases);
        for (target, served) in recorder.targets.iter_mut().zip(&recorder.served) {
            target.served = *served;
        }
        for (at, switch) in recorder.switches.iter_mut().enumerate() {
            switch.steady = std::mem::take(recorder.samples.steady(at));
        }
        let (weights, lag_ranges) = recorder.weights.finish(grid);
        Self {
            intended: count,
            phases,
            switches_planned: recorder.facts.plan.switches_max(),
            switches: recorder.switches,
            rollout: recorder.rollout,
            copies: recorder.copies,
            near: recorder.lenses.finish(),
            weights,
            lag_ranges,
            targets: recorder.targets,
            bins: recorder.bins,
            response,
            lag,
            client_wait,
            released_in_time: recorder.released_in_time,
            drops: recorder.samples.drops,
            slowest: recorder.slowest,
            warnings: recorder.warnings,
            strangers: recorder.strangers,
            retried: recorder.retried,
            again: recorder.again,
            parts_are_crowded,
            conditions,
        }
    }

    /// The phase of a moment.
    pub fn phase_of(&self, at: Instant) -> Option<&MeasuredPhase> {
        self.phases.iter().rfind(|phase| phase.from <= at)
    }
}

fn phases_of(recorder: &Recorder) -> Vec<MeasuredPhase> {
    let starts = recorder.phases.starts();
    let end = |at: usize| starts.get(at + 1).map_or(recorder.facts.end, |next| next.from);
    let phase = |(at, start): (usize, &super::phases::PhaseStart)| MeasuredPhase {
        kind: start.kind,
        from: start.from,
        to: end(at).max(start.from),
        kinds: vec![KindTally::default(); recorder.again.len()],
        cells: BTreeMap::new(),
        parts: BTreeMap::new(),
    };
    starts.iter().enumerate().map(phase).collect()
}

/// Counts what was intended into phases and bins; how many requests that is, of which each has ended once. A closed loop has no
/// schedule: what it intended is every number up to the highest that ended, so that here the check finds gaps.
fn intend(recorder: &mut Recorder, phases: &mut [MeasuredPhase]) -> u64 {
    let plan = &recorder.facts.plan;
    let books = match &recorder.books {
        Ledger::Whole(books) => books,
        Ledger::Sums(sums) => {
            sums.check();
            for (stream, ends) in plan.load.streams.iter().zip(sums.ends()) {
                assert!(stream.is_closed() || ends == stream.total(), "intended = answered + dropped");
            }
            for (phase, kinds) in phases.iter_mut().zip(std::mem::take(&mut recorder.kinds)) {
                phase.kinds = kinds;
            }
            return sums.ends().sum();
        }
    };
    let scheduled = Schedule::new(&plan.load, plan.seed).map(|arrival| (arrival.index, arrival.intended));
    let numbering = &recorder.facts.numbering;
    let closed = std::mem::take(&mut recorder.intended).into_iter().enumerate();
    let closed = closed.flat_map(|(stream, moments)| (numbering.first(stream)..).zip(moments));
    let mut count = 0;
    for (index, intended) in scheduled.chain(closed) {
        let entry = books.entry(index);
        assert!(entry.ended, "request {index} has no end");
        recorder.bins.intend(intended);
        let phase = recorder.phases.of(intended).expect("no switch is open any more");
        let kind = &mut phases[phase].kinds[numbering.kind(index)];
        kind.intended += 1;
        kind.lost += u64::from(entry.lost);
        kind.duplicates += u64::from(entry.duplicate);
        count += 1;
    }
    assert_eq!(books.ends(), count, "intended = answered + dropped");
    count
}

/// The ledger: what was intended is what ended, in each phase.
fn check(phases: &[MeasuredPhase]) {
    for phase in phases {
        assert_eq!(
            phase.tally().ended(),
            phase.expected().intended,
            "intended = answered + dropped in {:?}",
            phase.kind
        );
    }
}
