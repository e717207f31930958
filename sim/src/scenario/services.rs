//! `[[services]]` and `[[routes]]`, with Kong's keys.

use gateway_core::entity::{Protocol, Route, Service};
use gateway_core::id::ServiceId;

use super::gateway::{Entities, added};
use super::reader::{Section, Shape};

pub(super) const SHAPE: Shape = Shape {
    what: "a Service",
    keys: &[
        "name",
        "protocol",
        "host",
        "port",
        "path",
        "retries",
        "connect_timeout",
        "write_timeout",
        "read_timeout",
        "enabled",
        "tags",
    ],
    later: &[
        "routes",
        "url",
        "plugins",
        "tls_verify",
        "tls_verify_depth",
        "ca_certificates",
        "client_certificate",
    ],
};
pub(super) const ROUTE: Shape = Shape {
    what: "a Route",
    keys: &["name", "service", "paths", "hosts", "methods", "strip_path", "preserve_host", "tags"],
    later: &[
        "headers",
        "protocols",
        "regex_priority",
        "path_handling",
        "https_redirect_status_code",
        "request_buffering",
        "response_buffering",
        "snis",
        "sources",
        "destinations",
        "plugins",
    ],
};
const LINK: Shape = Shape { what: "a link to a Service", keys: &["name"], later: &["id"] };

/// Reads a Service and adds it. Values that are noted as mistakes are stood in for, so that its rules are checked all the
/// same.
pub(super) fn read(section: &Section<'_>, entities: &mut Entities<'_>) {
    let name = section.required_text("name", "example-service");
    let host = section.required_text("host", "blue");
    let host = host.filter(|host| {
        // Anything else has nobody to answer in a rehearsal.
        entities.upstreams.check(section, "host", host, "a host names nothing that could answer")
    });
    let plain = Service::new(name.unwrap_or("unnamed"), host.unwrap_or("unknown"));
    let protocol = section.text("protocol").filter(|word| {
        let message = || format!("{word} is not served by this gateway; use http");
        let is_served = *word == "http";
        if !is_served {
            section.mistakes.note(section.place_of("protocol"), message(), "not served", "write \"http\"");
        }
        is_served
    });
    let service = Service {
        protocol: protocol.and_then(Protocol::parse).unwrap_or(plain.protocol),
        port: section.integer("port", 0, u16::MAX.into()).map_or(plain.port, |port| port as u16),
        path: section.text("path").map(str::to_owned),
        retries: section.integer("retries", 0, 32_767).map_or(plain.retries, |retries| retries as u16),
        connect_timeout: section.timeout("connect_timeout").unwrap_or(plain.connect_timeout),
        write_timeout: section.timeout("write_timeout").unwrap_or(plain.write_timeout),
        read_timeout: section.timeout("read_timeout").unwrap_or(plain.read_timeout),
        enabled: section.boolean("enabled").unwrap_or(plain.enabled),
        tags: section.texts("tags"),
        ..plain
    };
    added(section, "a Service", entities.config.add_service(service));
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
    let name = section.text("name");
    // A Route may be nameless, but its id is made from a name.
    let number = entities.config.routes().count();
    let plain = Route::new(name.unwrap_or(&format!("route-{number}")), ServiceId(0));
    let route = Route {
        name: name.map(str::to_owned),
        service,
        paths: section.texts("paths"),
        hosts: section.texts("hosts"),
        methods: section.texts("methods"),
        strip_path: section.boolean("strip_path").unwrap_or(plain.strip_path),
        preserve_host: section.boolean("preserve_host").unwrap_or(plain.preserve_host),
        tags: section.texts("tags"),
        ..plain
    };
    added(section, "a Route", entities.config.add_route(route));
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
