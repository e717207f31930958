//! Kong's error objects: code, name, message and the fields concerned.

use serde_json::{Map, Value, json};

use super::Reply;
use crate::config::ConfigError;
use crate::entity::FieldError;

/// The answer to a change that was refused.
pub fn refused(error: &ConfigError) -> Reply {
    match error {
        ConfigError::Schema(errors) => violation(errors),
        ConfigError::Unique { field: "id", value } => {
            let message = format!("primary key violation on key '{{id=\"{value}\"}}'");
            object(400, 3, "primary key violation", &message, &json!({ "id": value }))
        }
        ConfigError::Unique { field, value } => {
            object(409, 5, "unique constraint violation", &error.to_string(), &json!({ *field: value }))
        }
        ConfigError::Missing { .. } => Reply::not_found(),
        ConfigError::Referenced { by, .. } => {
            object(400, 4, "foreign key violation", &error.to_string(), &json!({ "@referenced_by": by }))
        }
    }
}

/// An error object.
pub(super) fn object(status: u16, code: u32, name: &str, message: &str, fields: &Value) -> Reply {
    Reply::json(status, &json!({ "code": code, "name": name, "message": message, "fields": fields }))
}

/// An option of the query that cannot be.
pub(super) fn invalid_option(field: &str, why: &str) -> Reply {
    let message = format!("invalid option ({field}: {why})");
    object(400, 11, "invalid options", &message, &json!({ field: why }))
}

/// Fields that break their rules; a link that leads nowhere is an error of its own.
pub(super) fn violation(errors: &[FieldError]) -> Reply {
    if let [error] = errors
        && error.message.starts_with("the foreign key ")
    {
        let fields = json!({ error.field.clone(): error.message });
        return object(400, 4, "foreign key violation", &error.message, &fields);
    }
    let message = sentence(errors);
    object(400, 2, "schema violation", &message, &nested(errors))
}

/// `2 schema violations (host: ...; paths.1: ...)`, sorted, `@entity` first, list entries counted from 1.
fn sentence(errors: &[FieldError]) -> String {
    let mut listed: Vec<_> =
        errors.iter().map(|error| format!("{}: {}", dotted(&error.field), error.message)).collect();
    listed.sort();
    match listed.as_slice() {
        [one] => format!("schema violation ({one})"),
        many => format!("{} schema violations ({})", many.len(), many.join("; ")),
    }
}

/// `paths[0]` as Kong writes it in a sentence: `paths.1`.
fn dotted(field: &str) -> String {
    steps(field)
        .map(|step| match step {
            Step::Name(name) => name.to_owned(),
            Step::Entry(index) => (index + 1).to_string(),
        })
        .collect::<Vec<_>>()
        .join(".")
}

/// The errors in the shape of the body they are about.
pub(super) fn nested(errors: &[FieldError]) -> Value {
    let mut root = Map::new();
    for error in errors {
        if error.field == "@entity" {
            let list = root.entry("@entity").or_insert_with(|| Vec::<Value>::new().into());
            if let Value::Array(list) = list {
                list.push(error.message.clone().into());
            }
            continue;
        }
        let mut slot = &mut Value::Null;
        for (depth, step) in steps(&error.field).enumerate() {
            slot = match step {
                Step::Name(name) if depth == 0 => root.entry(name).or_insert(Value::Null),
                Step::Name(name) => {
                    if !slot.is_object() {
                        *slot = Map::new().into();
                    }
                    &mut slot[name]
                }
                Step::Entry(index) => {
                    if !slot.is_array() {
                        *slot = Vec::<Value>::new().into();
                    }
                    let Value::Array(entries) = slot else { break };
                    entries.resize(entries.len().max(index + 1), Value::Null);
                    &mut entries[index]
                }
            };
        }
        *slot = error.message.clone().into();
    }
    root.into()
}

enum Step<'a> {
    Name(&'a str),
    Entry(usize),
}

/// `a.b[0].c`, part by part.
fn steps(field: &str) -> impl Iterator<Item = Step<'_>> {
    field.split('.').flat_map(|part| {
        let (name, entries) = part.split_once('[').unwrap_or((part, ""));
        let entries = entries.split('[').filter_map(|index| index.trim_end_matches(']').parse().ok());
        std::iter::once(Step::Name(name)).chain(entries.map(Step::Entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_shape_of_the_body_and_one_sentence() {
        let errors = [
            FieldError::new("host", "required field missing"),
            FieldError::new("paths[1]", "should start with: /"),
            FieldError::new("a.b.c", "unknown field"),
            FieldError::new("a.b.d[0]", "expected a string"),
            FieldError::entity("must set one of"),
        ];
        let expected = json!({
            "host": "required field missing",
            "paths": [null, "should start with: /"],
            "a": { "b": { "c": "unknown field", "d": ["expected a string"] } },
            "@entity": ["must set one of"],
        });
        assert_eq!(nested(&errors), expected);
        assert_eq!(
            sentence(&errors),
            "5 schema violations (@entity: must set one of; a.b.c: unknown field; a.b.d.1: expected a string; \
             host: required field missing; paths.2: should start with: /)"
        );
    }
}
