//! The stretches of a run, by what was measured: `warmup`, `before`, and for each switch the time from its application
//! to the last answer of the old version, then the time after. A request belongs to the phase of its intended time.

use gateway_core::time::Instant;

/// What a phase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseKind {
    /// Left out of every latency.
    Warmup,
    /// Up to the first switch.
    Before,
    /// From the application of a switch (from 0) to the last answer of the old version.
    Switch(usize),
    /// From there on.
    After(usize),
}

impl PhaseKind {
    /// Its name in a run with so many switches: they are numbered when there are several.
    pub fn name(self, switches: usize) -> String {
        let numbered = |name: &str, at: usize| {
            if switches > 1 { format!("{name}-{}", at + 1) } else { name.to_owned() }
        };
        match self {
            Self::Warmup => "warmup".to_owned(),
            Self::Before => "before".to_owned(),
            Self::Switch(at) => numbered("switch", at),
            Self::After(at) => numbered("after", at),
        }
    }
}

/// A phase and where it begins; it ends where the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseStart {
    /// Which.
    pub kind: PhaseKind,
    /// Its first moment.
    pub from: Instant,
}

/// The phases begun so far.
#[derive(Debug)]
pub(super) struct Phases {
    starts: Vec<PhaseStart>,
    /// Where the switch began whose end is not known yet: later moments belong to no phase so far.
    open: Option<(usize, Instant)>,
}

impl Phases {
    /// The phases of a run that nothing happens in.
    pub(super) fn new(warmup: Instant) -> Self {
        let mut starts = vec![PhaseStart { kind: PhaseKind::Before, from: warmup }];
        if warmup > Instant::ZERO {
            starts.insert(0, PhaseStart { kind: PhaseKind::Warmup, from: Instant::ZERO });
        }
        Self { starts, open: None }
    }

    /// All phases, in order of time.
    pub(super) fn starts(&self) -> &[PhaseStart] {
        &self.starts
    }

    /// The phase of a moment, as an index into [`Phases::starts`]; `None` while that is open.
    pub(super) fn of(&self, at: Instant) -> Option<usize> {
        if self.open.is_some_and(|(_, from)| at >= from) {
            return None;
        }
        // Mostly it is the last one.
        Some(self.starts.iter().rposition(|start| start.from <= at).unwrap_or(0))
    }

    /// The switch whose end is not known yet, and when it was applied.
    pub(super) fn open(&self) -> Option<(usize, Instant)> {
        self.open
    }

    /// Whether there is one.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// A switch was applied. What was to begin later never does.
    ///
    /// # Panics
    /// When an earlier switch is still open.
    pub(super) fn begin_switch(&mut self, switch: usize, applied: Instant) {
        assert!(self.open.is_none(), "one switch at a time");
        self.starts.retain(|start| start.from < applied);
        self.starts.push(PhaseStart { kind: PhaseKind::Switch(switch), from: applied });
        self.open = Some((switch, applied));
    }

    /// The open switch ended at `end`, or when it was applied if that is later.
    pub(super) fn end_switch(&mut self, end: Instant) {
        if let Some((switch, from)) = self.open.take() {
            self.starts.push(PhaseStart { kind: PhaseKind::After(switch), from: end.max(from) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(phases: &Phases) -> Vec<(String, u64)> {
        phases.starts().iter().map(|s| (s.kind.name(2), s.from.as_nanos() / 1_000_000)).collect()
    }

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_moment_belongs_to_one_phase_and_to_none_while_a_switch_is_open() {
        let mut phases = Phases::new(ms(2));
        assert_eq!([0, 1, 2, 99].map(|at| phases.of(ms(at))), [Some(0), Some(0), Some(1), Some(1)]);
        phases.begin_switch(0, ms(10));
        assert_eq!([9, 10, 20].map(|at| phases.of(ms(at))), [Some(1), None, None]);
        phases.end_switch(ms(15));
        assert_eq!([10, 14, 15, 99].map(|at| phases.of(ms(at))), [Some(2), Some(2), Some(3), Some(3)]);
        phases.begin_switch(1, ms(20));
        phases.end_switch(ms(18));
        let expected = [("warmup", 0), ("before", 2), ("switch-1", 10), ("after-1", 15), ("switch-2", 20)];
        assert_eq!(names(&phases)[..5], expected.map(|(name, at)| (name.to_owned(), at)));
        assert_eq!(phases.of(ms(20)), Some(5), "a switch without an old answer holds no request");
    }

    #[test]
    fn a_switch_within_the_warm_up_leaves_no_before() {
        let mut phases = Phases::new(ms(10));
        phases.begin_switch(0, ms(5));
        phases.end_switch(ms(6));
        let expected = [("warmup", 0), ("switch-1", 5), ("after-1", 6)];
        assert_eq!(names(&phases), expected.map(|(name, at)| (name.to_owned(), at)));
        let mut at_once = Phases::new(Instant::ZERO);
        at_once.begin_switch(0, Instant::ZERO);
        at_once.end_switch(Instant::ZERO);
        assert_eq!(at_once.of(Instant::ZERO), Some(1));
    }

    #[test]
    fn a_single_switch_is_not_numbered() {
        assert_eq!([PhaseKind::Switch(0), PhaseKind::After(0)].map(|k| k.name(1)), ["switch", "after"]);
    }
}
