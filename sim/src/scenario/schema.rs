//! The JSON Schema of a scenario file, for editors: which keys there are and where, from the same tables that the reader goes
//! by, described by the comments of `defaults.toml`. Draft-07, which Taplo understands. What a value may be beyond that is
//! told by `sim validate`, better than a schema could.

use serde_json::{Map, Value, json};

use super::node::{Node, Table, Value as Toml};
use super::reader::Shape;
use super::{
    DEFAULTS, SHAPE, analyses, defaults, faults, gateway, load, matrix, mocks, requests, retry, rings,
    rollout, services, settings, steps, streams, upstreams, users, verbs,
};

/// A table of the file: its keys, and those of them that are tables themselves.
struct Tree {
    shape: &'static Shape,
    parts: &'static [(&'static str, Form)],
}

/// How a table stands at its key.
enum Form {
    One(&'static Tree),
    Many(&'static Tree),
    /// One table that stands for many, or a list of others.
    OneOrMany(&'static Tree, &'static Tree),
    /// Any keys, each with a list of texts.
    Texts,
    /// Any keys.
    Any,
}

const fn leaf(shape: &'static Shape) -> Tree {
    Tree { shape, parts: &[] }
}

const STREAM: &[(&str, Form)] = &[
    ("requests", Form::Many(&leaf(&requests::REQUEST))),
    ("keys", Form::One(&leaf(&users::KEYS))),
    ("retry", Form::One(&leaf(&retry::RETRY))),
    ("hedge", Form::One(&leaf(&retry::HEDGE))),
];

const LOAD: &[(&str, Form)] = &[
    ("requests", Form::Many(&leaf(&requests::REQUEST))),
    ("keys", Form::One(&leaf(&users::KEYS))),
    ("retry", Form::One(&leaf(&retry::RETRY))),
    ("hedge", Form::One(&leaf(&retry::HEDGE))),
    ("keepalive", Form::One(&leaf(&users::KEEPALIVE))),
    ("streams", Form::Many(&Tree { shape: &streams::SHAPE, parts: STREAM })),
];

const WHOLE: Tree = Tree {
    shape: &SHAPE,
    parts: &[
        ("load", Form::One(&Tree { shape: &load::SHAPE, parts: LOAD })),
        ("services", Form::Many(&leaf(&services::SHAPE))),
        (
            "routes",
            Form::Many(&Tree {
                shape: &services::ROUTE,
                parts: &[("service", Form::One(&leaf(&services::LINK)))],
            }),
        ),
        (
            "upstreams",
            Form::Many(&Tree {
                shape: &upstreams::SHAPE,
                parts: &[("targets", Form::OneOrMany(&leaf(&upstreams::MANY), &leaf(&upstreams::TARGET)))],
            }),
        ),
        ("gateway", Form::One(&leaf(&gateway::SHAPE))),
        ("mocks", Form::Many(&leaf(&mocks::SHAPE))),
        (
            "steps",
            Form::Many(&Tree {
                shape: &steps::SHAPE,
                parts: &[
                    ("set_host", Form::One(&leaf(&verbs::SET_HOST))),
                    ("set_target", Form::One(&leaf(&verbs::SET_TARGET))),
                    ("ramp", Form::One(&leaf(&verbs::RAMP))),
                    ("patch", Form::One(&leaf(&verbs::PATCH))),
                    ("analysis", Form::One(&leaf(&analyses::QUESTION))),
                    ("set_header_route", Form::One(&leaf(&verbs::HEADER_ROUTE))),
                    ("set_mirror_route", Form::One(&leaf(&verbs::MIRROR_ROUTE))),
                    ("set_split", Form::One(&leaf(&verbs::SPLIT))),
                    ("wait_until", Form::One(&leaf(&verbs::WAIT_UNTIL))),
                ],
            }),
        ),
        (
            "rollout",
            Form::One(&Tree {
                shape: &rollout::SHAPE,
                parts: &[
                    ("steps", Form::Many(&leaf(&settings::SHARE))),
                    ("rings", Form::Many(&leaf(&rings::RING))),
                    ("pre_analysis", Form::One(&leaf(&analyses::QUESTION))),
                    ("post_analysis", Form::One(&leaf(&analyses::QUESTION))),
                ],
            }),
        ),
        ("analysis", Form::Many(&leaf(&analyses::SHAPE))),
        ("faults", Form::Many(&leaf(&faults::SHAPE))),
        ("thresholds", Form::Texts),
        ("matrix", Form::Any),
        ("report", Form::One(&leaf(&matrix::REPORT))),
    ],
};

/// The schema.
pub fn schema() -> Value {
    let defaults = defaults();
    let mut schema = object(&WHOLE, "", Some(&defaults));
    schema.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    schema.insert("title".to_owned(), "A scenario of sim".into());
    schema.into()
}

/// The table at `path`, whose defaults are `defaults`.
fn object(tree: &Tree, path: &str, defaults: Option<&Table>) -> Map<String, Value> {
    let mut properties = Map::new();
    for &key in tree.shape.keys {
        let inner = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let default = defaults.and_then(|table| table.get(key));
        let form = tree.parts.iter().find(|(name, _)| *name == key).map(|(_, form)| form);
        let mut property = form.map_or_else(Map::new, |form| part(form, &inner, default));
        if let Some(text) = comment(path, key) {
            property.insert("description".to_owned(), text.into());
        }
        if let (None, Some(default)) = (form, default.and_then(plain)) {
            property.insert("default".to_owned(), default);
        }
        properties.insert(key.to_owned(), property.into());
    }
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), properties.into());
    object.insert("additionalProperties".to_owned(), false.into());
    object
}

fn part(form: &Form, path: &str, default: Option<&Node>) -> Map<String, Value> {
    let defaults = match default.map(|node| &node.value) {
        Some(Toml::Table(table)) => Some(table),
        Some(Toml::List(items)) => match items.first().map(|item| &item.value) {
            Some(Toml::Table(table)) => Some(table),
            _ => None,
        },
        _ => None,
    };
    let many = |tree| json!({ "type": "array", "items": object(tree, path, defaults) });
    let schema = match form {
        Form::One(tree) => object(tree, path, defaults).into(),
        Form::Many(tree) => many(tree),
        Form::OneOrMany(one, tree) => json!({ "anyOf": [object(one, path, defaults), many(tree)] }),
        Form::Texts => {
            json!({ "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } } })
        }
        Form::Any => json!({ "type": "object" }),
    };
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

/// A default that is one value.
fn plain(node: &Node) -> Option<Value> {
    let value = match node.to_toml() {
        toml::Value::Table(_) | toml::Value::Array(_) => return None,
        value => value,
    };
    serde_json::to_value(value).ok()
}

/// What `defaults.toml` says beside a key: after its value, or after `# key =` where it has no default.
fn comment(path: &str, key: &str) -> Option<String> {
    let mut header = "";
    for line in DEFAULTS.lines() {
        if let Some(rest) = line.strip_prefix('[') {
            header = rest.trim_start_matches('[').split(']').next().unwrap_or_default();
        } else if header == path {
            let said = match line.strip_prefix("# ") {
                Some(absent) => absent.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = ")),
                None => line
                    .strip_prefix(key)
                    .filter(|rest| rest.starts_with([' ', '=']))
                    .and_then(|rest| rest.rsplit_once('#'))
                    .map(|(_, text)| text.trim()),
            };
            if said.is_some_and(|text| !text.is_empty()) {
                return said.map(str::to_owned);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_of(text: &str) -> Value {
        serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
    }

    fn is_valid(text: &str) -> bool {
        jsonschema::draft7::new(&schema()).unwrap().is_valid(&json_of(text))
    }

    #[test]
    fn the_schema_takes_every_default_and_every_shipped_scenario() {
        assert!(jsonschema::meta::is_valid(&schema()));
        assert!(is_valid(DEFAULTS));
        for scenario in std::fs::read_dir("../scenarios").unwrap() {
            let path = scenario.unwrap().path();
            if path.extension().is_some_and(|end| end == "toml") {
                assert!(is_valid(&std::fs::read_to_string(&path).unwrap()), "{}", path.display());
            }
        }
    }

    #[test]
    fn a_slip_is_marked_at_every_depth() {
        for text in
            ["nam = 'x'", "[load]\nrat = 5", "[[upstreams]]\ntargets = [{ target = 'a:80', wieght = 1 }]"]
        {
            assert!(!is_valid(text), "{text}");
        }
        for text in ["[load]\nrate = 5", "[[upstreams]]\ntargets = { count = 3, name = 'b-{i}:80' }"] {
            assert!(is_valid(text), "{text}");
        }
    }

    #[test]
    fn keys_are_described_by_the_defaults() {
        let load = &schema()["properties"]["load"]["properties"];
        assert_eq!(load["max_in_flight"]["description"], "one more is dropped as `overflow`");
        assert_eq!(load["max_in_flight"]["default"], 10_000);
        assert_eq!(load["vus"]["description"], "required for a closed loop: how many users");
    }
}
