//! Which requests a threshold's tags mean.

use gateway_core::id::UpstreamId;

use crate::load::RequestTemplate;
use crate::measure::{Measured, MeasuredPhase, PartKey, PhaseKind, Tally, Timed};
use crate::plan::{Metric, Plan, Threshold};

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
    let wanted = Wanted::new(plan, threshold);
    let needs_times = matches!(threshold.metric, Metric::Latency | Metric::ServiceTime);
    if needs_times && wanted.is_of_parts && measured.parts_are_crowded {
        return Err("there are too many targets and requests to keep the latencies of each");
    }
    let mut selection = Selection::default();
    for phase in measured.phases.iter().filter(|phase| wanted.phase.is_none_or(|name| is_called(phase, name)))
    {
        let is_timed = wanted.phase.is_some() || is_warm(phase);
        let kinds = phase.kinds.iter().zip(&wanted.kinds);
        selection.duplicates +=
            kinds.filter(|(_, meant)| **meant).map(|(kind, _)| kind.duplicates).sum::<u64>();
        if wanted.is_of_parts {
            selection.add_parts(phase, &wanted, is_timed);
        } else {
            selection.add_cells(phase, &wanted, is_timed);
        }
    }
    Ok(selection)
}

/// The values of a threshold's tags.
struct Wanted<'a> {
    plan: &'a Plan,
    phase: Option<&'a str>,
    upstream: Option<&'a str>,
    target: Option<&'a str>,
    version: Option<&'a str>,
    /// For each kind of request, whether it is meant.
    kinds: Vec<bool>,
    /// Whether cells are too coarse to tell.
    is_of_parts: bool,
}

impl<'a> Wanted<'a> {
    fn new(plan: &'a Plan, threshold: &'a Threshold) -> Self {
        let [phase, upstream, target, version, request, stream] =
            ["phase", "upstream", "target", "version", "request", "stream"].map(|name| tag(threshold, name));
        let is_meant = |(of, kind): (usize, &RequestTemplate)| {
            stream.is_none_or(|stream| plan.load.streams[of].name == stream)
                && request.is_none_or(|request| kind.title() == request)
        };
        Self {
            plan,
            phase,
            upstream,
            target,
            version,
            kinds: plan.load.templates().map(is_meant).collect(),
            is_of_parts: [target, version, request, stream].iter().any(Option::is_some),
        }
    }

    fn is_upstream(&self, id: Option<UpstreamId>) -> bool {
        let name = || id.map(|id| super::tables::upstream_name(self.plan, id));
        self.upstream.is_none_or(|upstream| name().as_deref() == Some(upstream))
    }

    fn is_mock(&self, mock: Option<u32>) -> bool {
        if self.target.is_none() && self.version.is_none() {
            return true;
        }
        mock.and_then(|mock| self.plan.mocks.get(mock as usize)).is_some_and(|mock| {
            self.target.is_none_or(|target| target == mock.name)
                && self.version.is_none_or(|version| version == mock.version)
        })
    }
}

impl Selection {
    fn add_cells(&mut self, phase: &MeasuredPhase, wanted: &Wanted<'_>, is_timed: bool) {
        for (_, cell) in phase.cells.iter().filter(|(upstream, _)| wanted.is_upstream(**upstream)) {
            self.tally.add(&cell.tally);
            if let Some(timed) = cell.timed.as_ref().filter(|_| is_timed) {
                self.timed.add(timed);
            }
        }
    }

    fn add_parts(&mut self, phase: &MeasuredPhase, wanted: &Wanted<'_>, is_timed: bool) {
        let is_meant = |key: &PartKey| {
            wanted.kinds[key.kind] && wanted.is_mock(key.mock) && wanted.is_upstream(key.upstream)
        };
        for (_, part) in phase.parts.iter().filter(|(key, _)| is_meant(key)) {
            self.tally.add(&part.tally);
            if is_timed {
                self.timed.dropped += part.dropped;
                if let Some(times) = &part.times {
                    self.timed.answered.add(times);
                }
            }
        }
    }
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
