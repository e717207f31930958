//! From measurement to judgement: what a recorder hands over becomes one `Summary`, with thresholds evaluated, the
//! measurement itself judged, and a verdict. Leaves every format to `report`.

mod model;
pub use histograms::quantile;
pub use model::*;
mod replications;
pub use replications::{Digest, Figure, Replications, pool};

mod latency;
mod ledger;
mod selection;

mod accuracy;
mod attempts;
mod events;
mod faults;
mod histograms;
mod lens;
pub mod mirror;
pub mod promises;
mod requests;
pub mod rollout;
mod scales;
mod series;
mod serving;
mod shares;
mod tables;

mod sentence;
mod thresholds;
mod validity;
mod verdict;
mod worst;

pub use worst::second as worst_second;

use gateway_core::time::Instant;

use crate::measure::Measured;
use crate::plan::Plan;

/// What a summary must be told, because nothing measured says it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Where and how it ran.
    pub environment: Environment,
    /// What changes from run to run.
    pub volatile: Volatile,
    /// Whether a DEGRADED measurement is not good enough.
    pub strict: bool,
}

/// Judges a finished run.
pub fn summarise(plan: &Plan, measured: &Measured, facts: Facts) -> Summary {
    let validity = validity::judge(plan, measured);
    let ledger = ledger::whole(measured);
    let switches = tables::switches(plan, measured);
    let weights = tables::weights(plan, measured);
    let end = measured.conditions.aborted_at.unwrap_or(Instant::ZERO + plan.load.duration());
    let faults = faults::faults(plan, end);
    let rollout = rollout::rollout(plan, measured);
    let thresholds = thresholds::evaluate(
        plan,
        measured,
        &thresholds::Rows { switches: &switches, weights: &weights, rollout: rollout.as_ref() },
    );
    let evidence = verdict::Evidence {
        measured,
        requests: &ledger,
        validity: &validity,
        switches: &switches,
        weights: &weights,
        rollout: rollout.as_ref(),
    };
    let mut summary = Summary {
        schema: SCHEMA,
        scenario: tables::scenario(plan),
        verdict: verdict::judge(&evidence, thresholds, facts.strict),
        samples: tables::samples(plan, measured),
        latency_us: latency::answered(&measured.response),
        latency_all_us: latency::intended(&measured.response, latency::dropped_when_warm(measured)),
        phases: tables::phases(plan, measured),
        streams: requests::streams(plan, measured),
        request_kinds: requests::kinds(plan, measured),
        spectrum: latency::spectra(plan, measured),
        targets: tables::targets(plan, measured),
        slowest: tables::slowest(plan, measured),
        cpu_us_per_request: series::cpu_per_request(measured),
        series: series::series(plan, measured),
        histograms: histograms::histograms(plan, measured),
        events: events::events(plan, measured, &faults),
        environment: facts.environment,
        volatile: facts.volatile,
        validity,
        requests: ledger,
        weights,
        switches,
        rollout,
        mirror: mirror::mirror(plan, measured),
        faults,
        replications: None,
    };
    let finite = |time: Option<f64>| time.filter(|time| time.is_finite());
    let worst = finite(worst_second(&summary));
    let begins =
        summary.rollout.as_ref().and_then(|rollout| rollout.steps.first()).map(|step| step.requested_ms);
    let before = finite(begins.and_then(|begins| worst::before(&summary, begins)));
    if let Some(rollout) = &mut summary.rollout {
        (rollout.worst_second_us, rollout.before_us) = (worst, before);
    }
    summary
}

#[cfg(test)]
mod tests;
