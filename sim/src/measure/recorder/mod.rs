//! Folds observations into bins as they come, in bounded memory: a hundred bytes for each request under way, and in a live run
//! four bits for each that ended. What happens while a step is being carried out is held back until it is known when that was in
//! force, and what was intended after it until the last answer of the old version has come.

mod at_hand;
mod counting;
mod facts;
mod steps;
mod totals;

pub(in crate::measure) use facts::RunFacts;
pub(in crate::measure) use totals::Totals;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use gateway_core::id::{ServiceId, TargetId, UpstreamId};
use gateway_core::time::Instant;

use crate::measure::books::Books;
use crate::measure::by_upstream::{ByService, ByUpstream};
use crate::measure::cells::{Cell, Timed};
use crate::measure::copies::Copies;
use crate::measure::ledger::Tally;
use crate::measure::lens::{Lenses, Near};
use crate::measure::measured::{Again, KindTally, Measured, Samples, Slow, TargetTally, Warning};
use crate::measure::parts::Parts;
use crate::measure::phases::Phases;
use crate::measure::progress::Progress;
use crate::measure::rollout::MeasuredRollout;
use crate::measure::series::{Bins, Grid};
use crate::measure::sums::{Late, Sums};
use crate::measure::switches::MeasuredSwitch;
use crate::measure::weights::Weights;
use crate::measure::window::Window;
use crate::measure::{Conditions, Copied, Ending, Observation, Pick, Record, StepMoments};
use crate::plan::{Engine, Plan};
use crate::rollout::judge::Side;

/// Observations held back while a step is carried out, and records while a switch is open. Beyond that they are counted
/// as if the step had not been applied yet, the switch as if it were over, and the report says so. 25 MB each.
const HELD_MAX: usize = 262_144;
/// How late an engine may report. A switch is over when no old request is under way and so much time has passed.
const SETTLE: Duration = Duration::from_millis(500);
/// What a switch cost is the median of the window of this length after it, less the median of what came before.
pub const COST_WINDOW: Duration = Duration::from_secs(1);
/// Slowest requests kept.
const SLOWEST: usize = 3;

/// What was seen of a run so far.
pub struct Recorder {
    pub(in crate::measure) facts: RunFacts,
    pub(in crate::measure) phases: Phases,
    pub(in crate::measure) switches: Vec<MeasuredSwitch>,
    pub(in crate::measure) rollout: MeasuredRollout,
    pub(in crate::measure) books: Ledger,
    /// The requests of each phase by kind; of a live run they are counted at the end.
    pub(in crate::measure) kinds: Vec<Vec<KindTally>>,
    pub(in crate::measure) copies: Copies,
    pub(in crate::measure) lenses: Lenses,
    /// When each request of each closed loop was intended: no schedule says so. Empty for open ones.
    pub(in crate::measure) intended: Vec<Vec<Instant>>,
    /// By the number of their phase.
    pub(in crate::measure) cells: Vec<ByUpstream<Cell>>,
    pub(in crate::measure) parts: Parts,
    pub(in crate::measure) targets: Vec<TargetTally>,
    /// Attempts the book of each saw.
    pub(in crate::measure) served: Vec<u64>,
    pub(in crate::measure) weights: Weights,
    pub(in crate::measure) bins: Bins,
    /// Durations of requests of the warm-up that no phase shows.
    pub(in crate::measure) untimed: Timed,
    pub(in crate::measure) released_in_time: u64,
    pub(in crate::measure) samples: Samples,
    pub(in crate::measure) slowest: Vec<Slow>,
    pub(in crate::measure) warnings: Vec<Warning>,
    /// Requests the books name that are none of ours.
    pub(in crate::measure) strangers: u64,
    /// Attempts that failed and were followed by another, by how they failed.
    pub(in crate::measure) retried: Tally,
    /// What was sent more than once, for each kind of request.
    pub(in crate::measure) again: Vec<Again>,
    /// Everything that ended, for progress.
    pub(in crate::measure) so_far: Tally,
    /// Attempts begun and not ended, by Upstream.
    attempts: ByUpstream<i64>,
    /// Requests picked and not ended.
    open: Window<Open>,
    /// How many of those each Service has at each Upstream.
    open_at: ByService<u64>,
    /// The last old pick and answer of each Service at each Upstream, for a switch that comes later.
    last: ByService<(Option<Instant>, Option<Instant>)>,
    hosts: BTreeMap<ServiceId, String>,
    steps: Vec<Option<StepMoments>>,
    /// The first step that is not known to have been carried out.
    next_step: usize,
    /// Its moment, if it is waited for.
    holds_from: Instant,
    held: Vec<Observation>,
    /// [`HELD_MAX`], less in tests.
    held_max: usize,
    /// The latest intended moment that has its phase already.
    placed_until: Option<Instant>,
    /// Requests lost or served more than once, intended after a switch that is still open.
    unsettled: Vec<Late>,
    /// Ended requests intended after a switch that is still open.
    pending: Vec<Placed>,
    /// The newest moment seen.
    pub(in crate::measure) clock: Instant,
}

/// What is known of single requests: of a live run, whose targets report when they like, bits for each; of a modelled one
/// nothing that grows.
#[derive(Debug)]
pub(in crate::measure) enum Ledger {
    Whole(Books),
    Sums(Sums),
}

/// A request that was picked and has not ended.
#[derive(Clone, Copy, Debug)]
struct Open {
    service: ServiceId,
    upstream: Option<UpstreamId>,
    /// Whom its first try was picked for, and its last one.
    first: Option<u32>,
    mock: Option<u32>,
    /// When its first try was picked.
    picked: Instant,
    /// By a version that was no longer in force.
    is_stale: bool,
    /// Picks so far, and how often it is in the targets' books, as far as a modelled run counts that here.
    picks: u32,
    served: u32,
}

impl Open {
    /// Whether nothing can happen to it any more once it was answered.
    fn is_plain(&self) -> bool {
        self.picks == 1 && self.served == 1
    }
}

/// An ended request on its way into its phase.
#[derive(Clone, Copy, Debug)]
struct Placed {
    record: Record,
    kind: usize,
    upstream: Option<UpstreamId>,
    /// The mock that answered, or that was picked last.
    mock: Option<u32>,
    /// How often it was sent to a target.
    attempts: u32,
    wrong_version: bool,
}

/// How late a release still counts as within the planned time: a stall in the run's last moments is lag, not a rate.
const RATE_GRACE: Duration = Duration::from_millis(250);

impl Recorder {
    /// A recorder for one run of `plan`.
    pub fn new(plan: &Plan) -> Self {
        let facts = RunFacts::new(plan);
        let grid = Grid::new(plan.load.duration());
        let config = &plan.gateway.config;
        Self {
            phases: Phases::new(facts.warmup),
            switches: Vec::new(),
            rollout: MeasuredRollout::new(plan),
            copies: Copies::default(),
            lenses: Lenses::new(plan),
            books: match plan.engine {
                Engine::Live => Ledger::Whole(Books::new(facts.count)),
                Engine::Model => Ledger::Sums(Sums::new(plan.load.streams.len())),
            },
            kinds: Vec::new(),
            intended: vec![Vec::new(); plan.load.streams.len()],
            cells: Vec::new(),
            parts: Parts::new(plan.load.templates().count()),
            targets: plan.mocks.iter().map(|_| TargetTally::default()).collect(),
            served: vec![0; plan.mocks.len()],
            weights: Weights::new(config, plan.gateway.nodes, &versions(plan), grid),
            bins: Bins::new(grid, plan.mocks.len(), late(plan.engine)),
            untimed: Timed::new(),
            released_in_time: 0,
            samples: Samples::default(),
            slowest: Vec::new(),
            warnings: Vec::new(),
            strangers: 0,
            retried: Tally::default(),
            again: vec![Again::default(); plan.load.templates().count()],
            so_far: Tally::default(),
            attempts: ByUpstream::default(),
            open: Window::default(),
            open_at: ByService::default(),
            last: ByService::default(),
            hosts: config.services().map(|(id, service)| (id, service.host.clone())).collect(),
            steps: vec![None; plan.steps.len()],
            next_step: 0,
            holds_from: facts.waits_from(0),
            held: Vec::new(),
            held_max: HELD_MAX,
            placed_until: None,
            unsettled: Vec::new(),
            pending: Vec::new(),
            clock: Instant::ZERO,
            facts,
        }
    }

    /// Takes one observation.
    ///
    /// # Panics
    /// When a request ends twice or is none of the schedule: then the engine is broken, and no figure could be trusted.
    pub fn record(&mut self, seen: &Observation) {
        let at = moment(seen);
        match seen {
            Observation::Stepped(moments) => self.stepped(*moments),
            seen if at >= self.holds_from => self.hold(seen.clone(), at),
            seen => self.take(seen, at),
        }
        if !self.pending.is_empty() || self.phases.is_open() {
            self.close_when_over();
        }
    }

    /// Ends the recording: the ledger is checked, overall and for each phase.
    ///
    /// # Panics
    /// When a request of the schedule has not ended, or the ledger does not balance: then the engine is broken.
    pub fn finish(mut self, conditions: Conditions) -> Measured {
        for seen in std::mem::take(&mut self.held) {
            self.take(&seen, moment(&seen));
        }
        self.close_switch();
        self.settle_all();
        self.rollout.finish(&self.facts, &self.weights.outsiders());
        Measured::new(self, conditions)
    }

    /// How far the run is; cheap.
    pub fn progress(&self) -> Progress {
        Progress::new(self)
    }

    /// Attempts the gateway has under way.
    pub(in crate::measure) fn in_flight(&self) -> u64 {
        u64::try_from(self.attempts.values().sum::<i64>()).unwrap_or(0)
    }

    /// The next step is this one: what happens from its moment on waits for it.
    fn expect(&mut self, step: usize) {
        self.next_step = step;
        self.holds_from = self.facts.waits_from(step);
    }

    fn hold(&mut self, seen: Observation, at: Instant) {
        self.clock = self.clock.max(at);
        if self.held.len() < self.held_max {
            self.held.push(seen);
            return;
        }
        self.warn(format!(
            "step {} took so long that what came during it counts as before it",
            self.next_step + 1
        ));
        self.expect(self.next_step + 1);
        let held = std::mem::take(&mut self.held);
        held.iter().chain([&seen]).for_each(|seen| self.record(seen));
    }

    /// Counts what happened at `at`.
    fn take(&mut self, seen: &Observation, at: Instant) {
        self.clock = self.clock.max(at);
        match seen {
            Observation::Picked(pick) => self.picked(pick),
            Observation::Connected { request: _, at, service, upstream, took } => {
                for switch in &mut self.switches {
                    switch.connected((*service, *upstream), *at, *took);
                }
            }
            Observation::Finished { at, upstream, target, outcome: _ } => {
                self.attempt(*upstream, self.facts.mocks.get(*target), *at, -1);
            }
            Observation::Served { request, mock, at: _ } => self.served(*request, *mock),
            Observation::Retried { request, at: _, ending } => {
                self.retried.count(*ending, false);
                self.again[self.facts.numbering.kind(*request)].retries += 1;
            }
            Observation::Hedged { request, at: _ } => {
                self.again[self.facts.numbering.kind(*request)].hedges += 1;
            }
            Observation::Keyed { request, at: _, key, is_given } => {
                self.rollout.keyed(*request, *key, *is_given);
            }
            Observation::Copied { request, at, copied } => {
                if let Copied::Sent(pick) = copied {
                    // The balancer dealt it out like any other.
                    self.weights.picked(pick);
                }
                self.rollout.copied(&self.facts, copied);
                self.copies.count(*request, *at, copied);
            }
            Observation::Ended(record) => self.ended(record),
            Observation::Began { at: _, epoch } => self.weights.began(epoch),
            Observation::Configured { at: _, node, revision, config } => {
                self.rollout.configured(&self.facts, *node, *revision, config);
            }
            Observation::Stepped(moments) => self.stepped(*moments),
            Observation::Rollout(mark) => {
                let action = mark.step.and_then(|step| self.facts.plan.action(step));
                self.rollout.marked(&self.facts, mark, action);
            }
            Observation::Cpu(sample) => self.bins.cpu(sample),
        }
    }

    fn picked(&mut self, pick: &Pick) {
        let mock = self.facts.mocks.get(pick.target);
        self.attempt(pick.upstream, mock, pick.at, 1);
        let mut is_stale = false;
        if pick.retry == 0 {
            if let Some(mock) = mock {
                self.bins.picked(mock, pick.at);
            }
            self.rollout.picked(&self.facts, pick, mock);
            self.weights.picked(pick);
            for switch in &mut self.switches {
                switch.picked(pick);
                is_stale |= switch.is_stale(pick);
            }
            let last = &mut self.last.of(pick.service, pick.upstream).0;
            *last = (*last).max(Some(pick.at));
        }
        let has_ended = match &self.books {
            Ledger::Whole(books) => pick.request >= self.facts.count || books.has_ended(pick.request),
            Ledger::Sums(sums) => sums.is_late(pick.request),
        };
        if !has_ended {
            if let Some(open) = self.open.get_mut(pick.request) {
                open.mock = mock;
                open.picks += 1;
            } else {
                let &Pick { service, upstream, at: picked, .. } = pick;
                *self.open_at.of(service, upstream) += 1;
                let first = mock;
                let open = Open { service, upstream, first, mock, picked, is_stale, picks: 1, served: 0 };
                self.open.insert(pick.request, open);
            }
        }
    }

    /// An attempt began or ended.
    fn attempt(&mut self, upstream: Option<UpstreamId>, mock: Option<u32>, at: Instant, change: i64) {
        *self.attempts.of(upstream) += change;
        self.bins.in_flight(mock, at, change);
        for switch in &mut self.switches {
            switch.in_flight(upstream, at, change);
        }
    }

    fn served(&mut self, request: u64, mock: u32) {
        if let Some(served) = self.served.get_mut(mock as usize) {
            *served += 1;
        }
        if request >= self.facts.count {
            self.strangers += 1;
            return;
        }
        match &mut self.books {
            Ledger::Whole(books) => books.serve(request),
            Ledger::Sums(sums) => match self.open.get_mut(request) {
                Some(open) => open.served += 1,
                None => sums.serve(request),
            },
        }
    }

    fn ended(&mut self, record: &Record) {
        assert!(record.index < self.facts.count, "request {} is none of the schedule", record.index);
        let answered = matches!(record.ending, Ending::Answered(_));
        let (stream, nth, kind) = self.facts.numbering.which(record.index);
        let open = self.open.remove(record.index);
        match &mut self.books {
            Ledger::Whole(books) => {
                books.end(record.index, answered);
                if self.facts.plan.load.streams[stream].is_closed() {
                    let moments = &mut self.intended[stream];
                    // A gap is found at the end: its request has none.
                    moments.resize(moments.len().max(nth as usize + 1), record.intended);
                    moments[nth as usize] = record.intended;
                }
            }
            Ledger::Sums(sums) => {
                sums.end(stream, nth);
                self.bins.intend(record.intended);
                let served = open.map_or(0, |open| open.served);
                let late = Late { index: record.index, intended: record.intended, answered, served };
                if open.is_some_and(|open| !answered || !open.is_plain())
                    && let Some(late) = sums.wait_for(late)
                {
                    self.settle(&late);
                }
            }
        }
        if let Some(open) = open {
            *self.open_at.of(open.service, open.upstream) -= 1;
            self.rollout.attempted(open.first, open.picks);
        }
        let wrong_version = answered && open.is_some_and(|open| self.is_wrong(&open, record.target));
        let by_mock = || Some(self.facts.plan.mocks.get(record.target? as usize)?.upstream);
        let upstream = open.map_or_else(by_mock, |open| open.upstream);
        if answered {
            let picked = open.map_or(record.released, |open| open.picked);
            let service = open.map(|open| open.service).or(self.facts.only_service);
            for switch in &mut self.switches {
                switch.answered((service, upstream), picked, record.done);
            }
            if let Some(service) = service {
                let last = &mut self.last.of(service, upstream).1;
                *last = (*last).max(Some(record.done));
            }
        }
        if self.facts.switches {
            let service = open.map(|open| open.service).or(self.facts.only_service);
            let picked = open.map(|open| open.picked);
            self.lenses.ended(Near { record: *record, service, picked, upstream });
        }
        let picked = open.and_then(|open| open.mock);
        let mock = if answered { record.target } else { picked };
        let spans = record.spans();
        self.count((record, &spans), stream, mock, wrong_version);
        let attempts = open.map_or(0, |open| open.picks);
        self.place(&Placed { record: *record, kind, upstream, mock, attempts, wrong_version }, &spans);
    }

    /// Whether an answer came from a version that was not in force when the request was picked: it was picked from the
    /// old Upstream although the new one was acknowledged, or answered by another version than that of its pick.
    fn is_wrong(&self, open: &Open, answered_by: Option<u32>) -> bool {
        let version = |mock: u32| self.facts.plan.mocks.get(mock as usize).map(|mock| &mock.version);
        let is_other = match (open.mock, answered_by) {
            (Some(picked), Some(by)) => picked != by && version(picked) != version(by),
            _ => false,
        };
        open.is_stale || is_other
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(Warning { at: self.clock, text });
    }
}

/// The targets of each version of a rollout, the new one's first; none without one.
fn versions(plan: &Plan) -> Rc<[Vec<TargetId>]> {
    let of = [Side::Canary, Side::Stable, Side::Baseline].map(|side| plan.targets_of(side));
    let has_new = !of[0].is_empty();
    of.into_iter().filter(|targets| has_new && !targets.is_empty()).collect()
}

/// How late an engine reports that an attempt began or ended: those wait so long for earlier ones, to be put in order.
fn late(engine: Engine) -> Duration {
    match engine {
        Engine::Live => SETTLE,
        Engine::Model => Duration::ZERO,
    }
}

/// The newest moment an observation tells of.
fn moment(seen: &Observation) -> Instant {
    match seen {
        Observation::Picked(pick) => pick.at,
        Observation::Connected { at, .. }
        | Observation::Finished { at, .. }
        | Observation::Retried { at, .. }
        | Observation::Copied { at, .. }
        | Observation::Keyed { at, .. }
        | Observation::Hedged { at, .. } => *at,
        Observation::Ended(record) => record.done.max(record.intended),
        // Neither depends on any switch.
        Observation::Served { .. }
        | Observation::Cpu(_)
        | Observation::Rollout(_)
        | Observation::Stepped(_)
        | Observation::Configured { .. }
        | Observation::Began { .. } => Instant::ZERO,
    }
}

#[cfg(test)]
mod tests;
