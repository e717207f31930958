//! `rings` of `[rollout]`: circles of users, of Services, or of both, that get the new version one after the other.

use super::gateway::Entities;
use super::node::Node;
use super::reader::{Section, Shape};
use crate::rollout::Versions;
use crate::rollout::strategies::{Pointed, Ring};
use crate::words;

pub(super) const RING: Shape = Shape { what: "a ring", keys: &["values", "services", "soak"], later: &[] };

/// `rings = [{ values = ["001"], soak = "10s" }, { services = ["shop-eu"], soak = "10s" }, ...]`
pub(super) fn read(section: &Section<'_>, entities: &Entities<'_>) -> Vec<Ring> {
    let read = |node: &Node| {
        let inner = section.inline("rings", node, &RING)?;
        if !inner.has("values") && !inner.has("services") {
            inner.required("values", "[\"001\"], or services = [\"shop\"]");
        }
        let services =
            inner.texts("services").iter().filter_map(|name| pointed(&inner, name, entities)).collect();
        Some(Ring { values: inner.texts("values"), services, soak: inner.duration("soak")? })
    };
    section.list("rings").iter().filter_map(read).collect()
}

fn pointed(ring: &Section<'_>, name: &str, entities: &Entities<'_>) -> Option<Pointed> {
    let message = "a ring names a Service that does not exist";
    entities.services.check(ring, "services", name, message);
    let mut services = entities.config.services();
    let (service, it) = services.find(|(_, service)| service.name.as_deref() == Some(name))?;
    Some(Pointed { service, name: name.to_owned(), host: it.host.clone() })
}

/// Rings of Services are of those that lead to the old version, each in one ring; who is in none is left behind when that ends.
pub(super) fn check(section: &Section<'_>, rings: &[Ring], versions: &Versions, entities: &Entities<'_>) {
    let place = section.place_of("rings");
    let all: Vec<&Pointed> = rings.iter().flat_map(|ring| &ring.services).collect();
    for (at, to) in all.iter().enumerate() {
        let quoted = words::quoted(&[to.name.as_str()]);
        if all[..at].iter().any(|earlier| earlier.service == to.service) {
            let help = "name each Service once";
            section.mistakes.note(place, format!("{quoted} is in two rings"), "it has moved by then", help);
        } else if to.host != versions.upstream {
            let label = format!("it leads to `{}`", to.host);
            let help = format!("name Services whose host is `{}`", versions.upstream);
            section.mistakes.note(place, format!("{quoted} does not have the old version"), label, help);
        }
    }
    if all.is_empty() {
        return;
    }
    let is_routed = |service| entities.config.routes().any(|(_, route)| route.service == Some(service));
    let is_known = |id| id == versions.service || all.iter().any(|to| to.service == id);
    let left = entities
        .config
        .services()
        .filter(|(id, service)| service.host == versions.upstream && is_routed(*id) && !is_known(*id));
    for name in left.filter_map(|(_, service)| service.name.as_deref()) {
        let message = format!("{} is in no ring", words::quoted(&[name]));
        let label = "it still leads to the old version when that ends";
        section.mistakes.note(place, message, label, "name it in a ring");
    }
}
