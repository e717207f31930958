//! `[gateway]`, and the entities put together: Kong's keys, checked by the entities' own rules. Who is named by whom is
//! checked by the names in the file, so that a mistake within an entity is not told again by all who name it.

use std::net::SocketAddr;
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::gateway::{Balancing, Options};
use gateway_core::id::UpstreamId;

use super::diagnostic::Place;
use super::lints::{self, Lint, Subject};
use super::node::{Node, Table, Value};
use super::reader::{Section, Shape};
use super::{Input, entity, files, services, upstreams};
use crate::plan::GatewayPlan;
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "the gateway",
    keys: &[
        "config",
        "profile",
        "nodes",
        "workers",
        "balancing",
        "sync_interval",
        "proxy_listen",
        "admin_listen",
    ],
    later: &["keepalive", "driver"],
};
/// Worker threads of all nodes together.
pub const WORKERS_MAX: u16 = 256;
/// Nodes of one gateway.
const NODES_MAX: u16 = 64;

/// The entities of a scenario, as far as they could be read.
#[derive(Debug)]
pub(super) struct Entities<'a> {
    pub(super) config: Config,
    pub(super) upstreams: Names,
    pub(super) services: Names,
    /// In file order.
    pub(super) targets: Vec<Named<'a>>,
    /// Whether these are all that the file names; else some are among its mistakes.
    pub(super) targets_are_all: bool,
    /// Where they stand, unless that is in files.
    pub(super) sections: Vec<(Subject, &'a Table, &'a Place)>,
    /// What else than the text makes them what they are: one line for each file they come from.
    pub(super) identity: Vec<String>,
}

impl Default for Entities<'_> {
    fn default() -> Self {
        Self {
            config: Config::default(),
            upstreams: Names { kind: "upstream", known: Vec::new(), are_all: false },
            services: Names { kind: "service", known: Vec::new(), are_all: false },
            targets: Vec::new(),
            targets_are_all: true,
            sections: Vec::new(),
            identity: Vec::new(),
        }
    }
}

/// A target as the file names it.
#[derive(Clone, Debug)]
pub(super) struct Named<'a> {
    pub(super) name: String,
    pub(super) upstream: UpstreamId,
    pub(super) upstream_name: String,
    pub(super) weight: u32,
    pub(super) place: &'a Place,
}

/// The names that the file gives to entities of one kind, also to those that break a rule.
#[derive(Clone, Debug)]
pub(super) struct Names {
    kind: &'static str,
    known: Vec<String>,
    /// Whether each has one that can be read; else nobody can say that a name does not exist.
    are_all: bool,
}

impl Names {
    /// Names that are all known.
    pub(super) fn known(kind: &'static str, known: impl Iterator<Item = String>) -> Self {
        Self { kind, known: known.collect(), are_all: true }
    }

    fn of(kind: &'static str, sections: &[Section<'_>]) -> Self {
        let mut names = Self::known(kind, std::iter::empty());
        for section in sections {
            match section.own("name").map(|node| &node.value) {
                Some(Value::Text(name)) if names.known.contains(name) => {}
                Some(Value::Text(name)) => names.known.push(name.clone()),
                _ => names.are_all = false,
            }
        }
        names
    }

    /// All of them, when all are known.
    pub(super) fn all(&self) -> Option<Vec<String>> {
        self.are_all.then(|| self.known.clone())
    }

    /// Whether `name`, the value of `key`, is among them; notes `message` when it is not.
    pub(super) fn check(&self, section: &Section<'_>, key: &str, name: &str, message: &str) -> bool {
        let Self { kind, known, are_all } = self;
        let exists = known.iter().any(|known| known == name);
        if !exists && *are_all {
            let names: Vec<_> = known.iter().map(String::as_str).collect();
            let help = match words::closest(name, &names) {
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

/// All entities of the scenario `root`: of its sections, or of the files that `[gateway] config` names.
pub(super) fn entities<'a>(root: &Section<'a>, input: &Input) -> Entities<'a> {
    let gateway = root.unchecked("gateway", &SHAPE);
    let config = gateway.and_then(|section| Some((section, section.own("config")?)));
    let entities = match config {
        Some((section, node)) => of_files(root, &section, node, input),
        None => of_sections(root),
    };
    for lint in lints::lint(&entities.config, &|_| true) {
        warn(root, &entities, lint);
    }
    entities
}

/// Notes a lint at the field it is about; of entities that come from files, at `config`.
pub(super) fn warn(root: &Section<'_>, entities: &Entities<'_>, lint: Lint) {
    let gateway = root.unchecked("gateway", &SHAPE);
    let config = gateway.and_then(|section| section.own("config")).map(|node| &node.place);
    let Lint { subject, named, field, message, label, help } = lint;
    match entities.sections.iter().find(|(section, ..)| *section == subject) {
        Some((_, table, place)) => {
            let place = entity::find(table, field).map_or(*place, |node| &node.place);
            root.mistakes.warn(place, message, label, help);
        }
        None => root.mistakes.warn(config.unwrap_or(root.place), format!("{named}: {message}"), label, help),
    }
}

fn of_files<'a>(root: &Section<'a>, section: &Section<'a>, node: &'a Node, input: &Input) -> Entities<'a> {
    for name in ["services", "routes", "upstreams"].into_iter().filter(|name| root.has(name)) {
        let label = "and `config` names files that hold them";
        let help = format!("leave out [[{name}]], or `config` in [gateway]");
        root.mistakes.note(root.place_of(name), "entities come from two places", label, help);
    }
    files::entities(section, node, input)
}

fn of_sections<'a>(root: &Section<'a>) -> Entities<'a> {
    let upstreams = root.sections("upstreams", &upstreams::SHAPE);
    let services = root.sections("services", &services::SHAPE);
    let mut entities = Entities {
        upstreams: Names::of("upstream", &upstreams),
        services: Names::of("service", &services),
        ..Entities::default()
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
pub(super) fn read(root: &Section<'_>, config: Config, seed: u64) -> Option<GatewayPlan> {
    let section = root.optional_section("gateway", &SHAPE);
    let options = options(&section, seed);
    let nodes = section.integer("nodes", 1, NODES_MAX.into()).and_then(|nodes| u16::try_from(nodes).ok());
    let (proxy, admin) = (address(&section, "proxy_listen"), address(&section, "admin_listen"));
    let (proxy_listen, admin_listen) = (proxy?, admin?);
    if proxy_listen == admin_listen && proxy_listen.port() != 0 {
        let (place, label) = (section.place_of("admin_listen"), "the proxy listens here");
        let help = "give the Admin API a port of its own";
        section.mistakes.note(place, "two listeners share an address", label, help);
    }
    let (options, nodes) = (options?, nodes?);
    check_nodes(&section, &options, nodes);
    Some(GatewayPlan { config, options, nodes, proxy_listen, admin_listen })
}

/// The profile, and what is said beside it.
fn options(section: &Section<'_>, seed: u64) -> Option<Options> {
    let workers = section.integer("workers", 1, WORKERS_MAX.into());
    let profile = section.one_of("profile", &["default", "kong"], &[]);
    let balancing = section.one_of("balancing", &["shared", "per-worker"], &[]);
    let sync_interval = section.own("sync_interval").and_then(|_| section.duration("sync_interval"));
    let workers = workers? as usize;
    let mut options = match profile? {
        "kong" => Options::kong(workers, seed),
        _ => Options { workers, seed, ..Options::default() },
    };
    match balancing {
        Some("shared") => options.balancing = Balancing::Shared,
        Some(_) => options.balancing = Balancing::PerWorker,
        None => {}
    }
    if let Some(interval) = sync_interval {
        options.sync_interval = Some(interval).filter(|interval| *interval > Duration::ZERO);
    }
    Some(options)
}

/// Several nodes learn late, and together have no more workers than one may have.
fn check_nodes(section: &Section<'_>, options: &Options, nodes: u16) {
    let place = section.place_of("nodes");
    if nodes > 1 && options.sync_interval.is_none() {
        let help = "write sync_interval = \"5s\", as Kong's nodes look, or whatever yours take";
        let label = "and nothing says how often each looks for changes";
        section.mistakes.note(place, "several nodes learn of changes late", label, help);
    }
    let workers = options.workers * usize::from(nodes);
    if workers > WORKERS_MAX.into() {
        let label = format!(
            "{} with {}",
            words::counted(nodes.into(), "node"),
            words::counted(options.workers as u64, "worker")
        );
        let help = format!("let nodes times workers be at most {WORKERS_MAX}");
        section.mistakes.note(place, format!("{workers} workers are too many"), label, help);
    }
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
