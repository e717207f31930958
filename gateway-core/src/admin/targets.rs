//! The Targets of an Upstream. They differ from other entities: newest first in lists, known by address too, and a PUT never
//! creates one, which decK relies on.

use serde_json::{Map, Value, json};

use super::entities::{create, patch};
use super::pages::Page;
use super::{Call, Decision, Reply, Then, World, body};
use crate::config::Change;
use crate::entity::{Target, Upstream};
use crate::schema::Entity as _;

/// `/upstreams/{u}/targets` and `.../targets/all`.
pub(super) fn collection(
    world: &World<'_>,
    upstream: &str,
    all: bool,
    call: &Call<'_>,
) -> Result<Decision, Reply> {
    let (id, upstream) = world.config.find_upstream(upstream).ok_or_else(Reply::not_found)?;
    match call.method {
        "GET" => {
            let page = Page::of(call)?;
            let items = world.config.targets_of(id).filter(|(_, target)| page.takes(&target.tags));
            let items =
                items.map(|(id, target)| (id.0, Value::Object(target.to_json(world.config)))).collect();
            let path = format!("/upstreams/{}/targets{}", upstream.uuid, if all { "/all" } else { "" });
            Ok(Decision::Reply(page.reply_newest_first(&path, items)))
        }
        "POST" if !all => create::<Target>(world, call, &linked(body::fields::<Target>(call)?, upstream)),
        _ if all => Err(Reply::not_allowed("GET, HEAD, OPTIONS")),
        _ => Err(Reply::not_allowed("GET, HEAD, OPTIONS, POST")),
    }
}

/// `/upstreams/{u}/targets/{id or address}`.
pub(super) fn item(world: &World<'_>, upstream: &str, key: &str, call: &Call<'_>) -> Result<Decision, Reply> {
    let (id, upstream) = world.config.find_upstream(upstream).ok_or_else(Reply::not_found)?;
    let found = world.config.find_target(id, key);
    match call.method {
        "GET" | "PATCH" | "PUT" | "DELETE" => {}
        _ => return Err(Reply::not_allowed("DELETE, GET, HEAD, OPTIONS, PATCH, PUT")),
    }
    let (id, target) = found.ok_or_else(Reply::not_found)?;
    match call.method {
        "GET" => Ok(Decision::Reply(Reply::json(200, &Value::Object(target.to_json(world.config))))),
        "DELETE" => Ok(Decision::Change(Box::new(Change::DeleteTarget(id)), Then::Gone)),
        _ => {
            let fields = linked(body::fields::<Target>(call)?, upstream);
            patch::<Target>(world, &target.uuid.to_string(), call, fields)
        }
    }
}

fn linked(mut fields: Map<String, Value>, upstream: &Upstream) -> Map<String, Value> {
    fields.insert("upstream".to_owned(), json!({ "id": upstream.uuid }));
    fields
}
