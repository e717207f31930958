//! Reads typed values out of the tree and notes every mistake with its place. What is wrong is noted and left out, so that
//! reading goes on and all mistakes of a file come out at once.

use std::cell::RefCell;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Place};
use super::node::{Key, Node, Table, Value};
use crate::plan::parse_duration;
use crate::words;

/// The mistakes so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<Diagnostic>>);

impl Mistakes {
    /// Notes one.
    pub(super) fn note(
        &self,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        let help = Some(help.into()).filter(|help| !help.is_empty());
        let (message, label) = (message.into(), label.into());
        self.0.borrow_mut().push(Diagnostic { message, place: place.clone(), label, help });
    }

    /// Notes one that was made elsewhere.
    pub(super) fn push(&self, mistake: Diagnostic) {
        self.0.borrow_mut().push(mistake);
    }

    /// All of them.
    pub(super) fn into_inner(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }
}

/// One table of a scenario, with its defaults behind it.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    table: &'a Table,
    defaults: Option<&'a Table>,
    /// Where the table stands.
    pub(super) place: &'a Place,
    /// What it is, in words: `a target`.
    what: &'static str,
    pub(super) mistakes: &'a Mistakes,
}

impl<'a> Section<'a> {
    /// The table as a section whose keys are among `known`; `later` are keys that the format has and this program does not
    /// serve yet.
    pub(super) fn new(
        table: &'a Table,
        defaults: Option<&'a Table>,
        place: &'a Place,
        what: &'static str,
        mistakes: &'a Mistakes,
        known: &[&str],
        later: &[&str],
    ) -> Self {
        let section = Self { table, defaults, place, what, mistakes };
        for (key, _) in table.entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
            section.unknown(key, known, later);
        }
        section
    }

    fn unknown(&self, key: &Key, known: &[&str], later: &[&str]) {
        let name = &key.name;
        if later.contains(&name.as_str()) {
            self.mistakes.note(
                &key.place,
                format!("`{name}` is not served yet"),
                "known, and still to come",
                "leave it out",
            );
            return;
        }
        let help = closest(name, known).map_or_else(
            || format!("keys of {}: {}", self.what, listed(known)),
            |close| format!("did you mean `{close}`?"),
        );
        self.mistakes.note(
            &key.place,
            format!("unknown key `{name}`"),
            format!("not a key of {}", self.what),
            help,
        );
    }

    /// The key as the file has it.
    pub(super) fn key(&self, name: &str) -> Option<&'a Key> {
        self.table.entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key)
    }

    /// The value in the file, else the default.
    pub(super) fn node(&self, name: &str) -> Option<&'a Node> {
        self.table.get(name).or_else(|| self.defaults?.get(name))
    }

    /// Where `name` stands, else the table.
    pub(super) fn place_of(&self, name: &str) -> &'a Place {
        self.table.get(name).map_or(self.place, |node| &node.place)
    }

    /// A value that must be there.
    pub(super) fn required(&self, name: &str) -> Option<&'a Node> {
        let node = self.node(name);
        if node.is_none() {
            self.mistakes.note(
                self.place,
                format!("{} needs `{name}`", self.what),
                format!("no `{name}` here"),
                "",
            );
        }
        node
    }

    /// A string, when there is one.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        text(self.node(name)?, name, self.mistakes)
    }

    /// A string that must be there.
    pub(super) fn required_text(&self, name: &str) -> Option<&'a str> {
        text(self.required(name)?, name, self.mistakes)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        let node = self.node(name)?;
        match node.value {
            Value::Boolean(flag) => Some(flag),
            _ => self.wrong_kind(node, name, "true or false"),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer(&self, name: &str, least: i64, most: i64) -> Option<i64> {
        let node = self.node(name)?;
        match node.value {
            Value::Integer(number) if (least..=most).contains(&number) => Some(number),
            Value::Integer(_) | Value::Float(_) => {
                let range = format!("a whole number from {least} to {most}");
                self.mistakes.note(
                    &node.place,
                    format!("`{name}` is out of range"),
                    "not within it",
                    format!("write {range}"),
                );
                None
            }
            _ => self.wrong_kind(node, name, "a whole number"),
        }
    }

    /// A number above zero, at most `most`.
    pub(super) fn positive(&self, name: &str, most: f64) -> Option<f64> {
        let node = self.required(name)?;
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => return self.wrong_kind(node, name, "a number"),
        };
        if number > 0.0 && number <= most {
            return Some(number);
        }
        let most = words::short(most, 0);
        let help = format!("write a number above 0, at most {most}");
        self.mistakes.note(&node.place, format!("`{name}` is out of range"), "not within it", help);
        None
    }

    /// A duration.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        duration(self.required(name)?, name, self.mistakes)
    }

    /// A duration, or milliseconds as in Kong's files: 1 to 2147483646 of them.
    pub(super) fn timeout(&self, name: &str) -> Option<Duration> {
        match self.node(name)?.value {
            Value::Integer(_) => {
                self.integer(name, 1, 2_147_483_646).map(|ms| Duration::from_millis(ms.unsigned_abs()))
            }
            _ => self.duration(name),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str) -> Vec<(String, &'a Place)> {
        self.list(name)
            .iter()
            .filter_map(|item| Some((text(item, name, self.mistakes)?.to_owned(), &item.place)))
            .collect()
    }

    /// A list of strings, without their places.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        self.texts(name).into_iter().map(|(text, _)| text).collect()
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> &'a [Node] {
        let Some(node) = self.node(name) else { return &[] };
        if let Value::List(items) = &node.value {
            return items;
        }
        let _: Option<()> = self.wrong_kind(node, name, "a list");
        &[]
    }

    /// The tables of a list in the file, `[[name]]`; defaults are not among them.
    pub(super) fn tables(&self, name: &str) -> Vec<(&'a Table, &'a Place)> {
        let Some(node) = self.table.get(name) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.mistakes.note(
                &node.place,
                format!("`{name}` is a list of tables"),
                format!("this is {}", node.value.kind()),
                format!("write [[{name}]]"),
            );
            return Vec::new();
        };
        items.iter().filter_map(|item| Some((self.as_table(item, name)?, &item.place))).collect()
    }

    /// A table in the file, `[name]`.
    pub(super) fn table(&self, name: &str) -> Option<(&'a Table, &'a Place)> {
        let node = self.table.get(name)?;
        Some((self.as_table(node, name)?, &node.place))
    }

    /// The node as a table.
    pub(super) fn as_table(&self, node: &'a Node, name: &str) -> Option<&'a Table> {
        match &node.value {
            Value::Table(table) => Some(table),
            _ => self.wrong_kind(node, name, "a table"),
        }
    }

    /// Notes that a value is not of its kind.
    pub(super) fn wrong_kind<T>(&self, node: &Node, name: &str, kind: &str) -> Option<T> {
        wrong_kind(node, name, kind, self.mistakes)
    }
}

fn wrong_kind<T>(node: &Node, name: &str, kind: &str, mistakes: &Mistakes) -> Option<T> {
    mistakes.note(
        &node.place,
        format!("`{name}` is not {kind}"),
        format!("this is {}", node.value.kind()),
        format!("write {kind}"),
    );
    None
}

/// The node as a string.
pub(super) fn text<'a>(node: &'a Node, name: &str, mistakes: &Mistakes) -> Option<&'a str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => wrong_kind(node, name, "a string", mistakes),
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

const EXAMPLE: &str = "write \"30s\" or \"500ms\"";

/// The one of `known` that was probably meant.
pub(super) fn closest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), *known))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `` `a`, `b` ``
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
