//! How far a run is, for whoever watches it.

use gateway_core::time::Instant;

use super::Cause;
use super::phases::PhaseKind;
use super::recorder::Recorder;
use super::switches::MeasuredSwitch;

/// How far a run is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The newest moment seen.
    pub at: Instant,
    /// Of several runs, how many are done, and how many there are to be.
    pub runs: Option<(u32, u32)>,
    /// The phase it is in.
    pub phase: String,
    /// All phases begun so far.
    pub milestones: Vec<Milestone>,
    /// Requests answered.
    pub answered: u64,
    /// Requests dropped.
    pub dropped: u64,
    /// Attempts the gateway has under way.
    pub in_flight: u64,
    /// What dropped most, if anything did.
    pub largest_cause: Option<Cause>,
    /// 99th percentile of the response time so far, outside the warm-up.
    pub p99_us: Option<f64>,
    /// 99th percentile of the generator's lag so far.
    pub lag_p99_us: Option<f64>,
}

/// The begin of a phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Milestone {
    /// When it began.
    pub at: Instant,
    /// Its name.
    pub phase: String,
    /// For a switch: `blue -> green, requested 10.0000, applied 10.0013`.
    pub detail: String,
}

impl Progress {
    pub(super) fn new(recorder: &Recorder) -> Self {
        let planned = recorder.facts.plan.switches_max();
        let milestones: Vec<Milestone> = recorder
            .phases
            .starts()
            .iter()
            .filter(|start| start.from <= recorder.clock)
            .map(|start| Milestone {
                at: start.from,
                phase: start.kind.name(planned),
                detail: match start.kind {
                    PhaseKind::Switch(at) => detail(&recorder.switches[at]),
                    _ => String::new(),
                },
            })
            .collect();
        let totals = recorder.totals();
        Self {
            at: recorder.clock,
            runs: None,
            phase: milestones.last().map_or_else(String::new, |last| last.phase.clone()),
            milestones,
            answered: recorder.so_far.answered,
            dropped: recorder.so_far.dropped(),
            in_flight: recorder.in_flight(),
            largest_cause: recorder.so_far.largest_cause(),
            p99_us: totals.response.beyond(0.99),
            lag_p99_us: totals.lag.beyond(0.99),
        }
    }
}

fn detail(switch: &MeasuredSwitch) -> String {
    let seconds = |at: Instant| format!("{:.4}", at.as_millis_f64() / 1e3);
    let applied = switch.applied().map_or_else(String::new, |at| format!(", applied {}", seconds(at)));
    format!("{} -> {}, requested {}{applied}", switch.from, switch.to, seconds(switch.moments.requested))
}
