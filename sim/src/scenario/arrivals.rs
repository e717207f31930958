//! How much arrives, and when: `executor`, `arrivals` and the keys that go with each.

use std::time::Duration;

use super::files::File;
use super::latency::latency;
use super::load::COUNT_MAX;
use super::node::{Node, Value};
use super::reader::{Section, Shape as Keys};
use super::{Input, values};
use crate::load::{Arrivals, ClosedLoop, Curve, Shape, Stage, Trace};

const STAGE: Keys = Keys { what: "a stage", keys: &["rate", "for"], later: &[] };
/// Stages as they may be.
const EXAMPLE: &str = "[{ rate = 600, for = \"30s\" }]";
const EXECUTORS: [&str; 3] = ["constant-arrival-rate", "ramping-arrival-rate", "constant-vus"];
/// k6's other executors; they are known so that nobody is told of a slip.
const EXECUTORS_LATER: [&str; 4] =
    ["ramping-vus", "shared-iterations", "per-vu-iterations", "externally-controlled"];
/// As many as there may be connections.
const VUS_MAX: i64 = 10_000;
/// Requests of a closed loop that says no less: the books are made for them.
const CLOSED_MOST: u64 = 10_000_000;
/// Requests per second; more than one machine can send, but a modelled one.
const RATE_MAX: f64 = 100_000_000.0;

/// The arrivals of the load in `section`.
pub(super) fn read(
    section: &Section<'_>,
    input: &Input,
    identity: &mut Vec<String>,
) -> Option<(Shape, Arrivals)> {
    let executor = section.one_of("executor", &EXECUTORS, &EXECUTORS_LATER);
    let arrivals = section.one_of("arrivals", &["even", "poisson", "trace"], &[]);
    // No more than that; without a word, all there are.
    let most = match section.own("stop_after") {
        Some(_) => section.integer("stop_after", 1, COUNT_MAX.cast_signed()).map(i64::unsigned_abs),
        None => Some(u64::MAX),
    };
    let (executor, arrivals) = (executor?, arrivals?);
    if executor != "constant-vus" {
        useless(section, &["vus", "think"], "executor = \"constant-vus\"");
    }
    let shape = match (executor, arrivals) {
        ("constant-vus", _) => Shape::Closed(closed(section, most)?),
        (_, "trace") => Shape::Trace(trace(section, input, identity)?),
        ("ramping-arrival-rate", _) => Shape::Rate(ramp(section)?),
        _ => Shape::Rate(constant(section, most)?),
    };
    let shape = match shape {
        Shape::Rate(curve) => Shape::Rate(curve.cut(most?)),
        Shape::Trace(trace) => Shape::Trace(trace.cut(most?)),
        closed @ Shape::Closed(_) => closed,
    };
    Some((shape, if arrivals == "poisson" { Arrivals::Poisson } else { Arrivals::Even }))
}

/// Without a duration, so long that `stop_after` requests come.
fn constant(section: &Section<'_>, most: Option<u64>) -> Option<Curve> {
    useless(section, &["stages"], "executor = \"ramping-arrival-rate\"");
    useless(section, &["trace"], "arrivals = \"trace\"");
    let rate = section.positive("rate", RATE_MAX);
    let duration = if section.has("stop_after") && !section.has("duration") {
        Duration::try_from_secs_f64(most? as f64 / rate?).unwrap_or(Duration::MAX)
    } else {
        section.some_time("duration")?
    };
    Some(Curve::constant(rate?, duration))
}

/// From `rate`, else from 0, through all stages.
fn ramp(section: &Section<'_>) -> Option<Curve> {
    useless(section, &["duration"], "a constant rate: stages say how long they are");
    useless(section, &["trace"], "arrivals = \"trace\"");
    let from = section.own("rate").map_or(Some(0.0), |node| rate(section, node));
    let node = section.required("stages", EXAMPLE)?;
    let sections = section.sections("stages", &STAGE);
    if sections.is_empty() {
        if matches!(node.value, Value::List(_)) {
            let help = format!("write stages = {EXAMPLE}");
            section.mistakes.note(&node.place, "a ramp needs a stage", "an empty list", help);
        }
        return None;
    }
    let stage = |stage: &Section<'_>| {
        let rate = stage.required("rate", "600").and_then(|node| rate(stage, node));
        let length = stage.duration("for");
        Some(Stage { rate: rate?, length: length? })
    };
    let stages: Vec<_> = sections.iter().map(stage).collect();
    Some(Curve::ramp(from?, &stages.into_iter().collect::<Option<Vec<_>>>()?))
}

/// So many users, who wait for answers.
fn closed(section: &Section<'_>, most: Option<u64>) -> Option<ClosedLoop> {
    useless(section, &["arrivals", "rate", "stages", "trace"], "an open loop");
    let vus = section.required("vus", "50").and_then(|_| section.integer("vus", 1, VUS_MAX));
    let think = section.node("think").and_then(|node| latency(section, node));
    let duration = section.some_time("duration");
    Some(ClosedLoop {
        vus: u32::try_from(vus?).ok()?,
        think: think?,
        duration: duration?,
        most: most?.min(CLOSED_MOST),
    })
}

fn rate(section: &Section<'_>, node: &Node) -> Option<f64> {
    values::number(node, "rate", 0.0, RATE_MAX, section.mistakes)
}

/// The file that `trace` names, or as much of it as `duration` lets through.
fn trace(section: &Section<'_>, input: &Input, identity: &mut Vec<String>) -> Option<Trace> {
    useless(section, &["rate", "stages"], "arrivals that are even or poisson");
    let node = section.required("trace", "\"arrivals.csv\"")?;
    let duration = section.own("duration").map(|_| section.some_time("duration"));
    let file = File::read(node, "trace", input, section.mistakes)?;
    identity.push(file.identity());
    let trace = Trace::parse(&file.name, &file.text)
        .map_err(|why| {
            let message = format!("a trace cannot be read: {why}");
            let help = "write one time in seconds on each line, or name an access log";
            section.mistakes.note(&node.place, message, "not a trace", help);
        })
        .ok()?;
    Some(match duration {
        Some(duration) => trace.within(duration?),
        None => trace,
    })
}

/// Notes those of `keys` that the file has: they go with something else.
fn useless(section: &Section<'_>, keys: &[&str], with: &str) {
    for key in keys {
        if let Some(node) = section.own(key) {
            let message = format!("`{key}` goes with {with}");
            section.mistakes.note(&node.place, message, "of no use here", "leave it out");
        }
    }
}
