//! `[[services]]` and `[[routes]]`, with Kong's keys.

use gateway_core::entity::{Route, Service};
use gateway_core::id::ServiceId;
use gateway_core::schema::{Entity as _, Stamp};

use super::entity;
use super::gateway::Entities;
use super::lints::Subject;
use super::reader::{Section, Shape};

pub(super) const SHAPE: Shape = Shape {
    what: "a Service",
    keys: &entity::keys::<{ Service::FIELDS.len() + 1 }>(Service::FIELDS, &["url"]),
    later: &["routes", "plugins"],
};
pub(super) const ROUTE: Shape = Shape {
    what: "a Route",
    keys: &entity::keys::<{ Route::FIELDS.len() }>(Route::FIELDS, &[]),
    later: &["plugins"],
};
pub(super) const LINK: Shape = Shape { what: "a link to a Service", keys: &["name"], later: &["id"] };
/// What is spoken with mocks; a Service with TLS is rehearsed without it.
pub(super) const PROTOCOLS: [&str; 2] = ["http", "https"];

/// Reads a Service and adds it. Values that are noted as mistakes are stood in for, so that its rules are checked all the
/// same.
pub(super) fn read<'a>(section: &Section<'a>, entities: &mut Entities<'a>) {
    let name = section.required_text("name", "example-service").unwrap_or("unnamed");
    let mut fields = entity::json::<Service>(section, &[]);
    if let Some(url) = section.text("url") {
        if !url.contains("://") {
            let (message, help) = ("a url begins with a protocol", "write \"http://blue\"");
            section.mistakes.note(section.place_of("url"), message, "no `://` here", help);
            return;
        }
        fields.insert("url".to_owned(), url.into());
        Service::prepare(&mut fields);
    } else {
        section.required_text("host", "blue");
    }
    let text = |field: &str| fields.get(field).and_then(serde_json::Value::as_str);
    if let Some(host) = text("host") {
        // Anything else has nobody to answer in a rehearsal.
        let key = if section.has("url") { "url" } else { "host" };
        entities.upstreams.check(section, key, host, "a host names nothing that could answer");
    }
    if let Some(word) = text("protocol").filter(|word| !PROTOCOLS.contains(word)) {
        let message = format!("{word} is not served by this gateway; use http");
        section.mistakes.note(section.place_of("protocol"), message, "not served", "write \"http\"");
    }
    fields.entry("name").or_insert_with(|| name.into());
    fields.entry("host").or_insert_with(|| "unknown".into());
    let stamp = Stamp { now_ms: 0, id: Service::new(name, "unknown").uuid };
    if let Some(id) = entity::add::<Service>(section, "a Service", fields, &stamp, &mut entities.config) {
        entities.sections.push((Subject::Service(id), section.table, section.place));
    }
}

/// Reads a Route and adds it.
pub(super) fn read_route(section: &Section<'_>, entities: &mut Entities<'_>) {
    let service = section
        .required("service", "{ name = \"example-service\" }")
        .and_then(|node| section.inline("service", node, &LINK))
        .and_then(|link| {
            let message = "a Route points at a Service that does not exist";
            named(&link, "name", message, entities)
        });
    let mut fields = entity::json::<Route>(section, &["service"]);
    if let Some(service) = service.and_then(|id| entities.config.service(id)) {
        fields.insert("service".to_owned(), serde_json::json!({ "id": service.uuid.to_string() }));
    }
    // A Route may be nameless, but its id is made from a name.
    let number = entities.config.routes().count();
    let nameless = format!("route-{number}");
    let name = fields.get("name").and_then(serde_json::Value::as_str).unwrap_or(&nameless);
    let stamp = Stamp { now_ms: 0, id: Route::new(name, ServiceId(0)).uuid };
    entity::add::<Route>(section, "a Route", fields, &stamp, &mut entities.config);
}

/// The Service that `key` names; notes `message` when the file has none of that name.
pub(super) fn named(
    section: &Section<'_>,
    key: &str,
    message: &str,
    entities: &Entities<'_>,
) -> Option<ServiceId> {
    let name = section.required_text(key, "example-service")?;
    entities.services.check(section, key, name, message);
    // By name only: a UUID is the Admin API's way to name one.
    let by_name =
        |(id, service): (ServiceId, &Service)| (service.name.as_deref() == Some(name)).then_some(id);
    entities.config.services().find_map(by_name)
}
