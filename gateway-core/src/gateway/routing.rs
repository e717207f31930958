//! The part of a revision that says where a request belongs: Routes, Services and what their hosts name. Workers may learn of
//! a new one late; targets and their balancers are apart.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cookies;
use super::mirror::Mirroring;
use super::slots::Slots;
use crate::config::Config;
use crate::entity::{Address, Limits, OutlierDetection, Service, Split, SplitCookie, SplitKey, Upstream};
use crate::id::{Revision, ServiceId, TargetId, UpstreamId};
use crate::request::Headers;
use crate::rng::Rng;
use crate::router::Router;

/// Routes, Services and Upstreams under one revision.
#[derive(Debug)]
pub(super) struct Routing {
    /// The change that made it.
    pub(super) revision: Revision,
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
    /// Where a request of `service` goes: by its key, where the Service divides keys; and the cookie to set, where it is given one.
    #[inline]
    pub(super) fn destination(
        &self,
        service: ServiceId,
        headers: Headers<'_>,
        rng: &mut Rng,
    ) -> Option<(Destination, Option<Box<str>>)> {
        let split = if self.splits.is_empty() { None } else { self.splits.get(&service) };
        let Some((split, to)) = split else { return self.services.get(&service).map(|to| (*to, None)) };
        let (goes, cookie) = divide(split, headers, rng);
        if goes { Some((*to, cookie)) } else { self.services.get(&service).map(|to| (*to, cookie)) }
    }

    /// The routing of `config`. The table of `old` is used again when no Route has changed.
    pub(super) fn new((revision, config): (Revision, Config), slots: &mut Slots, old: Option<&Self>) -> Self {
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
        Self { revision, config, router, services, splits, mirrors, lessons }
    }
}

/// Whether a request with these fields goes elsewhere, and the cookie that is set for it.
fn divide(split: &Split, headers: Headers<'_>, rng: &mut Rng) -> (bool, Option<Box<str>>) {
    let SplitCookie { name, max_age, primary_sticky } = match &split.key {
        SplitKey::Header(name) => {
            return (headers.get(name).is_some_and(|key| split.takes(key.as_bytes())), None);
        }
        SplitKey::Cookie(cookie) => cookie,
    };
    let known = cookies::find(headers, name, |key| (!key.is_empty()).then(|| split.takes(key)));
    if let Some(goes) = known {
        return (goes, None);
    }
    let key = cookies::new_key(rng);
    let goes = split.takes(key.as_bytes());
    (goes, (goes || *primary_sticky).then(|| cookies::write(name, key, "/", Some(*max_age))))
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
    use std::time::Duration;

    use crate::config::{Change, Config};
    use crate::entity::{Address, Percent, Route, Service, Split, SplitCookie, SplitKey, Target, Upstream};
    use crate::gateway::Gateway;
    use crate::id::{ServiceId, UpstreamId};
    use crate::request::{Head, HeaderLookup, Headers};
    use crate::rng::{self, Rng};
    use crate::time::Instant;
    use crate::weight::Weight;

    /// A header field.
    #[derive(Clone)]
    struct Only(&'static str, String);

    impl HeaderLookup for Only {
        fn header(&self, name: &str) -> Option<&str> {
            (name == self.0).then_some(self.1.as_str())
        }

        fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool {
            self.header(name).is_some_and(|value| wanted(value.as_bytes()))
        }
    }

    /// A Service at `v1` that is divided by `key`.
    struct Divided {
        gateway: Gateway,
        service: ServiceId,
        v2: UpstreamId,
        key: SplitKey,
        rng: Rng,
    }

    impl Divided {
        fn by(key: SplitKey) -> Self {
            let mut config = Config::default();
            let [_, v2] = ["v1", "v2"].map(|name| {
                let upstream = config.add_upstream(Upstream::new(name)).unwrap();
                let address = Address::parse(&format!("{name}:80")).unwrap();
                config.add_target(Target::new(upstream, address, Weight::DEFAULT)).unwrap();
                upstream
            });
            let service = config.add_service(Service::new("shop", "v1")).unwrap();
            config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
            Self { gateway: Gateway::new(config), service, v2, key, rng: rng::stream(1, "test", 0) }
        }

        fn split(&self, percent: f64) -> Split {
            Split {
                host: "v2".into(),
                percent: Percent::new(percent),
                key: self.key.clone(),
                salt: "a".into(),
            }
        }

        fn to(&self, percent: f64) {
            let service = Service { split: Some(self.split(percent)), ..Service::new("shop", "v1") };
            self.gateway.apply(Change::UpdateService(self.service, service), Instant::ZERO).unwrap();
        }

        /// Whether a request with this field goes to `v2`, and what its answer sets.
        fn ask(&mut self, headers: Headers<'_>) -> (bool, Option<String>) {
            let head = Head { headers, ..Head::new("GET", "/") };
            let matched = self.gateway.route(0, &head).unwrap();
            let attempt = self.gateway.begin(&matched, &head, Instant::ZERO, &mut self.rng).unwrap();
            let cookie = attempt.set_cookies().next().map(str::to_owned);
            (attempt.upstream == Some(self.v2), cookie)
        }
    }

    #[test]
    fn keys_below_the_share_go_elsewhere_each_time_and_who_has_none_stays() {
        let mut divided = Divided::by(SplitKey::Header("x-user".into()));
        for percent in [0.0, 10.0, 60.0, 100.0] {
            divided.to(percent);
            for user in 0..500 {
                let user = Only("x-user", user.to_string());
                let expected = (divided.split(percent).takes(user.1.as_bytes()), None);
                assert!([0, 1].iter().all(|_| divided.ask(Headers::new(&user)) == expected), "{percent}");
            }
            assert_eq!(divided.ask(Headers::NONE), (false, None));
        }
    }

    /// Browsers that ask so many times at each share, one after the other: how many were at `v2` in the end of each stage, and
    /// how often one of them came back from there.
    fn browse(primary_sticky: bool, stages: &[(f64, usize)]) -> (Vec<usize>, usize) {
        let max_age = Duration::from_secs(60);
        let cookie = SplitCookie { name: "group".into(), max_age, primary_sticky };
        let mut divided = Divided::by(SplitKey::Cookie(cookie));
        let mut browsers = vec![(Only("cookie", "a=1".into()), false); 1000];
        let (mut there, mut back) = (Vec::new(), 0);
        for &(percent, times) in stages {
            divided.to(percent);
            for _ in 0..times {
                for (jar, was_there) in &mut browsers {
                    let (goes, set) = divided.ask(Headers::new(&*jar));
                    back += usize::from(*was_there && !goes);
                    *was_there = goes;
                    if let Some(set) = set {
                        let (pair, rest) = set.split_once(';').unwrap();
                        assert_eq!(rest, " Path=/; Max-Age=60; SameSite=Lax; HttpOnly");
                        jar.1 = format!("a=1; {pair}");
                    }
                }
            }
            there.push(browsers.iter().filter(|(_, is_there)| *is_there).count());
        }
        (there, back)
    }

    /// Four standard errors around so many of a thousand.
    fn is_about(seen: usize, share: f64) -> bool {
        (seen as f64 - 1000.0 * share).abs() <= 4.0 * (1000.0 * share * (1.0 - share)).sqrt()
    }

    #[test]
    fn whoever_is_given_a_key_stays_on_its_side_until_the_share_passes_it() {
        let (there, back) = browse(true, &[(10.0, 1), (10.0, 29), (30.0, 3), (100.0, 1)]);
        assert_eq!(back, 0);
        assert_eq!(there[0], there[1], "nobody moves while the share is the same");
        assert!(is_about(there[0], 0.1) && is_about(there[2], 0.3), "{there:?}");
        assert_eq!(there[3], 1000);
    }

    #[test]
    fn without_keys_for_those_who_stay_the_new_version_absorbs_everybody() {
        // What users of Flagger met: at 10 % 47 % are there after six requests each and 96 % after thirty, 1 - (1 - w)^n.
        let (there, back) = browse(false, &[(10.0, 1), (10.0, 5), (10.0, 24)]);
        assert_eq!(back, 0);
        for (&seen, requests) in there.iter().zip([1, 6, 30]) {
            assert!(is_about(seen, 1.0 - 0.9_f64.powi(requests)), "{there:?}");
        }
    }
}
