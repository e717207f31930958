//! A configuration as a decK file: nested, without what is as it would be anyway.

use serde_json::{Map, Value, json};

use super::yaml;
use crate::config::Config;
use crate::entity::{Route, Service, Target, Upstream};
use crate::schema::{Entity, Field, Kind, complete};

type Fields = Map<String, Value>;

/// The text: `_format_version` 3.0, Routes within their Services, Targets within their Upstreams, in order of creation.
/// Ids are written, so that what reads it back changes nothing.
pub fn write(config: &Config) -> String {
    let mut document = Map::new();
    document.insert("_format_version".to_owned(), "3.0".into());
    let services = config.services().map(|(id, service)| {
        let routes = config.routes().filter(|(_, route)| route.service == Some(id));
        let routes = routes.map(|(_, route)| short::<Route>(config, route, &["service"]));
        with(short::<Service>(config, service, &[]), "routes", routes.collect())
    });
    let orphans = config.routes().filter(|(_, route)| route.service.is_none());
    let orphans: Vec<_> =
        orphans.map(|(_, route)| Value::Object(short::<Route>(config, route, &[]))).collect();
    let upstreams = config.upstreams().map(|(id, upstream)| {
        let targets = config.targets_of(id).map(|(_, target)| short::<Target>(config, target, &["upstream"]));
        with(short::<Upstream>(config, upstream, &[]), "targets", targets.collect())
    });
    for (kind, entities) in
        [("services", services.collect()), ("routes", orphans), ("upstreams", upstreams.collect())]
    {
        if !entities.is_empty() {
            document.insert(kind.to_owned(), Value::Array(entities));
        }
    }
    yaml::to_text(&Value::Object(document))
}

fn with(mut fields: Fields, kind: &str, within: Vec<Fields>) -> Value {
    if !within.is_empty() {
        fields.insert(kind.to_owned(), within.into_iter().map(Value::Object).collect());
    }
    fields.into()
}

/// The fields of an entity that differ from their defaults; `left_out` is said by where it stands.
fn short<E: Entity>(config: &Config, entity: &E, left_out: &[&str]) -> Fields {
    let mut fields = entity.to_json(config);
    fields.remove("updated_at");
    for name in left_out {
        fields.remove(*name);
    }
    let defaults = complete(E::FIELDS, &Map::new(), &mut Vec::new());
    differing(E::FIELDS, fields, &defaults)
}

fn differing(table: &[Field], fields: Fields, defaults: &Fields) -> Fields {
    let mut kept = Map::new();
    for (name, value) in fields {
        let default = defaults.get(&name).unwrap_or(&Value::Null);
        if value == *default || value.is_null() {
            continue;
        }
        let record = table.iter().find_map(|field| match &field.kind {
            Kind::Record(inner) if field.name == name => Some(*inner),
            _ => None,
        });
        let value = match (record, value, default) {
            (Some(table), Value::Object(fields), Value::Object(defaults)) => {
                Value::Object(differing(table, fields, defaults))
            }
            (_, value, _) => value,
        };
        if value != json!({}) {
            kept.insert(name, value);
        }
    }
    kept
}
