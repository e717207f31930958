//! `[[steps]]`: what happens during the run, in order of time.

use std::time::Duration;

use super::gateway::Entities;
use super::reader::{Section, Shape};
use super::services;
use crate::rollout::{Action, Step, When};
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "a step",
    keys: &["at", "set_host"],
    later: &[
        "set_weight",
        "set_target",
        "ramp",
        "set_header_route",
        "set_mirror_route",
        "set_canary_scale",
        "start",
        "wait_ready",
        "stop",
        "pause",
        "analysis",
        "drain",
        "promote",
        "abort",
        "patch",
        "wait_until",
    ],
};
pub(super) const SET_HOST: Shape = Shape { what: "set_host", keys: &["service", "host"], later: &[] };

/// What the file says will happen.
pub(super) struct Steps {
    /// Those that make sense.
    pub(super) steps: Vec<Step>,
    /// How many switches the file asks for, mistakes included.
    pub(super) switches: usize,
}

/// The steps; `duration` is how long the load is.
pub(super) fn read(
    root: &Section<'_>,
    entities: &Entities<'_>,
    file: &str,
    duration: Option<Duration>,
) -> Steps {
    let mut steps: Vec<Step> = Vec::new();
    let sections = root.sections("steps", &SHAPE);
    let mut previous = Duration::ZERO;
    for (number, section) in sections.iter().enumerate() {
        // A step without a time follows the one above it as soon as that is over.
        let when = if section.has("at") { section.duration("at").map(When::At) } else { Some(When::Then) };
        if let Some(When::At(at)) = when
            && is_in_time(section, at, previous, duration)
        {
            previous = at;
        }
        if let Some((action, when)) = action(section, number + 1, entities).zip(when) {
            steps.push(Step { when, action, line: section.place.line(file) });
        }
    }
    let switches = sections.iter().filter(|section| section.has("set_host")).count();
    Steps { steps, switches }
}

fn is_in_time(section: &Section<'_>, at: Duration, previous: Duration, duration: Option<Duration>) -> bool {
    let place = section.place_of("at");
    let seconds = |time: Duration| words::short(time.as_secs_f64(), 3);
    if at < previous {
        let label = format!("the step above starts at {} s", seconds(previous));
        let help = "write steps in order of time";
        section.mistakes.note(place, "a step comes before the one above it", label, help);
    } else if let Some(duration) = duration.filter(|duration| at >= *duration) {
        let help = format!("the load lasts {} s", seconds(duration));
        section.mistakes.note(place, "a step comes after the load has ended", "too late", help);
    } else {
        return true;
    }
    false
}

fn action(section: &Section<'_>, number: usize, entities: &Entities<'_>) -> Option<Action> {
    let Some(node) = section.own("set_host") else {
        // Another verb, or a slip in this one, has been noted already.
        if section.entries().iter().all(|(key, _)| key.name == "at") {
            let help = "write set_host = { service = \"...\", host = \"...\" }";
            section.mistakes.absent(section.place, "a step does nothing", "no verb here", help);
        }
        return None;
    };
    let inner = section.inline("set_host", node, &SET_HOST)?;
    let message = format!("step {number} changes a Service that does not exist");
    let service = services::named(&inner, "service", &message, entities);
    let host = inner.required_text("host", "green").filter(|host| {
        let message = format!("step {number} points at an upstream that does not exist");
        entities.upstreams.check(&inner, "host", host, &message)
    });
    let service_name = inner.text("service")?.to_owned();
    Some(Action::SetHost { service: service?, service_name, host: host?.to_owned() })
}
