//! The versions of a rollout: which targets each one has, and how they are listed where weights divide requests.

use gateway_core::entity::Target;
use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::weight::Weight;

use super::gateway::{Entities, Named};
use super::node::Node;
use super::reader::Section;
use super::rollout::{SHAPE, strategy};
use crate::plan::MockPlan;
use crate::rollout::judge::Side;
use crate::rollout::strategies::Strategy;
use crate::rollout::{ByKey, Member, Version, Versions};

/// Lists the new version's targets in the Service's Upstream, with weight 0, where weights are to divide requests and the new
/// version has an Upstream of its own: what `POST /upstreams/{stable}/targets` would do before the rollout.
pub(super) fn prepare<'a>(root: &Section<'a>, entities: &mut Entities<'a>) {
    let Some(section) = root.unchecked("rollout", &SHAPE) else { return };
    let name = |key: &str| section.own(key).and_then(Node::as_text);
    let shares = name("strategy").and_then(strategy).is_some_and(|strategy| strategy.shares_upstream);
    let service = entities.config.services().find(|(_, service)| service.name.as_deref() == name("service"));
    let shared = service.and_then(|(_, service)| is_upstream(entities, &service.host));
    let canary = name("canary").and_then(|canary| is_upstream(entities, canary));
    let (Some(shared), Some(canary)) = (shared, canary) else { return };
    if !shares || section.own("sticky").is_some() || shared == canary {
        return;
    }
    let targets: Vec<_> =
        entities.config.targets_of(canary).map(|(_, target)| target.target.clone()).collect();
    let upstream_name =
        entities.config.upstream(shared).map(|upstream| upstream.name.clone()).unwrap_or_default();
    for address in targets {
        let name = address.to_string();
        // One that is listed there already stays as it is.
        if entities.config.add_target(Target::new(shared, address, Weight::new(0))).is_ok() {
            let (upstream, upstream_name) = (shared, upstream_name.clone());
            let place = section.place;
            entities.targets.push(Named { name, upstream, upstream_name, weight: 0, place });
        }
    }
}

/// Both versions, by what `[rollout]` calls them.
pub(super) fn versions(
    section: &Section<'_>,
    strategy: &Strategy,
    service: ServiceId,
    entities: &Entities<'_>,
    mocks: &[MockPlan],
) -> Option<Versions> {
    let service_name = section.text("service")?.to_owned();
    let host = entities.config.service(service).map(|service| service.host.clone())?;
    let shared = is_upstream(entities, &host)?;
    let version = |key: &str| version(section, key, strategy, shared, entities, mocks);
    let (stable, canary) = (version("stable"), version("canary"));
    let (mut stable, canary) = (stable?, canary?);
    // Where the new version's targets are listed in the old one's Upstream, they are still the new one's.
    let is_new = |member: &Member| canary.members.iter().any(|new| new.mock == member.mock);
    stable.members.retain(|member| !is_new(member));
    if stable.members.is_empty() {
        let (label, help) = ("all targets of `stable` are among its own", "name two versions");
        section.mistakes.note(section.place_of("canary"), "old and new are the same", label, help);
        return None;
    }
    let by_key = section.own("sticky").and_then(|_| section.text("sticky")).map(|header| ByKey {
        header: header.to_ascii_lowercase(),
        salt: section.own("salt").and_then(|_| section.text("salt")).unwrap_or(&service_name).to_owned(),
    });
    Some(Versions { service, service_name, upstream: host, stable, canary, by_key })
}

fn version(
    section: &Section<'_>,
    key: &str,
    strategy: &Strategy,
    shared: UpstreamId,
    entities: &Entities<'_>,
    mocks: &[MockPlan],
) -> Option<Version> {
    let name = section.required_text(key, key)?;
    let own = is_upstream(entities, name);
    let place = section.place_of(key);
    if own.is_none() && !strategy.shares_upstream {
        let label = format!("no upstream is called `{name}`");
        let help = format!("{} points the Service at an Upstream for each version", strategy.name);
        section.mistakes.absent(place, "a version needs an Upstream of its own", label, help);
        return None;
    }
    let weight_in = |upstream: UpstreamId, name: &str| {
        let found =
            entities.config.targets_of(upstream).find(|(_, target)| target.target.to_string() == name);
        found.map(|(_, target)| target.weight.get())
    };
    let mut members = Vec::new();
    for (mock, plan) in (0..).zip(mocks) {
        let is_one = match own {
            Some(own) => weight_in(own, &plan.name).is_some(),
            None => plan.version == name,
        };
        let listed_in = if strategy.shares_upstream { shared } else { own.unwrap_or(shared) };
        if let Some(initial) = weight_in(listed_in, &plan.name).filter(|_| is_one) {
            let weight = own.and_then(|own| weight_in(own, &plan.name)).unwrap_or(initial);
            members.push(Member { mock, target: plan.name.clone(), weight: weight.max(1), initial });
        }
    }
    if members.is_empty() {
        let label = format!("neither an Upstream with targets nor a version of the mocks is called `{name}`");
        let help = "name an Upstream, or write version = \"...\" in [[mocks]]";
        section.mistakes.absent(place, "a version has no targets", label, help);
        return None;
    }
    let upstream = own.map(|_| name.to_owned());
    Some(Version { name: name.to_owned(), upstream, members })
}

/// Which version each mock is of.
pub(super) fn sides(versions: &Versions, mocks: &[MockPlan]) -> Vec<Option<Side>> {
    let is_in = |version: &Version, mock| version.members.iter().any(|member| member.mock == mock);
    let side = |mock: u32| match mock {
        mock if is_in(&versions.canary, mock) => Some(Side::Canary),
        mock if is_in(&versions.stable, mock) => Some(Side::Stable),
        _ => None,
    };
    (0..).zip(mocks).map(|(mock, _)| side(mock)).collect()
}

/// What a version's name stands for: an Upstream of its own, or targets by what their mocks say they are.
pub(super) fn is_upstream(entities: &Entities<'_>, name: &str) -> Option<UpstreamId> {
    entities.config.upstream_named(name).map(|(id, _)| id)
}
