//! `[[load.streams]]`: several loads at once, each laid over `[load]`, whose keys are their defaults.

use std::collections::BTreeSet;

use super::node::Table;
use super::reader::{Section, Shape as Keys};
use super::{Input, arrivals, requests, retry, users};
use crate::load::{ONLY, Stream};

pub(super) const SHAPE: Keys = Keys { what: "a stream", keys: &KEYS, later: &[] };
const KEYS: [&str; 15] = [
    "name",
    "executor",
    "arrivals",
    "rate",
    "stages",
    "trace",
    "vus",
    "think",
    "duration",
    "stop_after",
    "timeout",
    "requests",
    "keys",
    "retry",
    "hedge",
];
/// What goes with one executor or one kind of arrivals only: a stream that names its own has its own.
const OF_EXECUTOR: [&str; 6] = ["arrivals", "rate", "stages", "trace", "vus", "think"];
const STREAMS_MAX: usize = 16;
/// A name stands in tables and thresholds.
const NAME_MAX: usize = 64;

/// The streams of the load in `section`: those it lists, else itself.
pub(super) fn read(section: &Section<'_>, input: &Input, identity: &mut Vec<String>) -> Option<Vec<Stream>> {
    if !section.has("streams") {
        return Some(vec![stream(section, ONLY.to_owned(), input, identity)?]);
    }
    let sections = section.sections("streams", &SHAPE);
    if sections.len() > STREAMS_MAX || sections.is_empty() {
        let help = format!("write one to {STREAMS_MAX} [[load.streams]]");
        let label = format!("{} here", sections.len());
        section.mistakes.note(
            section.place_of("streams"),
            "a load has too few or too many streams",
            label,
            help,
        );
        return None;
    }
    let mut names = BTreeSet::new();
    let streams: Vec<_> = sections
        .iter()
        .map(|own| {
            let name = name(own, &mut names);
            let table = laid_over(section.table, own.table);
            stream(&own.over(&table, section), name.unwrap_or_default(), input, identity)
        })
        .collect();
    // Several streams may name the same file.
    identity.sort_unstable();
    identity.dedup();
    streams.into_iter().collect()
}

/// The keys of a stream, and those of the load that it leaves out.
fn laid_over(load: &Table, own: &Table) -> Table {
    let has_executor = own.get("executor").or_else(|| own.get("arrivals")).is_some();
    let is_meant = |name: &str| {
        KEYS.contains(&name) && own.get(name).is_none() && !(has_executor && OF_EXECUTOR.contains(&name))
    };
    let mut table = own.clone();
    table.entries.extend(load.entries.iter().filter(|(key, _)| is_meant(&key.name)).cloned());
    table
}

fn name(section: &Section<'_>, names: &mut BTreeSet<String>) -> Option<String> {
    let name = section.required_text("name", "checkout")?;
    let note = |message: &str, label: &str, help: String| {
        section.mistakes.note(section.place_of("name"), message, label, help);
    };
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !is_plain || name.is_empty() || name.len() > NAME_MAX || name == ONLY {
        let help = format!("use letters, digits, `.`, `-` and `_`, at most {NAME_MAX}, and not `{ONLY}`");
        note("the name of a stream stands in tables and thresholds", "cannot be one", help);
        return None;
    }
    if !names.insert(name.to_owned()) {
        note("two streams have the same name", "a second time", "call it something else".to_owned());
        return None;
    }
    Some(name.to_owned())
}

/// The stream that `section` is.
fn stream(section: &Section<'_>, name: String, input: &Input, identity: &mut Vec<String>) -> Option<Stream> {
    let arrivals = arrivals::read(section, input, identity);
    let timeout = section.some_time("timeout");
    let requests = requests::read(section, input, identity);
    let users = users::read(section);
    let (retry, hedge) = (retry::read(section), retry::hedge(section));
    let (shape, arrivals) = arrivals?;
    let stream = Stream {
        name,
        shape,
        arrivals,
        timeout: timeout?,
        requests: requests?,
        users: users?,
        retry: retry?,
        hedge: hedge?,
    };
    check_size(section, &stream);
    check_fields(section, &stream);
    Some(stream)
}

fn check_size(section: &Section<'_>, stream: &Stream) {
    if stream.total() == 0 {
        let size = ["stages", "trace"].into_iter().find(|key| section.has(key)).unwrap_or("rate");
        let (message, label) = ("the load is not a single request", "less than one with this duration");
        section.mistakes.note(section.place_of(size), message, label, "raise the rate or the duration");
    }
}

/// The header field that the load writes for each user is not written by its requests too. Cookies stand beside one another.
fn check_fields(section: &Section<'_>, stream: &Stream) {
    if let Some(name) = &stream.users.header {
        let requests = stream.requests.templates().iter();
        if requests.flat_map(|request| &request.headers).any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            let message = format!("the header field `{name}` is written for each user");
            let (label, help) =
                ("a request has one of its own", "leave it out of the headers, or of the keys");
            section.mistakes.note(section.place_of("keys"), message, label, help);
        }
    }
}
