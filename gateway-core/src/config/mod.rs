//! A complete, valid set of entities. Whoever holds a [`Config`] need check nothing again. Changes are in `change`;
//! what the set means for a request is the router's and the balancers' business.

mod change;

pub use change::{Change, ConfigError};

use std::collections::{BTreeMap, BTreeSet};

use crate::entity::{Address, Route, Service, Target, Upstream};
use crate::id::{RouteId, ServiceId, TargetId, UpstreamId};

/// Entities by id, with names unique and links intact.
#[derive(Clone, Debug, Default)]
pub struct Config {
    services: BTreeMap<ServiceId, Service>,
    routes: BTreeMap<RouteId, Route>,
    upstreams: BTreeMap<UpstreamId, Upstream>,
    targets: BTreeMap<TargetId, Target>,
    /// Which addresses each Upstream lists, so that a double one is found at once.
    listed: BTreeSet<(UpstreamId, Address)>,
    /// The next number of each kind; numbers are never given out twice.
    next: [u32; 4],
}

impl Config {
    /// Services in order of creation.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        self.services.iter().map(|(id, service)| (*id, service))
    }

    /// Routes in order of creation.
    pub fn routes(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        self.routes.iter().map(|(id, route)| (*id, route))
    }

    /// Upstreams in order of creation.
    pub fn upstreams(&self) -> impl Iterator<Item = (UpstreamId, &Upstream)> {
        self.upstreams.iter().map(|(id, upstream)| (*id, upstream))
    }

    /// Targets in order of creation.
    pub fn targets(&self) -> impl Iterator<Item = (TargetId, &Target)> {
        self.targets.iter().map(|(id, target)| (*id, target))
    }

    /// The Service with this id.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(&id)
    }

    /// The Upstream with this id.
    pub fn upstream(&self, id: UpstreamId) -> Option<&Upstream> {
        self.upstreams.get(&id)
    }

    /// The Target with this id.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(&id)
    }

    /// The Service with this name, or this UUID.
    pub fn find_service(&self, name_or_uuid: &str) -> Option<(ServiceId, &Service)> {
        self.services().find(|(_, service)| {
            service.name.as_deref() == Some(name_or_uuid) || service.uuid.to_string() == name_or_uuid
        })
    }

    /// The Upstream with this name. A Service whose host is this name sends to it.
    pub fn find_upstream(&self, name: &str) -> Option<(UpstreamId, &Upstream)> {
        self.upstreams().find(|(_, upstream)| upstream.name == name)
    }

    /// The Targets of one Upstream, in order of creation.
    pub fn targets_of(&self, upstream: UpstreamId) -> impl Iterator<Item = (TargetId, &Target)> {
        self.targets().filter(move |(_, target)| target.upstream == upstream)
    }
}
