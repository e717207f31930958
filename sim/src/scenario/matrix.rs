//! `[matrix]` and `[report]`: what a comparison varies and compares. A value takes the place of `${axis}` wherever a text says
//! so; an axis that no text names is a key of the scenario. Values are laid in before anything else is read, each with the
//! place it stands at, so that what is wrong with one is told there.

use super::mistakes::Mistakes;
use super::node::{self, Key, Node, Table, Value};
use super::reader::{Section, Shape};
use super::{SHAPE as SCENARIO, defaults, upstreams, values};
use crate::plan::{Axis, Figure, Matrix, Percentile};

pub(super) const REPORT: Shape =
    Shape { what: "the report", keys: &["compare", "rank_by", "margin"], later: &["formats"] };
const SEED: Shape = Shape { what: "a range of seeds", keys: &["from", "count"], later: &[] };

/// More values of one axis, more seeds, more choices of values than these are a slip.
const VALUES_MAX: usize = 1000;
const SEEDS_MAX: i64 = 10_000;
const CHOICES_MAX: usize = 10_000;
/// More runs in all.
const CELLS_MAX: usize = 100_000;
/// Names that requests fill in for themselves.
const TAKEN: [&str; 4] = ["index", "user", "seed", "random"];
/// What is compared when a file does not say.
const FIGURES: [Figure; 5] = [
    Figure::Latency(Percentile::P50),
    Figure::Latency(Percentile::P99),
    Figure::Latency(Percentile::P999),
    Figure::Dropped,
    Figure::Deviation,
];

/// The axes as the file has them.
pub(super) struct Axes {
    axes: Vec<(Key, Vec<Node>)>,
    seed: Option<(Key, Node)>,
}

/// Takes `[matrix]` out of the scenario.
pub(super) fn take(root: &mut Table, mistakes: &Mistakes) -> Axes {
    let mut taken = Axes { axes: Vec::new(), seed: None };
    let Some(at) = root.entries.iter().position(|(key, _)| key.name == "matrix") else { return taken };
    let (_, node) = root.entries.remove(at);
    let Value::Table(table) = node.value else {
        values::wrong_kind::<()>(&node, "matrix", "a table of axes", mistakes);
        return taken;
    };
    for (key, node) in table.entries {
        if key.name == "seed" {
            taken.seed = Some((key, node));
        } else if let Some(items) = axis(&key, node, mistakes) {
            taken.axes.push((key, items));
        }
    }
    taken
}

fn axis(key: &Key, node: Node, mistakes: &Mistakes) -> Option<Vec<Node>> {
    let help = "write its values in a list, such as [3, 30, 300]";
    if TAKEN.contains(&key.name.as_str()) {
        let label = "requests fill this in for themselves";
        mistakes.note(
            &key.place,
            format!("no axis can be called `{}`", key.name),
            label,
            "call it otherwise",
        );
        return None;
    }
    let kind = node.value.kind();
    let place = node.place;
    let Value::List(items) = node.value else {
        mistakes.note(&place, format!("the axis `{}` is not a list", key.name), values::is(kind), help);
        return None;
    };
    if items.is_empty() || items.len() > VALUES_MAX {
        let label = if items.is_empty() { "no value".to_owned() } else { format!("more than {VALUES_MAX}") };
        mistakes.note(&place, format!("the axis `{}` has no good number of values", key.name), label, help);
        return None;
    }
    for (at, item) in items.iter().enumerate() {
        if items[..at].iter().any(|other| said(other) == said(item)) {
            let message = format!("the axis `{}` has a value twice", key.name);
            mistakes.note(&item.place, message, "a second time", "each run is made once");
        }
    }
    Some(items)
}

/// A value as people read it: a string without its quotes.
fn said(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        _ => node.to_toml().to_string(),
    }
}

/// Lays the chosen value of each axis into the scenario: of an axis without a choice, its first.
pub(super) fn lay(root: &mut Table, axes: &Axes, choice: &[usize], mistakes: &Mistakes) {
    for (number, (key, items)) in axes.axes.iter().enumerate() {
        let chosen = choice.get(number).and_then(|&at| items.get(at)).unwrap_or(&items[0]);
        if fill(root, &key.name, chosen) == 0 && !set(root, key, chosen) {
            let message = format!("the axis `{}` changes nothing", key.name);
            let help = format!(
                "write \"${{{}}}\" where its values belong, or name a key such as \"load.rate\" or \"upstreams[0].slots\"",
                key.name
            );
            mistakes.note(&key.place, message, "no such text and no such key", help);
        }
    }
}

/// Puts `value` where texts of `table` say `${name}`; how often.
fn fill(table: &mut Table, name: &str, value: &Node) -> usize {
    table.entries.iter_mut().map(|(_, node)| fill_node(node, name, value)).sum()
}

fn fill_node(node: &mut Node, name: &str, value: &Node) -> usize {
    match &mut node.value {
        Value::Table(table) => fill(table, name, value),
        Value::List(items) => items.iter_mut().map(|item| fill_node(item, name, value)).sum(),
        Value::Text(text) => {
            let mark = format!("${{{name}}}");
            if *text == mark {
                *node = value.clone();
                return 1;
            }
            // `$${` stands for `${` itself.
            let escaped = format!("${mark}");
            let parts: Vec<_> = text.split(&escaped).map(|part| part.replace(&mark, &said(value))).collect();
            let filled = parts.join(&escaped);
            let changed = usize::from(filled != *text);
            *text = filled;
            changed
        }
        _ => 0,
    }
}

/// Sets the key that an axis names: a path, a key of the scenario, or one that Upstreams have, then in each of them.
fn set(root: &mut Table, key: &Key, value: &Node) -> bool {
    let name = key.name.as_str();
    if name.contains(['.', '[']) || SCENARIO.keys.contains(&name) {
        return node::put(root, key, value.clone());
    }
    let Some(Value::List(all)) =
        root.entries.iter_mut().find(|(key, _)| key.name == "upstreams").map(|(_, node)| &mut node.value)
    else {
        return false;
    };
    let is_theirs = upstreams::SHAPE.keys.contains(&name);
    let mut set = false;
    for one in all {
        if let (true, Value::Table(table)) = (is_theirs, &mut one.value) {
            let key = Key { name: format!("\"{name}\""), place: key.place.clone() };
            set |= node::put(table, &key, value.clone());
        }
    }
    set
}

/// What is compared; what is wrong is among the mistakes of `root`.
pub(super) fn read(
    root: &Section<'_>,
    axes: &Axes,
    seed: Option<u64>,
    repeat: Option<u32>,
) -> Option<Matrix> {
    let report = root.optional_section("report", &REPORT);
    let compared = report.has("compare");
    let mut figures: Vec<Figure> = if compared { Vec::new() } else { FIGURES.to_vec() };
    for item in report.list("compare") {
        for figure in self::figures(item, "compare", root.mistakes)? {
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
    }
    let rank_by = match report.own("rank_by") {
        Some(node) => only_one(node, root.mistakes)?,
        None => Figure::Latency(Percentile::P99),
    };
    if !figures.contains(&rank_by) {
        figures.push(rank_by);
    }
    let margin =
        report.node("margin").and_then(|node| values::number(node, "margin", 0.0, 10.0, root.mistakes));
    let named = |(key, items): &(Key, Vec<Node>)| Axis {
        name: key.name.clone(),
        values: items.iter().map(said).collect(),
    };
    let matrix = Matrix {
        axes: axes.axes.iter().map(named).collect(),
        seeds: repeated(seeds(axes, seed?, root.mistakes)?, repeat),
        figures,
        rank_by,
        margin: margin?,
    };
    small_enough(&matrix, axes, root.mistakes).then_some(matrix)
}

/// The figure that ranks.
fn only_one(node: &Node, mistakes: &Mistakes) -> Option<Figure> {
    if let [figure] = figures(node, "rank_by", mistakes)?.as_slice() {
        return Some(*figure);
    }
    let help = "write one figure, such as \"latency p(99)\"";
    mistakes.note(&node.place, "a ranking is by one figure", "these are several", help);
    None
}

fn small_enough(matrix: &Matrix, axes: &Axes, mistakes: &Mistakes) -> bool {
    let choices = matrix.axes.iter().map(|axis| axis.values.len()).try_fold(1_usize, usize::checked_mul);
    let cells = choices.and_then(|choices| choices.checked_mul(matrix.seeds.len()));
    if choices.is_some_and(|n| n <= CHOICES_MAX) && cells.is_some_and(|n| n <= CELLS_MAX) {
        return true;
    }
    if let Some((key, _)) = axes.axes.first() {
        let label = format!("at most {CHOICES_MAX} choices of values and {CELLS_MAX} runs");
        mistakes.note(&key.place, "the matrix is too large", label, "leave out values or seeds");
    }
    false
}

fn figures(node: &Node, name: &str, mistakes: &Mistakes) -> Option<Vec<Figure>> {
    let text = values::text(node, name, mistakes)?;
    Figure::read(text)
        .map_err(|help| {
            mistakes.note(&node.place, format!("`{text}` is no figure"), "nothing is called so", help);
        })
        .ok()
}

/// So many seeds, from the first one on, where somebody asks for a number of them.
fn repeated(seeds: Vec<u64>, repeat: Option<u32>) -> Vec<u64> {
    match repeat {
        Some(count) => seeds_from(seeds[0], count.into()),
        None => seeds,
    }
}

/// Seeds in a row, none beyond what a file can hold.
fn seeds_from(from: u64, count: u64) -> Vec<u64> {
    let first = from.min(i64::MAX.unsigned_abs() - count);
    (first..first + count).collect()
}

fn seeds(axes: &Axes, own: u64, mistakes: &Mistakes) -> Option<Vec<u64>> {
    let Some((_, node)) = &axes.seed else { return Some(vec![own]) };
    let one = |node: &Node| values::integer(node, "seed", 0, i64::MAX, mistakes).map(i64::unsigned_abs);
    match &node.value {
        Value::List(items) if (1..=SEEDS_MAX as usize).contains(&items.len()) => {
            let seeds: Vec<_> = items.iter().map(one).collect::<Option<_>>()?;
            let mut sorted = seeds.clone();
            sorted.sort_unstable();
            sorted.dedup();
            if sorted.len() < seeds.len() {
                mistakes.note(&node.place, "the matrix has a seed twice", "each run is made once", "");
                return None;
            }
            Some(seeds)
        }
        Value::Table(table) => {
            let empty = defaults();
            let section = Section::whole(table, &empty, &node.place, &SEED, mistakes);
            let from = section.own("from").map_or(Some(own), one)?;
            let count = section.required("count", "20")?;
            let count = values::integer(count, "count", 1, SEEDS_MAX, mistakes)?.unsigned_abs();
            Some(seeds_from(from, count))
        }
        _ => {
            let help = "write { from = 1, count = 20 } or a list of seeds";
            mistakes.note(&node.place, "`seed` of a matrix is neither", values::is(node.value.kind()), help);
            None
        }
    }
}
