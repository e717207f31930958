//! What goes wrong at the mock targets, and when. Which targets a fault picks is drawn once; whether it is on is a question
//! of time. Leaves carrying it out to the engines.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use gateway_core::rng::{draw, fnv1a};
use gateway_core::time::Instant;

use super::{Errors, Pace};

/// One thing that goes wrong for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// When it begins.
    pub at: Duration,
    /// How long it lasts; `None` is to the end of the run.
    pub lasts: Option<Duration>,
    /// The glob over target names, as written.
    pub pattern: String,
    /// The mocks it matches, by index.
    pub mocks: Vec<usize>,
    /// The share of them that it picks, at least one.
    pub fraction: f64,
    /// What it is.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaultKind {
    /// A share of the answers are errors.
    Errors(Errors),
    /// Answers take so many times as long.
    LatencyX(f64),
    /// New connections are refused.
    Refuse,
    /// Requests are accepted, and their connections reset before an answer.
    Reset,
    /// Requests are read, and taken up in order of arrival when it is over; so are answers that were due.
    Hang,
    /// Requests are read and never answered.
    Blackhole,
    /// Connections are closed after each answer, without warning.
    Close,
    /// Bodies are shorter than announced.
    Truncate,
    /// Bodies come slowly.
    SlowBody(Pace),
    /// The process is gone: open connections are reset, new ones refused.
    Kill,
    /// Nothing goes in or out, and nothing is reset; what was sent meanwhile arrives when it is over.
    Partition,
    /// It leaves its Upstreams while alive. Nothing happens at the target: whoever drives the gateway takes its weight away.
    Deregister,
}

/// A target leaves its Upstreams, or comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// When.
    pub at: Instant,
    /// Which mock, by index.
    pub mock: usize,
    /// Whether it comes back.
    pub returns: bool,
}

/// All faults of a run.
#[derive(Clone, Debug)]
pub struct Faults {
    scheduled: Vec<Scheduled>,
}

/// A fault with its moments, and the targets it picked.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// When it begins.
    pub from: Instant,
    /// When it is over; [`Instant::MAX`] is never.
    pub until: Instant,
    /// What it is.
    pub kind: FaultKind,
    /// Whom it hits, by index.
    pub mocks: BTreeSet<usize>,
    /// Its stream.
    stream: u64,
}

/// The faults that are on at one target at one moment.
#[derive(Clone, Debug)]
pub struct Active<'a> {
    on: Vec<&'a Scheduled>,
    /// When the target was last started again.
    pub restarted: Option<Instant>,
}

// === impl Faults ===

impl Faults {
    /// Picks the targets of each fault by `seed`; `names` are those of all mocks.
    pub fn new(faults: &[Fault], names: &[&str], seed: u64) -> Self {
        Self { scheduled: faults.iter().map(|fault| Scheduled::new(fault, names, seed)).collect() }
    }

    /// All of them, as the scenario lists them.
    pub fn all(&self) -> &[Scheduled] {
        &self.scheduled
    }

    /// What is on at `mock`.
    pub fn at(&self, mock: usize, now: Instant) -> Active<'_> {
        let ends = self.of(mock).filter(|fault| fault.kind == FaultKind::Kill && fault.until <= now);
        Active {
            on: self.of(mock).filter(|fault| fault.from <= now && now < fault.until).collect(),
            restarted: ends.map(|fault| fault.until).max(),
        }
    }

    /// The moments at which something begins or ends at `mock`, in order.
    pub fn changes(&self, mock: usize) -> BTreeSet<Instant> {
        let moments = self.of(mock).flat_map(|fault| [fault.from, fault.until]);
        moments.filter(|&at| at != Instant::MAX).collect()
    }

    /// Who leaves its Upstreams and who comes back, in order of time. Faults that touch are one.
    pub fn registrations(&self) -> Vec<Registration> {
        let leaves = |fault: &&Scheduled| fault.kind == FaultKind::Deregister;
        let mocks: BTreeSet<usize> =
            self.scheduled.iter().filter(leaves).flat_map(|fault| fault.mocks.iter().copied()).collect();
        let mut all = Vec::new();
        for mock in mocks {
            let mut was_out = false;
            for at in self.changes(mock) {
                let is_out = self.at(mock, at).is_on(&FaultKind::Deregister);
                if is_out != was_out {
                    all.push(Registration { at, mock, returns: !is_out });
                }
                was_out = is_out;
            }
        }
        all.sort_unstable();
        all
    }

    /// The first moment from `now` on at which `mock` does not hang; [`Instant::MAX`] is never.
    pub fn thawed(&self, mock: usize, now: Instant) -> Instant {
        let mut at = now;
        while let Some(until) = self.at(mock, at).until(&FaultKind::Hang) {
            at = until;
        }
        at
    }

    /// Whether nothing ever happens to `mock`.
    pub fn spare(&self, mock: usize) -> bool {
        self.of(mock).next().is_none()
    }

    fn of(&self, mock: usize) -> impl Iterator<Item = &Scheduled> {
        self.scheduled.iter().filter(move |fault| fault.mocks.contains(&mock))
    }
}

// === impl Scheduled ===

impl Scheduled {
    fn new(fault: &Fault, names: &[&str], seed: u64) -> Self {
        let from = Instant::ZERO + fault.at;
        // Called by what it is, not by its number: another fault changes none of its draws.
        let stream = fnv1a(&format!("fault/{}/{}/{}", fault.kind, fault.pattern, from.as_nanos()));
        let count = (fault.mocks.len() as f64 * fault.fraction).round().max(1.0) as usize;
        let mut mocks = fault.mocks.clone();
        mocks.sort_by_key(|&mock| (draw(seed, stream, fnv1a(names[mock])), mock));
        mocks.truncate(count);
        let until = fault.lasts.map_or(Instant::MAX, |lasts| from + lasts);
        Self { from, until, kind: fault.kind, mocks: mocks.into_iter().collect(), stream }
    }
}

// === impl Active ===

impl Active<'_> {
    /// Whether a fault of this very kind is on.
    pub fn is_on(&self, kind: &FaultKind) -> bool {
        self.on.iter().any(|fault| fault.kind == *kind)
    }

    /// When the last fault of this very kind that is on will be over.
    pub fn until(&self, kind: &FaultKind) -> Option<Instant> {
        self.on.iter().filter(|fault| fault.kind == *kind).map(|fault| fault.until).max()
    }

    /// Whether new connections are accepted.
    pub fn is_listening(&self) -> bool {
        !self.is_on(&FaultKind::Refuse) && !self.is_on(&FaultKind::Kill)
    }

    /// How many times as long answers take.
    pub fn latency_x(&self) -> f64 {
        let times = |kind| if let FaultKind::LatencyX(times) = kind { times } else { 1.0 };
        self.on.iter().map(|fault| times(fault.kind)).product()
    }

    /// The slowest pace of bodies.
    pub fn pace(&self) -> Option<Pace> {
        let paces = self.on.iter().filter_map(|fault| match fault.kind {
            FaultKind::SlowBody(pace) => Some(pace),
            _ => None,
        });
        paces.min_by_key(|pace| pace.0)
    }

    /// Errors and their streams.
    pub fn errors(&self) -> impl Iterator<Item = (u64, Errors)> {
        self.on.iter().filter_map(|fault| match fault.kind {
            FaultKind::Errors(errors) => Some((fault.stream, errors)),
            _ => None,
        })
    }
}

// === impl FaultKind ===

impl fmt::Display for FaultKind {
    /// As a scenario has it, with what it says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Errors(errors) => return write!(f, "errors {} of status {}", errors.share, errors.status),
            Self::LatencyX(times) => return write!(f, "latency_x {times}"),
            Self::SlowBody(pace) => return write!(f, "slow_body {} B/s", pace.0),
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::Blackhole => "blackhole",
            Self::Close => "close",
            Self::Truncate => "truncate",
            Self::Kill => "kill",
            Self::Partition => "partition",
            Self::Deregister => "deregister",
        };
        f.write_str(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::{Behaviour, Draws, Latency, Respond};

    const NAMES: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    fn fault(kind: FaultKind, from_s: u64, lasts_s: u64, fraction: f64) -> Fault {
        Fault {
            at: Duration::from_secs(from_s),
            lasts: Some(Duration::from_secs(lasts_s)),
            pattern: "*".into(),
            mocks: (0..NAMES.len()).collect(),
            fraction,
            kind,
        }
    }

    fn s(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1000)
    }

    #[test]
    fn faults_are_on_from_their_beginning_to_before_their_end() {
        let faults = [fault(FaultKind::Kill, 1, 2, 1.0), fault(FaultKind::LatencyX(2.0), 2, 3, 1.0)];
        let faults = Faults::new(&faults, &NAMES, 1);
        let at = |now| {
            let active = faults.at(3, s(now));
            (active.is_listening(), active.latency_x() > 1.5, active.restarted)
        };
        assert_eq!([0, 1, 2].map(at), [(true, false, None), (false, false, None), (false, true, None)]);
        assert_eq!([3, 5].map(at), [(true, true, Some(s(3))), (true, false, Some(s(3)))]);
        assert!(faults.changes(3).into_iter().eq([s(1), s(2), s(3), s(5)]));
    }

    #[test]
    fn a_fraction_is_drawn_by_seed_and_hits_somebody() {
        let picked = |fraction, seed| {
            let faults = Faults::new(&[fault(FaultKind::Reset, 1, 1, fraction)], &NAMES, seed);
            faults.all()[0].mocks.clone()
        };
        assert_eq!([0.01, 0.3, 1.0].map(|fraction| picked(fraction, 1).len()), [1, 3, 10]);
        assert_eq!(picked(0.3, 1), picked(0.3, 1));
        assert!((2..20).any(|seed| picked(0.3, seed) != picked(0.3, 1)));
    }

    #[test]
    fn another_fault_shifts_nobody_elses_draws() {
        let errors = FaultKind::Errors(Errors { share: 0.5, status: 500 });
        let alone = [fault(errors, 1, 9, 0.5)];
        let with = [fault(FaultKind::Reset, 0, 9, 0.2), alone[0].clone()];
        let (alone, with) = (Faults::new(&alone, &NAMES, 1), Faults::new(&with, &NAMES, 1));
        assert_eq!(alone.all()[0].mocks, with.all()[1].mocks);
        let behaviour = Behaviour::new(Latency::Exponential(Duration::from_millis(5)), Respond::Echo);
        for (mock, name) in NAMES.iter().enumerate() {
            let draws = Draws::new(1, name, &behaviour);
            let of = |faults: &Faults, request| {
                let active = faults.at(mock, s(2));
                let demand = draws.demand(&behaviour, (request, true), Duration::ZERO, &active);
                (demand, draws.error(&behaviour, request, &active))
            };
            assert!((0..100).all(|request| of(&alone, request) == of(&with, request)));
        }
    }

    #[test]
    fn who_leaves_comes_back_once_and_faults_that_touch_are_one() {
        let mut faults =
            [(1, 2), (3, 1), (6, 1)].map(|(from, lasts)| fault(FaultKind::Deregister, from, lasts, 1.0));
        for fault in &mut faults {
            fault.mocks = vec![3];
        }
        let told = Faults::new(&faults, &NAMES, 1).registrations();
        let told: Vec<_> = told.iter().map(|told| (told.at, told.mock, told.returns)).collect();
        assert_eq!(told, [(s(1), 3, false), (s(4), 3, true), (s(6), 3, false), (s(7), 3, true)]);
    }

    #[test]
    fn hangs_that_touch_are_one() {
        let faults = [fault(FaultKind::Hang, 1, 1, 1.0), fault(FaultKind::Hang, 2, 2, 1.0)];
        let faults = Faults::new(&faults, &NAMES, 1);
        assert_eq!([0, 1, 3, 4].map(|now| faults.thawed(0, s(now))), [s(0), s(4), s(4), s(4)]);
    }
}
