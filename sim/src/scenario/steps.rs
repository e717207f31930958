//! `[[steps]]`: what happens during the run, in order of time.

use std::time::Duration;

use gateway_core::config::Config;

use super::Section;
use super::gateway::is_upstream;
use super::node::Table;
use super::reader::listed;
use crate::plan::{Action, Step};
use crate::words;

const KEYS: [&str; 2] = ["at", "set_host"];
const LATER: [&str; 16] = [
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
];
/// Keys that belong to the scenario and are swallowed by a step when they are written below `[[steps]]`.
const SWALLOWED: [&str; 4] = ["name", "summary", "engine", "seed"];

/// The steps; `duration` is how long the load is.
pub(super) fn read(root: &Section<'_>, config: &Config, file: &str, duration: Option<Duration>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, (table, place)) in root.tables("steps").into_iter().enumerate() {
        let swallowed = swallowed(root, table);
        let known: Vec<_> = KEYS.iter().chain(&swallowed).copied().collect();
        let section = Section::new(table, None, place, "a step", root.mistakes, &known, &LATER);
        let previous = steps.last().map_or(Duration::ZERO, |step| step.at);
        let at = if section.key("at").is_some() { section.duration("at") } else { Some(previous) };
        if let Some(at) = at {
            in_time(&section, at, previous, duration);
        }
        let Some(action) = action(&section, number + 1, config) else { continue };
        if let Some(at) = at {
            steps.push(Step { at, action, line: place.line(file) });
        }
    }
    steps
}

/// Notes the scenario's own keys among those of a step.
fn swallowed(root: &Section<'_>, table: &Table) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (key, _) in &table.entries {
        if let Some(name) = SWALLOWED.iter().find(|name| **name == key.name) {
            root.mistakes.note(
                &key.place,
                format!("`{name}` belongs to the step above it"),
                "below [[steps]], this is a key of that step",
                format!("move `{name}` to the top of the file"),
            );
            found.push(*name);
        }
    }
    found
}

fn in_time(section: &Section<'_>, at: Duration, previous: Duration, duration: Option<Duration>) {
    let place = section.place_of("at");
    if at < previous {
        section.mistakes.note(
            place,
            "a step comes before the one above it",
            "earlier than the step before",
            "write steps in order of time",
        );
    } else if duration.is_some_and(|duration| at >= duration) {
        let seconds = words::short(duration.unwrap_or_default().as_secs_f64(), 3);
        section.mistakes.note(
            place,
            "a step comes after the load has ended",
            "too late",
            format!("the load lasts {seconds} s"),
        );
    }
}

fn action(section: &Section<'_>, number: usize, config: &Config) -> Option<Action> {
    if section.key("set_host").is_none() {
        if !LATER.iter().any(|verb| section.key(verb).is_some()) {
            section.mistakes.note(
                section.place,
                "a step does nothing",
                "no verb here",
                "write set_host = { service, host }",
            );
        }
        return None;
    }
    let node = section.node("set_host")?;
    let table = section.as_table(node, "set_host")?;
    let inner =
        Section::new(table, None, &node.place, "set_host", section.mistakes, &["service", "host"], &[]);
    let (name, host) = (inner.required_text("service"), inner.required_text("host"));
    let service = name.and_then(|name| {
        let found = config.find_service(name).map(|(id, _)| id);
        if found.is_none() {
            let known: Vec<_> =
                config.services().filter_map(|(_, service)| service.name.as_deref()).collect();
            section.mistakes.note(
                inner.place_of("service"),
                format!("step {number} changes a Service that does not exist"),
                format!("no service is called `{name}`"),
                format!("services here: {}", listed(&known)),
            );
        }
        found
    });
    let host = host.filter(|host| names_upstream(&inner, number, host, config));
    Some(Action::SetHost { service: service?, service_name: name?.to_owned(), host: host?.to_owned() })
}

fn names_upstream(inner: &Section<'_>, number: usize, host: &str, config: &Config) -> bool {
    let known: Vec<_> = config.upstreams().map(|(_, upstream)| upstream.name.as_str()).collect();
    if known.is_empty() || known.contains(&host) {
        return is_upstream(inner, "host", host, config);
    }
    inner.mistakes.note(
        inner.place_of("host"),
        format!("step {number} points at an upstream that does not exist"),
        format!("no upstream is called `{host}`"),
        format!("upstreams here: {}", listed(&known)),
    );
    false
}
