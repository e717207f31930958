//! `[gateway]`, and the entities put together: Kong's keys, checked by the entities' own rules. Who is named by whom is
//! checked by the names in the file, so that a mistake within an entity is not told again by all who name it.

use std::net::SocketAddr;

use gateway_core::config::Config;
use gateway_core::id::UpstreamId;

use super::diagnostic::Place;
use super::node::Value;
use super::reader::{Section, Shape};
use super::{services, upstreams};
use crate::plan::GatewayPlan;
use crate::words;

const SHAPE: Shape = Shape {
    what: "the gateway",
    keys: &["workers", "balancing", "proxy_listen", "admin_listen"],
    later: &["config", "keepalive", "nodes", "sync_interval", "profile", "driver"],
};
/// Worker threads of one gateway.
pub const WORKERS_MAX: u16 = 256;

/// The entities of a scenario, as far as they could be read.
#[derive(Debug)]
pub(super) struct Entities<'a> {
    pub(super) config: Config,
    pub(super) upstreams: Names<'a>,
    pub(super) services: Names<'a>,
    /// In file order.
    pub(super) targets: Vec<Named<'a>>,
    /// Whether these are all that the file names; else some are among its mistakes.
    pub(super) targets_are_all: bool,
}

/// A target as the file names it.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) name: String,
    pub(super) upstream: UpstreamId,
    pub(super) upstream_name: &'a str,
    pub(super) weight: u32,
    pub(super) place: &'a Place,
}

/// The names that the file gives to entities of one kind, also to those that break a rule.
#[derive(Clone, Debug)]
pub(super) struct Names<'a> {
    kind: &'static str,
    known: Vec<&'a str>,
    /// Whether each has one that can be read; else nobody can say that a name does not exist.
    are_all: bool,
}

impl<'a> Names<'a> {
    fn of(kind: &'static str, sections: &[Section<'a>]) -> Self {
        let name = |section: &Section<'a>| match section.own("name").map(|node| &node.value) {
            Some(Value::Text(name)) => Some(name.as_str()),
            _ => None,
        };
        let mut known = Vec::with_capacity(sections.len());
        let mut are_all = true;
        for section in sections {
            match name(section) {
                None => are_all = false,
                Some(name) if known.contains(&name) => {}
                Some(name) => known.push(name),
            }
        }
        Self { kind, known, are_all }
    }

    /// All of them, when all are known.
    pub(super) fn all(&self) -> Option<Vec<String>> {
        self.are_all.then(|| self.known.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Whether `name`, the value of `key`, is among them; notes `message` when it is not.
    pub(super) fn check(&self, section: &Section<'_>, key: &str, name: &str, message: &str) -> bool {
        let Self { kind, known, are_all } = self;
        let exists = known.contains(&name);
        if !exists && *are_all {
            let help = match words::closest(name, known) {
                _ if known.is_empty() => format!("write [[{kind}s]]"),
                Some(close) if known.len() > 6 => format!("did you mean `{close}`?"),
                _ => format!("{kind}s here: {}", words::quoted(known)),
            };
            let label = format!("no {kind} is called `{name}`");
            section.mistakes.absent(section.place_of(key), message, label, help);
        }
        exists
    }
}

/// All entities of the scenario `root`.
pub(super) fn entities<'a>(root: &Section<'a>) -> Entities<'a> {
    let upstreams = root.sections("upstreams", &upstreams::SHAPE);
    let services = root.sections("services", &services::SHAPE);
    let mut entities = Entities {
        config: Config::default(),
        upstreams: Names::of("upstream", &upstreams),
        services: Names::of("service", &services),
        targets: Vec::new(),
        targets_are_all: true,
    };
    for section in &upstreams {
        upstreams::read(section, &mut entities);
    }
    for section in &services {
        services::read(section, &mut entities);
    }
    if !root.has("services") {
        let help = "write [[services]] with name and host";
        root.mistakes.absent(root.place, "a scenario needs a Service", "no [[services]] here", help);
    }
    for section in root.sections("routes", &services::ROUTE) {
        services::read_route(&section, &mut entities);
    }
    if !root.has("routes") {
        let help = "write [[routes]] with paths and service = { name = \"...\" }";
        root.mistakes.absent(root.place, "a scenario needs a Route", "no [[routes]] here", help);
    }
    entities
}

/// The gateway that holds `config`.
pub(super) fn read(root: &Section<'_>, config: Config) -> Option<GatewayPlan> {
    let section = root.optional_section("gateway", &SHAPE);
    section.one_of("balancing", &["shared"], &["per-worker"]);
    let workers = section.integer("workers", 1, WORKERS_MAX.into());
    let (proxy, admin) = (address(&section, "proxy_listen"), address(&section, "admin_listen"));
    let (proxy_listen, admin_listen) = (proxy?, admin?);
    if proxy_listen == admin_listen && proxy_listen.port() != 0 {
        let (place, label) = (section.place_of("admin_listen"), "the proxy listens here");
        let help = "give the Admin API a port of its own";
        section.mistakes.note(place, "two listeners share an address", label, help);
    }
    Some(GatewayPlan { config, workers: workers? as usize, proxy_listen, admin_listen })
}

fn address(section: &Section<'_>, name: &str) -> Option<SocketAddr> {
    const HELP: &str = "write \"127.0.0.1:8000\"";
    let (text, place) = (section.text(name)?, section.place_of(name));
    let (message, label) = match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => return Some(address),
        Ok(_) => ("a rehearsal listens on loopback only".to_owned(), "not a loopback address"),
        Err(_) => (format!("`{name}` is not an address"), "no IP address and port"),
    };
    section.mistakes.note(place, message, label, HELP);
    None
}
