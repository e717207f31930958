//! What one configuration says of where requests go: a pure reading of Routes, Services and what their hosts name.

use gateway_core::config::Config;
use gateway_core::entity::{Mirror, Percent, Service, Split, SplitKey};
use gateway_core::id::{ServiceId, UpstreamId};

use super::led::{self, Led, Told};
use crate::load::RequestTemplate;

/// Where first tries may go, who goes where, and what is copied.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Each place that a Route leads to; none is a host that is no Upstream.
    reach: Vec<Option<UpstreamId>>,
    /// The Service that divides users by the rollout's key, where each of its places is its own.
    pub(super) divided: Option<Divided>,
    /// The Services that have copies sent, where each of their places is their own.
    pub(super) mirrors: Vec<Copying>,
    /// Periods of unchanged mirrors up to here.
    periods: usize,
    /// The header Routes of the rollout's steps.
    pub(super) led: Vec<Led>,
}

/// A Service that divides users.
#[derive(Clone, Debug)]
pub(super) struct Divided {
    pub(super) split: Split,
    /// Where who stays is sent.
    pub(super) from: Option<UpstreamId>,
    /// Where who has moved is.
    pub(super) to: Option<UpstreamId>,
}

/// A Service that has copies sent.
#[derive(Clone, Debug)]
pub(super) struct Copying {
    service: ServiceId,
    mirror: Mirror,
    /// Where its own requests go; what goes where copies go anyway is not copied.
    from: Vec<Option<UpstreamId>>,
    to: Option<UpstreamId>,
    pub(super) percent: Percent,
    /// Number of the period in which it has been like this, among all there were.
    pub(super) period: usize,
}

impl Rules {
    /// Those of a configuration, `before` being those of the one before it. `key` is what the rollout divides users by, `told` are
    /// the header Routes that its steps set.
    pub(super) fn new(
        config: &Config,
        (key, told): (Option<&SplitKey>, &[Told]),
        before: Option<&Self>,
    ) -> Self {
        let mut routed: Vec<ServiceId> = config.routes().filter_map(|(_, route)| route.service).collect();
        routed.sort_unstable();
        routed.dedup();
        let routed: Vec<(ServiceId, &Service)> = routed
            .into_iter()
            .filter_map(|id| Some((id, config.service(id).filter(|service| service.enabled)?)))
            .collect();
        let places: Vec<_> = routed.iter().map(|(_, service)| places(config, service)).collect();
        let is_alone = |own: usize| {
            let mut others = places.iter().enumerate().filter(|(at, _)| *at != own).flat_map(|(_, to)| to);
            !others.any(|to| places[own].contains(to))
        };
        let divided = (0..routed.len()).filter(|&own| is_alone(own)).find_map(|own| {
            let split = routed[own].1.split.clone().filter(|split| key == Some(&split.key))?;
            let (from, to) = (upstream(config, &routed[own].1.host), upstream(config, &split.host));
            (from != to).then_some(Divided { split, from, to })
        });
        let mut periods = before.map_or(0, |before| before.periods);
        let mirrors = (0..routed.len()).filter(|&own| is_alone(own)).filter_map(|own| {
            let (service, of) = routed[own];
            let mirror = of.mirror.clone()?;
            let to = upstream(config, &mirror.host);
            let from = places[own].iter().copied().filter(|place| *place != to).collect();
            let same = |old: &&Copying| old.service == service && old.mirror == mirror;
            let period = before.and_then(|before| before.mirrors.iter().find(same)).map(|old| old.period);
            let period = period.unwrap_or_else(|| {
                periods += 1;
                periods - 1
            });
            Some(Copying { service, from, to, percent: mirror.percent, mirror, period })
        });
        let mirrors = mirrors.collect();
        Self { reach: places.concat(), divided, mirrors, periods, led: led::of(config, told) }
    }

    /// Whether a first try may go there.
    pub(super) fn lead_to(&self, upstream: Option<UpstreamId>) -> bool {
        self.reach.contains(&upstream)
    }
}

impl Copying {
    /// Where copies go.
    pub(super) fn host(&self) -> &str {
        &self.mirror.host
    }

    /// Whether a pick of a copy, or of a request, from this Upstream is a matter of this mirror.
    pub(super) fn concerns(&self, upstream: Option<UpstreamId>, is_copy: bool) -> bool {
        if is_copy { upstream == self.to } else { self.from.contains(&upstream) }
    }

    /// Whether requests of this kind may be copied: those without a body, of some methods.
    pub(super) fn may_copy(&self, request: &RequestTemplate) -> bool {
        request.body.pieces().is_empty() && self.mirror.methods.contains(&request.method)
    }
}

/// Where requests of a Service may go.
pub(super) fn places(config: &Config, service: &Service) -> Vec<Option<UpstreamId>> {
    let hosts = std::iter::once(&service.host).chain(service.split.iter().map(|split| &split.host));
    hosts.map(|host| upstream(config, host)).collect()
}

fn upstream(config: &Config, host: &str) -> Option<UpstreamId> {
    config.upstream_named(host).map(|(id, _)| id)
}
