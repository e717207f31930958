//! `[[steps]]`: what happens during the run, in order of time.

use std::time::Duration;

use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::verbs::Known;
use crate::rollout::{Step, When};
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "a step",
    keys: &[
        "at",
        "set_host",
        "set_weight",
        "ramp",
        "set_target",
        "patch",
        "set_header_route",
        "set_mirror_route",
        "set_split",
        "set_canary_scale",
        "pause",
        "wait_until",
        "analysis",
        "start",
        "wait_ready",
        "drain",
        "stop",
        "promote",
        "abort",
    ],
    later: &[],
};
/// All keys but the time.
pub(super) const VERBS: &[&str] = SHAPE.keys.split_at(1).1;

/// The steps that the file writes out; `duration` is how long the load is.
pub(super) fn read(
    root: &Section<'_>,
    known: &mut Known<'_, '_>,
    file: &str,
    duration: Option<Duration>,
) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut previous = Duration::ZERO;
    for (number, section) in root.sections("steps", &SHAPE).iter().enumerate() {
        // A step without a time follows the one above it as soon as that is over.
        let when = if section.has("at") { section.duration("at").map(When::At) } else { Some(When::Then) };
        if let Some(When::At(at)) = when
            && is_in_time(section, at, previous, duration)
        {
            previous = at;
        }
        let actions = verb(section).and_then(|(verb, node)| known.actions(section, verb, node, number + 1));
        let Some((actions, mut when)) = actions.zip(when) else { continue };
        let line = section.place.line(file);
        for action in actions {
            steps.push(Step { when: std::mem::replace(&mut when, When::Then), action, line });
        }
    }
    steps
}

/// How many switches the file writes out, mistakes included.
pub(super) fn switches(root: &Section<'_>) -> usize {
    let steps = root.own("steps").map(|node| &node.value);
    let Some(Value::List(steps)) = steps else { return 0 };
    let has_switch =
        |step: &&Node| matches!(&step.value, Value::Table(table) if table.get("set_host").is_some());
    steps.iter().filter(has_switch).count()
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

/// The one verb of a step.
fn verb<'a>(section: &Section<'a>) -> Option<(&'a str, &'a Node)> {
    let is_verb = |name: &str| VERBS.contains(&name);
    let mut said = section.entries().iter().filter(|(key, _)| is_verb(&key.name));
    let Some((key, node)) = said.next() else {
        // Another verb, or a slip in this one, has been noted already.
        if section.entries().iter().all(|(key, _)| key.name == "at") {
            let help = "write set_host = { service = \"...\", host = \"...\" }";
            section.mistakes.absent(section.place, "a step does nothing", "no verb here", help);
        }
        return None;
    };
    if let Some((second, _)) = said.next() {
        let (message, label) = ("a step is one thing", format!("`{}` stands here already", key.name));
        section.mistakes.note(&second.place, message, label, "write two [[steps]]");
        return None;
    }
    Some((&key.name, node))
}
