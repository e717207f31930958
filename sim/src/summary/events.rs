//! What happened, in order of time: steps, switches, phases, faults, warnings.

use super::tables::ms;
use super::{Event, FaultSpan};
use crate::measure::{Measured, MeasuredSwitch};
use crate::plan::Plan;
use crate::rollout::{Action, Mark, MarkKind};
use crate::words;

pub(super) fn events(plan: &Plan, measured: &Measured, faults: &[FaultSpan]) -> Vec<Event> {
    let mut events: Vec<Event> = measured
        .phases
        .iter()
        .map(|phase| {
            event(ms(phase.from), "phase", format!("{} begins", phase.kind.name(measured.switches_planned)))
        })
        .collect();
    for (at, switch) in measured.switches.iter().enumerate() {
        events.extend(of_switch(at, switch));
    }
    events.extend(
        measured.warnings.iter().map(|warning| event(ms(warning.at), "warning", warning.text.clone())),
    );
    events.extend(measured.rollout.marks.iter().filter_map(|mark| of_mark(plan, mark)));
    if let Some(at) = measured.conditions.aborted_at {
        let never = plan.steps.len().saturating_sub(measured.switches.len());
        let steps = if never > 0 {
            format!(", {} never carried out", words::counted(never as u64, "step"))
        } else {
            String::new()
        };
        events.push(event(ms(at), "warning", format!("the run was stopped by a signal{steps}")));
    }
    events.extend(faults.iter().flat_map(of_fault));
    events.sort_by(|a, b| a.t_ms.total_cmp(&b.t_ms));
    events
}

/// What a switch does not tell already.
fn of_mark(plan: &Plan, mark: &Mark) -> Option<Event> {
    let step = mark.step.and_then(|step| Some((step + 1, plan.action(step)?)));
    let (kind, text) = match (&mark.kind, step) {
        (MarkKind::Began, Some((step, action))) if !matches!(action, Action::SetHost { .. }) => {
            ("step", format!("step {step}: {}", action.in_words()))
        }
        (MarkKind::Failed(why), Some((step, _))) => ("warning", format!("step {step} failed: {why}")),
        (MarkKind::Judged { analysis, verdict, evidence }, _) => {
            let name = plan.rollout.analyses.get(*analysis).map_or("", |analysis| analysis.name.as_str());
            ("analysis", format!("{name}: {}: {}", verdict.as_str(), evidence.in_words()))
        }
        (MarkKind::Held(why), _) => ("rollout", format!("held: {why}")),
        (MarkKind::Aborted(why), _) => ("rollout", format!("given up: {why}")),
        (MarkKind::RolledBack, _) => ("rollout", "rolled back".to_owned()),
        (MarkKind::Promoted, _) => ("rollout", "promoted".to_owned()),
        _ => return None,
    };
    Some(event(ms(mark.at), kind, text))
}

fn of_fault(fault: &FaultSpan) -> impl Iterator<Item = Event> {
    let moments = [(Some(fault.from_ms), "begins"), (fault.until_ms, "is over")];
    let (kind, targets) = (fault.kind.clone(), fault.targets.join(", "));
    moments
        .into_iter()
        .filter_map(move |(at, what)| Some(event(at?, "fault", format!("{kind} {what}: {targets}"))))
}

fn of_switch(at: usize, switch: &MeasuredSwitch) -> Vec<Event> {
    let name = format!("{} {} -> {}", switch.service, switch.from, switch.to);
    let requested = ms(switch.moments.requested);
    let mut events = vec![event(requested, "step", format!("step {}: {name} requested", switch.step + 1))];
    if let Some(applied) = switch.applied() {
        events.push(event(ms(applied), "switch", format!("switch {}: {name} applied", at + 1)));
    }
    if switch.moments.acked.is_none() {
        let text = match switch.moments.applied {
            Some(_) => format!("step {}: {name} was applied but never acknowledged", switch.step + 1),
            None => format!("step {}: {name} failed", switch.step + 1),
        };
        events.push(event(requested, "warning", text));
    }
    if switch.stale_picks > 0 {
        let picks = words::counted(switch.stale_picks, "pick");
        let text = format!("{picks} of {} after the switch to {} was acknowledged", switch.from, switch.to);
        events.push(event(switch.moments.acked.map_or(requested, ms), "warning", text));
    }
    events
}

fn event(t_ms: f64, kind: &str, text: String) -> Event {
    Event { t_ms, kind: kind.to_owned(), text }
}
