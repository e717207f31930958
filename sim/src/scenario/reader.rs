//! Reads typed values out of the tree and notes every mistake with its place. What is wrong is noted and left out, so that
//! reading goes on and all mistakes of a file come out at once.

use std::time::Duration;

use super::diagnostic::Place;
use super::mistakes::Mistakes;
use super::node::{Key, Node, Table, Value};
use super::values::{self, EXAMPLE, is};
use crate::words;

/// What a kind of table is called and which keys it has.
#[derive(Debug)]
pub(super) struct Shape {
    /// In words: `a target`.
    pub(super) what: &'static str,
    /// The keys that are read.
    pub(super) keys: &'static [&'static str],
    /// Keys that the format has and this program does not serve yet.
    pub(super) later: &'static [&'static str],
}

/// The scenario's own keys: TOML gives them to whichever `[section]` stands above them.
const TOP: [&str; 4] = ["name", "summary", "engine", "seed"];
pub(super) static EMPTY: Table = Table { entries: Vec::new() };

/// One table of a scenario, with its defaults behind it.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) table: &'a Table,
    defaults: Option<&'a Table>,
    /// Where the table stands.
    pub(super) place: &'a Place,
    shape: &'static Shape,
    pub(super) mistakes: &'a Mistakes,
}

impl<'a> Section<'a> {
    /// The whole scenario.
    pub(super) fn whole(
        table: &'a Table,
        defaults: &'a Table,
        place: &'a Place,
        shape: &'static Shape,
        mistakes: &'a Mistakes,
    ) -> Self {
        let section = Self { table, defaults: Some(defaults), place, shape, mistakes };
        section.check_keys(false);
        section
    }

    /// The tables of a list in the file, `[[name]]`.
    pub(super) fn sections(&self, name: &str, shape: &'static Shape) -> Vec<Self> {
        let Some(node) = self.table.get(name) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            let (kind, help) = (node.value.kind(), "give its header two brackets, as in [[steps]]");
            self.mistakes.note(&node.place, format!("`{name}` is not a list of tables"), is(kind), help);
            return Vec::new();
        };
        let defaults = self.defaults_of(name);
        let tables = items.iter().filter_map(|item| Some((self.as_table(item, name)?, &item.place)));
        tables.map(|(table, place)| self.headed(table, place, defaults, shape)).collect()
    }

    /// A table of the file, `[name]`.
    pub(super) fn section(&self, name: &str, shape: &'static Shape) -> Option<Self> {
        let node = self.table.get(name)?;
        Some(self.headed(self.as_table(node, name)?, &node.place, self.defaults_of(name), shape))
    }

    /// A table that a file may leave out: its defaults alone then.
    pub(super) fn optional_section(&self, name: &str, shape: &'static Shape) -> Self {
        self.section(name, shape)
            .unwrap_or_else(|| self.headed(&EMPTY, self.place, self.defaults_of(name), shape))
    }

    /// A table of the file whose keys the caller checks.
    pub(super) fn unchecked(&self, name: &str, shape: &'static Shape) -> Option<Self> {
        let node = self.table.get(name)?;
        let table = self.as_table(node, name)?;
        Some(Self { table, defaults: None, place: &node.place, shape, mistakes: self.mistakes })
    }

    fn headed(
        &self,
        table: &'a Table,
        place: &'a Place,
        defaults: Option<&'a Table>,
        shape: &'static Shape,
    ) -> Self {
        let section = Self { table, defaults, place, shape, mistakes: self.mistakes };
        section.check_keys(true);
        section
    }

    /// The same with the entries of `table`, and what `other` has behind its own.
    pub(super) fn over<'b>(&'b self, table: &'b Table, other: &'b Section<'_>) -> Section<'b> {
        Section { table, defaults: other.defaults, ..*self }
    }

    /// The value `node` of `name` as a section of its own, `{ .. }`.
    pub(super) fn inline(&self, name: &str, node: &'a Node, shape: &'static Shape) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            let help = format!("write {{ {} }}", shape.keys.join(", "));
            self.mistakes.note(&node.place, format!("`{name}` is not a table"), is(node.value.kind()), help);
            return None;
        };
        let defaults = self.defaults_of(name);
        let section = Self { table, defaults, place: &node.place, shape, mistakes: self.mistakes };
        section.check_keys(false);
        Some(section)
    }

    /// The defaults of a table, or of each entry of a list.
    fn defaults_of(&self, name: &str) -> Option<&'a Table> {
        match &self.defaults?.get(name)?.value {
            Value::Table(table) => Some(table),
            Value::List(items) => match &items.first()?.value {
                Value::Table(table) => Some(table),
                _ => None,
            },
            _ => None,
        }
    }

    // === Keys ===

    fn check_keys(&self, has_header: bool) {
        for key in self.strangers() {
            if self.shape.later.contains(&key.name.as_str()) {
                let message = format!("`{}` is not served yet", key.name);
                self.mistakes.note(&key.place, message, "known, and still to come", "leave it out");
            } else if !(has_header && self.swallowed(key)) {
                unknown(key, self.shape.what, self.shape.keys, self.mistakes);
            }
        }
    }

    /// Keys that this kind of table does not have.
    fn strangers(&self) -> impl Iterator<Item = &'a Key> {
        let keys = self.shape.keys;
        self.table.entries.iter().map(|(key, _)| key).filter(move |key| !keys.contains(&key.name.as_str()))
    }

    /// Whether `key` is the scenario's own, written below this table's header; notes it then.
    pub(super) fn swallowed(&self, key: &Key) -> bool {
        let is_top = TOP.contains(&key.name.as_str());
        if is_top {
            let (name, what) = (&key.name, self.shape.what);
            self.mistakes.note(
                &key.place,
                format!("`{name}` belongs to {} above it", what.replacen("a ", "the ", 1)),
                format!("below a header, this is a key of {what}"),
                format!("move `{name}` to the top of the file"),
            );
        }
        is_top
    }

    /// Whether the file has the key.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.get(name).is_some()
    }

    /// Keys and values as the file has them.
    pub(super) fn entries(&self) -> &'a [(Key, Node)] {
        &self.table.entries
    }

    /// The value in the file.
    pub(super) fn own(&self, name: &str) -> Option<&'a Node> {
        self.table.get(name)
    }

    /// The value in the file, else the default.
    pub(super) fn node(&self, name: &str) -> Option<&'a Node> {
        self.table.get(name).or_else(|| self.defaults?.get(name))
    }

    /// Where `name` stands, else the table.
    pub(super) fn place_of(&self, name: &str) -> &'a Place {
        self.table.get(name).map_or(self.place, |node| &node.place)
    }

    /// A value that must be there, such as `example`.
    pub(super) fn required(&self, name: &str, example: &str) -> Option<&'a Node> {
        let node = self.node(name);
        // A slip in the key itself has been noted already.
        let is_slip = || self.strangers().any(|key| words::closest(&key.name, self.shape.keys) == Some(name));
        if node.is_none() && !is_slip() {
            let what = self.shape.what;
            let (message, label) = (format!("{what} needs `{name}`"), format!("no `{name}` here"));
            self.mistakes.absent(self.place, message, label, format!("write {name} = {example}"));
        }
        node
    }

    // === Values ===

    /// A string, when there is one.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        values::text(self.node(name)?, name, self.mistakes)
    }

    /// A string that must be there, such as `example`.
    pub(super) fn required_text(&self, name: &str, example: &str) -> Option<&'a str> {
        values::text(self.required(name, &format!("\"{example}\""))?, name, self.mistakes)
    }

    /// A word that must be one of `known`; `later` are those still to come.
    pub(super) fn one_of(&self, name: &str, known: &[&str], later: &[&str]) -> Option<&'a str> {
        values::one_of(self.node(name)?, name, known, later, self.mistakes)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn integer(&self, name: &str, least: i64, most: i64) -> Option<i64> {
        values::integer(self.node(name)?, name, least, most, self.mistakes)
    }

    /// A number above zero, at most `most`, that must be there.
    pub(super) fn positive(&self, name: &str, most: f64) -> Option<f64> {
        let node = self.required(name, "600")?;
        let number = match node.value {
            Value::Integer(number) => number as f64,
            Value::Float(number) => number,
            _ => return self.wrong_kind(node, name, "a number"),
        };
        if number > 0.0 && number <= most {
            return Some(number);
        }
        let most = words::short(most, 0);
        let label = if number > 0.0 { format!("at most {most}") } else { "not above zero".to_owned() };
        let help = format!("write a number above 0, at most {most}");
        self.mistakes.note(&node.place, format!("`{name}` is out of range"), label, help);
        None
    }

    /// A duration that must be there.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        values::duration(self.required(name, "\"30s\"")?, name, self.mistakes)
    }

    /// The duration that stands there by default.
    pub(super) fn usual_duration(&self, name: &str) -> Option<Duration> {
        values::duration(self.defaults?.get(name)?, name, self.mistakes)
    }

    /// A duration above zero that must be there.
    pub(super) fn some_time(&self, name: &str) -> Option<Duration> {
        let duration = self.duration(name)?;
        if duration.is_zero() {
            let place = self.place_of(name);
            self.mistakes.note(place, format!("`{name}` is zero"), "nothing fits into it", EXAMPLE);
            return None;
        }
        Some(duration)
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let items = self.list(name).iter();
        items.filter_map(|item| values::text(item, name, self.mistakes).map(str::to_owned)).collect()
    }

    /// A list.
    pub(super) fn list(&self, name: &str) -> &'a [Node] {
        self.node(name).and_then(|node| values::list(node, name, self.mistakes)).unwrap_or_default()
    }

    /// The node as a table.
    pub(super) fn as_table(&self, node: &'a Node, name: &str) -> Option<&'a Table> {
        values::table(node, name, self.mistakes)
    }

    /// Notes that a value is not of its kind.
    pub(super) fn wrong_kind<T>(&self, node: &Node, name: &str, kind: &str) -> Option<T> {
        values::wrong_kind(node, name, kind, self.mistakes)
    }
}

/// Notes a key that `what` does not have.
pub(super) fn unknown(key: &Key, what: &str, keys: &[&str], mistakes: &Mistakes) {
    let help = words::closest(&key.name, keys).map_or_else(
        || format!("keys of {what}: {}", words::quoted(keys)),
        |close| format!("did you mean `{close}`?"),
    );
    let message = format!("unknown key `{}`", key.name);
    mistakes.note(&key.place, message, format!("not a key of {what}"), help);
}
