//! The part of a revision that says where a request belongs: Routes, Services and what their hosts name. Workers may learn of
//! a new one late; targets and their balancers are apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::slots::Slots;
use crate::config::Config;
use crate::entity::{Address, Service};
use crate::id::{ServiceId, TargetId, UpstreamId};
use crate::router::Router;

/// Routes, Services and Upstreams under one revision.
#[derive(Debug)]
pub(super) struct Routing {
    pub(super) config: Config,
    pub(super) router: Arc<Router>,
    pub(super) services: FxHashMap<ServiceId, Destination>,
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
        let router = match old {
            Some(old) if old.config.routes_alike(&config) => Arc::clone(&old.router),
            _ => Arc::new(Router::new(&config)),
        };
        Self { config, router, services }
    }
}

fn destination(service: &Service, config: &Config, slots: &mut Slots) -> Destination {
    match config.upstream_named(&service.host) {
        Some((upstream, _)) => Destination::Upstream(upstream, service.retries),
        None => Destination::Direct(slots.direct(Address::new(&service.host, service.port)), service.retries),
    }
}
