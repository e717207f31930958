//! The body of a call as fields: JSON, or a form whose strings become what the kind's fields say.

use serde_json::{Map, Value};

use super::{Call, Reply};
use crate::schema::{Entity, infer};

/// The deepest that the names of a form nest.
const DEPTH_MAX: usize = 8;

/// The fields that `call` gives for an entity of kind `E`, shorthands written out.
pub(super) fn fields<E: Entity>(call: &Call<'_>) -> Result<Map<String, Value>, Reply> {
    let kind = call.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let mut fields = match kind.to_ascii_lowercase().as_str() {
        _ if call.body.is_empty() => Map::new(),
        "application/json" => match serde_json::from_slice(call.body) {
            Ok(Value::Object(fields)) => fields,
            _ => return Err(Reply::message(400, "Cannot parse JSON body")),
        },
        "application/x-www-form-urlencoded" => {
            let mut fields = form(call.body);
            infer(E::FIELDS, &mut fields);
            fields
        }
        _ => return Err(Reply::message(415, "Unsupported Media Type")),
    };
    E::prepare(&mut fields);
    Ok(fields)
}

/// `a.b=1`, `hosts[]=x`, `hosts[1]=x`: values by name, as strings.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        insert(&mut fields, &name, value.into_owned(), DEPTH_MAX);
    }
    fields
}

fn insert(fields: &mut Map<String, Value>, name: &str, value: String, depth: usize) {
    let (first, rest) = match name.split_once('.') {
        Some((first, rest)) if depth > 0 => (first, Some(rest)),
        _ => (name, None),
    };
    let (first, is_list) = match first.split_once('[') {
        Some((list, index)) if index.ends_with(']') => (list, true),
        _ => (first, false),
    };
    let slot = fields.entry(first.to_owned()).or_insert(Value::Null);
    if let Some(rest) = rest {
        if !slot.is_object() {
            *slot = Map::new().into();
        }
        if let Value::Object(fields) = slot {
            insert(fields, rest, value, depth - 1);
        }
    } else if is_list {
        if !slot.is_array() {
            *slot = Vec::<Value>::new().into();
        }
        if let Value::Array(items) = slot {
            items.push(value.into());
        }
    } else {
        *slot = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_names_of_a_form_nest_and_repeat() {
        let fields = form(b"a=1&b.c=2&b.d.e=3&hosts[]=x&hosts[]=y&tags[1]=z&b.f[]=4&a%20b=");
        let expected = json!({
            "a": "1", "b": { "c": "2", "d": { "e": "3" }, "f": ["4"] }, "hosts": ["x", "y"], "tags": ["z"],
            "a b": "",
        });
        assert_eq!(Value::Object(fields), expected);
        let deep = format!("{}=1", "a.".repeat(500));
        assert!(form(deep.as_bytes()).contains_key("a"), "nesting is bounded");
    }
}
