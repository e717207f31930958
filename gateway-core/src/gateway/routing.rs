//! The part of a revision that says where a request belongs: Routes, Services and what their hosts name. Workers may learn of
//! a new one late; targets and their balancers are apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::mirror::Mirroring;
use super::slots::Slots;
use crate::config::Config;
use crate::entity::{Address, Limits, OutlierDetection, Service, Upstream};
use crate::id::{ServiceId, TargetId, UpstreamId};
use crate::router::Router;

/// Routes, Services and Upstreams under one revision.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) config: Config,
    pub(super) router: Arc<Router>,
    pub(super) services: FxHashMap<ServiceId, Destination>,
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
        let router = match old {
            Some(old) if old.config.routes_alike(&config) => Arc::clone(&old.router),
            _ => Arc::new(Router::new(&config)),
        };
        let lessons =
            config.upstreams().filter_map(|(id, upstream)| Some((id, lessons(upstream)?))).collect();
        Self { config, router, services, mirrors, lessons }
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
