//! `[gateway]`, `[[upstreams]]`, `[[services]]`, `[[routes]]`: Kong's entities with Kong's keys, checked by the entities' own
//! rules and put together into a valid configuration.

use std::net::SocketAddr;

use gateway_core::config::{Config, ConfigError};
use gateway_core::entity::{Address, Algorithm, Protocol, Route, Service, Target, Upstream};
use gateway_core::id::UpstreamId;
use gateway_core::weight::Weight;

use super::Section;
use super::diagnostic::Place;
use super::load::{entry_in, one_of, table_in};
use super::node::{Node, Table, Value};
use super::reader::{closest, listed};
use crate::plan::GatewayPlan;

const GATEWAY_KEYS: [&str; 4] = ["workers", "balancing", "proxy_listen", "admin_listen"];
const GATEWAY_LATER: [&str; 6] = ["config", "keepalive", "nodes", "sync_interval", "profile", "driver"];
const SERVICE_KEYS: [&str; 11] = [
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
];
const SERVICE_LATER: [&str; 3] = ["routes", "url", "plugins"];
const ROUTE_KEYS: [&str; 8] =
    ["name", "service", "paths", "hosts", "methods", "strip_path", "preserve_host", "tags"];
const ROUTE_LATER: [&str; 6] =
    ["headers", "regex_priority", "path_handling", "protocols", "snis", "https_redirect_status_code"];
const UPSTREAM_KEYS: [&str; 5] = ["name", "algorithm", "host_header", "targets", "tags"];
const UPSTREAM_LATER: [&str; 5] = ["hash_on", "hash_fallback", "slots", "healthchecks", "hash_on_header"];
const ALGORITHMS_LATER: [&str; 4] = ["least-connections", "consistent-hashing", "latency", "sticky-sessions"];
const TARGET_KEYS: [&str; 3] = ["target", "weight", "tags"];
const MANY_KEYS: [&str; 4] = ["count", "name", "weight", "tags"];
const WORKERS_MAX: i64 = 256;
/// Targets of one Upstream that `{ count, name }` makes.
const COUNT_MAX: i64 = 10_000;

/// A target as the file names it, in file order.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) name: String,
    pub(super) upstream: UpstreamId,
    pub(super) upstream_name: String,
    pub(super) weight: u32,
    pub(super) place: &'a Place,
}

/// The gateway of the scenario, and its targets.
pub(super) fn read<'a>(root: &Section<'a>, defaults: &'a Table) -> (Option<GatewayPlan>, Vec<Named<'a>>) {
    let mut config = Config::default();
    let mut targets = Vec::new();
    for (table, place) in root.tables("upstreams") {
        let section = Section::new(
            table,
            entry_in(defaults, "upstreams"),
            place,
            "an Upstream",
            root.mistakes,
            &UPSTREAM_KEYS,
            &UPSTREAM_LATER,
        );
        upstream(&section, table_in(defaults, "targets"), &mut config, &mut targets);
    }
    let places: Vec<_> = root.tables("services");
    for (table, place) in &places {
        let defaults = entry_in(defaults, "services");
        service(
            &Section::new(table, defaults, place, "a Service", root.mistakes, &SERVICE_KEYS, &SERVICE_LATER),
            &mut config,
        );
    }
    if places.is_empty() && root.key("services").is_none() {
        root.mistakes.note(
            root.place,
            "a scenario needs a Service",
            "no [[services]] here",
            "write [[services]] with name and host",
        );
    }
    for (table, place) in root.tables("routes") {
        let defaults = entry_in(defaults, "routes");
        route(
            &Section::new(table, defaults, place, "a Route", root.mistakes, &ROUTE_KEYS, &ROUTE_LATER),
            &mut config,
        );
    }
    (settings(root, defaults, config), targets)
}

fn settings(root: &Section<'_>, defaults: &Table, config: Config) -> Option<GatewayPlan> {
    let empty = Table::default();
    let (table, place) = root.table("gateway").unwrap_or((&empty, root.place));
    let defaults = table_in(defaults, "gateway");
    let section =
        Section::new(table, defaults, place, "the gateway", root.mistakes, &GATEWAY_KEYS, &GATEWAY_LATER);
    one_of(&section, "balancing", &["shared"], &["per-worker"]);
    let workers = section.integer("workers", 1, WORKERS_MAX);
    let (proxy, admin) = (address(&section, "proxy_listen"), address(&section, "admin_listen"));
    Some(GatewayPlan { config, workers: workers? as usize, proxy_listen: proxy?, admin_listen: admin? })
}

fn address(section: &Section<'_>, name: &str) -> Option<SocketAddr> {
    let text = section.text(name)?;
    let place = section.place_of(name);
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(address),
        Ok(_) => {
            section.mistakes.note(
                place,
                "a rehearsal listens on loopback only",
                "not a loopback address",
                "write \"127.0.0.1:8000\"",
            );
            None
        }
        Err(_) => {
            section.mistakes.note(
                place,
                format!("`{name}` is not an address"),
                "no IP address and port",
                "write \"127.0.0.1:8000\"",
            );
            None
        }
    }
}

// === Upstreams ===

fn upstream<'a>(
    section: &Section<'a>,
    target_defaults: Option<&'a Table>,
    config: &mut Config,
    targets: &mut Vec<Named<'a>>,
) {
    let name = section.required_text("name");
    let algorithms: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
    let algorithm = one_of(section, "algorithm", &algorithms, &ALGORITHMS_LATER).and_then(Algorithm::parse);
    let Some(name) = name else { return };
    let upstream = Upstream {
        algorithm: algorithm.unwrap_or_default(),
        host_header: section.text("host_header").map(str::to_owned),
        tags: section.words("tags"),
        ..Upstream::new(name)
    };
    let Some(id) = added(section, "name", config.add_upstream(upstream)) else { return };
    let Some(node) = section.node("targets") else { return };
    let mut add = |target: &str, weight: Weight, tags: Vec<String>, place: &'a Place| {
        let address = match Address::parse(target) {
            Ok(address) => address,
            Err(message) => {
                return section.mistakes.note(
                    place,
                    message,
                    "not a target",
                    "write a name or address with a port, such as \"httpbin.org:80\"",
                );
            }
        };
        let entity = Target { tags, ..Target::new(id, address.clone(), weight) };
        match config.add_target(entity) {
            Ok(_) => targets.push(Named {
                name: address.to_string(),
                upstream: id,
                upstream_name: name.to_owned(),
                weight: weight.get().into(),
                place,
            }),
            Err(_) => section.mistakes.note(
                place,
                format!("target `{address}` is listed twice"),
                "a second time in this Upstream",
                "give one target one weight",
            ),
        }
    };
    match &node.value {
        Value::List(items) => {
            for item in items {
                one_target(section, target_defaults, item, &mut add);
            }
        }
        Value::Table(table) => many_targets(section, target_defaults, table, &node.place, &mut add),
        _ => {
            let _: Option<()> = section.wrong_kind(node, "targets", "a list of targets");
        }
    }
}

fn one_target<'a>(
    upstream: &Section<'a>,
    defaults: Option<&'a Table>,
    item: &'a Node,
    add: &mut impl FnMut(&str, Weight, Vec<String>, &'a Place),
) {
    let Some(table) = upstream.as_table(item, "targets") else { return };
    let section =
        Section::new(table, defaults, &item.place, "a target", upstream.mistakes, &TARGET_KEYS, &[]);
    let (target, weight) = (section.required_text("target"), weight(&section));
    if let (Some(target), Some(weight)) = (target, weight) {
        add(target, weight, section.words("tags"), section.place_of("target"));
    }
}

/// `{ count = 3, name = "blue-{i}:80" }`: blue-1, blue-2, blue-3.
fn many_targets<'a>(
    upstream: &Section<'a>,
    defaults: Option<&'a Table>,
    table: &'a Table,
    place: &'a Place,
    add: &mut impl FnMut(&str, Weight, Vec<String>, &'a Place),
) {
    let section = Section::new(table, defaults, place, "targets", upstream.mistakes, &MANY_KEYS, &[]);
    let count = section.required("count").and_then(|_| section.integer("count", 1, COUNT_MAX));
    let (name, weight) = (section.required_text("name"), weight(&section));
    let (Some(count), Some(name), Some(weight)) = (count, name, weight) else { return };
    if !name.contains("{i}") && count > 1 {
        section.mistakes.note(
            section.place_of("name"),
            "many targets need many names",
            "no `{i}` here",
            "write \"blue-{i}:80\"",
        );
        return;
    }
    for i in 1..=count {
        add(&name.replace("{i}", &i.to_string()), weight, section.words("tags"), section.place_of("name"));
    }
}

fn weight(section: &Section<'_>) -> Option<Weight> {
    section.integer("weight", 0, 65_535).map(|weight| Weight::new(weight as u16))
}

// === Services and Routes ===

fn service(section: &Section<'_>, config: &mut Config) {
    let name = section.required_text("name");
    let host = section.required_text("host").filter(|host| is_upstream(section, "host", host, config));
    let protocol = section.text("protocol").and_then(|word| {
        Protocol::parse(word)
            .map_err(|message| {
                section.mistakes.note(section.place_of("protocol"), message, "not served", "write \"http\"");
            })
            .ok()
    });
    let port = section.integer("port", 0, 65_535);
    let retries = section.integer("retries", 0, 32_767);
    let [connect, write, read] =
        ["connect_timeout", "write_timeout", "read_timeout"].map(|name| section.timeout(name));
    let enabled = section.boolean("enabled");
    let (path, tags) = (section.text("path").map(str::to_owned), section.words("tags"));
    let entity = || {
        let base = Service::new(name?, host.unwrap_or("invalid"));
        Some(Service {
            protocol: protocol?,
            port: port? as u16,
            path,
            retries: retries? as u16,
            connect_timeout: connect?,
            write_timeout: write?,
            read_timeout: read?,
            enabled: enabled?,
            tags,
            ..base
        })
    };
    if let Some(entity) = entity() {
        added(section, "name", config.add_service(entity));
    }
}

/// Whether `host` is the name of an Upstream. Anything else has nobody to answer in a rehearsal.
pub(super) fn is_upstream(section: &Section<'_>, key: &str, host: &str, config: &Config) -> bool {
    let known: Vec<_> = config.upstreams().map(|(_, upstream)| upstream.name.as_str()).collect();
    if known.contains(&host) {
        return true;
    }
    let help = match closest(host, &known) {
        _ if known.is_empty() => "write [[upstreams]] with name and targets".to_owned(),
        Some(close) if known.len() > 4 => format!("did you mean `{close}`?"),
        _ => format!("upstreams here: {}", listed(&known)),
    };
    section.mistakes.note(
        section.place_of(key),
        "a host names nothing that could answer",
        format!("no upstream is called `{host}`"),
        help,
    );
    false
}

fn route(section: &Section<'_>, config: &mut Config) {
    let service = section.required("service").and_then(|node| {
        let table = section.as_table(node, "service")?;
        let link = Section::new(
            table,
            None,
            &node.place,
            "a link to a Service",
            section.mistakes,
            &["name"],
            &["id"],
        );
        let name = link.required_text("name")?;
        let found = config.find_service(name).map(|(id, _)| id);
        if found.is_none() {
            let known: Vec<_> =
                config.services().filter_map(|(_, service)| service.name.as_deref()).collect();
            section.mistakes.note(
                link.place_of("name"),
                "a Route points at a Service that does not exist",
                format!("no service is called `{name}`"),
                format!("services here: {}", listed(&known)),
            );
        }
        found
    });
    let (strip_path, preserve_host) = (section.boolean("strip_path"), section.boolean("preserve_host"));
    let (paths, hosts, methods) = (section.words("paths"), section.words("hosts"), section.words("methods"));
    let entity = || {
        let base = Route::new(section.text("name").unwrap_or("route"), service?);
        Some(Route {
            name: section.text("name").map(str::to_owned),
            paths,
            hosts,
            methods,
            strip_path: strip_path?,
            preserve_host: preserve_host?,
            tags: section.words("tags"),
            ..base
        })
    };
    if let Some(entity) = entity() {
        added(section, "name", config.add_route(entity));
    }
}

/// What was added; else each rule that is broken is noted where it is.
fn added<T>(section: &Section<'_>, unique: &str, result: Result<T, ConfigError>) -> Option<T> {
    match result {
        Ok(id) => Some(id),
        Err(ConfigError::Schema(errors)) => {
            for error in errors {
                let field = error.field.split('[').next().unwrap_or_default();
                section.mistakes.note(
                    section.place_of(field),
                    format!("`{}`: {}", error.field, error.message),
                    "breaks a rule of Kong's",
                    "",
                );
            }
            None
        }
        Err(ConfigError::Unique { value, .. }) => {
            let place = section.place_of(unique);
            section.mistakes.note(
                place,
                format!("two are called `{value}`"),
                format!("`{value}` a second time"),
                "names are unique",
            );
            None
        }
        Err(error @ ConfigError::Missing { .. }) => {
            section.mistakes.note(section.place, error.to_string(), "", "");
            None
        }
    }
}
