//! A complete, valid set of entities. Whoever holds a [`Config`] need check nothing again. Changes are in `change`;
//! what the set means for a request is the router's and the balancers' business.

mod change;
mod table;

pub use change::{Change, ConfigError};

use uuid::Uuid;

use self::table::{Keyed, Table};
use crate::entity::{Address, Route, Service, Target, Upstream};
use crate::id::{RouteId, ServiceId, TargetId, UpstreamId};

/// Entities by id, with names unique and links intact. A copy shares the entities.
#[derive(Clone, Debug, Default)]
pub struct Config {
    services: Table<ServiceId, Service>,
    routes: Table<RouteId, Route>,
    upstreams: Table<UpstreamId, Upstream>,
    targets: Table<TargetId, Target>,
}

impl Config {
    /// Services in order of creation.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        self.services.iter().map(|(id, service)| (id, service.as_ref()))
    }

    /// Routes in order of creation.
    pub fn routes(&self) -> impl Iterator<Item = (RouteId, &Route)> {
        self.routes.iter().map(|(id, route)| (id, route.as_ref()))
    }

    /// Upstreams in order of creation.
    pub fn upstreams(&self) -> impl Iterator<Item = (UpstreamId, &Upstream)> {
        self.upstreams.iter().map(|(id, upstream)| (id, upstream.as_ref()))
    }

    /// Targets in order of creation.
    pub fn targets(&self) -> impl Iterator<Item = (TargetId, &Target)> {
        self.targets.iter().map(|(id, target)| (id, target.as_ref()))
    }

    /// The Service with this id.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// The Route with this id.
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id)
    }

    /// The Upstream with this id.
    pub fn upstream(&self, id: UpstreamId) -> Option<&Upstream> {
        self.upstreams.get(id)
    }

    /// The Target with this id.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(id)
    }

    /// The Service with this UUID or this name.
    pub fn find_service(&self, name_or_uuid: &str) -> Option<(ServiceId, &Service)> {
        find(&self.services, name_or_uuid)
    }

    /// The Route with this UUID or this name.
    pub fn find_route(&self, name_or_uuid: &str) -> Option<(RouteId, &Route)> {
        find(&self.routes, name_or_uuid)
    }

    /// The Upstream with this UUID or this name.
    pub fn find_upstream(&self, name_or_uuid: &str) -> Option<(UpstreamId, &Upstream)> {
        find(&self.upstreams, name_or_uuid)
    }

    /// The Upstream with this name. A Service whose host is this name sends to it.
    pub fn upstream_named(&self, name: &str) -> Option<(UpstreamId, &Upstream)> {
        self.upstreams.by_key(&name.to_owned())
    }

    /// The Target with this UUID, of whichever Upstream.
    pub fn target_with(&self, uuid: Uuid) -> Option<(TargetId, &Target)> {
        self.targets.by_uuid(uuid)
    }

    /// The Target of `upstream` with this UUID or at this address.
    pub fn find_target(&self, upstream: UpstreamId, address_or_uuid: &str) -> Option<(TargetId, &Target)> {
        let by_uuid = Uuid::parse_str(address_or_uuid).ok().and_then(|uuid| self.targets.by_uuid(uuid));
        by_uuid.filter(|(_, target)| target.upstream == upstream).or_else(|| {
            let address = Address::parse(address_or_uuid).ok()?;
            self.targets.by_key(&(upstream, address))
        })
    }

    /// The Targets of one Upstream, in order of creation.
    pub fn targets_of(&self, upstream: UpstreamId) -> impl Iterator<Item = (TargetId, &Target)> {
        self.targets().filter(move |(_, target)| target.upstream == upstream)
    }
}

impl Config {
    /// Whether `later`, which this one became, routes requests as this one does: the same Routes, and the same Services
    /// switched on. Where they lead may differ.
    pub fn routes_alike(&self, later: &Self) -> bool {
        let enabled = |config: &Self| {
            config.services().filter(|(_, s)| s.enabled).map(|(id, _)| id).collect::<Vec<_>>()
        };
        self.routes.version() == later.routes.version()
            && (self.services.version() == later.services.version() || enabled(self) == enabled(later))
    }

    /// Whether `later`, which this one became, differs in nothing but Targets.
    pub fn differs_in_targets_only(&self, later: &Self) -> bool {
        self.routes.version() == later.routes.version()
            && self.services.version() == later.services.version()
            && self.upstreams.version() == later.upstreams.version()
    }
}

/// By UUID first: a name that looks like one is found too, when nobody has it as an id.
fn find<'a, I: Copy + Ord + From<u32>, E: Keyed<Key = String>>(
    table: &'a Table<I, E>,
    name_or_uuid: &str,
) -> Option<(I, &'a E)> {
    let by_uuid = Uuid::parse_str(name_or_uuid).ok().and_then(|uuid| table.by_uuid(uuid));
    by_uuid.or_else(|| table.by_key(&name_or_uuid.to_owned()))
}

impl Keyed for Service {
    type Key = String;
    fn uuid(&self) -> Uuid {
        self.uuid
    }
    fn key(&self) -> Option<String> {
        self.name.clone()
    }
    fn named(&self) -> (&'static str, String) {
        ("name", self.name.clone().unwrap_or_default())
    }
}

impl Keyed for Route {
    type Key = String;
    fn uuid(&self) -> Uuid {
        self.uuid
    }
    fn key(&self) -> Option<String> {
        self.name.clone()
    }
    fn named(&self) -> (&'static str, String) {
        ("name", self.name.clone().unwrap_or_default())
    }
}

impl Keyed for Upstream {
    type Key = String;
    fn uuid(&self) -> Uuid {
        self.uuid
    }
    fn key(&self) -> Option<String> {
        Some(self.name.clone())
    }
    fn named(&self) -> (&'static str, String) {
        ("name", self.name.clone())
    }
}

impl Keyed for Target {
    /// An address may stand once in each Upstream.
    type Key = (UpstreamId, Address);
    fn uuid(&self) -> Uuid {
        self.uuid
    }
    fn key(&self) -> Option<Self::Key> {
        Some((self.upstream, self.target.clone()))
    }
    fn named(&self) -> (&'static str, String) {
        ("target", self.target.to_string())
    }
}
