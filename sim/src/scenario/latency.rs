//! The latency forms: `"5ms"`, or a table with the one form's keys.

use std::sync::Arc;

use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::values::{duration, list, number};
use crate::mock::Latency;

const SHAPE: Shape = Shape {
    what: "a latency",
    keys: &["p50", "p99", "exponential", "uniform", "pareto", "trace"],
    later: &[],
};
const PARETO: Shape = Shape { what: "pareto", keys: &["min", "alpha"], later: &[] };
/// Thinner tails than this are as good as none.
const ALPHA_MAX: f64 = 1000.0;

/// The latency that `node` is.
pub(super) fn latency(section: &Section<'_>, node: &Node) -> Option<Latency> {
    let mistakes = section.mistakes;
    let form = match &node.value {
        Value::Table(_) => form(&section.inline("latency", node, &SHAPE)?)?,
        _ => Latency::Constant(duration(node, "latency", mistakes)?),
    };
    let help =
        "a median above zero and a p99 not below it; two bounds, the lower first; a trace with an entry";
    form.checked()
        .map_err(|e| mistakes.note(&node.place, "a latency makes no sense", e.to_string(), help))
        .ok()
}

fn form(form: &Section<'_>) -> Option<Latency> {
    let mut names: Vec<_> = form.entries().iter().map(|(key, _)| key.name.as_str()).collect();
    names.sort_unstable();
    match names.as_slice() {
        ["p50" | "p99"] | ["p50", "p99"] => {
            let (p50, p99) = (form.duration("p50"), form.duration("p99"));
            Some(Latency::LogNormal { p50: p50?, p99: p99? })
        }
        ["exponential"] => form.duration("exponential").map(Latency::Exponential),
        ["uniform"] => uniform(form),
        ["pareto"] => pareto(form),
        ["trace"] => trace(form),
        names => {
            // Any other key has been noted already.
            if names.iter().all(|name| SHAPE.keys.contains(name)) {
                let help = "write \"5ms\", { p50, p99 }, { exponential }, { uniform = [from, to] }, { pareto } or { trace }";
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
        let (place, help) = (form.place_of("uniform"), "write [\"1ms\", \"9ms\"]");
        form.mistakes.note(place, "`uniform` has two bounds", "not two durations", help);
    }
    None
}

fn pareto(form: &Section<'_>) -> Option<Latency> {
    let pareto = form.inline("pareto", form.own("pareto")?, &PARETO)?;
    let (min, alpha) = (pareto.duration("min"), pareto.required("alpha", "1.5"));
    let alpha = alpha.and_then(|node| number(node, "alpha", 0.1, ALPHA_MAX, pareto.mistakes));
    Some(Latency::Pareto { min: min?, alpha: alpha? })
}

fn trace(form: &Section<'_>) -> Option<Latency> {
    let items = list(form.own("trace")?, "trace", form.mistakes)?;
    let times: Vec<_> = items.iter().map(|item| duration(item, "trace", form.mistakes)).collect();
    times.into_iter().collect::<Option<Arc<[_]>>>().map(Latency::Trace)
}
