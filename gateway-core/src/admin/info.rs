//! What the gateway says about itself: `/`, `/status`, `/schemas`, `/tags`.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::entities::read;
use super::pages::Page;
use super::{Call, KONG_VERSION, Reply, World, body};
use crate::entity::{Route, Service, Target, Upstream};
use crate::schema::{self, Entity};

/// What `GET /status` tells of the proxy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    /// Since the start.
    pub connections_accepted: u64,
    /// Now.
    pub connections_active: u64,
    /// Since the start.
    pub total_requests: u64,
}

/// One node, and always the same: there is no cluster to tell it apart in.
pub(super) fn node_id() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, b"gateway-core")
}

fn only_get(call: &Call<'_>) -> Result<(), Reply> {
    if call.method == "GET" { Ok(()) } else { Err(Reply::not_allowed("GET, HEAD, OPTIONS")) }
}

/// `/`: decK reads the version here.
pub(super) fn root(call: &Call<'_>) -> Result<Reply, Reply> {
    only_get(call)?;
    Ok(Reply::json(
        200,
        &json!({
            "version": KONG_VERSION,
            "tagline": "Welcome to kong",
            "edition": "community",
            "hostname": "localhost",
            "node_id": node_id(),
            "lua_version": null,
            "implementation": concat!("gateway-core/", env!("CARGO_PKG_VERSION")),
            "configuration": { "database": "postgres", "router_flavor": "traditional_compatible" },
            "plugins": { "available_on_server": {}, "enabled_in_cluster": [] },
            "pids": {},
            "timers": { "running": 0, "pending": 0 },
        }),
    ))
}

/// `/status`, as far as it means anything here.
pub(super) fn status(world: &World<'_>, call: &Call<'_>) -> Result<Reply, Reply> {
    only_get(call)?;
    let status = world.status;
    Ok(Reply::json(
        200,
        &json!({
            "database": { "reachable": true },
            "memory": { "workers_lua_vms": [], "lua_shared_dicts": {} },
            "server": {
                "connections_accepted": status.connections_accepted,
                "connections_active": status.connections_active,
                "connections_handled": status.connections_accepted,
                "connections_reading": 0,
                "connections_waiting": 0,
                "connections_writing": status.connections_active,
                "total_requests": status.total_requests,
            },
        }),
    ))
}

/// `/schemas/{kind}`.
pub(super) fn schema(kind: &str, call: &Call<'_>) -> Result<Reply, Reply> {
    only_get(call)?;
    let fields = schema::fields_of(kind).ok_or_else(|| no_kind(kind))?;
    Ok(Reply::json(200, &schema::describe(fields)))
}

/// `/schemas/{kind}/validate`.
pub(super) fn validate(world: &World<'_>, kind: &str, call: &Call<'_>) -> Result<Reply, Reply> {
    fn check<E: Entity>(world: &World<'_>, call: &Call<'_>) -> Result<(), Reply> {
        read::<E>(world, &body::fields::<E>(call)?, &call.stamp).map(|_| ())
    }
    if call.method != "POST" {
        return Err(Reply::not_allowed("OPTIONS, POST"));
    }
    match kind {
        "services" => check::<Service>(world, call)?,
        "routes" => check::<Route>(world, call)?,
        "upstreams" => check::<Upstream>(world, call)?,
        "targets" => check::<Target>(world, call)?,
        _ => return Err(no_kind(kind)),
    }
    Ok(Reply::message(200, "schema validation successful"))
}

fn no_kind(kind: &str) -> Reply {
    Reply::message(404, &format!("No entity named '{kind}'"))
}

/// `/tags` and `/tags/{tag}`.
pub(super) fn tags(world: &World<'_>, only: Option<&str>, call: &Call<'_>) -> Result<Reply, Reply> {
    fn of<E: Entity>(world: &World<'_>, only: Option<&str>, into: &mut Vec<Value>) {
        for (_, entity) in E::all(world.config) {
            let tags = entity.tags().iter().filter(|tag| only.is_none_or(|only| *tag == only));
            into.extend(
                tags.map(|tag| json!({ "entity_name": E::PLURAL, "entity_id": entity.uuid(), "tag": tag })),
            );
        }
    }
    only_get(call)?;
    let mut all = Vec::new();
    of::<Service>(world, only, &mut all);
    of::<Route>(world, only, &mut all);
    of::<Upstream>(world, only, &mut all);
    of::<Target>(world, only, &mut all);
    let path = only.map_or_else(|| "/tags".to_owned(), |tag| format!("/tags/{tag}"));
    Ok(Page::of(call)?.reply(&path, all.into_iter().enumerate().map(|(i, tag)| (i as u32, tag))))
}

/// A list of a kind that this gateway has none of; decK takes 404 for an error there.
pub(super) fn none(call: &Call<'_>) -> Result<Reply, Reply> {
    only_get(call)?;
    let mut body = Map::new();
    body.insert("data".to_owned(), Vec::<Value>::new().into());
    body.insert("next".to_owned(), Value::Null);
    Ok(Reply::json(200, &Value::Object(body)))
}
