//! Header Routes as steps set and take them away: each stands in front of all Routes of its Service, and what came with it goes with
//! it. A step that takes one away names it alone, so that those before it must be known.

use std::collections::{BTreeMap, BTreeSet};

use gateway_core::id::ServiceId;
use gateway_core::schema::Entity as _;
use serde_json::{Map, Value};

use super::gateway::Entities;
use crate::rollout::{Action, HeaderRoute, Step};

/// The header Routes that the steps so far have set and not taken away.
#[derive(Debug, Default)]
pub(super) struct HeaderRoutes(BTreeMap<String, Set>);

/// What was set under a name.
#[derive(Debug, Default)]
struct Set {
    twins: usize,
    services: BTreeSet<String>,
}

impl HeaderRoutes {
    /// A step sets this one.
    pub(super) fn set(&mut self, route: &HeaderRoute) {
        let Some(to) = &route.to else { return };
        let set = self.0.entry(route.name.clone()).or_default();
        set.twins = set.twins.max(route.twins);
        set.services.insert(to.service.clone());
    }

    /// A step takes the one of this name away; Services that others lead to stay. Nobody knows what came with one that no step has set.
    pub(super) fn unset(&mut self, name: String) -> HeaderRoute {
        let Some(Set { twins, services }) = self.0.remove(&name) else {
            return HeaderRoute::unset(name, 1, Vec::new());
        };
        let is_left = |service: &String| !self.0.values().any(|other| other.services.contains(service));
        HeaderRoute::unset(name, twins, services.into_iter().filter(is_left).collect())
    }
}

/// What Routes in front of those of a Service share with each of them; of one without any a single one, without fields.
pub(super) fn in_front(entities: &Entities<'_>, service: ServiceId) -> Vec<Map<String, Value>> {
    const SHARED: [&str; 10] = [
        "paths",
        "hosts",
        "methods",
        "headers",
        "snis",
        "strip_path",
        "preserve_host",
        "path_handling",
        "regex_priority",
        "protocols",
    ];
    let routes = entities.config.routes().filter(|(_, route)| route.service == Some(service));
    let is_shared = |(key, value): &(String, Value)| SHARED.contains(&key.as_str()) && !value.is_null();
    let mut all: Vec<Map<_, _>> = routes
        .map(|(_, route)| route.to_json(&entities.config).into_iter().filter(is_shared).collect())
        .collect();
    if all.is_empty() {
        all.push(Map::new());
    }
    all
}

/// What steps of the file's own have set and the strategy's way back does not take away goes first on it, as far as it was not there
/// before.
pub(super) fn take_back(steps: &[Step], way_back: &mut Vec<Action>, entities: &Entities<'_>) {
    let mut set = HeaderRoutes::default();
    for step in steps {
        if let Action::SetHeaderRoute(route) = &step.action
            && entities.config.find_route(&route.name).is_none()
        {
            set.set(route);
        }
    }
    for action in &mut *way_back {
        if let Action::SetHeaderRoute(HeaderRoute { name, leaves, to: None, .. }) = action {
            set.0.remove(name);
            // Each Service goes with the last Route that leads there.
            set.0.values_mut().for_each(|other| other.services.retain(|service| !leaves.contains(service)));
        }
    }
    let names: Vec<_> = set.0.keys().cloned().collect();
    let gone: Vec<_> = names.into_iter().map(|name| Action::SetHeaderRoute(set.unset(name))).collect();
    way_back.splice(..0, gone);
}

/// Services that were there before the rollout stay there after it.
pub(super) fn keep_what_was_there<'a>(
    actions: impl IntoIterator<Item = &'a mut Action>,
    entities: &Entities<'_>,
) {
    for action in actions {
        if let Action::SetHeaderRoute(route) = action {
            route.leaves.retain(|name| entities.config.find_service(name).is_none());
        }
    }
}
