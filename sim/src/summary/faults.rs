//! What went wrong at the targets, as the scenario said it should.

use gateway_core::time::Instant;

use super::FaultSpan;
use super::tables::ms;
use crate::plan::Plan;

/// The faults that had begun by `end`, as the seed picked their targets, in order of time.
pub(super) fn faults(plan: &Plan, end: Instant) -> Vec<FaultSpan> {
    let faults = plan.picked_faults();
    let mut spans: Vec<_> = faults
        .all()
        .iter()
        .filter(|fault| fault.from <= end)
        .map(|fault| FaultSpan {
            from_ms: ms(fault.from),
            until_ms: (fault.until <= end).then(|| ms(fault.until)),
            kind: fault.kind.to_string(),
            targets: fault.mocks.iter().map(|&mock| plan.mocks[mock].name.clone()).collect(),
        })
        .collect();
    spans.sort_by(|a, b| a.from_ms.total_cmp(&b.from_ms));
    spans
}
