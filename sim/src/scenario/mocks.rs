//! `[[mocks]]`: which mock answers for which target, and how.

use std::collections::BTreeSet;

use globset::GlobMatcher;

use super::behaviour::behaviour;
use super::gateway::Named;
use super::latency::latency;
use super::node::{Node, Value};
use super::patterns::matcher;
use super::reader::{Section, Shape};
use super::values::text;
use crate::mock::{Behaviour, Respond};
use crate::plan::MockPlan;

pub(super) const SHAPE: Shape = Shape {
    what: "a mock",
    keys: &[
        "match",
        "latency",
        "respond",
        "version",
        "errors",
        "differs",
        "capacity",
        "queue",
        "discipline",
        "ready_after",
        "warmup",
        "keepalive",
    ],
    later: &[],
};
const RESPOND: Shape = Shape { what: "an answer form", keys: &["bytes"], later: &[] };
/// Bytes of an answer.
const BYTES_MAX: i64 = 16 * 1024 * 1024;

/// One entry of the file.
struct Entry {
    matcher: GlobMatcher,
    /// `None` when it is noted as a mistake.
    behaviour: Option<Behaviour>,
    version: Option<String>,
}

/// A mock for each target name, in the order the file names them.
pub(super) fn read(root: &Section<'_>, targets: &[Named<'_>]) -> Vec<MockPlan> {
    let sections = root.sections("mocks", &SHAPE);
    let entries: Vec<_> = sections.iter().map(entry).collect();
    // A pattern that cannot be read might have matched anything.
    let are_all = entries.iter().all(Option::is_some);
    let mut seen = BTreeSet::new();
    let mut unanswered = None;
    let mut mocks = Vec::new();
    for target in targets.iter().filter(|target| seen.insert(target.name.as_str())) {
        // Later entries win.
        let entry = entries.iter().flatten().rev().find(|entry| entry.matcher.is_match(&target.name));
        if let Some(Entry { behaviour: Some(behaviour), version, .. }) = entry {
            mocks.push(MockPlan {
                name: target.name.clone(),
                upstream: target.upstream,
                upstream_name: target.upstream_name.clone(),
                weight: target.weight,
                version: version.clone().unwrap_or_else(|| target.upstream_name.clone()),
                behaviour: behaviour.clone(),
            });
        }
        // Many targets by number stand in one place; the first of them speaks for all.
        if entry.is_none() && are_all && unanswered != Some(target.place) {
            unanswered = Some(target.place);
            let message = format!("nothing answers for `{}`", target.name);
            let help = "write [[mocks]] with match = \"*\"";
            root.mistakes.absent(target.place, message, "no mock matches this target", help);
        }
    }
    mocks
}

fn entry(section: &Section<'_>) -> Option<Entry> {
    let latency = section.node("latency").and_then(|node| latency(section, node));
    let respond = section.node("respond").and_then(|node| respond(section, node));
    let version = section.node("version").and_then(|node| version(section, node));
    let behaviour = latency.zip(respond).map(|(latency, respond)| behaviour(section, latency, respond));
    Some(Entry { matcher: matcher(section)?, behaviour, version })
}

/// `"anything"`, `"echo"`, `{ bytes = 1024 }`.
pub(super) fn respond(section: &Section<'_>, node: &Node) -> Option<Respond> {
    match &node.value {
        Value::Table(_) => {
            let form = section.inline("respond", node, &RESPOND)?;
            form.required("bytes", "1024")?;
            form.integer("bytes", 0, BYTES_MAX).map(|bytes| Respond::Bytes(bytes as usize))
        }
        Value::Text(word) if word == "bytes" => {
            let help = "write respond = { bytes = 1024 }";
            section.mistakes.note(&node.place, "`bytes` needs a number", "how many?", help);
            None
        }
        _ => match section.one_of("respond", &["anything", "echo"], &[])? {
            "echo" => Some(Respond::Echo),
            _ => Some(Respond::Anything),
        },
    }
}

/// A word that can be sent in a header field.
pub(super) fn version(section: &Section<'_>, node: &Node) -> Option<String> {
    let version = text(node, "version", section.mistakes)?;
    if !version.is_empty() && version.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(version.to_owned());
    }
    let (message, help) = ("a version goes into a header field", "use plain letters without spaces");
    section.mistakes.note(&node.place, message, "cannot be sent", help);
    None
}
