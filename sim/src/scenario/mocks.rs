//! `[[mocks]]`: which mock answers for which target, and how.

use std::collections::BTreeSet;

use globset::{GlobBuilder, GlobMatcher};

use super::diagnostic::{Diagnostic, Place};
use super::gateway::Named;
use super::mistakes::Mistakes;
use super::node::{Key, Node, Table, Value};
use super::reader::{EMPTY, Section, Shape};
use super::values::{duration, text};
use crate::mock::{Behaviour, Latency, Respond};
use crate::plan::MockPlan;

const SHAPE: Shape = Shape {
    what: "a mock",
    keys: &["match", "latency", "respond", "version"],
    later: &["errors", "capacity", "queue", "discipline", "ready_after", "warmup", "keepalive"],
};
const LATENCY: Shape =
    Shape { what: "a latency", keys: &["p50", "p99", "exponential", "uniform"], later: &["pareto", "trace"] };
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
    let behaviour = latency.zip(respond).map(|(latency, respond)| Behaviour { latency, respond });
    Some(Entry { matcher: matcher(section)?, behaviour, version })
}

/// Host names know no capitals, so neither do patterns.
fn matcher(section: &Section<'_>) -> Option<GlobMatcher> {
    let pattern = section.required_text("match", "*")?;
    match GlobBuilder::new(pattern).case_insensitive(true).build() {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(e) => {
            let (place, help) = (section.place_of("match"), "`*` and `?` stand for other characters");
            section.mistakes.note(place, "a pattern cannot be read", e.kind().to_string(), help);
            None
        }
    }
}

/// `"5ms"`, `{ p50, p99 }`, `{ exponential }`, `{ uniform = [from, to] }`.
fn latency(section: &Section<'_>, node: &Node) -> Option<Latency> {
    let mistakes = section.mistakes;
    let form = match &node.value {
        Value::Table(_) => latency_form(&section.inline("latency", node, &LATENCY)?)?,
        _ => Latency::Constant(duration(node, "latency", mistakes)?),
    };
    let help = "a median above zero and a p99 not below it; two bounds, the lower first";
    form.checked()
        .map_err(|e| mistakes.note(&node.place, "a latency makes no sense", e.to_string(), help))
        .ok()
}

fn latency_form(form: &Section<'_>) -> Option<Latency> {
    let mut names: Vec<_> = form.entries().iter().map(|(key, _)| key.name.as_str()).collect();
    names.sort_unstable();
    match names.as_slice() {
        ["p50" | "p99"] | ["p50", "p99"] => {
            let (p50, p99) = (form.duration("p50"), form.duration("p99"));
            Some(Latency::LogNormal { p50: p50?, p99: p99? })
        }
        ["exponential"] => form.duration("exponential").map(Latency::Exponential),
        ["uniform"] => uniform(form),
        names => {
            // Any other key has been noted already.
            if names.iter().all(|name| LATENCY.keys.contains(name)) {
                let help = "write \"5ms\", { p50, p99 }, { exponential } or { uniform = [from, to] }";
                form.mistakes.note(form.place, "a latency has one form", "not one of its forms", help);
            }
            None
        }
    }
}

fn uniform(form: &Section<'_>) -> Option<Latency> {
    if let [from, to] = form.list("uniform") {
        let bound = |node| duration(node, "uniform", form.mistakes);
        let (from, to) = (bound(from), bound(to));
        return Some(Latency::Uniform(from?, to?));
    }
    if form.own("uniform").is_some_and(|node| matches!(node.value, Value::List(_))) {
        let place = form.place_of("uniform");
        form.mistakes.note(
            place,
            "`uniform` has two bounds",
            "not two durations",
            "write [\"1ms\", \"9ms\"]",
        );
    }
    None
}

/// `"anything"`, `"echo"`, `{ bytes = 1024 }`.
fn respond(section: &Section<'_>, node: &Node) -> Option<Respond> {
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
fn version(section: &Section<'_>, node: &Node) -> Option<String> {
    let version = text(node, "version", section.mistakes)?;
    if !version.is_empty() && version.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(version.to_owned());
    }
    let (message, help) = ("a version goes into a header field", "use plain letters without spaces");
    section.mistakes.note(&node.place, message, "cannot be sent", help);
    None
}

// === Mocks by flags ===

/// The latency that a flag gives: `5ms`, `p50=4ms,p99=20ms`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn latency_of(flag: &str) -> Result<Latency, String> {
    of_flag("latency", flag, latency)
}

/// The answer form that a flag gives: `anything`, `echo`, `bytes=1024`.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn respond_of(flag: &str) -> Result<Respond, String> {
    of_flag("respond", flag, respond)
}

/// The version that a flag gives.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn version_of(flag: &str) -> Result<String, String> {
    of_flag("version", flag, version)
}

/// What `key` would mean in a scenario, where `{ a = "b" }` is written `a=b`.
fn of_flag<T>(key: &str, flag: &str, read: impl Fn(&Section<'_>, &Node) -> Option<T>) -> Result<T, String> {
    let place = Place::set(0, 0..flag.len());
    let node = |value| Node { value, place: place.clone() };
    let named = |name: &str| Key { name: name.trim().to_owned(), place: place.clone() };
    let word = |text: &str| text.parse().map_or_else(|_| Value::Text(text.to_owned()), Value::Integer);
    let pairs = flag.split(',').map(|part| part.split_once('=').unwrap_or((part, "")));
    let value = if flag.contains('=') {
        let entries = pairs.map(|(name, value)| (named(name), node(word(value.trim())))).collect();
        Value::Table(Table { entries })
    } else {
        Value::Text(flag.to_owned())
    };
    let table = Table { entries: vec![(named(key), node(value))] };
    let mistakes = Mistakes::default();
    let read = {
        let section = Section::whole(&table, &EMPTY, &place, &SHAPE, &mistakes);
        section.own(key).and_then(|node| read(&section, node))
    };
    let told: Vec<_> = mistakes.in_order().0.iter().map(Diagnostic::to_string).collect();
    read.filter(|_| told.is_empty()).ok_or_else(|| told.join("; "))
}
