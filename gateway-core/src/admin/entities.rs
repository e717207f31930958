//! Create, read, update and delete, the same for Services, Routes and Upstreams, and the views of one through another.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::errors::violation;
use super::pages::Page;
use super::{Call, Decision, Reply, Shown, Then, World, body};
use crate::config::Change;
use crate::entity::{Route, Service, Target, Upstream};
use crate::schema::{self, Entity, Stamp};

/// A kind of entity that has a place of its own in the Admin API.
pub(super) trait Listed: Entity {
    /// What the answer to a change of it shows.
    const SHOWN: Shown;
}

impl Listed for Service {
    const SHOWN: Shown = Shown::Service;
}
impl Listed for Route {
    const SHOWN: Shown = Shown::Route;
}
impl Listed for Upstream {
    const SHOWN: Shown = Shown::Upstream;
}
impl Listed for Target {
    const SHOWN: Shown = Shown::Target;
}

type Fields = Map<String, Value>;
type Decided = Result<Decision, Reply>;

/// `/services`: list and create.
pub(super) fn collection<E: Listed>(world: &World<'_>, call: &Call<'_>) -> Decided
where
    E::Id: Into<u32>,
{
    match call.method {
        "GET" => list::<E>(world, call, &format!("/{}", E::PLURAL), |_| true),
        "POST" => create::<E>(world, call, &body::fields::<E>(call)?),
        _ => Err(Reply::not_allowed("GET, HEAD, OPTIONS, POST")),
    }
}

/// `/services/{id or name}`.
pub(super) fn item<E: Listed>(world: &World<'_>, key: &str, call: &Call<'_>) -> Decided {
    match call.method {
        "GET" => show::<E>(world, key),
        "PATCH" => patch::<E>(world, key, call, body::fields::<E>(call)?),
        "PUT" => put::<E>(world, key, call, body::fields::<E>(call)?),
        "DELETE" => Ok(delete(E::find(world.config, key))),
        _ => Err(Reply::not_allowed("DELETE, GET, HEAD, OPTIONS, PATCH, PUT")),
    }
}

/// `/services/{s}/routes`.
pub(super) fn routes_of(world: &World<'_>, service: &str, call: &Call<'_>) -> Decided {
    let (id, service) = world.config.find_service(service).ok_or_else(Reply::not_found)?;
    match call.method {
        "GET" => {
            let path = format!("/services/{}/routes", service.uuid);
            list::<Route>(world, call, &path, |route| route.service == Some(id))
        }
        "POST" => create::<Route>(world, call, &linked(body::fields::<Route>(call)?, service)),
        _ => Err(Reply::not_allowed("GET, HEAD, OPTIONS, POST")),
    }
}

/// `/services/{s}/routes/{r}`.
pub(super) fn route_of(world: &World<'_>, service: &str, key: &str, call: &Call<'_>) -> Decided {
    let (id, service) = world.config.find_service(service).ok_or_else(Reply::not_found)?;
    let is_its = world.config.find_route(key).is_none_or(|(_, route)| route.service == Some(id));
    let fields = || body::fields::<Route>(call).map(|fields| linked(fields, service));
    match call.method {
        _ if !is_its => Err(Reply::not_found()),
        "GET" => show::<Route>(world, key),
        "PATCH" => patch::<Route>(world, key, call, fields()?),
        "PUT" => put::<Route>(world, key, call, fields()?),
        "DELETE" => Ok(delete(world.config.find_route(key))),
        _ => Err(Reply::not_allowed("DELETE, GET, HEAD, OPTIONS, PATCH, PUT")),
    }
}

/// `/routes/{r}/service`.
pub(super) fn service_of(world: &World<'_>, route: &str, call: &Call<'_>) -> Decided {
    let (_, route) = world.config.find_route(route).ok_or_else(Reply::not_found)?;
    let service = route.service.and_then(|id| world.config.service(id)).ok_or_else(Reply::not_found)?;
    let key = service.uuid.to_string();
    match call.method {
        "GET" | "PATCH" | "PUT" => item::<Service>(world, &key, call),
        _ => Err(Reply::not_allowed("GET, HEAD, OPTIONS, PATCH, PUT")),
    }
}

fn linked(mut fields: Fields, service: &Service) -> Fields {
    fields.insert("service".to_owned(), json!({ "id": service.uuid }));
    fields
}

/// A page of the entities that `belongs` takes.
fn list<E: Entity>(world: &World<'_>, call: &Call<'_>, path: &str, belongs: impl Fn(&E) -> bool) -> Decided
where
    E::Id: Into<u32>,
{
    let page = Page::of(call)?;
    let items = E::all(world.config).filter(|(_, entity)| belongs(entity) && page.takes(entity.tags()));
    let items = items.map(|(id, entity)| (id.into(), Value::Object(entity.to_json(world.config))));
    Ok(Decision::Reply(page.reply(path, items)))
}

fn show<E: Entity>(world: &World<'_>, key: &str) -> Decided {
    let (_, entity) = E::find(world.config, key).ok_or_else(Reply::not_found)?;
    Ok(Decision::Reply(Reply::json(200, &Value::Object(entity.to_json(world.config)))))
}

/// A new entity of `fields`.
pub(super) fn create<E: Listed>(world: &World<'_>, call: &Call<'_>, fields: &Fields) -> Decided {
    let entity = read::<E>(world, fields, &call.stamp)?;
    Ok(change::<E>(entity.uuid(), 201, entity.create()))
}

/// `fields` laid over what is there.
pub(super) fn patch<E: Listed>(world: &World<'_>, key: &str, call: &Call<'_>, fields: Fields) -> Decided {
    let (id, old) = E::find(world.config, key).ok_or_else(Reply::not_found)?;
    let mut merged = old.to_json(world.config);
    schema::merge(E::FIELDS, &mut merged, fields);
    let entity = read::<E>(world, &merged, &call.stamp)?;
    Ok(change::<E>(entity.uuid(), 200, entity.update(id)))
}

/// `fields` in the place of what is there, or new. A name in the path is the entity's name, an id its id.
fn put<E: Listed>(world: &World<'_>, key: &str, call: &Call<'_>, mut fields: Fields) -> Decided {
    let old = E::find(world.config, key);
    if Uuid::parse_str(key).is_ok() {
        fields.insert("id".to_owned(), key.into());
    } else {
        fields.insert("name".to_owned(), key.into());
        let id = old.as_ref().map_or(call.stamp.id, |(_, entity)| entity.uuid());
        fields.insert("id".to_owned(), id.to_string().into());
    }
    if let Some((_, old)) = &old
        && !fields.contains_key("created_at")
    {
        // Its age decides between equal Routes, and replacing it makes it no younger.
        let created = old.to_json(world.config).remove("created_at").unwrap_or_default();
        fields.insert("created_at".to_owned(), created);
    }
    let entity = read::<E>(world, &fields, &call.stamp)?;
    let uuid = entity.uuid();
    Ok(match old {
        Some((id, _)) => change::<E>(uuid, 200, entity.update(id)),
        None => change::<E>(uuid, 200, entity.create()),
    })
}

/// 204, also when there was none.
fn delete<E: Entity>(found: Option<(E::Id, &E)>) -> Decision {
    match found {
        Some((id, _)) => Decision::Change(Box::new(E::delete(id)), Then::Gone),
        None => Decision::Reply(Reply::empty()),
    }
}

pub(super) fn read<E: Entity>(world: &World<'_>, fields: &Fields, stamp: &Stamp) -> Result<E, Reply> {
    schema::read(fields, stamp, world.config).map_err(|errors| violation(&errors))
}

fn change<E: Listed>(uuid: Uuid, status: u16, change: Change) -> Decision {
    Decision::Change(Box::new(change), Then::Show(E::SHOWN, uuid, status))
}
