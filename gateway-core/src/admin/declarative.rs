//! `/config`: everything there is as one declarative file, and everything replaced by one. Kong serves it without a database
//! only; here it is always there.

use serde_json::{Map, Value, json};

use super::errors::{nested, object};
use super::{Call, Decision, Reply, Then, World};
use crate::config::{Change, Config};
use crate::deck::{self, DeckError};
use crate::entity::{Route, Service, Target, Upstream};
use crate::schema::Entity;

pub(super) fn config(world: &World<'_>, call: &Call<'_>) -> Result<Decision, Reply> {
    match call.method {
        "GET" => Ok(Decision::Reply(Reply::json(200, &json!({ "config": deck::write(world.config) })))),
        "POST" => replace(world, call),
        _ => Err(Reply::not_allowed("GET, HEAD, OPTIONS, POST")),
    }
}

fn replace(world: &World<'_>, call: &Call<'_>) -> Result<Decision, Reply> {
    let text = std::str::from_utf8(call.body).map_err(|_| Reply::message(400, "Cannot parse body"))?;
    let loaded = deck::read_body(text, call.stamp.now_ms).map_err(|error| refused(&error))?;
    let only_if_changed =
        form_urlencoded::parse(call.query.as_bytes()).any(|(key, value)| key == "check_hash" && value == "1");
    if only_if_changed && deck::write(&loaded.config) == deck::write(world.config) {
        return Ok(Decision::Reply(Reply { status: 304, body: String::new(), allow: None }));
    }
    Ok(Decision::Change(Box::new(Change::Replace(Box::new(loaded.config))), Then::All))
}

fn refused(error: &DeckError) -> Reply {
    let (why, fields) = match error {
        DeckError::Fields(errors) => ("declarative config is invalid".to_owned(), nested(errors)),
        other => (other.to_string(), json!({ "@entity": [other.to_string()] })),
    };
    let message = format!("{why}: {fields}");
    object(400, 14, "invalid declarative configuration", &message, &fields)
}

/// All entities by kind and id.
pub(super) fn all(config: &Config) -> Reply {
    fn of<E: Entity>(config: &Config) -> (String, Value) {
        let by_id =
            |(_, entity): (E::Id, &E)| (entity.uuid().to_string(), Value::Object(entity.to_json(config)));
        (E::PLURAL.to_owned(), E::all(config).map(by_id).collect::<Map<_, _>>().into())
    }
    let kinds = [of::<Service>(config), of::<Route>(config), of::<Upstream>(config), of::<Target>(config)];
    Reply::json(201, &Value::Object(kinds.into_iter().collect()))
}
