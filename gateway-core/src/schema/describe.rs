//! `/schemas`: a table of fields as Kong shows it. decK reads its defaults from there.

use serde_json::{Map, Value, json};

use super::read::default;
use super::{Default, Field, Kind};

/// `{"fields": [{"name": {"type": ..}}, ..]}`.
pub fn describe(fields: &[Field]) -> Value {
    json!({ "fields": list(fields) })
}

fn list(fields: &[Field]) -> Vec<Value> {
    fields.iter().map(|field| json!({ field.name: one(field) })).collect()
}

fn one(field: &Field) -> Value {
    let mut shown = kind(&field.kind);
    if !matches!(field.default, Default::Null | Default::Record) {
        shown.insert("default".to_owned(), default(field));
    }
    if field.required || matches!(field.default, Default::Record) {
        shown.insert("required".to_owned(), true.into());
    }
    shown.into()
}

fn kind(kind: &Kind) -> Map<String, Value> {
    let shown = match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "type": "string", "one_of": words }),
        Kind::Id => json!({ "type": "string", "uuid": true }),
        Kind::Integer(_, i64::MAX) => json!({ "type": "integer" }),
        Kind::Integer(least, most) => json!({ "type": "integer", "between": [least, most] }),
        Kind::OneOf(numbers) => json!({ "type": "integer", "one_of": numbers }),
        Kind::Number(least, most) => json!({ "type": "number", "between": [least, most] }),
        Kind::Boolean => json!({ "type": "boolean" }),
        Kind::List(of) => json!({ "type": "array", "elements": self::kind(of) }),
        Kind::Set(of) => json!({ "type": "set", "elements": self::kind(of) }),
        Kind::Map(of) => json!({ "type": "map", "keys": { "type": "string" }, "values": self::kind(of) }),
        Kind::Record(fields) => json!({ "type": "record", "fields": list(fields) }),
        Kind::Reference(plural) => json!({ "type": "foreign", "reference": plural }),
    };
    match shown {
        Value::Object(shown) => shown,
        _ => Map::new(),
    }
}
