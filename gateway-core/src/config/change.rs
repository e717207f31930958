//! Changes of a [`Config`]: each is checked whole and applied whole, or refused with the rule it breaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Config;
use crate::entity::{FieldError, Route, Service, Target, Upstream};
use crate::id::{RouteId, ServiceId, TargetId, UpstreamId};
use crate::weight::Weight;

/// One atomic change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new Service.
    CreateService(Service),
    /// Another Service in the place of one.
    UpdateService(ServiceId, Service),
    /// Points a Service at another host: the blue-green switch.
    SetHost(ServiceId, String),
    /// A Service goes. Refused while a Route points at it.
    DeleteService(ServiceId),
    /// A new Route.
    CreateRoute(Route),
    /// Another Route in the place of one.
    UpdateRoute(RouteId, Route),
    /// A Route goes.
    DeleteRoute(RouteId),
    /// A new Upstream.
    CreateUpstream(Upstream),
    /// Another Upstream in the place of one.
    UpdateUpstream(UpstreamId, Upstream),
    /// An Upstream goes, and its Targets with it.
    DeleteUpstream(UpstreamId),
    /// A new Target of an Upstream.
    CreateTarget(Target),
    /// Another Target in the place of one of the same Upstream.
    UpdateTarget(TargetId, Target),
    /// Another weight for a Target.
    SetWeight(TargetId, Weight),
    /// A Target leaves its Upstream. Requests under way at it are left alone.
    DeleteTarget(TargetId),
    /// Several changes as one: all of them or none.
    All(Vec<Change>),
    /// All entities replaced by those of another set, as one. An entity that has the id (the UUID) of one that is there
    /// takes its place, so that what did not change is not disturbed.
    Replace(Box<Config>),
}

/// Why a change was refused. Nothing has happened then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Fields of an entity break their rules.
    #[error("schema violation ({})", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Schema(Vec<FieldError>),
    /// Another entity of the kind has this value already.
    #[error("UNIQUE violation detected on '{{{field}=\"{value}\"}}'")]
    Unique {
        /// `id`, `name` or `target`.
        field: &'static str,
        /// The value that occurs twice.
        value: String,
    },
    /// The change names an entity that does not exist.
    #[error("there is no {kind} {id}")]
    Missing {
        /// `service`, `route`, `upstream`, `target`.
        kind: &'static str,
        /// Which one.
        id: u32,
    },
    /// Other entities point at the one that would go.
    #[error("an existing '{by}' entity references this '{kind}' entity")]
    Referenced {
        /// `services`.
        kind: &'static str,
        /// `routes`.
        by: &'static str,
    },
}

impl Config {
    /// Applies `change` to a copy.
    ///
    /// # Errors
    /// The first rule that is broken; `self` is as it was.
    pub fn with(&self, change: Change) -> Result<Self, ConfigError> {
        let mut next = self.clone();
        next.change(change)?;
        Ok(next)
    }

    /// Applies `change` to this set itself, for whoever builds one.
    ///
    /// # Errors
    /// The first rule that is broken. Of several changes those before it have happened then.
    pub fn change(&mut self, change: Change) -> Result<(), ConfigError> {
        match change {
            Change::CreateService(service) => self.add_service(service).map(|_| ()),
            Change::UpdateService(id, service) => self.update_service(id, service),
            Change::SetHost(id, host) => {
                let old = self.service(id).ok_or(missing("service", id.0))?;
                let service = Service { host, ..old.clone() };
                self.update_service(id, service)
            }
            Change::DeleteService(id) => self.delete_service(id),
            Change::CreateRoute(route) => self.add_route(route).map(|_| ()),
            Change::UpdateRoute(id, route) => self.update_route(id, route),
            Change::DeleteRoute(id) => self.routes.remove(id).map(|_| ()).ok_or(missing("route", id.0)),
            Change::CreateUpstream(upstream) => self.add_upstream(upstream).map(|_| ()),
            Change::UpdateUpstream(id, upstream) => self.update_upstream(id, upstream),
            Change::DeleteUpstream(id) => self.delete_upstream(id),
            Change::CreateTarget(target) => self.add_target(target).map(|_| ()),
            Change::UpdateTarget(id, target) => self.update_target(id, target),
            Change::SetWeight(id, weight) => {
                self.targets.amend(id, |target| target.weight = weight).ok_or(missing("target", id.0))
            }
            Change::DeleteTarget(id) => self.targets.remove(id).map(|_| ()).ok_or(missing("target", id.0)),
            Change::All(changes) => changes.into_iter().try_for_each(|change| self.change(change)),
            Change::Replace(next) => {
                self.replace(&next);
                Ok(())
            }
        }
    }

    /// Adds a Service.
    ///
    /// # Errors
    /// When a field breaks its rule or the name is taken.
    pub fn add_service(&mut self, service: Service) -> Result<ServiceId, ConfigError> {
        refuse(service.errors())?;
        self.services.insert(service)
    }

    /// Adds a Route.
    ///
    /// # Errors
    /// When a field breaks its rule, the name is taken or its Service does not exist.
    pub fn add_route(&mut self, route: Route) -> Result<RouteId, ConfigError> {
        self.check_route(&route)?;
        self.routes.insert(route)
    }

    /// Adds an Upstream.
    ///
    /// # Errors
    /// When a field breaks its rule or the name is taken.
    pub fn add_upstream(&mut self, upstream: Upstream) -> Result<UpstreamId, ConfigError> {
        refuse(upstream.errors())?;
        self.upstreams.insert(upstream)
    }

    /// Adds a Target.
    ///
    /// # Errors
    /// When its Upstream does not exist or lists the address already.
    pub fn add_target(&mut self, target: Target) -> Result<TargetId, ConfigError> {
        self.upstream(target.upstream).ok_or(missing("upstream", target.upstream.0))?;
        self.targets.insert(target)
    }

    fn update_service(&mut self, id: ServiceId, service: Service) -> Result<(), ConfigError> {
        self.service(id).ok_or(missing("service", id.0))?;
        refuse(service.errors())?;
        self.services.update(id, service)
    }

    fn update_route(&mut self, id: RouteId, route: Route) -> Result<(), ConfigError> {
        self.route(id).ok_or(missing("route", id.0))?;
        self.check_route(&route)?;
        self.routes.update(id, route)
    }

    fn update_upstream(&mut self, id: UpstreamId, upstream: Upstream) -> Result<(), ConfigError> {
        self.upstream(id).ok_or(missing("upstream", id.0))?;
        refuse(upstream.errors())?;
        self.upstreams.update(id, upstream)
    }

    fn update_target(&mut self, id: TargetId, target: Target) -> Result<(), ConfigError> {
        let old = self.target(id).ok_or(missing("target", id.0))?;
        // A Target never moves: requests under way at it belong to its Upstream.
        assert_eq!(old.upstream, target.upstream, "a Target stays with its Upstream");
        self.targets.update(id, target)
    }

    fn delete_service(&mut self, id: ServiceId) -> Result<(), ConfigError> {
        if self.routes().any(|(_, route)| route.service == Some(id)) {
            return Err(ConfigError::Referenced { kind: "services", by: "routes" });
        }
        self.services.remove(id).map(|_| ()).ok_or(missing("service", id.0))
    }

    fn delete_upstream(&mut self, id: UpstreamId) -> Result<(), ConfigError> {
        let targets: Vec<_> = self.targets_of(id).map(|(id, _)| id).collect();
        for target in targets {
            self.targets.remove(target);
        }
        self.upstreams.remove(id).map(|_| ()).ok_or(missing("upstream", id.0))
    }

    fn check_route(&self, route: &Route) -> Result<(), ConfigError> {
        refuse(route.errors())?;
        match route.service.filter(|id| self.service(*id).is_none()) {
            Some(service) => Err(missing("service", service.0)),
            None => Ok(()),
        }
    }

    /// `next`, under the numbers that its entities have here. `next` is valid, and so is the outcome.
    fn replace(&mut self, next: &Self) {
        let old = self.clone();
        self.services.clear();
        self.routes.clear();
        self.upstreams.clear();
        self.targets.clear();
        let mut services = BTreeMap::new();
        for (number, service) in next.services.iter() {
            let known = old.services.by_uuid(service.uuid).map(|(id, _)| id);
            let id = known.unwrap_or_else(|| self.services.take());
            services.insert(number, id);
            self.services.put(id, Arc::clone(service));
        }
        for (_, route) in next.routes.iter() {
            let known = old.routes.by_uuid(route.uuid).map(|(id, _)| id);
            let id = known.unwrap_or_else(|| self.routes.take());
            let service = route.service.and_then(|number| services.get(&number).copied());
            self.routes.put(id, Arc::new(Route { service, ..Route::clone(route) }));
        }
        let mut upstreams = BTreeMap::new();
        for (number, upstream) in next.upstreams.iter() {
            let known = old.upstreams.by_uuid(upstream.uuid).map(|(id, _)| id);
            let id = known.unwrap_or_else(|| self.upstreams.take());
            upstreams.insert(number, id);
            self.upstreams.put(id, Arc::clone(upstream));
        }
        for (_, target) in next.targets.iter() {
            let upstream = upstreams[&target.upstream];
            let known = old.targets.by_uuid(target.uuid).filter(|(_, old)| old.upstream == upstream);
            let id = known.map_or_else(|| self.targets.take(), |(id, _)| id);
            self.targets.put(id, Arc::new(Target { upstream, ..Target::clone(target) }));
        }
    }
}

fn refuse(errors: Vec<FieldError>) -> Result<(), ConfigError> {
    if errors.is_empty() { Ok(()) } else { Err(ConfigError::Schema(errors)) }
}

const fn missing(kind: &'static str, id: u32) -> ConfigError {
    ConfigError::Missing { kind, id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Address;

    #[test]
    fn several_changes_are_all_or_none() {
        let config = Config::default();
        let blue = Change::CreateUpstream(Upstream::new("blue"));
        let twice = Change::All(vec![blue.clone(), blue.clone()]);
        assert!(matches!(config.with(twice), Err(ConfigError::Unique { .. })));
        assert_eq!(config.upstreams().count(), 0);
        assert_eq!(config.with(blue).unwrap().upstreams().count(), 1);
    }

    #[test]
    fn links_must_lead_somewhere_and_ids_are_never_given_out_twice() {
        let mut config = Config::default();
        assert!(
            config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", ServiceId(0)) }).is_err()
        );
        let blue = config.add_upstream(Upstream::new("blue")).unwrap();
        let address = Address::parse("a:80").unwrap();
        let first = config.add_target(Target::new(blue, address.clone(), Weight::DEFAULT)).unwrap();
        assert!(config.add_target(Target::new(blue, address.clone(), Weight::DEFAULT)).is_err());
        let mut config = config.with(Change::DeleteTarget(first)).unwrap();
        let second = config.add_target(Target::new(blue, address, Weight::DEFAULT)).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_service_may_keep_its_name_but_not_take_anothers() {
        let mut config = Config::default();
        let a = config.add_service(Service::new("a", "x")).unwrap();
        config.add_service(Service::new("b", "x")).unwrap();
        let renamed = |name: &str| {
            let service = Service { name: Some(name.into()), ..config.service(a).unwrap().clone() };
            config.with(Change::UpdateService(a, service))
        };
        assert!(renamed("a").is_ok() && renamed("c").is_ok());
        assert_eq!(renamed("b").unwrap_err().to_string(), "UNIQUE violation detected on '{name=\"b\"}'");
    }

    #[test]
    fn what_others_point_at_stays_and_an_upstream_takes_its_targets_along() {
        let mut config = Config::default();
        let blue = config.add_upstream(Upstream::new("blue")).unwrap();
        config.add_target(Target::new(blue, Address::parse("a:80").unwrap(), Weight::DEFAULT)).unwrap();
        let service = config.add_service(Service::new("s", "blue")).unwrap();
        let route = config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
        let refused = config.with(Change::DeleteService(service)).unwrap_err();
        assert_eq!(refused.to_string(), "an existing 'routes' entity references this 'services' entity");
        let all = [Change::DeleteRoute(route), Change::DeleteService(service), Change::DeleteUpstream(blue)];
        let empty = config.with(Change::All(all.into())).unwrap();
        assert_eq!(empty.routes().count() + empty.services().count() + empty.targets().count(), 0);
    }

    #[test]
    fn a_whole_set_replaces_another_and_who_stays_keeps_its_number() {
        // Aim: a reload disturbs nothing that it does not change. Method: blue stays, green comes, the Route moves.
        let set = |upstreams: &[&str], host: &str| {
            let mut config = Config::default();
            for name in upstreams {
                let id = config.add_upstream(Upstream::new(name)).unwrap();
                let address = Address::parse(&format!("{name}:80")).unwrap();
                let uuid = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes());
                config.add_target(Target { uuid, ..Target::new(id, address, Weight::DEFAULT) }).unwrap();
            }
            let service = config.add_service(Service::new("s", host)).unwrap();
            config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
            config
        };
        let before = set(&["blue"], "blue");
        let after = before.with(Change::Replace(Box::new(set(&["green", "blue"], "green")))).unwrap();
        assert_eq!(after.find_upstream("blue").unwrap().0, before.find_upstream("blue").unwrap().0);
        let targets: Vec<_> = after.targets().map(|(id, t)| (id.0, t.upstream.0, t.target.host())).collect();
        assert_eq!(targets, [(0, 0, "blue"), (1, 1, "green")]);
        assert_eq!(after.find_service("s").map(|(id, s)| (id.0, s.host.as_str())), Some((0, "green")));
        assert_eq!(after.find_route("r").unwrap().1.service, Some(ServiceId(0)));
    }
}
