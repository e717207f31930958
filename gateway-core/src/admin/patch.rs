//! The body of a `PATCH`, JSON or form, into the change of a Service it asks for. All fields that cannot be read are said at
//! once; whether their values obey the entity's rules is the entity's business.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Call, Reply, violation};
use crate::entity::{FieldError, Protocol, ServicePatch};

/// Reads the body.
pub(super) fn read(call: &Call<'_>) -> Result<ServicePatch, Reply> {
    let fields = fields(call)?;
    let mut patch = ServicePatch { updated_at: Some(call.now_s), ..ServicePatch::default() };
    let errors: Vec<_> = fields
        .iter()
        .filter_map(|(name, value)| {
            set(&mut patch, name, value).err().map(|message| FieldError::new(name, message))
        })
        .collect();
    if errors.is_empty() { Ok(patch) } else { Err(violation(&errors)) }
}

fn fields(call: &Call<'_>) -> Result<Map<String, Value>, Reply> {
    let kind = call.content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if call.body.is_empty() {
        return Ok(Map::new());
    }
    match kind.to_ascii_lowercase().as_str() {
        "application/json" => match serde_json::from_slice(call.body) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(Reply::message(400, "Cannot parse JSON body")),
        },
        "application/x-www-form-urlencoded" => Ok(form(call.body)),
        _ => Err(Reply::message(415, "Unsupported Media Type")),
    }
}

/// `host=green&tags[]=a`: numbers and booleans are what they look like, an empty value clears.
fn form(body: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body) {
        let value = match value.as_ref() {
            "" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            text => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
        };
        match name.split_once('[') {
            Some((list, _)) => match fields.entry(list.to_owned()).or_insert_with(|| Value::Array(vec![])) {
                Value::Array(values) => values.push(value),
                other => *other = Value::Array(vec![value]),
            },
            None => {
                fields.insert(name.into_owned(), value);
            }
        }
    }
    fields
}

fn set(patch: &mut ServicePatch, name: &str, value: &Value) -> Result<(), String> {
    match name {
        "name" => patch.name = Some(optional(value, text)?),
        "host" => patch.host = Some(required(value, text)?),
        "path" => patch.path = Some(optional(value, text)?),
        "port" => patch.port = Some(number(value, 0, 65_535)? as u16),
        "retries" => patch.retries = Some(number(value, 0, 32_767)? as u16),
        "connect_timeout" => patch.connect_timeout = Some(timeout(value)?),
        "write_timeout" => patch.write_timeout = Some(timeout(value)?),
        "read_timeout" => patch.read_timeout = Some(timeout(value)?),
        "enabled" => patch.enabled = Some(required(value, boolean)?),
        "tags" => patch.tags = Some(optional(value, texts)?.unwrap_or_default()),
        // There is one protocol so far: naming it changes nothing, naming another is refused.
        "protocol" => {
            Protocol::parse(&required(value, text)?)?;
        }
        _ => return Err("unknown field".to_owned()),
    }
    Ok(())
}

fn required<T>(value: &Value, read: fn(&Value) -> Result<T, String>) -> Result<T, String> {
    if value.is_null() { Err("required field missing".to_owned()) } else { read(value) }
}

fn optional<T>(value: &Value, read: fn(&Value) -> Result<T, String>) -> Result<Option<T>, String> {
    if value.is_null() { Ok(None) } else { read(value).map(Some) }
}

fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "expected a string".to_owned())
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    value.as_array().ok_or("expected a set")?.iter().map(text).collect()
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "expected a boolean".to_owned())
}

fn number(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    let number = required(value, |value| value.as_i64().ok_or_else(|| "expected an integer".to_owned()))?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("value should be between {least} and {most}"))
    }
}

/// Milliseconds.
fn timeout(value: &Value) -> Result<Duration, String> {
    number(value, 1, 2_147_483_646).map(|ms| Duration::from_millis(ms.unsigned_abs()))
}
