//! Which requests a threshold's tags mean.

use crate::measure::{Measured, MeasuredPhase, PhaseKind, Tally, Timed};
use crate::plan::{Plan, Threshold};

/// The requests that tags select.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// How they ended.
    pub(super) tally: Tally,
    /// Of those, how many were served more than once.
    pub(super) duplicates: u64,
    /// The latencies that count: outside the warm-up, unless that was asked for by name.
    pub(super) timed: Timed,
}

/// The value of a tag.
pub(super) fn tag<'a>(threshold: &'a Threshold, name: &str) -> Option<&'a str> {
    threshold.tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.as_str())
}

/// What `threshold` is about.
///
/// # Errors
/// When its tags ask for what is not kept apart.
pub(super) fn select(
    plan: &Plan,
    measured: &Measured,
    threshold: &Threshold,
) -> Result<Selection, &'static str> {
    let [target, version] = ["target", "version"].map(|name| tag(threshold, name));
    if target.is_none() && version.is_none() {
        return Ok(by_phase(plan, measured, threshold));
    }
    if tag(threshold, "phase").is_some() {
        return Err("targets are not measured by phase");
    }
    let mut selection = Selection::default();
    for (mock, tally) in plan.mocks.iter().zip(&measured.targets) {
        let is_meant = target.is_none_or(|target| target == mock.name)
            && version.is_none_or(|version| version == mock.version)
            && tag(threshold, "upstream").is_none_or(|upstream| upstream == mock.upstream_name);
        if is_meant {
            selection.tally.add(&tally.tally);
            selection.timed.dropped += tally.dropped;
            if let (Some(response), Some(service)) = (&tally.response, &tally.service) {
                selection.timed.response.add(response);
                selection.timed.service.add(service);
            }
        }
    }
    Ok(selection)
}

fn by_phase(plan: &Plan, measured: &Measured, threshold: &Threshold) -> Selection {
    let mut selection = Selection::default();
    let wanted = tag(threshold, "phase");
    let upstream = tag(threshold, "upstream");
    for phase in measured.phases.iter().filter(|phase| wanted.is_none_or(|name| is_called(phase, name))) {
        selection.duplicates += phase.duplicates;
        for (id, cell) in &phase.cells {
            let name = id.map(|id| super::tables::upstream_name(plan, id));
            if upstream.is_some() && name.as_deref() != upstream {
                continue;
            }
            selection.tally.add(&cell.tally);
            if let Some(timed) = cell.timed.as_ref().filter(|_| wanted.is_some() || is_warm(phase)) {
                selection.timed.add(timed);
            }
        }
    }
    selection
}

fn is_warm(phase: &MeasuredPhase) -> bool {
    phase.kind != PhaseKind::Warmup
}

/// Whether a phase goes by this name: `switch` and `after` mean all of them, and a number is never wrong.
pub(super) fn is_called(phase: &MeasuredPhase, name: &str) -> bool {
    let numbered = phase.kind.name(usize::MAX);
    let family = phase.kind.name(1);
    name == numbered || name == family
}
