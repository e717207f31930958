//! The text of a scenario as a tree in which every key and value knows where it stands, with `--set` and `--vary` laid over it.
//! Syntax only: what a key means is checked elsewhere.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Place, line_at};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(toml::value::Datetime),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and values in the order of the text.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<(Key, Node)>,
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) place: Place,
}

/// The deepest nesting that is read; a scenario needs four.
const DEPTH_MAX: usize = 32;

impl Value {
    /// What it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Datetime(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl Table {
    /// The value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The table as TOML's own type, for writing it out.
    pub(super) fn to_toml(&self) -> toml::Table {
        self.entries.iter().map(|(key, node)| (key.name.clone(), node.to_toml())).collect()
    }
}

impl Node {
    /// The value when it is a string.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The value as TOML's own type.
    pub(super) fn to_toml(&self) -> toml::Value {
        match &self.value {
            Value::Text(text) => toml::Value::String(text.clone()),
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Boolean(flag) => toml::Value::Boolean(*flag),
            Value::Datetime(date) => toml::Value::Datetime(*date),
            Value::List(items) => toml::Value::Array(items.iter().map(Self::to_toml).collect()),
            Value::Table(table) => toml::Value::Table(table.to_toml()),
        }
    }
}

/// Reads the whole text, going on after mistakes. Mistakes of syntax are added to `mistakes`, one for each line.
pub(super) fn parse(text: &str, place: fn(Range<usize>) -> Place, mistakes: &mut Vec<Diagnostic>) -> Table {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut lines = BTreeSet::new();
    for error in errors {
        let mistake = broken(&error, place);
        // What else is wrong with a line comes of the first mistake in it.
        if lines.insert(line_at(text, mistake.place.span.start)) {
            mistakes.push(mistake);
        }
    }
    read_table(table.get_ref(), &place, DEPTH_MAX)
}

/// A mistake of syntax in our words: what is wrong, then what would be right.
fn broken(error: &toml::de::Error, place: impl Fn(Range<usize>) -> Place) -> Diagnostic {
    let said = error.message().replace('\n', ", ");
    let (message, expected) = said.split_once(", expected ").unwrap_or((&said, "nothing"));
    let help = match (message, expected) {
        ("duplicate key", _) => Some("each key stands once in its table".to_owned()),
        (_, "nothing") => None,
        (_, expected) => Some(format!("expected here: {expected}")),
    };
    let label = if message == "duplicate key" { "a second time" } else { "this is not TOML" };
    let place = place(error.span().unwrap_or(0..0));
    Diagnostic { message: message.to_owned(), place, label: label.to_owned(), help }
}

fn read_table(table: &DeTable<'_>, place: &dyn Fn(Range<usize>) -> Place, depth: usize) -> Table {
    let mut entries: Vec<_> = table
        .iter()
        .filter(|_| depth > 0)
        .map(|(key, value)| {
            let name = Key { name: key.get_ref().clone().into_owned(), place: place(key.span()) };
            (name, Node { value: read_value(value.get_ref(), place, depth - 1), place: place(value.span()) })
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.place.span.start);
    Table { entries }
}

fn read_value(value: &DeValue<'_>, place: &dyn Fn(Range<usize>) -> Place, depth: usize) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            // Beyond what any key takes; its range check says so.
            Err(_) => Value::Float(f64::INFINITY),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(date) => Value::Datetime(*date),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .filter(|_| depth > 0)
                .map(|item| Node {
                    value: read_value(item.get_ref(), place, depth - 1),
                    place: place(item.span()),
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(read_table(table, place, depth)),
    }
}

// === What --set and --vary change ===

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// Lays `path=value`, flag number `number`, over `root`.
pub(super) fn set(root: &mut Table, flag: &str, number: usize) -> Result<(), Diagnostic> {
    let place = |span: Range<usize>| Place::set(number, span);
    let wrong = |message: &str, span: Range<usize>, label: &str| Diagnostic {
        message: message.to_owned(),
        place: place(span),
        label: label.to_owned(),
        help: Some("write path=value, such as load.rate=5000 or steps[0].at=5s".to_owned()),
    };
    let Some(equals) = path_end(flag) else {
        return Err(wrong("a --set has no value", 0..flag.len(), "no `=` here"));
    };
    let steps = steps(&flag[..equals]).ok_or_else(|| {
        wrong("a --set has no path that could be followed", 0..equals, "this is not a path")
    })?;
    let node = flag_value(flag, equals + 1..flag.len(), &place)?;
    insert(root, &steps, &Key { name: String::new(), place: place(0..equals) }, node)
        .map_err(|why| wrong(&why, 0..equals, "there is no such place"))
}

/// Lays `axis=value,value`, `--vary` number `number`, over `root` as an axis of its `[matrix]`. The values may also be a list of
/// TOML.
pub(super) fn vary(root: &mut Table, flag: &str, number: usize) -> Result<(), Diagnostic> {
    let place = |span: Range<usize>| Place::vary(number, span);
    let wrong = |message: &str, span: Range<usize>, label: &str| Diagnostic {
        message: message.to_owned(),
        place: place(span),
        label: label.to_owned(),
        help: Some("write axis=value,value, such as algorithm=round-robin,latency".to_owned()),
    };
    let Some(equals) = path_end(flag) else {
        return Err(wrong("a --vary has no values", 0..flag.len(), "no `=` here"));
    };
    if equals == 0 {
        return Err(wrong("a --vary has no axis", 0..flag.len(), "nothing before the `=`"));
    }
    let start = equals + 1;
    let node = if flag[start..].trim_start().starts_with('[') {
        flag_value(flag, start..flag.len(), &place)?
    } else {
        let mut items = Vec::new();
        let mut from = start;
        for part in flag[start..].split(',') {
            let (to, own) = (from + part.len(), part.trim());
            if own.is_empty() {
                return Err(wrong("a --vary has an empty value", from..to, "nothing here"));
            }
            let begin = from + part.len() - part.trim_start().len();
            items.push(flag_value(flag, begin..begin + own.len(), &place)?);
            from = to + 1;
        }
        Node { value: Value::List(items), place: place(start..flag.len()) }
    };
    let name = flag[..equals].trim().to_owned();
    let steps = [Step::Key("matrix".to_owned()), Step::Key(name.clone())];
    insert(root, &steps, &Key { name, place: place(0..equals) }, node)
        .map_err(|why| wrong(&why, 0..equals, "cannot be an axis"))
}

/// The value that `span` of a flag is; a bare word is a string, so that nobody has to quote twice.
fn flag_value(
    flag: &str,
    span: Range<usize>,
    place: &dyn Fn(Range<usize>) -> Place,
) -> Result<Node, Diagnostic> {
    let text = &flag[span.clone()];
    let moved = |within: Range<usize>| place(within.start + span.start..within.end + span.start);
    let value = match DeValue::parse(text) {
        Ok(value) => read_value(value.get_ref(), &moved, DEPTH_MAX),
        Err(error) if text.trim_start().starts_with(['"', '\'', '[', '{']) => {
            return Err(broken(&error, moved));
        }
        Err(_) => Value::Text(text.trim().to_owned()),
    };
    Ok(Node { value, place: place(span) })
}

/// Lays `node` at the path that `key` is, if there is such a place.
pub(super) fn put(root: &mut Table, key: &Key, node: Node) -> bool {
    steps(&key.name).is_some_and(|steps| insert(root, &steps, key, node).is_ok())
}

/// Where the `=` between path and value stands: the first one outside quotes.
fn path_end(flag: &str) -> Option<usize> {
    let mut quote = None;
    let is_end = |&(_, c): &(usize, char)| {
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        c == '=' && quote.is_none()
    };
    flag.char_indices().find(is_end).map(|(at, _)| at)
}

/// `upstreams[1].targets[0].weight`, `thresholds."latency{phase:x}"`.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    loop {
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let (key, after) = rest[1..].split_once(quote)?;
            steps.push(Step::Key(key.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        while let Some(index) = rest.strip_prefix('[') {
            let (number, after) = index.split_once(']')?;
            steps.push(Step::Index(number.parse().ok()?));
            rest = after;
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Some(steps),
            None => return None,
        }
    }
}

fn insert(table: &mut Table, steps: &[Step], key: &Key, node: Node) -> Result<(), String> {
    let [Step::Key(name), rest @ ..] = steps else {
        return Err("an index stands where a key should".to_owned());
    };
    let at = table.entries.iter().position(|(key, _)| key.name == *name).unwrap_or_else(|| {
        let empty = Node { value: Value::Table(Table::default()), place: node.place.clone() };
        table.entries.push((Key { name: name.clone(), place: key.place.clone() }, empty));
        table.entries.len() - 1
    });
    insert_into(&mut table.entries[at].1, rest, key, node).map_err(|why| format!("{why} in `{name}`"))
}

fn insert_into(slot: &mut Node, steps: &[Step], key: &Key, node: Node) -> Result<(), String> {
    match (steps, &mut slot.value) {
        ([], _) => {
            *slot = node;
            Ok(())
        }
        ([Step::Index(index), rest @ ..], Value::List(items)) => match items.get_mut(*index) {
            Some(item) => insert_into(item, rest, key, node),
            None => Err(format!("there is no entry [{index}], only {} of them,", items.len())),
        },
        ([Step::Key(_), ..], Value::Table(table)) => insert(table, steps, key, node),
        ([Step::Index(_), ..], _) => Err("there is no list".to_owned()),
        ([Step::Key(_), ..], _) => Err("there is no table".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, flag: &str) -> Result<String, String> {
        let mut root = parse(text, Place::file, &mut vec![]);
        set(&mut root, flag, 0).map_err(|d| d.message)?;
        Ok(toml::to_string(&root.to_toml()).unwrap())
    }

    #[test]
    fn a_flag_reaches_any_place_and_takes_bare_words() {
        let text = "[load]\nrate = 1\n[[steps]]\nat = \"1s\"\n";
        assert!(after(text, "load.rate=5000").unwrap().contains("rate = 5000"));
        assert!(after(text, "load.duration=30s").unwrap().contains("duration = \"30s\""));
        assert!(after(text, "steps[0].at=\"2s\"").unwrap().contains("at = \"2s\""));
        assert!(
            after(text, "thresholds.\"latency{phase:x=y}\"=[\"p(99) < 1s\"]").unwrap().contains("p(99) < 1s")
        );
        assert!(after(text, "thresholds.'a=b'=[]").unwrap().contains("\"a=b\" = []"));
        assert!(after(text, "new.table.key=true").unwrap().contains("key = true"));
    }

    #[test]
    fn an_axis_is_written_as_people_write_it() {
        let varied = |flag: &str| {
            let mut root = parse("[matrix]\nx = [9]\n", Place::file, &mut vec![]);
            vary(&mut root, flag, 0).map_err(|d| d.message)?;
            Ok::<_, String>(root.to_toml()["matrix"].to_string())
        };
        for (flag, said) in [
            ("algorithm=random,latency", "{ algorithm = [\"random\", \"latency\"], x = [9] }"),
            ("load.rate=600, 1.5", "{ \"load.rate\" = [600, 1.5], x = [9] }"),
            ("x=[1, {a = 2}]", "{ x = [1, { a = 2 }] }"),
            ("load.timeout=1s,true", "{ \"load.timeout\" = [\"1s\", true], x = [9] }"),
        ] {
            assert_eq!(varied(flag).as_deref(), Ok(said));
        }
        for (flag, said) in [
            ("x", "a --vary has no values"),
            ("=1", "a --vary has no axis"),
            ("x=", "a --vary has an empty value"),
            ("x=1,,2", "a --vary has an empty value"),
            ("x=[1", "unclosed array"),
        ] {
            assert_eq!(varied(flag).unwrap_err(), said, "{flag}");
        }
    }

    #[test]
    fn a_flag_that_leads_nowhere_says_so() {
        let text = "[load]\nrate = 1\n[[steps]]\nat = \"1s\"\n";
        for (flag, said) in [
            ("load.rate", "a --set has no value"),
            ("load..rate=1", "a --set has no path"),
            ("steps[7].at=1s", "there is no entry [7], only 1 of them"),
            ("load.rate.x=1", "there is no table"),
            ("load[0]=1", "there is no list"),
            ("[0]=1", "a --set has no path"),
            ("load.rate=[1,", "unclosed array"),
        ] {
            assert!(after(text, flag).unwrap_err().contains(said), "{flag}: {:?}", after(text, flag));
        }
    }
}
