//! Traces in files of their own: `{ trace = "latencies.txt" }`, one duration on each line. They take the place of their names
//! before the scenario is read, so that its resolved text, and with it its hash, has them too.

use super::Input;
use super::files::File;
use super::mistakes::Mistakes;
use super::node::{Node, Table, Value};
use crate::plan::parse_duration;

/// Keys whose values are latency forms.
const FORMS: [&str; 2] = ["latency", "think"];
/// A longer trace says nothing more about a latency.
const LINES_MAX: usize = 100_000;

/// Lays the traces that `table` names into it.
pub(super) fn lay(table: &mut Table, input: &Input, mistakes: &Mistakes) {
    for (key, node) in &mut table.entries {
        match &mut node.value {
            Value::Table(form) if FORMS.contains(&key.name.as_str()) => lay_form(form, input, mistakes),
            Value::Table(table) => lay(table, input, mistakes),
            Value::List(items) => {
                for item in items {
                    if let Value::Table(table) = &mut item.value {
                        lay(table, input, mistakes);
                    }
                }
            }
            _ => {}
        }
    }
}

fn lay_form(form: &mut Table, input: &Input, mistakes: &Mistakes) {
    for (key, node) in &mut form.entries {
        if key.name == "trace" && matches!(node.value, Value::Text(_)) {
            let lines = File::read(node, "trace", input, mistakes)
                .and_then(|file| lines(&file.text).map_err(|why| note(node, why, mistakes)).ok());
            // Else something that is right, so that nothing more is told.
            let lines = lines.unwrap_or_else(|| vec!["1ms".to_owned()]);
            let place = &node.place;
            let item = |line| Node { value: Value::Text(line), place: place.clone() };
            node.value = Value::List(lines.into_iter().map(item).collect());
        }
    }
}

fn note(node: &Node, (message, label): (String, &str), mistakes: &Mistakes) {
    mistakes.note(
        &node.place,
        message,
        label,
        "each line of the file is a time such as 4ms; # begins a remark",
    );
}

/// The durations of a file; else what is wrong, at length and in a word.
fn lines(text: &str) -> Result<Vec<String>, (String, &'static str)> {
    let lines = text.lines().map(str::trim).enumerate();
    let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    if lines.len() > LINES_MAX {
        return Err((format!("a trace has more than {LINES_MAX} lines"), "too long"));
    }
    let read = |(number, line): (usize, &str)| match parse_duration(line) {
        Ok(_) => Ok(line.to_owned()),
        Err(e) => {
            Err((format!("line {} of a trace: a duration {e}", number + 1), "one duration on each line"))
        }
    };
    lines.into_iter().map(read).collect()
}
