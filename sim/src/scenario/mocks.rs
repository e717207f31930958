//! `[[mocks]]`: which mock answers for which target, and how.

use globset::{GlobBuilder, GlobMatcher};

use super::Section;
use super::gateway::Named;
use super::load::{entry_in, one_of};
use super::node::{Node, Table, Value};
use super::reader::{Mistakes, duration, listed};
use crate::mock::{Behaviour, Latency, Respond};
use crate::plan::MockPlan;

const KEYS: [&str; 4] = ["match", "latency", "respond", "version"];
const LATER: [&str; 8] =
    ["errors", "capacity", "queue", "discipline", "ready_after", "warmup", "keepalive", "ready"];
const FORMS: [&str; 4] = ["p50", "p99", "exponential", "uniform"];
const FORMS_LATER: [&str; 2] = ["pareto", "trace"];
/// Bytes of an answer.
const BYTES_MAX: i64 = 16 * 1024 * 1024;

/// One entry of the file.
struct Entry {
    matcher: GlobMatcher,
    behaviour: Option<Behaviour>,
    version: Option<String>,
}

/// A mock for each target name, in the order the file names them.
pub(super) fn read(root: &Section<'_>, defaults: &Table, targets: &[Named<'_>]) -> Vec<MockPlan> {
    let entries: Vec<_> = root
        .tables("mocks")
        .into_iter()
        .filter_map(|(table, place)| {
            let defaults = entry_in(defaults, "mocks");
            entry(&Section::new(table, defaults, place, "a mock", root.mistakes, &KEYS, &LATER))
        })
        .collect();
    let mut mocks: Vec<MockPlan> = Vec::new();
    for target in targets {
        if mocks.iter().any(|mock| mock.name == target.name) {
            continue;
        }
        // Later entries win.
        let Some(entry) = entries.iter().rev().find(|entry| entry.matcher.is_match(&target.name)) else {
            let help = "write [[mocks]] with match = \"*\"";
            root.mistakes.note(
                target.place,
                format!("nothing answers for `{}`", target.name),
                "no mock matches this target",
                help,
            );
            continue;
        };
        if let Some(behaviour) = &entry.behaviour {
            mocks.push(MockPlan {
                name: target.name.clone(),
                upstream: target.upstream,
                upstream_name: target.upstream_name.clone(),
                weight: target.weight,
                version: entry.version.clone().unwrap_or_else(|| target.upstream_name.clone()),
                behaviour: behaviour.clone(),
            });
        }
    }
    mocks
}

fn entry(section: &Section<'_>) -> Option<Entry> {
    let pattern = section.required_text("match")?;
    let matcher = match GlobBuilder::new(pattern).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(e) => {
            section.mistakes.note(
                section.place_of("match"),
                "a pattern cannot be read",
                e.kind().to_string(),
                "`*` and `?` stand for other characters",
            );
            return None;
        }
    };
    let latency = section.node("latency").and_then(|node| latency(section, node));
    let respond = section.node("respond").and_then(|node| respond(section, node));
    let version = section.text("version").filter(|version| {
        let fine = !version.is_empty() && version.bytes().all(|b| b.is_ascii_graphic());
        if !fine {
            section.mistakes.note(
                section.place_of("version"),
                "a version goes into a header field",
                "cannot be sent",
                "use plain letters without spaces",
            );
        }
        fine
    });
    let behaviour = latency.zip(respond).map(|(latency, respond)| Behaviour { latency, respond });
    Some(Entry { matcher, behaviour, version: version.map(str::to_owned) })
}

/// `"5ms"`, `{ p50, p99 }`, `{ exponential }`, `{ uniform = [from, to] }`.
fn latency(section: &Section<'_>, node: &Node) -> Option<Latency> {
    let mistakes = section.mistakes;
    let form = match &node.value {
        Value::Table(table) => {
            let inner = Section::new(table, None, &node.place, "a latency", mistakes, &FORMS, &FORMS_LATER);
            let names: Vec<_> = table.entries.iter().map(|(key, _)| key.name.as_str()).collect();
            match names.as_slice() {
                ["p50" | "p99"] | ["p50", "p99"] | ["p99", "p50"] => {
                    let (p50, p99) = (inner.duration("p50"), inner.duration("p99"));
                    Latency::LogNormal { p50: p50?, p99: p99? }
                }
                ["exponential"] => Latency::Exponential(inner.duration("exponential")?),
                ["uniform"] => uniform(&inner, mistakes)?,
                known if known.iter().all(|name| FORMS.contains(name)) => {
                    let help = "write \"5ms\", { p50, p99 }, { exponential } or { uniform = [from, to] }";
                    mistakes.note(&node.place, "a latency has one form", "not one of its forms", help);
                    return None;
                }
                _ => return None,
            }
        }
        _ => Latency::Constant(duration(node, "latency", mistakes)?),
    };
    form.checked()
        .map_err(|e| mistakes.note(&node.place, format!("this latency makes no sense: {e}"), "", ""))
        .ok()
}

fn uniform(inner: &Section<'_>, mistakes: &Mistakes) -> Option<Latency> {
    if let [from, to] = inner.list("uniform") {
        let (from, to) = (duration(from, "uniform", mistakes), duration(to, "uniform", mistakes));
        return Some(Latency::Uniform(from?, to?));
    }
    let place = inner.place_of("uniform");
    mistakes.note(place, "`uniform` has two bounds", "not two durations", "write [\"1ms\", \"9ms\"]");
    None
}

/// `"anything"`, `"echo"`, `{ bytes = 1024 }`.
fn respond(section: &Section<'_>, node: &Node) -> Option<Respond> {
    if let Value::Table(table) = &node.value {
        let inner =
            Section::new(table, None, &node.place, "an answer form", section.mistakes, &["bytes"], &[]);
        inner.required("bytes")?;
        return inner.integer("bytes", 0, BYTES_MAX).map(|bytes| Respond::Bytes(bytes as usize));
    }
    match one_of(section, "respond", &["anything", "echo"], &["bytes"])? {
        "echo" => Some(Respond::Echo),
        "anything" => Some(Respond::Anything),
        other => {
            section.mistakes.note(
                &node.place,
                format!("`{other}` is no answer form"),
                "",
                listed(&["anything", "echo"]),
            );
            None
        }
    }
}
