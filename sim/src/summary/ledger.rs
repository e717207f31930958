//! The ledger in the names of the report.

use super::Ledger;
use crate::measure::{Cause, Measured, MeasuredPhase, Tally};

/// The ledger of the whole run.
///
/// # Panics
/// When it does not balance; the recorder has checked that it does.
pub(super) fn whole(measured: &Measured) -> Ledger {
    let mut sum = Ledger::default();
    for page in measured.phases.iter().map(phase) {
        sum.intended += page.intended;
        sum.answered += page.answered;
        sum.dropped += page.dropped;
        sum.target_5xx += page.target_5xx;
        sum.duplicates += page.duplicates;
        sum.wrong_version += page.wrong_version;
        sum.lost += page.lost;
        for (cause, n) in page.dropped_by_cause {
            *sum.dropped_by_cause.entry(cause).or_default() += n;
        }
    }
    sum.retries = measured.retried.ended();
    sum.hedges = measured.hedged;
    assert_eq!(sum.intended, measured.intended, "phases add up to the whole");
    assert_eq!(sum.intended, sum.answered + sum.dropped, "intended = answered + dropped");
    sum
}

/// The ledger of a phase.
pub(super) fn phase(phase: &MeasuredPhase) -> Ledger {
    let tally = phase.tally();
    Ledger {
        intended: phase.intended,
        answered: tally.answered,
        dropped: tally.dropped(),
        target_5xx: tally.target_5xx,
        duplicates: phase.duplicates,
        wrong_version: tally.wrong_version,
        lost: phase.lost,
        retries: 0,
        hedges: 0,
        dropped_by_cause: by_cause(&tally),
    }
}

fn by_cause(tally: &Tally) -> std::collections::BTreeMap<String, u64> {
    Cause::ALL
        .into_iter()
        .map(|cause| (cause.as_str().to_owned(), tally.dropped_by(cause)))
        .filter(|(_, n)| *n > 0)
        .collect()
}
