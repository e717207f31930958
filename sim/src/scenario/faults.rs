//! `[[faults]]`: what goes wrong at the mocks, and when.

use std::time::Duration;

use super::behaviour::{errors, latency_x};
use super::node::{Node, Value};
use super::patterns::matcher;
use super::reader::{Section, Shape};
use super::values::{boolean, number, text};
use crate::mock::{Fault, FaultKind, Pace};
use crate::plan::MockPlan;
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "a fault",
    keys: &[
        "at",
        "for",
        "match",
        "fraction",
        "errors",
        "latency_x",
        "refuse",
        "reset",
        "hang",
        "blackhole",
        "close",
        "truncate",
        "slow_body",
        "kill",
        "partition",
        "deregister",
    ],
    later: &[],
};
/// The first keys say when and where, the others what.
const WHEN_AND_WHERE: usize = 4;
const UNITS: [(&str, f64); 4] = [("GB/s", 1e9), ("MB/s", 1e6), ("KB/s", 1e3), ("B/s", 1.0)];

/// All faults; `duration` is how long the load is.
pub(super) fn read(root: &Section<'_>, mocks: &[MockPlan], duration: Option<Duration>) -> Vec<Fault> {
    let sections = root.sections("faults", &SHAPE);
    sections.iter().filter_map(|section| fault(section, mocks, duration)).collect()
}

fn fault(section: &Section<'_>, mocks: &[MockPlan], duration: Option<Duration>) -> Option<Fault> {
    let at = section.duration("at").filter(|&at| is_in_time(section, at, duration));
    let lasts = if section.has("for") { section.some_time("for").map(Some) } else { Some(None) };
    let mocks = matched(section, mocks);
    let fraction =
        section.node("fraction").and_then(|node| number(node, "fraction", 0.0, 1.0, section.mistakes));
    let kind = kind(section);
    Some(Fault {
        at: at?,
        lasts: lasts?,
        pattern: section.text("match")?.to_owned(),
        mocks: mocks?,
        fraction: fraction?,
        kind: kind?,
    })
}

fn is_in_time(section: &Section<'_>, at: Duration, duration: Option<Duration>) -> bool {
    let late = duration.filter(|duration| at >= *duration);
    if let Some(duration) = late {
        let help = format!("the load lasts {} s", words::short(duration.as_secs_f64(), 3));
        section.mistakes.note(
            section.place_of("at"),
            "a fault comes after the load has ended",
            "too late",
            help,
        );
    }
    late.is_none()
}

/// The mocks it matches; there is one at least.
fn matched(section: &Section<'_>, mocks: &[MockPlan]) -> Option<Vec<usize>> {
    let matcher = matcher(section)?;
    let matched: Vec<_> = (0..mocks.len()).filter(|&mock| matcher.is_match(&mocks[mock].name)).collect();
    // Without any mock, that is the mistake.
    if matched.is_empty() && !mocks.is_empty() {
        let names: Vec<_> = mocks.iter().map(|mock| mock.name.as_str()).collect();
        let help = words::closest(section.text("match")?, &names).map_or_else(
            || "write match = \"*\" for all".to_owned(),
            |close| format!("did you mean `{close}`?"),
        );
        section.mistakes.note(
            section.place_of("match"),
            "a fault hits nobody",
            "no target is called so",
            help,
        );
        return None;
    }
    Some(matched)
}

/// The one thing that goes wrong.
fn kind(section: &Section<'_>) -> Option<FaultKind> {
    let kinds = &SHAPE.keys[WHEN_AND_WHERE..];
    let mut said = section.entries().iter().filter(|(key, _)| kinds.contains(&key.name.as_str()));
    let Some((key, node)) = said.next() else {
        // A slip in the key itself has been noted already.
        if section.entries().iter().all(|(key, _)| SHAPE.keys.contains(&key.name.as_str())) {
            let help = format!("write one of {}", words::quoted(kinds));
            section.mistakes.absent(section.place, "a fault does nothing", "nothing goes wrong here", help);
        }
        return None;
    };
    if let Some((second, _)) = said.next() {
        let (message, label) = ("a fault is one thing", format!("`{}` stands here already", key.name));
        section.mistakes.note(&second.place, message, label, "write two [[faults]]");
        return None;
    }
    let flag = |kind| is_on(section, &key.name, node).then_some(kind);
    match key.name.as_str() {
        "errors" => errors(section, node).map(FaultKind::Errors),
        "latency_x" => latency_x(section, node).map(FaultKind::LatencyX),
        "slow_body" => pace(section, node).map(FaultKind::SlowBody),
        "refuse" => flag(FaultKind::Refuse),
        "reset" => flag(FaultKind::Reset),
        "hang" => flag(FaultKind::Hang),
        "blackhole" => flag(FaultKind::Blackhole),
        "close" => flag(FaultKind::Close),
        "truncate" => flag(FaultKind::Truncate),
        "kill" => flag(FaultKind::Kill),
        "partition" => flag(FaultKind::Partition),
        _ => flag(FaultKind::Deregister),
    }
}

fn is_on(section: &Section<'_>, name: &str, node: &Node) -> bool {
    let on = boolean(node, name, section.mistakes);
    if on == Some(false) {
        let help = format!("write {name} = true, or leave the fault out");
        section.mistakes.note(&node.place, "a fault does nothing", "it is switched off", help);
    }
    on == Some(true)
}

/// `"10KB/s"`
fn pace(section: &Section<'_>, node: &Node) -> Option<Pace> {
    const HELP: &str = "write \"10KB/s\"; units are B/s, KB/s, MB/s and GB/s";
    let note = |label: &str| section.mistakes.note(&node.place, "`slow_body` is not a pace", label, HELP);
    if !matches!(node.value, Value::Text(_)) {
        note("not bytes over a time");
        return None;
    }
    let said = text(node, "slow_body", section.mistakes)?;
    let split = UNITS.iter().find_map(|(unit, bytes)| Some((said.strip_suffix(unit)?, bytes)));
    let number = split.and_then(|(number, bytes)| Some(number.trim().parse::<f64>().ok()? * bytes));
    match number {
        Some(pace) if (1.0..=1e12).contains(&pace) => Some(Pace(pace as u64)),
        Some(_) => {
            note("at least one byte a second");
            None
        }
        None => {
            note("not bytes over a time");
            None
        }
    }
}
