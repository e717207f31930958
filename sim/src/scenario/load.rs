//! `[load]`.

use super::reader::{Section, Shape as Keys};
use super::{Input, arrivals, requests, retry, users};
use crate::load::{Load, Schedule, Shape};

const SHAPE: Keys = Keys {
    what: "the load",
    keys: &[
        "executor",
        "arrivals",
        "rate",
        "stages",
        "trace",
        "vus",
        "think",
        "duration",
        "stop_after",
        "warmup",
        "connections",
        "keepalive",
        "max_in_flight",
        "timeout",
        "requests",
        "keys",
        "retry",
        "hedge",
    ],
    later: &["streams"],
};
/// Requests of one run: what a report can number.
pub(super) const COUNT_MAX: u64 = 1_000_000_000;
const CONNECTIONS_MAX: i64 = 10_000;
const IN_FLIGHT_MAX: i64 = 1_000_000;

/// The load of the scenario `root`; a line for each file it is made of goes to `identity`.
pub(super) fn read(root: &Section<'_>, input: &Input, identity: &mut Vec<String>) -> Option<Load> {
    let Some(section) = root.section("load", &SHAPE) else {
        if !root.has("load") {
            let help = "write [load] with rate and duration";
            root.mistakes.absent(root.place, "a scenario needs a load", "no [load] here", help);
        }
        return None;
    };
    let arrivals = arrivals::read(&section, input, identity);
    let warmup = section.duration("warmup");
    let connections = section.integer("connections", 1, CONNECTIONS_MAX);
    let max_in_flight = section.integer("max_in_flight", 1, IN_FLIGHT_MAX);
    let timeout = section.some_time("timeout");
    let requests = requests::read(&section, input, identity);
    let requests_per_connection = users::requests_per_connection(&section);
    let users = users::read(&section);
    let (retry, hedge) = (retry::read(&section), retry::hedge(&section));
    let (shape, arrivals) = arrivals?;
    let load = Load {
        shape,
        arrivals,
        warmup: warmup?,
        connections: connections? as usize,
        requests_per_connection: requests_per_connection?,
        max_in_flight: max_in_flight? as usize,
        timeout: timeout?,
        requests: requests?,
        users: users?,
        retry: retry?,
        hedge: hedge?,
    };
    check_whole(&section, &load);
    check_fields(&section, &load);
    Some(load)
}

/// Header fields that the load writes for each user are not written by its requests too.
fn check_fields(section: &Section<'_>, load: &Load) {
    let cookie = Some("cookie").filter(|_| load.users.cookies);
    for name in load.users.header.as_deref().into_iter().chain(cookie) {
        let requests = load.requests.templates().iter();
        if requests.flat_map(|request| &request.headers).any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            let message = format!("the header field `{name}` is written for each user");
            let (label, help) =
                ("a request has one of its own", "leave it out of the headers, or of the keys");
            section.mistakes.note(section.place_of("keys"), message, label, help);
        }
    }
}

/// What the keys of a load say together.
fn check_whole(section: &Section<'_>, load: &Load) {
    let note = |key: &str, message: &str, label: &str, help: &str| {
        section.mistakes.note(section.place_of(key), message, label, help);
    };
    let size = ["stages", "trace"].into_iter().find(|key| section.has(key)).unwrap_or("rate");
    let total = Schedule::new(load, 0).total();
    if total > COUNT_MAX {
        let help = "lower the rate or the duration, or say when to `stop_after`";
        note(size, "the load is more than a billion requests", "too many with this duration", help);
    } else if total == 0 {
        let help = "raise the rate or the duration";
        note(size, "the load is not a single request", "less than one with this duration", help);
    } else if let Shape::Closed(plan) = &load.shape
        && plan.vus as usize > load.connections.min(load.max_in_flight)
    {
        let help = "raise `connections`, and `max_in_flight`, to the number of users";
        note("vus", "there are more users than connections", "each needs one of its own", help);
    } else if load.warmup >= load.duration() {
        let help = "the warm-up is the first part of the duration";
        note("warmup", "the warm-up is as long as the load", "nothing is left to measure", help);
    }
}
