//! Changes of a [`Config`]: each is checked whole and applied whole, or refused with the rule it breaks.

use super::Config;
use crate::entity::{FieldError, Route, Service, ServicePatch, Target, Upstream};
use crate::id::{RouteId, ServiceId, TargetId, UpstreamId};
use crate::weight::Weight;

/// One atomic change.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new Service.
    CreateService(Service),
    /// Some fields of a Service; its host among them is the blue-green switch.
    PatchService(ServiceId, ServicePatch),
    /// A new Route.
    CreateRoute(Route),
    /// A new Upstream.
    CreateUpstream(Upstream),
    /// A new Target of an Upstream.
    CreateTarget(Target),
    /// Another weight for a Target.
    SetWeight(TargetId, Weight),
    /// A Target leaves its Upstream. Requests under way at it are left alone.
    DeleteTarget(TargetId),
    /// Several changes as one: all of them or none.
    All(Vec<Change>),
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
        /// `name` or `target`.
        field: &'static str,
        /// The value that occurs twice.
        value: String,
    },
    /// The change names an entity that does not exist.
    #[error("there is no {kind} {id}")]
    Missing {
        /// `service`, `upstream`, `target`.
        kind: &'static str,
        /// Which one.
        id: u32,
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

    fn change(&mut self, change: Change) -> Result<(), ConfigError> {
        match change {
            Change::CreateService(service) => self.add_service(service).map(|_| ()),
            Change::PatchService(id, patch) => self.patch_service(id, patch),
            Change::CreateRoute(route) => self.add_route(route).map(|_| ()),
            Change::CreateUpstream(upstream) => self.add_upstream(upstream).map(|_| ()),
            Change::CreateTarget(target) => self.add_target(target).map(|_| ()),
            Change::SetWeight(id, weight) => {
                self.targets.get_mut(&id).ok_or(missing("target", id.0))?.weight = weight;
                Ok(())
            }
            Change::DeleteTarget(id) => {
                let target = self.targets.remove(&id).ok_or(missing("target", id.0))?;
                self.listed.remove(&(target.upstream, target.target));
                Ok(())
            }
            Change::All(changes) => changes.into_iter().try_for_each(|change| self.change(change)),
        }
    }

    /// Adds a Service.
    ///
    /// # Errors
    /// When a field breaks its rule or the name is taken.
    pub fn add_service(&mut self, service: Service) -> Result<ServiceId, ConfigError> {
        refuse(service.errors())?;
        self.refuse_taken_service_name(service.name.as_deref(), None)?;
        let id = ServiceId(self.take(0));
        self.services.insert(id, service);
        Ok(id)
    }

    /// Adds a Route.
    ///
    /// # Errors
    /// When a field breaks its rule, the name is taken or its Service does not exist.
    pub fn add_route(&mut self, route: Route) -> Result<RouteId, ConfigError> {
        refuse(route.errors())?;
        if let Some(service) = route.service.filter(|id| !self.services.contains_key(id)) {
            return Err(missing("service", service.0));
        }
        if let Some(name) = route.name.clone().filter(|_| self.routes.values().any(|r| r.name == route.name))
        {
            return Err(ConfigError::Unique { field: "name", value: name });
        }
        let id = RouteId(self.take(1));
        self.routes.insert(id, route);
        Ok(id)
    }

    /// Adds an Upstream.
    ///
    /// # Errors
    /// When a field breaks its rule or the name is taken.
    pub fn add_upstream(&mut self, upstream: Upstream) -> Result<UpstreamId, ConfigError> {
        refuse(upstream.errors())?;
        if self.find_upstream(&upstream.name).is_some() {
            return Err(ConfigError::Unique { field: "name", value: upstream.name });
        }
        let id = UpstreamId(self.take(2));
        self.upstreams.insert(id, upstream);
        Ok(id)
    }

    /// Adds a Target.
    ///
    /// # Errors
    /// When its Upstream does not exist or lists the address already.
    pub fn add_target(&mut self, target: Target) -> Result<TargetId, ConfigError> {
        if !self.upstreams.contains_key(&target.upstream) {
            return Err(missing("upstream", target.upstream.0));
        }
        if !self.listed.insert((target.upstream, target.target.clone())) {
            return Err(ConfigError::Unique { field: "target", value: target.target.to_string() });
        }
        let id = TargetId(self.take(3));
        self.targets.insert(id, target);
        Ok(id)
    }

    fn patch_service(&mut self, id: ServiceId, patch: ServicePatch) -> Result<(), ConfigError> {
        let service = patch.apply_to(self.services.get(&id).ok_or(missing("service", id.0))?);
        refuse(service.errors())?;
        self.refuse_taken_service_name(service.name.as_deref(), Some(id))?;
        self.services.insert(id, service);
        Ok(())
    }

    fn refuse_taken_service_name(
        &self,
        name: Option<&str>,
        own: Option<ServiceId>,
    ) -> Result<(), ConfigError> {
        match name {
            Some(name)
                if self
                    .services()
                    .any(|(id, other)| Some(id) != own && other.name.as_deref() == Some(name)) =>
            {
                Err(ConfigError::Unique { field: "name", value: name.to_owned() })
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, kind: usize) -> u32 {
        let id = self.next[kind];
        self.next[kind] += 1;
        id
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
        assert!(matches!(config.with(twice), Err(ConfigError::Unique { field: "name", .. })));
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
        let rename = |name: &str| ServicePatch { name: Some(Some(name.into())), ..ServicePatch::default() };
        assert!(config.with(Change::PatchService(a, rename("a"))).is_ok());
        assert!(config.with(Change::PatchService(a, rename("b"))).is_err());
    }
}
