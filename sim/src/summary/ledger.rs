//! The ledger in the names of the report.

use super::Ledger;
use crate::measure::{Again, Cause, KindTally, Measured, MeasuredPhase, Tally};

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
    sum.hedges = measured.again.iter().map(|again| again.hedges).sum();
    assert_eq!(sum.intended, measured.intended, "phases add up to the whole");
    assert_eq!(sum.intended, sum.answered + sum.dropped, "intended = answered + dropped");
    sum
}

/// The ledger of a phase.
pub(super) fn phase(phase: &MeasuredPhase) -> Ledger {
    page(phase.expected(), &phase.tally(), Again::default())
}

/// A page of what was intended, how it ended, and what was sent again.
pub(super) fn page(expected: KindTally, tally: &Tally, again: Again) -> Ledger {
    Ledger {
        intended: expected.intended,
        answered: tally.answered,
        dropped: tally.dropped(),
        target_5xx: tally.target_5xx,
        duplicates: expected.duplicates,
        wrong_version: tally.wrong_version,
        lost: expected.lost,
        retries: again.retries,
        hedges: again.hedges,
        dropped_by_cause: by_cause(tally),
    }
}

fn by_cause(tally: &Tally) -> std::collections::BTreeMap<String, u64> {
    Cause::ALL
        .into_iter()
        .map(|cause| (cause.as_str().to_owned(), tally.dropped_by(cause)))
        .filter(|(_, n)| *n > 0)
        .collect()
}
