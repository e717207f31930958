//! What happened, in order of time: steps, switches, phases, faults, warnings.

use super::tables::ms;
use super::{Event, FaultSpan};
use crate::measure::{Measured, MeasuredSwitch};
use crate::plan::Plan;
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
