//! A node as a value of one kind: a string, a number in its range, a duration, ... What it is not is noted at its place, and
//! what would be right. Knows no keys and no sections.

use std::time::Duration;

use super::mistakes::Mistakes;
use super::node::{Node, Table, Value};
use crate::plan::parse_duration;
use crate::words;

/// Notes that a node is not of its kind.
pub(super) fn wrong_kind<T>(node: &Node, name: &str, kind: &str, mistakes: &Mistakes) -> Option<T> {
    let message = format!("`{name}` is not {kind}");
    mistakes.note(&node.place, message, is(node.value.kind()), format!("write {kind}"));
    None
}

/// `this is a string`
pub(super) fn is(kind: &str) -> String {
    format!("this is {kind}")
}

/// The node as a string.
pub(super) fn text<'a>(node: &'a Node, name: &str, mistakes: &Mistakes) -> Option<&'a str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => wrong_kind(node, name, "a string", mistakes),
    }
}

/// The node as one of the words `known`; `later` are those still to come.
pub(super) fn one_of<'a>(
    node: &'a Node,
    name: &str,
    known: &[&str],
    later: &[&str],
    mistakes: &Mistakes,
) -> Option<&'a str> {
    let word = text(node, name, mistakes)?;
    if known.contains(&word) {
        return Some(word);
    }
    if later.contains(&word) {
        let (message, help) = (format!("`{word}` is not served yet"), words::quoted(known));
        let help = format!("served so far: {help}");
        mistakes.note(&node.place, message, "known, and still to come", help);
        return None;
    }
    let help = words::closest(word, known).map_or_else(
        || format!("`{name}` is one of {}", words::quoted(known)),
        |close| format!("did you mean `{close}`?"),
    );
    mistakes.note(&node.place, format!("`{word}` is not a value of `{name}`"), "no such value", help);
    None
}

/// The node as `true` or `false`.
pub(super) fn boolean(node: &Node, name: &str, mistakes: &Mistakes) -> Option<bool> {
    match node.value {
        Value::Boolean(flag) => Some(flag),
        _ => wrong_kind(node, name, "true or false", mistakes),
    }
}

/// The node as a whole number from `least` to `most`.
pub(super) fn integer(node: &Node, name: &str, least: i64, most: i64, mistakes: &Mistakes) -> Option<i64> {
    match node.value {
        Value::Integer(number) => in_range(number, node, name, (least, most), mistakes),
        Value::Float(f64::INFINITY) => {
            out_of_range(node, name, format!("at most {most}"), (least, most), mistakes)
        }
        Value::Float(_) => out_of_range(node, name, "not a whole number".to_owned(), (least, most), mistakes),
        _ => wrong_kind(node, name, "a whole number", mistakes),
    }
}

/// `number`, what the node stands for, when it is from the least to the most.
pub(super) fn in_range(
    number: i64,
    node: &Node,
    name: &str,
    (least, most): (i64, i64),
    mistakes: &Mistakes,
) -> Option<i64> {
    let label = match number {
        number if number < least => format!("at least {least}"),
        number if number > most => format!("at most {most}"),
        number => return Some(number),
    };
    out_of_range(node, name, label, (least, most), mistakes)
}

fn out_of_range<T>(
    node: &Node,
    name: &str,
    label: String,
    (least, most): (i64, i64),
    mistakes: &Mistakes,
) -> Option<T> {
    let help = format!("write a whole number from {least} to {most}");
    mistakes.note(&node.place, format!("`{name}` is out of range"), label, help);
    None
}

/// The node as a number from `least` to `most`.
pub(super) fn number(node: &Node, name: &str, least: f64, most: f64, mistakes: &Mistakes) -> Option<f64> {
    let number = match node.value {
        Value::Integer(number) => number as f64,
        Value::Float(number) => number,
        _ => return wrong_kind(node, name, "a number", mistakes),
    };
    if (least..=most).contains(&number) {
        return Some(number);
    }
    let label = if number < least { format!("at least {least}") } else { format!("at most {most}") };
    let help = format!("write a number from {least} to {most}");
    mistakes.note(&node.place, format!("`{name}` is out of range"), label, help);
    None
}

/// Units of a size and their bytes.
const SIZES: [(&str, u64); 5] =
    [("B", 1), ("KB", 1000), ("MB", 1_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20)];

/// The node as a size, `"10KB"`, of at most `most` bytes.
pub(super) fn size(node: &Node, name: &str, most: u64, mistakes: &Mistakes) -> Option<u64> {
    let text = text(node, name, mistakes)?;
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = SIZES.iter().find(|(known, _)| *known == unit.trim_start()).map(|(_, bytes)| bytes);
    let Some((number, unit)) = number.parse::<u64>().ok().zip(unit) else {
        let help = "write \"10KB\"; units are B, KB, MB, KiB, MiB";
        mistakes.note(&node.place, format!("`{name}` is not a size"), "no whole number with a unit", help);
        return None;
    };
    let size = number.saturating_mul(*unit);
    if size > most {
        let label = format!("at most {} MiB", most >> 20);
        mistakes.note(&node.place, format!("`{name}` is out of range"), label, "write \"10KB\"");
        return None;
    }
    Some(size)
}

/// The node as a list.
pub(super) fn list<'a>(node: &'a Node, name: &str, mistakes: &Mistakes) -> Option<&'a [Node]> {
    match &node.value {
        Value::List(items) => Some(items),
        _ => wrong_kind(node, name, "a list", mistakes),
    }
}

/// The node as a table.
pub(super) fn table<'a>(node: &'a Node, name: &str, mistakes: &Mistakes) -> Option<&'a Table> {
    match &node.value {
        Value::Table(table) => Some(table),
        _ => wrong_kind(node, name, "a table", mistakes),
    }
}

/// The node as a duration.
pub(super) fn duration(node: &Node, name: &str, mistakes: &Mistakes) -> Option<Duration> {
    match &node.value {
        Value::Text(text) => parse_duration(text)
            .map_err(|e| mistakes.note(&node.place, format!("a duration {e}"), "not a duration", EXAMPLE))
            .ok(),
        Value::Integer(_) | Value::Float(_) => {
            mistakes.note(&node.place, "a duration needs a unit", "a bare number", EXAMPLE);
            None
        }
        _ => wrong_kind(node, name, "a duration", mistakes),
    }
}

/// What would be a duration.
pub(super) const EXAMPLE: &str = "write \"30s\" or \"500ms\"";
