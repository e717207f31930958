//! `[load]`: what its streams share. Without `[[load.streams]]` it is one stream itself.

use super::Input;
use super::reader::{Section, Shape as Keys};
use super::{streams, users};
use crate::load::{Load, Shape};
use crate::plan::Engine;

pub(super) const SHAPE: Keys = Keys {
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
        "streams",
    ],
    later: &[],
};
/// Requests of one run: what a report can number.
pub(super) const COUNT_MAX: u64 = 1_000_000_000;
/// Connections of a real client, and of a modelled one.
const CONNECTIONS_MAX: i64 = 10_000;
const CONNECTIONS_MODELLED_MAX: i64 = 1_000_000;
const IN_FLIGHT_MAX: i64 = 1_000_000;

/// The load of the scenario `root`, for this engine; a line for each file it is made of goes to `identity`.
pub(super) fn read(
    root: &Section<'_>,
    engine: Engine,
    input: &Input,
    identity: &mut Vec<String>,
) -> Option<Load> {
    let Some(section) = root.section("load", &SHAPE) else {
        if !root.has("load") {
            let help = "write [load] with rate and duration";
            root.mistakes.absent(root.place, "a scenario needs a load", "no [load] here", help);
        }
        return None;
    };
    let warmup = section.duration("warmup");
    let connections_max = match engine {
        Engine::Live => CONNECTIONS_MAX,
        Engine::Model => CONNECTIONS_MODELLED_MAX,
    };
    let connections = section.integer("connections", 1, connections_max);
    let max_in_flight = section.integer("max_in_flight", 1, IN_FLIGHT_MAX);
    let requests_per_connection = users::requests_per_connection(&section);
    let streams = streams::read(&section, input, identity);
    let load = Load {
        streams: streams?,
        warmup: warmup?,
        connections: connections? as usize,
        requests_per_connection: requests_per_connection?,
        max_in_flight: max_in_flight? as usize,
    };
    check_whole(&section, &load);
    Some(load)
}

/// What the keys of a load say together.
fn check_whole(section: &Section<'_>, load: &Load) {
    let note = |key: &str, message: &str, label: &str, help: &str| {
        section.mistakes.note(section.place_of(key), message, label, help);
    };
    let keys = ["streams", "stages", "trace", "vus", "rate"];
    let size = keys.into_iter().find(|key| section.has(key)).unwrap_or("rate");
    let vus: u64 = load.streams.iter().map(vus).sum();
    if load.total() > COUNT_MAX {
        let help = "lower the rate or the duration, or say when to `stop_after`";
        note(size, "the load is more than a billion requests", "too many with this duration", help);
    } else if vus > load.connections.min(load.max_in_flight) as u64 {
        let help = "raise `connections`, and `max_in_flight`, to the number of users";
        note(size, "there are more users than connections", "each needs one of its own", help);
    } else if load.warmup >= load.duration() {
        let help = "the warm-up is the first part of the duration";
        note("warmup", "the warm-up is as long as the load", "nothing is left to measure", help);
    }
}

/// How many of a stream's users wait for answers.
fn vus(stream: &crate::load::Stream) -> u64 {
    if let Shape::Closed(plan) = &stream.shape { plan.vus.into() } else { 0 }
}
