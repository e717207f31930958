//! What a mock does besides answering: its errors, places, start and connections.

use std::time::Duration;

use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::values::{integer, number};
use crate::mock::{Behaviour, Discipline, Errors, KeepAlive, Latency, Places, Respond, Warmup};

const ERRORS: Shape = Shape { what: "errors", keys: &["share", "status"], later: &[] };
const WARMUP: Shape = Shape { what: "a warmup", keys: &["for", "latency_x"], later: &[] };
const KEEPALIVE: Shape = Shape { what: "keepalive", keys: &["idle", "max_requests"], later: &[] };
/// What an error is when its status is not said.
const STATUS: i64 = 500;
/// More than any target has.
const PLACES_MAX: i64 = 1_000_000;
/// So many times as long takes longer than any run.
const TIMES_MAX: f64 = 1e6;

/// All of it; what is wrong is noted and left out.
pub(super) fn behaviour(section: &Section<'_>, latency: Latency, respond: Respond) -> Behaviour {
    let optional = |name: &str| section.own(name);
    Behaviour {
        errors: optional("errors").and_then(|node| errors(section, node)),
        differs: optional("differs")
            .and_then(|node| number(node, "differs", 0.0, 1.0, section.mistakes))
            .unwrap_or(0.0),
        places: places(section),
        ready_after: section.duration("ready_after").unwrap_or_default(),
        warmup: optional("warmup").and_then(|node| warmup(section, node)),
        keepalive: optional("keepalive").and_then(|node| keepalive(section, node)).unwrap_or_default(),
        ..Behaviour::new(latency, respond)
    }
}

/// Without a capacity nobody ever waits or shares.
fn places(section: &Section<'_>) -> Places {
    for name in ["queue", "discipline"] {
        if section.has(name) && !section.has("capacity") {
            let (message, label) = (format!("`{name}` needs `capacity`"), "nobody ever waits here");
            section.mistakes.note(
                section.place_of(name),
                message,
                label,
                "write capacity = 8, or leave it out",
            );
        }
    }
    let optional = |name: &str| section.own(name);
    Places {
        capacity: optional("capacity").and_then(|node| capacity(section, node)),
        queue: optional("queue").and_then(|node| queue(section, node)),
        discipline: match section.one_of("discipline", &["fifo", "ps"], &[]) {
            Some("ps") => Discipline::Ps,
            _ => Discipline::Fifo,
        },
    }
}

/// `0.04`, `{ share = 0.04, status = 503 }`.
pub(super) fn errors(section: &Section<'_>, node: &Node) -> Option<Errors> {
    let share = |node: &Node, name| number(node, name, 0.0, 1.0, section.mistakes);
    if !matches!(node.value, Value::Table(_)) {
        return Some(Errors { share: share(node, "errors")?, status: STATUS as u16 });
    }
    let form = section.inline("errors", node, &ERRORS)?;
    let share = form.required("share", "0.04").and_then(|node| share(node, "share"));
    let status = if form.has("status") { form.integer("status", 400, 599) } else { Some(STATUS) };
    Some(Errors { share: share?, status: status? as u16 })
}

/// Requests served at once.
pub(super) fn capacity(section: &Section<'_>, node: &Node) -> Option<usize> {
    integer(node, "capacity", 1, PLACES_MAX, section.mistakes).map(|places| places as usize)
}

/// Waiting places.
pub(super) fn queue(section: &Section<'_>, node: &Node) -> Option<usize> {
    integer(node, "queue", 0, PLACES_MAX, section.mistakes).map(|places| places as usize)
}

/// How many times as long an answer takes.
pub(super) fn latency_x(section: &Section<'_>, node: &Node) -> Option<f64> {
    number(node, "latency_x", 0.0, TIMES_MAX, section.mistakes)
}

fn warmup(section: &Section<'_>, node: &Node) -> Option<Warmup> {
    let form = section.inline("warmup", node, &WARMUP)?;
    let (lasts, times) = (form.some_time("for"), form.required("latency_x", "5"));
    Some(Warmup { lasts: lasts?, latency_x: latency_x(&form, times?)? })
}

fn keepalive(section: &Section<'_>, node: &Node) -> Option<KeepAlive> {
    let form = section.inline("keepalive", node, &KEEPALIVE)?;
    let time = |name| -> Option<Option<Duration>> {
        if form.has(name) { form.some_time(name).map(Some) } else { Some(None) }
    };
    let idle = time("idle");
    let max_requests = form.integer("max_requests", 1, i64::MAX).map(i64::unsigned_abs);
    Some(KeepAlive { idle: idle?, max_requests })
}
