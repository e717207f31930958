//! JSON against a table of fields: types, ranges, defaults, all mistakes at once, in Kong's words. Also what a PATCH lays
//! over what is there, and what the strings of a form stand for.

use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::{Default, Field, Kind};
use crate::entity::FieldError;

const REQUIRED: &str = "required field missing";

/// `given` with every field of the table: defaults where nothing is said, and in the place of what is noted in `errors`.
pub fn complete(
    fields: &[Field],
    given: &Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Map<String, Value> {
    within("", fields, given, errors)
}

fn within(
    prefix: &str,
    fields: &[Field],
    given: &Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Map<String, Value> {
    for name in given.keys().filter(|name| fields.iter().all(|field| field.name != name.as_str())) {
        errors.push(FieldError::new(&format!("{prefix}{name}"), "unknown field"));
    }
    let mut complete = Map::new();
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        let value = match given.get(field.name) {
            None | Some(Value::Null) if given.contains_key(field.name) && field.required => {
                errors.push(FieldError::new(&path, REQUIRED));
                default(field)
            }
            None | Some(Value::Null) => {
                if field.required && matches!(field.default, Default::Null) {
                    errors.push(FieldError::new(&path, REQUIRED));
                }
                default(field)
            }
            Some(value) => {
                let before = errors.len();
                let value = check(&path, &field.kind, value, errors);
                if errors.len() == before || matches!(field.kind, Kind::Record(_)) {
                    value
                } else {
                    default(field)
                }
            }
        };
        complete.insert(field.name.to_owned(), value);
    }
    complete
}

/// `value` as its kind has it.
fn check(path: &str, kind: &Kind, value: &Value, errors: &mut Vec<FieldError>) -> Value {
    let mut wrong = |message: String| {
        errors.push(FieldError::new(path, message));
        Value::Null
    };
    match (kind, value) {
        (Kind::Text, Value::String(text)) if text.is_empty() => wrong("length must be at least 1".to_owned()),
        (Kind::Text, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Reference(_), Value::Object(_)) => value.clone(),
        (Kind::Word(words), Value::String(word)) if words.contains(&word.as_str()) => value.clone(),
        (Kind::Word(words), Value::String(_)) => wrong(format!("expected one of: {}", words.join(", "))),
        (Kind::Id, Value::String(id)) => match Uuid::parse_str(id) {
            Ok(id) => id.to_string().into(),
            Err(_) => wrong("expected a valid UUID".to_owned()),
        },
        (Kind::Integer(least, most), Value::Number(number)) => match whole(number) {
            Some(number) if (*least..=*most).contains(&number) => number.into(),
            Some(_) if *most == i64::MAX => wrong(format!("value must be at least {least}")),
            Some(_) => wrong(format!("value should be between {least} and {most}")),
            None => wrong("expected an integer".to_owned()),
        },
        (Kind::OneOf(numbers), Value::Number(number)) => match whole(number) {
            Some(number) if numbers.contains(&number) => number.into(),
            Some(_) => {
                let numbers: Vec<_> = numbers.iter().map(i64::to_string).collect();
                wrong(format!("expected one of: {}", numbers.join(", ")))
            }
            None => wrong("expected an integer".to_owned()),
        },
        (Kind::Number(least, most), Value::Number(number)) => match number.as_f64() {
            Some(number) if (*least..=*most).contains(&number) => value.clone(),
            _ => wrong(format!("value should be between {least} and {most}")),
        },
        (Kind::List(of) | Kind::Set(of), Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(i, item)| check(&format!("{path}[{i}]"), of, item, errors))
            .fold(Vec::new(), |mut kept, item| {
                if !matches!(kind, Kind::Set(_)) || !kept.contains(&item) {
                    kept.push(item);
                }
                kept
            })
            .into(),
        (Kind::Map(of), Value::Object(entries)) => entries
            .iter()
            .map(|(name, entry)| (name.clone(), check(&format!("{path}.{name}"), of, entry, errors)))
            .collect::<Map<_, _>>()
            .into(),
        (Kind::Record(fields), Value::Object(given)) => {
            within(&format!("{path}."), fields, given, errors).into()
        }
        // Kong's own declarative files may name an entity alone.
        (Kind::Reference(_), Value::String(name)) => serde_json::json!({ "name": name }),
        _ => wrong(format!("expected {}", article(kind))),
    }
}

/// A number without a fraction: `1` and `1.0`.
fn whole(number: &Number) -> Option<i64> {
    let with_fraction = || number.as_f64().filter(|n| n.fract().abs() < f64::EPSILON && n.abs() < 9e15);
    number.as_i64().or_else(|| with_fraction().map(|n| n as i64))
}

const fn article(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Word(_) | Kind::Id => "a string",
        Kind::Integer(..) | Kind::OneOf(_) => "an integer",
        Kind::Number(..) => "a number",
        Kind::Boolean => "a boolean",
        Kind::List(_) => "an array",
        Kind::Set(_) => "a set",
        Kind::Map(_) => "a map",
        Kind::Record(_) | Kind::Reference(_) => "a record",
    }
}

/// What stands in a field of which nothing is said.
pub(super) fn default(field: &Field) -> Value {
    match (field.default, &field.kind) {
        (Default::Record, Kind::Record(fields)) => {
            let entries = fields.iter().map(|field| (field.name.to_owned(), default(field)));
            entries.collect::<Map<_, _>>().into()
        }
        (Default::Null | Default::Record, _) => Value::Null,
        (Default::Text(text), _) => text.into(),
        (Default::Integer(number), _) => number.into(),
        (Default::Boolean(flag), _) => flag.into(),
        (Default::Texts(texts), _) => texts.into(),
        (Default::Integers(numbers), _) => numbers.into(),
    }
}

/// Lays `patch` over `stored`: records field by field, everything else whole.
pub fn merge(fields: &[Field], stored: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        let record = fields.iter().find_map(|field| match &field.kind {
            Kind::Record(fields) if field.name == name => Some(*fields),
            _ => None,
        });
        match (record, stored.get_mut(&name), value) {
            (Some(fields), Some(Value::Object(stored)), Value::Object(patch)) => merge(fields, stored, patch),
            (_, _, value) => {
                stored.insert(name, value);
            }
        }
    }
}

/// What the strings of a form stand for: numbers and flags where the table has some, a list where one value stands for it,
/// null for an empty string.
pub fn infer(fields: &[Field], given: &mut Map<String, Value>) {
    for (name, value) in given.iter_mut() {
        if let Some(field) = fields.iter().find(|field| field.name == name) {
            infer_value(&field.kind, value);
        }
    }
}

fn infer_value(kind: &Kind, value: &mut Value) {
    match (kind, &mut *value) {
        (Kind::List(of) | Kind::Set(of), Value::Array(items)) => {
            items.retain(|item| item.as_str() != Some(""));
            for item in items {
                infer_value(of, item);
            }
        }
        (_, Value::String(text)) if text.is_empty() => *value = Value::Null,
        (Kind::List(of) | Kind::Set(of), Value::String(_)) => {
            let mut item = value.take();
            infer_value(of, &mut item);
            *value = vec![item].into();
        }
        (Kind::Map(of), Value::Object(entries)) => {
            for entry in entries.values_mut() {
                infer_value(of, entry);
            }
        }
        (Kind::Record(fields), Value::Object(given)) => infer(fields, given),
        (Kind::Boolean, Value::String(text)) => {
            if let Ok(flag) = text.parse::<bool>() {
                *value = flag.into();
            }
        }
        (Kind::Integer(..) | Kind::OneOf(_) | Kind::Number(..), Value::String(text)) => {
            if let Ok(number) = serde_json::from_str::<Number>(text) {
                *value = number.into();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const INNER: &[Field] =
        &[Field::new("n", Kind::Integer(0, 9)).or(Default::Integer(1)), Field::new("t", Kind::Text)];
    const TABLE: &[Field] = &[
        Field::new("name", Kind::Text).required(),
        Field::new("kind", Kind::Word(&["a", "b"])).or(Default::Text("a")).required(),
        Field::new("flag", Kind::Boolean).or(Default::Boolean(true)),
        Field::new("share", Kind::Number(0.0, 100.0)).or(Default::Integer(0)),
        Field::new("list", Kind::List(&Kind::Text)),
        Field::new("set", Kind::Set(&Kind::Integer(100, 999))).or(Default::Integers(&[200])),
        Field::new("inner", Kind::Record(INNER)).or(Default::Record),
        Field::new("map", Kind::Map(&Kind::List(&Kind::Text))),
    ];

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(object) = value else { panic!("{value}") };
        object
    }

    fn mistakes(given: Value) -> Vec<String> {
        let mut errors = Vec::new();
        complete(TABLE, &object(given), &mut errors);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let mut errors = Vec::new();
        let all = complete(TABLE, &object(json!({ "name": "x", "inner": { "t": "y" } })), &mut errors);
        assert_eq!(errors, vec![]);
        let expected = json!({
            "name": "x", "kind": "a", "flag": true, "share": 0, "list": null, "set": [200],
            "inner": { "n": 1, "t": "y" }, "map": null,
        });
        assert_eq!(Value::Object(all), expected);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_in_kongs_words() {
        let given = json!({
            "kind": null, "flag": "yes", "share": 101, "list": ["a", "", 3], "set": [99, 200.5],
            "inner": { "n": 10, "u": 1 }, "map": { "k": "v" }, "other": 1,
        });
        assert_eq!(
            mistakes(given),
            [
                "other: unknown field",
                "name: required field missing",
                "kind: required field missing",
                "flag: expected a boolean",
                "share: value should be between 0 and 100",
                "list[1]: length must be at least 1",
                "list[2]: expected a string",
                "set[0]: value should be between 100 and 999",
                "set[1]: expected an integer",
                "inner.u: unknown field",
                "inner.n: value should be between 0 and 9",
                "map.k: expected an array",
            ]
        );
        assert_eq!(mistakes(json!({ "name": "x", "kind": "c" })), ["kind: expected one of: a, b"]);
    }

    #[test]
    fn a_patch_merges_records_and_replaces_the_rest() {
        let mut stored = object(json!({ "list": ["a"], "inner": { "n": 1, "t": "y" }, "map": { "a": [] } }));
        let patch = json!({ "list": [], "inner": { "t": null }, "map": { "b": [] } });
        merge(TABLE, &mut stored, object(patch));
        let expected = json!({ "list": [], "inner": { "n": 1, "t": null }, "map": { "b": [] } });
        assert_eq!(Value::Object(stored), expected);
    }

    #[test]
    fn a_forms_strings_become_what_the_table_has() {
        let mut given = object(json!({
            "name": "12", "flag": "false", "share": "2.5", "list": "a", "set": ["300", ""], "inner": { "n": "3" },
            "kind": "",
        }));
        infer(TABLE, &mut given);
        let expected = json!({
            "name": "12", "flag": false, "share": 2.5, "list": ["a"], "set": [300], "inner": { "n": 3 },
            "kind": null,
        });
        assert_eq!(Value::Object(given), expected);
    }
}
