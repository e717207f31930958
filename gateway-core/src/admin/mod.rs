//! The Admin API without a socket: a call in, a reply or a change out. Kong's paths, words and error objects. Whoever carries
//! it out applies the change and then asks for the reply that goes with it, so that curl, decK, the live engine and tests
//! share one way in. What an entity's fields are is `schema`'s; what a change may do is `config`'s.

mod body;
mod declarative;
mod entities;
mod errors;
mod health;
mod info;
mod pages;
mod targets;

pub use errors::refused;
pub use info::Status;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::{Change, Config};
use crate::entity::{Route, Service, Target, Upstream};
use crate::gateway::Gateway;
use crate::id::TargetId;
use crate::schema::{Entity, Stamp};

/// Kong's version that is spoken here. decK asks for it first, and goes by it.
pub const KONG_VERSION: &str = "3.10.0";
/// Konnect serves the same entities below this prefix and a control plane's id.
const KONNECT: &str = "/v2/control-planes/";
const KONNECT_ENTITIES: &str = "core-entities";

/// One call of the Admin API.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Without its query.
    pub path: &'a str,
    /// What follows the `?`.
    pub query: &'a str,
    /// What the body is.
    pub content_type: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
    /// What a new entity gets.
    pub stamp: Stamp,
}

/// What calls are answered from.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The gateway as it is.
    pub gateway: &'a Gateway,
    /// Its newest configuration.
    pub config: &'a Config,
    /// What the proxy did so far.
    pub status: &'a Status,
}

/// What a call comes to.
#[derive(Debug)]
pub enum Decision {
    /// An answer, and nothing changes.
    Reply(Reply),
    /// A change. Once it is in force, [`reply_after`] has the answer; if it is refused, [`refused`] has.
    Change(Box<Change>, Then),
    /// Targets are said to be well or not, by hand.
    SetHealth(Vec<TargetId>, bool),
}

/// What the answer to a change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// An entity as it is now, with this status.
    Show(Shown, Uuid, u16),
    /// Nothing: it is gone.
    Gone,
    /// Everything there is.
    All,
}

/// A kind of entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A Service.
    Service,
    /// A Route.
    Route,
    /// An Upstream.
    Upstream,
    /// A Target.
    Target,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON; empty for one without a body.
    pub body: String,
    /// The methods that would have been fine.
    pub allow: Option<&'static str>,
}

impl Reply {
    /// `{"message": ...}`.
    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string(), allow: None }
    }

    /// 204.
    pub(crate) fn empty() -> Self {
        Self { status: 204, body: String::new(), allow: None }
    }

    fn not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::message(405, "Method not allowed") }
    }

    fn not_found() -> Self {
        Self::message(404, "Not found")
    }
}

/// Decides what `call` comes to.
pub fn decide(world: &World<'_>, call: &Call<'_>) -> Decision {
    // HEAD is GET whose body nobody sends.
    let call = &Call { method: if call.method == "HEAD" { "GET" } else { call.method }, ..*call };
    let path = konnect(call.path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let parts: Vec<_> =
        path.split('/').skip(1).map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(AsRef::as_ref).collect();
    let decided = match parts[..] {
        [] => info::root(call).map(Decision::Reply),
        ["status"] => info::status(world, call).map(Decision::Reply),
        ["schemas", kind] => info::schema(kind, call).map(Decision::Reply),
        ["schemas", kind, "validate"] => info::validate(world, kind, call).map(Decision::Reply),
        ["tags"] => info::tags(world, None, call).map(Decision::Reply),
        ["tags", tag] => info::tags(world, Some(tag), call).map(Decision::Reply),
        ["config"] => declarative::config(world, call),
        ["services"] => entities::collection::<Service>(world, call),
        ["services", key] => entities::item::<Service>(world, key, call),
        ["services", key, "routes"] => entities::routes_of(world, key, call),
        ["services", key, "routes", route] => entities::route_of(world, key, route, call),
        ["routes"] => entities::collection::<Route>(world, call),
        ["routes", key] => entities::item::<Route>(world, key, call),
        ["routes", key, "service"] => entities::service_of(world, key, call),
        ["upstreams"] => entities::collection::<Upstream>(world, call),
        ["upstreams", key] => entities::item::<Upstream>(world, key, call),
        ["upstreams", key, "health"] => health::of_upstream(world, key, call),
        ["upstreams", key, "targets"] => targets::collection(world, key, false, call),
        ["upstreams", key, "targets", "all"] => targets::collection(world, key, true, call),
        ["upstreams", key, "targets", target] => targets::item(world, key, target, call),
        ["upstreams", key, "targets", target, state @ ("healthy" | "unhealthy")]
        | ["upstreams", key, "targets", target, _, state @ ("healthy" | "unhealthy")] => {
            health::set(world, key, target, state == "healthy", call)
        }
        // What decK asks for and this gateway has none of.
        ["plugins" | "certificates" | "snis" | "consumers"] => info::none(call).map(Decision::Reply),
        _ => Err(Reply::not_found()),
    };
    match decided {
        // Every path says which methods it has; who asks for them is told without a change.
        Err(Reply { status: 405, allow, .. }) if call.method == "OPTIONS" => {
            Decision::Reply(Reply { allow, ..Reply::empty() })
        }
        decided => decided.unwrap_or_else(Decision::Reply),
    }
}

/// The path as a self-managed gateway has it.
fn konnect(path: &str) -> &str {
    let below = path.strip_prefix(KONNECT).and_then(|rest| rest.split_once('/'));
    let entities = below.and_then(|(_, rest)| rest.strip_prefix(KONNECT_ENTITIES));
    entities.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path)
}

/// The answer to a change that is in force.
pub fn reply_after(config: &Config, then: Then) -> Reply {
    fn show<E: Entity>(config: &Config, uuid: Uuid, status: u16) -> Reply {
        let found = E::find(config, &uuid.to_string());
        found.map_or_else(Reply::not_found, |(_, entity)| {
            Reply::json(status, &Value::Object(entity.to_json(config)))
        })
    }
    match then {
        Then::Gone => Reply::empty(),
        Then::All => declarative::all(config),
        Then::Show(Shown::Service, uuid, status) => show::<Service>(config, uuid, status),
        Then::Show(Shown::Route, uuid, status) => show::<Route>(config, uuid, status),
        Then::Show(Shown::Upstream, uuid, status) => show::<Upstream>(config, uuid, status),
        Then::Show(Shown::Target, uuid, status) => show::<Target>(config, uuid, status),
    }
}

#[cfg(test)]
mod tests;
