//! The fields of one entity or record, complete and of the right types: what `complete` has made of what was given.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

/// Reads values whose types the table of fields has settled. What is null reads as nothing, zero or empty.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a>(Option<&'a Map<String, Value>>);

impl<'a> Row<'a> {
    /// The fields of a map that is complete.
    pub fn new(fields: &'a Map<String, Value>) -> Self {
        Self(Some(fields))
    }

    fn value(self, name: &str) -> &'a Value {
        self.0.and_then(|fields| fields.get(name)).unwrap_or(&Value::Null)
    }

    /// The value itself, unless it is null.
    pub fn raw(self, name: &str) -> Option<&'a Value> {
        Some(self.value(name)).filter(|value| !value.is_null())
    }

    /// A string.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.value(name).as_str()
    }

    /// A string of its own.
    pub fn owned(self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A UUID.
    pub fn uuid(self, name: &str) -> Option<Uuid> {
        self.text(name).and_then(|text| Uuid::parse_str(text).ok())
    }

    /// The UUID within a reference.
    pub fn reference(self, name: &str) -> Option<Uuid> {
        self.value(name).get("id").and_then(Value::as_str).and_then(|text| Uuid::parse_str(text).ok())
    }

    /// A whole number that fits into `T`, as its field's range makes sure.
    pub fn integer<T: TryFrom<i64>>(self, name: &str) -> Option<T> {
        self.value(name).as_i64().and_then(|number| T::try_from(number).ok())
    }

    /// A number.
    pub fn number(self, name: &str) -> Option<f64> {
        self.value(name).as_f64()
    }

    /// A flag.
    pub fn flag(self, name: &str) -> Option<bool> {
        self.value(name).as_bool()
    }

    /// Milliseconds.
    pub fn millis(self, name: &str) -> Duration {
        Duration::from_millis(self.integer(name).unwrap_or_default())
    }

    /// Seconds, perhaps with a fraction.
    pub fn seconds(self, name: &str) -> Duration {
        Duration::try_from_secs_f64(self.number(name).unwrap_or_default()).unwrap_or_default()
    }

    /// Several strings.
    pub fn texts(self, name: &str) -> Vec<String> {
        self.raw(name).map(texts).unwrap_or_default()
    }

    /// Several UUIDs, unless null.
    pub fn uuids(self, name: &str) -> Option<Vec<Uuid>> {
        let items = self.raw(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).filter_map(|text| Uuid::parse_str(text).ok()).collect())
    }

    /// Several whole numbers.
    pub fn integers<T: TryFrom<i64>>(self, name: &str) -> Vec<T> {
        let items = self.value(name).as_array().into_iter().flatten();
        items.filter_map(Value::as_i64).filter_map(|number| T::try_from(number).ok()).collect()
    }

    /// Lists of strings by name.
    pub fn map(self, name: &str) -> BTreeMap<String, Vec<String>> {
        let entries = self.value(name).as_object().into_iter().flatten();
        entries.map(|(name, values)| (name.clone(), texts(values))).collect()
    }

    /// The fields of a record; none when it is null.
    #[must_use]
    pub fn record(self, name: &str) -> Row<'a> {
        Row(self.value(name).as_object())
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The fields of a value that was written as an object.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
