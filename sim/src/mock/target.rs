//! One mock target as a whole: its behaviour, its dice and its faults, and what they make of each request at each moment.
//!
//! A request's way, the same in both engines: read; taken up once the target does not hang; then its [`Fate`]; served by the
//! [`Station`](super::Station) for as long as it demands, or refused there; answered once the target does not hang, in the
//! [`Manner`] of that moment.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use gateway_core::time::Instant;

use super::{Active, Answer, Behaviour, Draws, FaultKind, Faults, KeepAlive, Pace, Sampler, Seen};

/// What is behind a body that is another than it should be.
const OTHER: u8 = b'!';

/// One mock target.
#[derive(Clone, Debug)]
pub struct Target {
    number: usize,
    behaviour: Behaviour,
    draws: Draws,
    faults: Rc<Faults>,
    process: Cell<Process>,
}

/// The process of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// It was started long before the run: it is ready, and warm.
    Old,
    /// It was started at this moment, and accepts connections `ready_after` later.
    Since(Instant),
    /// It does not run.
    Gone,
}

/// What becomes of a request that is taken up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// Its connection is reset.
    Reset,
    /// It is never answered.
    Silence,
    /// It goes to the station.
    Service {
        /// The service it demands there.
        demand: Duration,
        /// The status of its answer when that is an error.
        error: Option<u16>,
    },
}

/// How an answer goes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Its connection is closed afterwards, without warning.
    pub closes: bool,
    /// Its body is shorter than announced.
    pub truncates: bool,
    /// Its body comes slowly.
    pub pace: Option<Pace>,
}

impl Target {
    /// The mock that is number `number` among those the faults were picked for.
    pub fn new(number: usize, name: &str, behaviour: Behaviour, faults: &Rc<Faults>, seed: u64) -> Self {
        let draws = Draws::new(seed, name, &behaviour);
        let process = Cell::new(Process::Since(Instant::ZERO));
        Self { number, behaviour, draws, faults: Rc::clone(faults), process }
    }

    /// The one after this, of the same faults and seed. Where both take equally long they draw from one table: those of ten
    /// thousand targets would fill the processor's caches.
    #[must_use]
    pub fn next(&self, name: &str, behaviour: Behaviour) -> Self {
        let is_alike = behaviour.latency == self.behaviour.latency;
        let sampler = if is_alike { self.draws.sampler().clone() } else { Sampler::new(&behaviour.latency) };
        let draws = Draws::with(self.draws.seed(), name, sampler);
        let process = Cell::new(Process::Since(Instant::ZERO));
        Self { number: self.number + 1, behaviour, draws, faults: Rc::clone(&self.faults), process }
    }

    /// Its process was started or ended. Unless this says otherwise it starts with the run.
    pub fn set_process(&self, process: Process) {
        self.process.set(process);
    }

    /// Its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How it behaves when nothing goes wrong.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Whether connections are accepted.
    pub fn is_listening(&self, now: Instant) -> bool {
        now >= self.ready() && self.active(now).is_listening()
    }

    /// Whether its process is gone, and every connection with it.
    pub fn is_killed(&self, now: Instant) -> bool {
        self.process.get() == Process::Gone || self.active(now).is_on(&FaultKind::Kill)
    }

    /// Whether nothing goes in or out.
    pub fn is_cut(&self, now: Instant) -> bool {
        self.active(now).is_on(&FaultKind::Partition)
    }

    /// The moments at which any of that changes, in order, unless its process is started or ended.
    pub fn changes(&self) -> BTreeSet<Instant> {
        let mut changes = self.faults.changes(self.number);
        changes.extend(Some(self.ready()).filter(|ready| *ready < Instant::MAX));
        changes
    }

    /// The first moment from `now` on at which it does anything at all; [`Instant::MAX`] is never.
    pub fn thawed(&self, now: Instant) -> Instant {
        self.faults.thawed(self.number, now)
    }

    /// What becomes of `request`, taken up at `now`; `is_new` when no target has seen it before.
    pub fn fate(&self, request: u64, is_new: bool, now: Instant) -> Fate {
        let active = self.active(now);
        if active.is_on(&FaultKind::Reset) {
            return Fate::Reset;
        }
        if active.is_on(&FaultKind::Blackhole) {
            return Fate::Silence;
        }
        let age = match (self.process.get(), active.restarted) {
            (Process::Old, None) => Duration::MAX,
            // Whoever was dead starts cold again.
            (_, restarted) => now.since(restarted.map_or(self.ready(), |at| at.max(self.ready()))),
        };
        let demand = self.draws.demand(&self.behaviour, (request, is_new), age, &active);
        Fate::Service { demand, error: self.draws.error(&self.behaviour, request, &active) }
    }

    /// Its dice, where nothing else bears on what becomes of a request or on how its answer goes out: no fault, no slow
    /// start, no errors of its own, no last answer of a connection. Its process is to be there from the start.
    pub fn plain(&self) -> Option<Draws> {
        let Behaviour { warmup: None, errors: None, keepalive: KeepAlive { max_requests: None, .. }, .. } =
            self.behaviour
        else {
            return None;
        };
        self.faults.spare(self.number).then(|| self.draws.clone())
    }

    /// What it says to `request`, which it has seen like this.
    pub fn answer(&self, request: u64, seen: &Seen<'_>) -> Answer {
        let mut answer = super::answer(self.behaviour.respond, seen);
        if self.draws.differs(&self.behaviour, request) {
            answer.body.push(OTHER);
        }
        answer
    }

    /// How an answer goes out that is answer number `answers`, from 1, of its connection.
    pub fn manner(&self, answers: u64, now: Instant) -> Manner {
        let active = self.active(now);
        let is_last = self.behaviour.keepalive.max_requests.is_some_and(|most| answers >= most);
        Manner {
            closes: is_last || active.is_on(&FaultKind::Close),
            truncates: active.is_on(&FaultKind::Truncate),
            pace: active.pace(),
        }
    }

    fn active(&self, now: Instant) -> Active<'_> {
        self.faults.at(self.number, now)
    }

    /// When its process accepts connections; never while it does not run.
    pub fn ready(&self) -> Instant {
        match self.process.get() {
            Process::Old => Instant::ZERO,
            Process::Since(started) => started + self.behaviour.ready_after,
            Process::Gone => Instant::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{Errors, Fault, Latency, Respond, Warmup};

    const MS: Duration = Duration::from_millis(1);

    /// One target with faults, each from and to a second.
    fn target(behaviour: Behaviour, faults: &[(FaultKind, u64, u64)]) -> Target {
        let faults: Vec<_> = faults
            .iter()
            .map(|&(kind, from, to)| Fault {
                at: Duration::from_secs(from),
                lasts: Some(Duration::from_secs(to - from)),
                pattern: "*".into(),
                mocks: vec![0],
                fraction: 1.0,
                kind,
            })
            .collect();
        Target::new(0, "a", behaviour, &Rc::new(Faults::new(&faults, &["a"], 1)), 1)
    }

    fn plain() -> Behaviour {
        Behaviour::new(Latency::Constant(10 * MS), Respond::Echo)
    }

    fn s(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    fn demand(target: &Target, now: Instant) -> Duration {
        match target.fate(0, true, now) {
            Fate::Service { demand, error: None } => demand,
            fate => panic!("{fate:?}"),
        }
    }

    #[test]
    fn each_fault_has_its_fate_and_its_manner() {
        let errors = FaultKind::Errors(Errors { share: 1.0, status: 503 });
        let faults = [
            (FaultKind::Reset, 1, 2),
            (FaultKind::Blackhole, 2, 3),
            (errors, 3, 4),
            (FaultKind::LatencyX(20.0), 4, 5),
            (FaultKind::Truncate, 5, 6),
            (FaultKind::SlowBody(Pace(100)), 5, 6),
        ];
        let target = target(plain(), &faults);
        let service = |demand, error| Fate::Service { demand, error };
        let fates = [Fate::Reset, Fate::Silence, service(10 * MS, Some(503)), service(200 * MS, None)];
        assert_eq!([1, 2, 3, 4].map(|now| target.fate(0, true, s(now))), fates);
        assert_eq!(target.manner(1, s(4)), Manner::default());
        let spoiled = Manner { closes: false, truncates: true, pace: Some(Pace(100)) };
        assert_eq!(target.manner(1, s(5)), spoiled);
    }

    #[test]
    fn who_was_dead_starts_cold_again() {
        let warmup = Some(Warmup { lasts: Duration::from_secs(2), latency_x: 3.0 });
        let behaviour = Behaviour { warmup, ready_after: Duration::from_secs(1), ..plain() };
        let target = target(behaviour, &[(FaultKind::Kill, 5, 6)]);
        let listening = [0, 1, 4, 5, 6].map(|now| target.is_listening(s(now)));
        assert_eq!(listening, [false, true, true, false, true]);
        assert_eq!(
            [1, 2, 4, 6, 7, 8].map(|now| demand(&target, s(now)).as_millis()),
            [30, 20, 10, 30, 20, 10]
        );
        assert!(target.changes().into_iter().eq([s(1), s(5), s(6)]));
    }

    #[test]
    fn a_process_is_ready_and_cold_after_each_start() {
        let warmup = Some(Warmup { lasts: Duration::from_secs(2), latency_x: 3.0 });
        let behaviour = Behaviour { warmup, ready_after: Duration::from_secs(1), ..plain() };
        let target = target(behaviour, &[]);
        target.set_process(Process::Old);
        assert!(target.is_listening(s(0)) && demand(&target, s(0)) == 10 * MS, "long there");
        target.set_process(Process::Gone);
        assert_eq!((target.is_listening(s(5)), target.is_killed(s(5))), (false, true));
        target.set_process(Process::Since(s(6)));
        assert_eq!([6, 7].map(|now| target.is_listening(s(now))), [false, true]);
        assert_eq!([7, 9].map(|now| demand(&target, s(now)).as_millis()), [30, 10]);
        assert!(target.changes().into_iter().eq([s(7)]));
    }

    #[test]
    fn the_share_of_bodies_that_should_differ_does_and_the_same_ones_each_time() {
        let seen = Seen { method: "GET", path: "/", query: None, headers: &[], body: b"hello" };
        let differing = |share| {
            let target = target(Behaviour { differs: share, ..plain() }, &[]);
            (0..10_000).filter(|&request| target.answer(request, &seen).body != b"hello").collect::<Vec<_>>()
        };
        // Four standard errors of a share of 4 %.
        assert!(differing(0.04).len().abs_diff(400) < 80);
        assert_eq!((differing(0.0).len(), differing(1.0).len()), (0, 10_000));
        assert_eq!(differing(0.04), differing(0.04));
    }

    #[test]
    fn the_last_answer_of_a_connection_closes_it() {
        let keepalive = KeepAlive { idle: None, max_requests: Some(10) };
        let target = target(Behaviour { keepalive, ..plain() }, &[]);
        assert_eq!([9, 10].map(|answers| target.manner(answers, s(0)).closes), [false, true]);
    }
}
