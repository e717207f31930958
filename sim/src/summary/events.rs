//! What happened, in order of time: steps, switches, phases, warnings.

use gateway_core::time::Instant;

use super::Event;
use super::tables::ms;
use crate::measure::{Measured, MeasuredSwitch};
use crate::plan::Plan;
use crate::words;

pub(super) fn events(plan: &Plan, measured: &Measured) -> Vec<Event> {
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
        let never = plan.steps.len() - measured.switches.len();
        let steps = if never > 0 {
            format!(", {} never carried out", words::counted(never as u64, "step"))
        } else {
            String::new()
        };
        events.push(event(ms(at), "warning", format!("the run was stopped by a signal{steps}")));
    }
    events.extend(faults(plan, measured.conditions.aborted_at));
    events.sort_by(|a, b| a.t_ms.total_cmp(&b.t_ms));
    events
}

/// The beginning and end of each fault, as far as the run went.
fn faults(plan: &Plan, aborted_at: Option<Instant>) -> Vec<Event> {
    let end = aborted_at.unwrap_or(Instant::ZERO + plan.load.duration());
    let faults = plan.picked_faults();
    let events = faults.all().iter().flat_map(|fault| {
        let names: Vec<_> = fault.mocks.iter().map(|&mock| plan.mocks[mock].name.as_str()).collect();
        let names = names.join(", ");
        [(fault.from, "begins"), (fault.until, "is over")]
            .map(|(at, what)| (at, format!("{} {what}: {names}", fault.kind)))
    });
    events.filter(|(at, _)| *at <= end).map(|(at, text)| event(ms(at), "fault", text)).collect()
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
