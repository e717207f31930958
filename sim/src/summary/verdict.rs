//! Pass, fail or invalid, and what the process exits with.

use gateway_core::time::Instant;

use super::promises::BreachRow;
use super::rollout::RolloutSummary;
use super::{Ledger, Outcome, Switch, ThresholdResult, Trust, Validity, Verdict, WeightRow, sentence};
use crate::measure::Measured;

/// Exit codes, as DESIGN.md lists them. A run stopped by a signal exits with the signal's code instead.
const PASS: u8 = 0;
pub(super) const NOT_TRUSTWORTHY: u8 = 97;
pub(super) const THRESHOLD_FAILED: u8 = 99;

/// What a verdict rests on.
pub(super) struct Evidence<'a> {
    pub(super) measured: &'a Measured,
    pub(super) requests: &'a Ledger,
    pub(super) validity: &'a Validity,
    pub(super) switches: &'a [Switch],
    pub(super) weights: &'a [WeightRow],
    pub(super) rollout: Option<&'a RolloutSummary>,
}

impl Evidence<'_> {
    /// A promise of the rollout that was not kept.
    pub(super) fn broken_promise(&self) -> Option<&BreachRow> {
        self.rollout?.breaches.first()
    }
}

/// The verdict: a measurement that cannot be trusted judges nothing. `strict` asks for a VALID one.
pub(super) fn judge(evidence: &Evidence<'_>, thresholds: Vec<ThresholdResult>, strict: bool) -> Verdict {
    let is_trusted = match evidence.validity.result {
        Trust::Valid => true,
        Trust::Degraded => !strict,
        Trust::Invalid => false,
    };
    let (result, exit_code) = if !is_trusted {
        (Outcome::Invalid, NOT_TRUSTWORTHY)
    } else if evidence.broken_promise().is_some() || thresholds.iter().any(|threshold| !threshold.ok) {
        (Outcome::Fail, THRESHOLD_FAILED)
    } else {
        (Outcome::Pass, PASS)
    };
    Verdict {
        result,
        exit_code,
        aborted: evidence.measured.conditions.aborted_at.is_some(),
        aborted_at_ms: evidence.measured.conditions.aborted_at.map(Instant::as_millis_f64),
        sentence: sentence::of(evidence, &thresholds, result),
        thresholds,
    }
}
