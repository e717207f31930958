//! The part of a revision that says where a request belongs: Routes, Services and what their hosts name. Workers may learn of
//! a new one late; targets and their balancers are apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::mirror::Mirroring;
use super::slots::Slots;
use crate::config::Config;
use crate::entity::{Address, Limits, OutlierDetection, Service, Split, Upstream};
use crate::id::{ServiceId, TargetId, UpstreamId};
use crate::request::Headers;
use crate::router::Router;

/// Routes, Services and Upstreams under one revision.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) config: Config,
    pub(super) router: Arc<Router>,
    pub(super) services: FxHashMap<ServiceId, Destination>,
    /// Services some of whose keys go elsewhere.
    pub(super) splits: FxHashMap<ServiceId, (Split, Destination)>,
    /// Services whose requests are copied, and to whom.
    pub(super) mirrors: FxHashMap<ServiceId, Mirroring>,
    /// Upstreams that learn from the answers of their targets, and how.
    pub(super) lessons: FxHashMap<UpstreamId, Lessons>,
}

/// What an Upstream learns from the answers of its targets.
#[derive(Clone, Debug)]
pub(super) struct Lessons {
    /// Passive health checks.
    pub(super) limits: Option<Limits>,
    pub(super) outliers: Option<OutlierDetection>,
}

/// Where a Service's requests go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    /// To one of an Upstream's targets, with so many retries.
    Upstream(UpstreamId, u16),
    /// To the one host it names.
    Direct(TargetId, u16),
}

impl Routing {
    /// Where a request of `service` goes: by its key, where the Service divides keys.
    pub(super) fn destination(&self, service: ServiceId, headers: Headers<'_>) -> Option<Destination> {
        if !self.splits.is_empty()
            && let Some((split, to)) = self.splits.get(&service)
            && headers.get(&split.header).is_some_and(|key| split.takes(key.as_bytes()))
        {
            return Some(*to);
        }
        self.services.get(&service).copied()
    }

    /// The routing of `config`. The table of `old` is used again when no Route has changed.
    pub(super) fn new(config: Config, slots: &mut Slots, old: Option<&Self>) -> Self {
        let services =
            config.services().map(|(id, service)| (id, destination(service, &config, slots))).collect();
        let mirrored = config
            .services()
            .filter_map(|(id, service)| Some((id, service.mirror.clone()?)))
            .collect::<Vec<_>>();
        let before = |id| old.and_then(|old| old.mirrors.get(&id));
        let mirrors = mirrored
            .into_iter()
            .map(|(id, mirror)| {
                let to = place(&mirror.host, 80, 0, &config, slots);
                (id, Mirroring::new(mirror, to, before(id)))
            })
            .collect();
        let divided =
            config.services().filter_map(|(id, service)| Some((id, service.split.clone()?, service.retries)));
        let splits = divided
            .map(|(id, split, retries)| {
                let to = place(&split.host, 80, retries, &config, slots);
                (id, (split, to))
            })
            .collect();
        let router = match old {
            Some(old) if old.config.routes_alike(&config) => Arc::clone(&old.router),
            _ => Arc::new(Router::new(&config)),
        };
        let lessons =
            config.upstreams().filter_map(|(id, upstream)| Some((id, lessons(upstream)?))).collect();
        Self { config, router, services, splits, mirrors, lessons }
    }
}

fn lessons(upstream: &Upstream) -> Option<Lessons> {
    let checks = &upstream.healthchecks;
    let limits = checks.are_on().then(|| checks.passive.clone());
    let outliers = upstream.outlier_detection.clone();
    (limits.is_some() || outliers.is_some()).then_some(Lessons { limits, outliers })
}

fn destination(service: &Service, config: &Config, slots: &mut Slots) -> Destination {
    place(&service.host, service.port, service.retries, config, slots)
}

/// What a host stands for: an Upstream of that name, or else itself.
fn place(host: &str, port: u16, retries: u16, config: &Config, slots: &mut Slots) -> Destination {
    match config.upstream_named(host) {
        Some((upstream, _)) => Destination::Upstream(upstream, retries),
        None => Destination::Direct(slots.direct(Address::new(host, port)), retries),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Change, Config};
    use crate::entity::{Address, Percent, Route, Service, Split, Target, Upstream};
    use crate::gateway::Gateway;
    use crate::request::{Head, HeaderLookup, Headers};
    use crate::rng;
    use crate::time::Instant;
    use crate::weight::Weight;

    struct User(String);

    impl HeaderLookup for User {
        fn header(&self, name: &str) -> Option<&str> {
            (name == "x-user").then_some(self.0.as_str())
        }

        fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool {
            self.header(name).is_some_and(|value| wanted(value.as_bytes()))
        }
    }

    #[test]
    fn keys_below_the_share_go_elsewhere_each_time_and_who_has_none_stays() {
        let mut config = Config::default();
        let [_, v2] = ["v1", "v2"].map(|name| {
            let upstream = config.add_upstream(Upstream::new(name)).unwrap();
            let address = Address::parse(&format!("{name}:80")).unwrap();
            config.add_target(Target::new(upstream, address, Weight::DEFAULT)).unwrap();
            upstream
        });
        let split = |percent| Split {
            host: "v2".into(),
            percent: Percent::new(percent),
            header: "x-user".into(),
            salt: "a".into(),
        };
        let service = |percent| Service { split: Some(split(percent)), ..Service::new("shop", "v1") };
        let id = config.add_service(service(0.0)).unwrap();
        config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", id) }).unwrap();
        let gateway = Gateway::new(config);
        let goes_there = |headers: Headers<'_>| {
            let (head, mut rng) = (Head { headers, ..Head::new("GET", "/") }, rng::stream(1, "test", 0));
            let attempt = gateway.begin(&gateway.route(0, &head).unwrap(), &head, Instant::ZERO, &mut rng);
            attempt.unwrap().upstream == Some(v2)
        };
        for percent in [0.0, 10.0, 60.0, 100.0] {
            gateway.apply(Change::UpdateService(id, service(percent)), Instant::ZERO).unwrap();
            for user in 0..500 {
                let user = User(user.to_string());
                let expected = split(percent).takes(user.0.as_bytes());
                assert!([0, 1].iter().all(|_| goes_there(Headers::new(&user)) == expected), "{percent}");
            }
            assert!(!goes_there(Headers::NONE));
        }
    }
}
