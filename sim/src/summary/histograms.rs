//! Whole distributions, so that nothing has to be measured again to draw another file from a report.

use super::tables::upstream_name;
use super::{Histograms, PhaseHistogram};
use crate::measure::{Measured, MeasuredPhase, Times};
use crate::plan::Plan;

/// Everything that was counted.
pub(super) fn histograms(plan: &Plan, measured: &Measured) -> Histograms {
    let phase = |phase: &MeasuredPhase| {
        let name = phase.kind.name(measured.switches_planned);
        let cells = phase.cells.iter().filter_map(|(upstream, cell)| Some((upstream, cell.timed.as_ref()?)));
        cells
            .filter(|(_, timed)| timed.response.n() > 0)
            .map(|(upstream, timed)| PhaseHistogram {
                phase: name.clone(),
                upstream: upstream.map(|id| upstream_name(plan, id)),
                response_time: timed.response.encoded(),
            })
            .collect::<Vec<_>>()
    };
    Histograms {
        bins: measured.bins.bins.iter().map(|bin| text(&bin.response)).collect(),
        phases: measured.phases.iter().flat_map(phase).collect(),
        targets: measured.targets.iter().map(|target| target.response.as_deref().and_then(text)).collect(),
    }
}

fn text(times: &Times) -> Option<String> {
    (times.n() > 0).then(|| times.encoded())
}
