//! The versions of a rollout: which targets each one has, and how they are listed where weights divide requests.

use gateway_core::config::Change;
use gateway_core::entity::Target;
use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::weight::Weight;

use super::diagnostic::Place;
use super::gateway::{Entities, Named};
use super::node::Node;
use super::reader::Section;
use super::rollout::{SHAPE, strategy};
use super::sticky;
use crate::plan::MockPlan;
use crate::rollout::judge::Side;
use crate::rollout::strategies::Strategy;
use crate::rollout::{Member, Rollout, Version, Versions};
use crate::words;

/// Lists the targets of the new version and of the baseline in the Service's Upstream, with weight 0, where weights are to divide
/// requests and they have an Upstream of their own: what `POST /upstreams/{stable}/targets` would do before the rollout.
pub(super) fn prepare<'a>(root: &Section<'a>, entities: &mut Entities<'a>) {
    let Some(section) = root.unchecked("rollout", &SHAPE) else { return };
    let name = |key: &str| section.own(key).and_then(Node::as_text);
    let shares = name("strategy").and_then(strategy).is_some_and(|strategy| strategy.shares_upstream);
    let service = entities.config.services().find(|(_, service)| service.name.as_deref() == name("service"));
    let Some(shared) = service.and_then(|(_, service)| is_upstream(entities, &service.host)) else { return };
    if !shares || sticky::divides(&section) {
        return;
    }
    for own in ["canary", "baseline"].into_iter().filter_map(name) {
        if let Some(own) = is_upstream(entities, own).filter(|own| *own != shared) {
            list(entities, own, shared, section.place);
        }
    }
}

/// Lists the targets of one Upstream in another too, with weight 0.
fn list<'a>(entities: &mut Entities<'a>, own: UpstreamId, shared: UpstreamId, place: &'a Place) {
    let targets =
        entities.config.targets_of(own).map(|(_, target)| (target.target.clone(), target.tags.clone()));
    let targets: Vec<_> = targets.collect();
    let upstream_name =
        entities.config.upstream(shared).map(|upstream| upstream.name.clone()).unwrap_or_default();
    for (address, tags) in targets {
        let name = address.to_string();
        // One that is listed there already stays as it is.
        let target = Target { tags, ..Target::new(shared, address, Weight::new(0)) };
        if entities.config.add_target(target).is_ok() {
            let (upstream, upstream_name) = (shared, upstream_name.clone());
            entities.targets.push(Named { name, upstream, upstream_name, weight: 0, place });
        }
    }
}

/// The versions, by what `[rollout]` calls them.
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
    let baseline = section.own("baseline").map(|_| version("baseline"));
    let (mut stable, canary, baseline) = (stable?, canary?, baseline.map_or(Some(None), |of| of.map(Some))?);
    // Where fresh targets are listed in the old version's Upstream, or say that they are of that version, they are still fresh.
    let leave = |stable: &mut Version, fresh: &Version| {
        stable.members.retain(|member| !fresh.members.iter().any(|fresh| fresh.mock == member.mock));
        !stable.members.is_empty()
    };
    let (label, help) = ("all targets of `stable` are among its own", "name two versions");
    if !leave(&mut stable, &canary) {
        section.mistakes.note(section.place_of("canary"), "old and new are the same", label, help);
        return None;
    }
    if baseline.as_ref().is_some_and(|baseline| !leave(&mut stable, baseline)) {
        let help = "name an Upstream with fresh targets of the old version";
        section.mistakes.note(section.place_of("baseline"), "the baseline is the old version", label, help);
        return None;
    }
    let by_key = sticky::read(section, &service_name);
    if let Some(baseline) = &baseline {
        check_baseline(section, baseline, &canary);
    }
    Some(Versions { service, service_name, upstream: host, stable, canary, baseline, by_key })
}

/// A baseline is worth something where it starts as the new version does and gets as much, on as many targets.
fn check_baseline(section: &Section<'_>, baseline: &Version, canary: &Version) {
    let note = |message: &str, label: String, help: &str| {
        section.mistakes.note(section.place_of("baseline"), message, label, help);
    };
    let (own, new) = (baseline.members.len(), canary.members.len());
    if baseline.members.iter().any(|member| canary.members.iter().any(|new| new.mock == member.mock)) {
        let help = "name an Upstream with fresh targets of the old version";
        note("the baseline is the new version", "these targets are the canary's".to_owned(), help);
    } else if own != new {
        let targets = |count: usize| words::counted(count as u64, "target");
        let label = format!("{}, and the new version has {}", targets(own), targets(new));
        note("a baseline is as large as the new version", label, "give both as many targets");
    }
    if sticky::divides(section) {
        let help = "leave out `baseline` or `sticky`";
        note("users are divided in two, not in three", "no keys lead here".to_owned(), help);
    }
    if section.own("scale").and_then(Node::as_text) == Some("replicas") {
        let help = "leave out `baseline` or `scale`";
        note("whole targets divide requests in two, not in three", "no share of its own".to_owned(), help);
    }
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
        mock if versions.baseline.as_ref().is_some_and(|it| is_in(it, mock)) => Some(Side::Baseline),
        mock if is_in(&versions.stable, mock) => Some(Side::Stable),
        _ => None,
    };
    (0..).zip(mocks).map(|(mock, _)| side(mock)).collect()
}

/// Says of each target in the Upstream that versions share of which one it is, where it does not say so itself: the gateway then keeps
/// the shares of versions, and not of targets alone.
pub(super) fn tag(entities: &mut Entities<'_>, rollout: &Rollout, mocks: &[MockPlan]) {
    let Some(shared) = rollout.shared else { return };
    let targets: Vec<_> =
        entities.config.targets_of(shared).map(|(id, target)| (id, target.clone())).collect();
    for (id, target) in targets.into_iter().filter(|(_, target)| target.version().is_none()) {
        let name = target.target.to_string();
        let mock = mocks.iter().position(|mock| mock.name == name);
        if let Some(side) = mock.and_then(|mock| rollout.sides[mock]) {
            let tag = format!("{}{}", Target::VERSION, side.as_str());
            let target = Target { tags: [target.tags.clone(), vec![tag]].concat(), ..target };
            // A tag breaks no rule.
            let _ = entities.config.change(Change::UpdateTarget(id, target));
        }
    }
}

/// What a version's name stands for: an Upstream of its own, or targets by what their mocks say they are.
pub(super) fn is_upstream(entities: &Entities<'_>, name: &str) -> Option<UpstreamId> {
    entities.config.upstream_named(name).map(|(id, _)| id)
}
