//! What breaks no rule and cannot work all the same: looked for in a valid set of entities. Pure; where each stands in a file,
//! and whether anybody is told, is the caller's.

use gateway_core::config::Config;
use gateway_core::entity::{Algorithm, HashOn, Limits, Protocol, Service, Upstream};
use gateway_core::id::{ServiceId, UpstreamId};

/// Whom a lint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A Service.
    Service(ServiceId),
    /// An Upstream.
    Upstream(UpstreamId),
}

/// One thing that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Whom it is about.
    pub subject: Subject,
    /// The same in words: ``upstream `blue` ``.
    pub named: String,
    /// Which of its fields: `healthchecks.threshold`.
    pub field: &'static str,
    /// What is odd.
    pub message: &'static str,
    /// Why.
    pub label: String,
    /// What would be better.
    pub help: String,
}

/// Last labels of names that the world's DNS may have; any with two letters is a country's.
const PUBLIC: [&str; 9] = ["com", "org", "net", "info", "biz", "dev", "app", "cloud", "xyz"];

/// Everything odd about `config`; `is_mock` is whether a mock answers for a target (`httpbin.org:80`).
pub fn lint(config: &Config, is_mock: &dyn Fn(&str) -> bool) -> Vec<Lint> {
    let mut found = Vec::new();
    for (id, upstream) in config.upstreams() {
        let odd = [never_recovers(upstream), never_enough(upstream), hashes_nothing(upstream)];
        let about = |odd: Odd| odd.about(Subject::Upstream(id), format!("upstream `{}`", upstream.name));
        found.extend(odd.into_iter().flatten().chain(shadows(config, upstream)).map(about));
    }
    for (id, service) in config.services() {
        let named = format!("service `{}`", service.name.as_deref().unwrap_or_default());
        let odd = speaks_plainly(config, service, is_mock);
        found.extend(odd.map(|odd| odd.about(Subject::Service(id), named)));
    }
    found
}

/// A lint that does not know yet whom it is about.
struct Odd {
    field: &'static str,
    message: &'static str,
    label: String,
    help: String,
}

impl Odd {
    fn about(self, subject: Subject, named: String) -> Lint {
        let Self { field, message, label, help } = self;
        Lint { subject, named, field, message, label, help }
    }
}

/// Only a probe brings a target back: no requests are sent to one that is left out.
fn never_recovers(upstream: &Upstream) -> Option<Odd> {
    let counts = |limits: &Limits| limits.tcp_failures > 0 || limits.timeouts > 0 || limits.http_failures > 0;
    let (active, passive) = (&upstream.healthchecks.active, &upstream.healthchecks.passive);
    let is_probed = !active.healthy_interval.is_zero() && counts(&active.limits);
    let comes_back = !active.unhealthy_interval.is_zero() && active.limits.successes > 0;
    let field =
        if counts(passive) { "healthchecks.passive.unhealthy" } else { "healthchecks.active.unhealthy" };
    ((counts(passive) || is_probed) && !comes_back).then(|| Odd {
        field,
        message: "a target that has failed never comes back",
        label: "it is left out, and nothing looks at it again".to_owned(),
        help: "set healthchecks.active.unhealthy.interval and healthchecks.active.healthy.successes above 0"
            .to_owned(),
    })
}

fn never_enough(upstream: &Upstream) -> Option<Odd> {
    (upstream.healthchecks.threshold >= 100.0).then(|| Odd {
        field: "healthchecks.threshold",
        message: "an Upstream never has enough available",
        label: "more than 100 % would have to be".to_owned(),
        help: "write less than 100".to_owned(),
    })
}

fn hashes_nothing(upstream: &Upstream) -> Option<Odd> {
    (upstream.algorithm == Algorithm::ConsistentHashing && upstream.hash_on == HashOn::None).then(|| Odd {
        field: "algorithm",
        message: "consistent hashing has nothing to hash",
        label: "`hash_on` is none".to_owned(),
        help: "set hash_on to what a client is known by, such as ip or header".to_owned(),
    })
}

/// A Service's host is an Upstream's name first and a host second.
fn shadows(config: &Config, upstream: &Upstream) -> Option<Odd> {
    let name = &upstream.name;
    let target = config.targets().find(|(_, target)| target.target.host().eq_ignore_ascii_case(name));
    let label = match target {
        Some((_, target)) => format!("`{}` is a target, and its host is called so too", target.target),
        None if is_public(name) => "the world's DNS may have a host of this name".to_owned(),
        None => return None,
    };
    Some(Odd {
        field: "name",
        message: "an Upstream hides a host of its name",
        label,
        help:
            "a Service with this host goes to the Upstream, never to the host; write a name that no host has"
                .to_owned(),
    })
}

fn is_public(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    let last = last.to_ascii_lowercase();
    PUBLIC.contains(&last.as_str()) || (last.len() == 2 && last.bytes().all(|b| b.is_ascii_alphabetic()))
}

/// The gateway speaks plain HTTP to targets, whatever the Service says; mocks do not mind.
fn speaks_plainly(config: &Config, service: &Service, is_mock: &dyn Fn(&str) -> bool) -> Option<Odd> {
    if service.protocol != Protocol::Https {
        return None;
    }
    let target = match config.upstream_named(&service.host) {
        Some((id, _)) => {
            config.targets_of(id).map(|(_, target)| target.target.to_string()).find(|name| !is_mock(name))?
        }
        None => Some(format!("{}:{}", service.host, service.port)).filter(|name| !is_mock(name))?,
    };
    Some(Odd {
        field: "protocol",
        message: "a Service wants https, and plain HTTP is sent",
        label: format!("`{target}` will not understand it"),
        help: "write http, or let something that speaks TLS stand in between".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read_deck;
    use super::*;
    use gateway_core::deck::Text;

    fn found(upstream: &str, more: &str) -> Vec<String> {
        let text = format!(
            "_format_version: \"3.0\"\nupstreams: [{{ {upstream}, targets: [{{ target: \"a.internal:80\" }}] }}]\n{more}"
        );
        let config = read_deck(&[Text { name: "f", text: &text }], &|_| None, 0).unwrap().config;
        let told = |lint: &Lint| format!("{}: {}", lint.named, lint.message);
        lint(&config, &|target| target == "mocked:80").iter().map(told).collect()
    }

    #[test]
    fn what_can_work_is_let_be() {
        for fine in [
            "name: blue",
            "name: blue.v1.service",
            "name: blue, healthchecks: { passive: { unhealthy: { http_failures: 3 } }, active: { \
             healthy: { successes: 1 }, unhealthy: { interval: 1 } }, threshold: 99 }",
            "name: blue, healthchecks: { active: { healthy: { interval: 5 } } }",
        ] {
            assert_eq!(found(fine, "services: [{ name: s, host: blue }]"), [""; 0], "{fine}");
        }
    }

    #[test]
    fn what_cannot_work_is_found() {
        let passive = "healthchecks: { passive: { unhealthy: { tcp_failures: 1 } }";
        for (upstream, said) in [
            (format!("name: u, {passive} }}"), "a target that has failed never comes back"),
            (
                format!("name: u, {passive}, active: {{ unhealthy: {{ interval: 1 }} }} }}"),
                "a target that has failed never comes back",
            ),
            (
                "name: u, healthchecks: { active: { healthy: { interval: 1 }, unhealthy: { timeouts: 1 } } }"
                    .into(),
                "a target that has failed never comes back",
            ),
            ("name: u, healthchecks: { threshold: 100 }".into(), "an Upstream never has enough available"),
        ] {
            assert_eq!(found(&upstream, ""), [format!("upstream `u`: {said}")], "{upstream}");
        }
        for name in ["A.internal", "example.com", "shop.de"] {
            let said = format!("upstream `{name}`: an Upstream hides a host of its name");
            assert_eq!(found(&format!("name: {name}"), ""), [said]);
        }
        for (host, is_said) in [("u", true), ("elsewhere.internal", true), ("mocked", false)] {
            let service = format!("services: [{{ name: s, protocol: https, host: {host}, port: 80 }}]");
            let said = "service `s`: a Service wants https, and plain HTTP is sent".to_owned();
            assert_eq!(found("name: u", &service), if is_said { vec![said] } else { vec![] }, "{host}");
        }
    }
}
