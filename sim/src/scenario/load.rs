//! `[load]` and `[[load.requests]]`.

use super::Section;
use super::node::{Table, Value};
use super::reader::listed;
use crate::load::{Arrivals, Load, RequestMix, RequestTemplate};

const KEYS: [&str; 9] = [
    "executor",
    "arrivals",
    "rate",
    "duration",
    "warmup",
    "connections",
    "max_in_flight",
    "timeout",
    "requests",
];
const LATER: [&str; 5] = ["stages", "vus", "think", "keepalive", "keys"];
const REQUEST_KEYS: [&str; 5] = ["method", "path", "headers", "body", "weight"];
/// More than one machine can send.
const RATE_MAX: f64 = 1_000_000.0;
/// Requests of one run: what a report can number.
const COUNT_MAX: f64 = 1e9;
const CONNECTIONS_MAX: i64 = 10_000;
const IN_FLIGHT_MAX: i64 = 1_000_000;
const WEIGHT_MAX: i64 = 1_000_000;

/// The load of the scenario `root`.
pub(super) fn read(root: &Section<'_>, defaults: &Table) -> Option<Load> {
    let defaults = table_in(defaults, "load");
    let (table, place) = root.table("load").or_else(|| {
        root.mistakes.note(
            root.place,
            "a scenario needs a load",
            "no [load] here",
            "write [load] with rate and duration",
        );
        None
    })?;
    let section = Section::new(table, defaults, place, "the load", root.mistakes, &KEYS, &LATER);
    one_of(&section, "executor", &["constant-arrival-rate"], &["ramping-arrival-rate", "constant-vus"]);
    let arrivals = match one_of(&section, "arrivals", &["even", "poisson"], &["trace"]) {
        Some("poisson") => Arrivals::Poisson,
        _ => Arrivals::Even,
    };
    let (rate, duration) = (section.positive("rate", RATE_MAX), section.duration("duration"));
    let warmup = section.duration("warmup");
    let connections = section.integer("connections", 1, CONNECTIONS_MAX);
    let max_in_flight = section.integer("max_in_flight", 1, IN_FLIGHT_MAX);
    let timeout = section.duration("timeout");
    let requests = requests(&section, defaults);
    let (rate, duration, warmup, timeout) = (rate?, duration?, warmup?, timeout?);
    for (name, zero) in [("duration", duration.is_zero()), ("timeout", timeout.is_zero())] {
        if zero {
            section.mistakes.note(
                section.place_of(name),
                format!("`{name}` is zero"),
                "nothing fits into it",
                "write more than \"0s\"",
            );
        }
    }
    if warmup >= duration && !duration.is_zero() {
        let help = "the warm-up is the first part of the duration";
        section.mistakes.note(
            section.place_of("warmup"),
            "the warm-up is as long as the load",
            "nothing is left to measure",
            help,
        );
    }
    if rate * duration.as_secs_f64() > COUNT_MAX {
        let help = "lower `rate` or `duration`";
        section.mistakes.note(
            section.place_of("rate"),
            "the load is more than a billion requests",
            "times the duration",
            help,
        );
    }
    Some(Load {
        rate,
        arrivals,
        duration,
        warmup,
        connections: connections? as usize,
        max_in_flight: max_in_flight? as usize,
        timeout,
        requests: requests?,
    })
}

fn requests(load: &Section<'_>, defaults: Option<&Table>) -> Option<RequestMix> {
    let defaults = defaults.and_then(|defaults| entry_in(defaults, "requests"));
    let tables = load.tables("requests");
    let templates: Vec<_> = tables
        .iter()
        .map(|(table, place)| {
            request(&Section::new(table, defaults, place, "a request", load.mistakes, &REQUEST_KEYS, &[]))
        })
        .collect();
    if templates.is_empty() && load.key("requests").is_none() {
        load.mistakes.note(
            load.place,
            "a load needs a request",
            "no [[load.requests]] here",
            "write [[load.requests]] with method and path",
        );
    }
    RequestMix::new(templates.into_iter().collect::<Option<Vec<_>>>()?).ok()
}

fn request(section: &Section<'_>) -> Option<RequestTemplate> {
    let method = section.text("method").filter(|method| {
        let fine = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        if !fine {
            section.mistakes.note(
                section.place_of("method"),
                "a method is one word in capitals",
                "not a method",
                "such as GET or POST",
            );
        }
        fine
    });
    let path = section.text("path").filter(|path| {
        let fine = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if !fine {
            let help = "start with `/` and encode other characters, such as %20 for a space";
            section.mistakes.note(
                section.place_of("path"),
                "a path cannot be sent as it is",
                "not a path",
                help,
            );
        }
        fine
    });
    let headers = headers(section);
    let body = section.text("body");
    let weight = section.integer("weight", 1, WEIGHT_MAX);
    Some(RequestTemplate {
        method: method?.to_owned(),
        path: path?.to_owned(),
        headers: headers?,
        body: body?.as_bytes().to_vec(),
        weight: weight? as u32,
    })
}

/// Header fields; a value that would end its line is refused.
fn headers(section: &Section<'_>) -> Option<Vec<(String, String)>> {
    let node = section.node("headers")?;
    let table = section.as_table(node, "headers")?;
    let mut fields = Vec::with_capacity(table.entries.len());
    for (key, node) in &table.entries {
        let Value::Text(value) = &node.value else {
            return section.wrong_kind(node, &key.name, "a string");
        };
        let name_fine = !key.name.is_empty()
            && key.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let value_fine = value.bytes().all(|b| b == b'\t' || (b' '..0x7f).contains(&b));
        if !name_fine || !value_fine {
            let place = if name_fine { &node.place } else { &key.place };
            section.mistakes.note(
                place,
                format!("`{}` is not a header field", key.name),
                "cannot be sent",
                "use plain letters, and no line ends",
            );
            return None;
        }
        fields.push((key.name.clone(), value.clone()));
    }
    Some(fields)
}

/// A word that must be one of `known`; `later` are those still to come.
pub(super) fn one_of<'a>(
    section: &Section<'a>,
    name: &str,
    known: &[&str],
    later: &[&str],
) -> Option<&'a str> {
    let word = section.text(name)?;
    if known.contains(&word) {
        return Some(word);
    }
    let place = section.place_of(name);
    if later.contains(&word) {
        section.mistakes.note(
            place,
            format!("`{word}` is not served yet"),
            "known, and still to come",
            format!("so far: {}", listed(known)),
        );
    } else {
        let help = super::reader::closest(word, known)
            .map_or_else(|| format!("one of {}", listed(known)), |close| format!("did you mean `{close}`?"));
        section.mistakes.note(place, format!("`{word}` is not a value of `{name}`"), "no such value", help);
    }
    None
}

/// The table `name` of the defaults.
pub(super) fn table_in<'a>(defaults: &'a Table, name: &str) -> Option<&'a Table> {
    match &defaults.get(name)?.value {
        Value::Table(table) => Some(table),
        _ => None,
    }
}

/// The one entry of the list `name` of the defaults.
pub(super) fn entry_in<'a>(defaults: &'a Table, name: &str) -> Option<&'a Table> {
    match &defaults.get(name)?.value {
        Value::List(items) => match &items.first()?.value {
            Value::Table(table) => Some(table),
            _ => None,
        },
        _ => None,
    }
}
