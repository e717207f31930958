//! Where each setting of a scenario comes from: the file, a flag, or the defaults.

use std::fmt::Write as _;

use super::diagnostic::{Place, Text};
use super::node::{Key, Node, Table, Value};
use super::{defaults, tree};
use crate::plan::Source;
use crate::words;

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// As `--set` takes it: `load.rate`.
    pub(super) path: String,
    /// As TOML.
    pub(super) value: String,
    /// `line 8`, `--set`, `--vary` or `default`.
    pub(super) origin: String,
}

/// Tables that mean nothing unless the file has them.
const LEFT_OUT: [&str; 1] = ["rollout"];

/// Every setting that has a value, in the order of the defaults file, then of the scenario.
pub(super) fn settings(source: &Source) -> Vec<Setting> {
    let mut found = Vec::new();
    table("", &tree(&source.text, &source.overrides), Some(&defaults()), source, &mut found);
    found
}

/// Adds what `own` holds, and what it leaves to `defaults`, below `path`.
fn table(path: &str, own: &Table, defaults: Option<&Table>, source: &Source, found: &mut Vec<Setting>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let default_of = |name: &str| defaults.and_then(|defaults| defaults.get(name));
    for (Key { name, .. }, node) in &own.entries {
        entry(&below(&quoted(name)), node, default_of(name), source, found);
    }
    for (Key { name, .. }, node) in defaults.into_iter().flat_map(|defaults| &defaults.entries) {
        let is_left_out = path.is_empty() && LEFT_OUT.contains(&name.as_str());
        if own.get(name).is_none() && !is_left_out {
            match &node.value {
                // The defaults of a list are those of each entry; without entries there are none.
                Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {}
                Value::Table(table_of) if !table_of.entries.is_empty() => {
                    table(&below(name), &Table::default(), Some(table_of), source, found);
                }
                _ => found.push(setting(&below(name), node, source)),
            }
        }
    }
}

fn entry(path: &str, node: &Node, default: Option<&Node>, source: &Source, found: &mut Vec<Setting>) {
    let as_table = |node: &Node| match &node.value {
        Value::Table(table) => Some(table.clone()),
        _ => None,
    };
    match &node.value {
        Value::Table(own) => table(path, own, default.and_then(as_table).as_ref(), source, found),
        Value::List(items) if items.iter().any(|item| matches!(item.value, Value::Table(_))) => {
            let default = default.and_then(|default| match &default.value {
                Value::List(items) => items.first(),
                _ => None,
            });
            for (index, item) in items.iter().enumerate() {
                entry(&format!("{path}[{index}]"), item, default, source, found);
            }
        }
        _ => found.push(setting(path, node, source)),
    }
}

fn setting(path: &str, node: &Node, source: &Source) -> Setting {
    let Place { text, .. } = node.place;
    let origin = match text {
        Text::Defaults => "default".to_owned(),
        Text::File => format!("line {}", node.place.line(&source.text)),
        Text::Set(_) => "--set".to_owned(),
        Text::Vary(_) => "--vary".to_owned(),
    };
    let mut value = String::new();
    let _ = write!(value, "{}", node.to_toml());
    Setting { path: words::plain(path), value: words::plain(&value), origin }
}

/// A key as TOML writes it.
fn quoted(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if is_bare { name.to_owned() } else { format!("\"{name}\"") }
}
