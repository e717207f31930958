//! `[rollout]`: which versions there are, and a strategy for the way from one to the other. Its steps are the strategy's, unless
//! the file says `[[steps]]` itself.

use std::time::Duration;

use super::analyses::{self, Judged};
use super::gateway::Entities;
use super::header_routes::{self, HeaderRoutes};
use super::questions::Questions;
use super::reader::{Section, Shape};
use super::verbs::Known;
use super::versions::{is_upstream, sides, versions};
use super::{Input, rings, services, settings, steps, sticky};
use crate::load::Load;
use crate::plan::MockPlan;
use crate::rollout::strategies::{self, Scaling, Settings, Strategy};
use crate::rollout::{Limits, Rollout, Shares, Step, Versions};
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "a rollout",
    keys: &[
        "strategy",
        "service",
        "stable",
        "canary",
        "at",
        "on_fail",
        "steps",
        "step",
        "every",
        "until",
        "drain",
        "scale_down_delay",
        "preview",
        "max_surge",
        "max_unavailable",
        "min_ready",
        "preview_replicas",
        "auto_promote",
        "promote_after",
        "pre_analysis",
        "post_analysis",
        "start_time",
        "progress_deadline",
        "header",
        "cookie",
        "values",
        "iterations",
        "fraction",
        "methods",
        "compare",
        "timeout",
        "sticky",
        "sticky_cookie",
        "max_age",
        "primary_sticky",
        "salt",
        "percent",
        "rings",
        "scale",
        "baseline",
    ],
    later: &[],
};
/// Keys that every strategy has.
const COMMON: [&str; 6] = ["strategy", "service", "stable", "canary", "at", "on_fail"];

/// A rollout as the file says it.
struct Read {
    strategy: Strategy,
    versions: Versions,
    settings: Settings,
    /// When it begins.
    at: Option<Duration>,
    /// Whether it goes back when it has failed.
    goes_back: bool,
    line: usize,
}

/// The steps and the rollout they make up.
pub(super) fn plan(
    root: &Section<'_>,
    entities: &Entities<'_>,
    mocks: &[MockPlan],
    input: &Input,
    load: Option<&Load>,
) -> (Vec<Step>, Rollout) {
    let file = input.text.as_str();
    let judges = analyses::names(root);
    let read = read(root, (entities, &judges), mocks, input);
    let shares = read.as_ref().filter(|read| read.strategy.shares_upstream || read.versions.by_key.is_some());
    let shares = shares.map(|read| Shares::new(&read.versions));
    let mut known =
        Known { entities, mocks, analyses: &judges, shares, header_routes: HeaderRoutes::default() };
    let written = steps::read(root, &mut known, file, load.map(Load::duration));
    let unfolded = read.as_ref().filter(|_| !root.has("steps")).map(unfolded);
    let mut steps = unfolded.unwrap_or(written);
    let questions =
        read.as_ref().map(|read| Questions::of(&steps, &read.versions, &judges)).unwrap_or_default();
    let judged = Judged {
        questions: &questions,
        strategy: read.as_ref().map(|read| &read.strategy),
        key: read.as_ref().and_then(|read| Some(&read.versions.by_key.as_ref()?.key)),
        has_baseline: read.as_ref().is_some_and(|read| read.versions.baseline.is_some()),
        users: load.map_or(u64::MAX, |load| load.streams.iter().map(|stream| stream.users.count()).sum()),
    };
    let analyses = analyses::read(root, &judged);
    questions.lead(&mut steps, (&analyses, judges.len()));
    header_routes::keep_what_was_there(steps.iter_mut().map(|step| &mut step.action), entities);
    if let (Some(by_key), Some(load)) = (read.as_ref().and_then(|read| read.versions.by_key.as_ref()), load)
        && let Some(section) = root.unchecked("rollout", &SHAPE)
    {
        sticky::check_load(&section, by_key, load);
    }
    let Some(Read { strategy, versions, settings, goes_back, .. }) = read else {
        if root.has("analysis") && !root.has("rollout") {
            let help = "write [rollout] with strategy, service, stable and canary";
            let (message, label) = ("an analysis needs two versions", "which is the new one?");
            root.mistakes.absent(root.place_of("analysis"), message, label, help);
        }
        return (steps, Rollout::default());
    };
    // A canary goes by them only where whole targets make its share.
    let goes_by_limits = if strategy.keys.contains(&"scale") {
        settings.scale == Scaling::Replicas
    } else {
        strategy.keys.contains(&"max_surge")
    };
    let limits = Limits { surge: settings.max_surge, unavailable: settings.max_unavailable };
    let shared = Some(&versions.upstream).filter(|_| strategy.shares_upstream);
    let rollout = Rollout {
        strategy: strategy.name.to_owned(),
        sides: sides(&versions, mocks),
        shared: shared.and_then(|name| is_upstream(entities, name)),
        initial_share: if strategy.shares_upstream { versions.initial_share() } else { 0.0 },
        key: versions.by_key.as_ref().map(|by_key| by_key.key.clone()),
        limits: goes_by_limits.then_some(limits),
        analyses,
        way_back: goes_back.then(|| {
            let mut way_back = (strategy.way_back)(&versions, &settings);
            header_routes::take_back(&steps, &mut way_back, entities);
            header_routes::keep_what_was_there(&mut way_back, entities);
            way_back
        }),
    };
    (steps, rollout)
}

/// The steps that the strategy stands for.
fn unfolded(Read { strategy, versions, settings, at, line, .. }: &Read) -> Vec<Step> {
    strategies::unfold(strategy, versions, settings, *at, *line)
}

/// How long targets of either version take to start, where the rollout says so: whatever their mocks say.
pub(super) fn start_times(root: &Section<'_>, rollout: &Rollout, mocks: &mut [MockPlan]) {
    let Some(section) = root.unchecked("rollout", &SHAPE) else { return };
    let Some(time) = section.own("start_time").and_then(|_| section.duration("start_time")) else { return };
    for (mock, _) in mocks.iter_mut().zip(&rollout.sides).filter(|(_, side)| side.is_some()) {
        mock.behaviour.ready_after = time;
    }
}

pub(super) fn strategy(name: &str) -> Option<Strategy> {
    strategies::ALL.into_iter().find(|strategy| strategy.name == name)
}

/// The rollout, if the file has one; everything that is wrong with it is noted.
fn read(
    root: &Section<'_>,
    (entities, judges): (&Entities<'_>, &[String]),
    mocks: &[MockPlan],
    input: &Input,
) -> Option<Read> {
    let section = root.section("rollout", &SHAPE)?;
    let names = strategies::ALL.map(|strategy| strategy.name);
    section.required("strategy", "\"canary\"")?;
    let found = strategy(section.one_of("strategy", &names, &[])?)?;
    // Strategies that a matrix or a flag chooses share a section: each goes by its own keys.
    let is_chosen_elsewhere = section.entries().iter().any(|(key, value)| {
        key.name == "strategy" && key.place.line(&input.text) != value.place.line(&input.text)
    });
    if !is_chosen_elsewhere {
        check_keys(&section, &found);
        sticky::check_keys(&section, &found);
    }
    // Where users are divided, each version has an Upstream of its own.
    let is_by_key = sticky::divides(&section);
    let strategy = Strategy { shares_upstream: found.shares_upstream && !is_by_key, ..found };
    let message = "a rollout is of a Service that does not exist";
    let service = services::named(&section, "service", message, entities);
    let versions = service.and_then(|service| versions(&section, &strategy, service, entities, mocks));
    let at = section.own("at").and_then(|_| section.duration("at"));
    let goes_back = section.one_of("on_fail", &["rollback", "hold"], &[]) != Some("hold");
    let old = versions.as_ref().map_or(1, |versions| versions.stable.members.len());
    let settings = settings::read(&section, service, (entities, judges), old);
    let (versions, settings) = (versions?, settings?);
    settings::check_scale(&section, settings.scale, &versions);
    settings::check_preview(&section, &settings, &versions);
    settings::check_start(&section, &settings);
    rings::check(&section, &settings.rings, &versions, entities);
    let needs = |key: &str, is_there: bool, help: &str| {
        if strategy.keys.contains(&key) && !is_there {
            let (message, label) = (format!("{} needs `{key}`", strategy.name), format!("no `{key}` here"));
            section.mistakes.absent(section.place, message, label, help);
        }
    };
    // A preview is for those who ask for one, and rings may be of Services.
    let is_told = section.own("header").or(section.own("cookie")).is_some();
    let tells_nobody = settings.rings.iter().all(|ring| ring.values.is_empty());
    let may_tell_nobody =
        strategy.keys.contains(&"preview") || (strategy.keys.contains(&"rings") && tells_nobody);
    let has_header = is_told || may_tell_nobody;
    needs("header", has_header, "write header = \"x-tester\" or cookie = \"group\", and values = [\"yes\"]");
    // Without any, everybody would get the new version at once, and nobody would watch it.
    let has_steps = !settings.steps.is_empty() || root.has("steps");
    needs(
        "steps",
        has_steps,
        "write steps = [{ weight = 5, pause = \"30s\" }, { weight = 50, pause = \"30s\" }]",
    );
    needs("rings", !settings.rings.is_empty(), "write rings = [{ values = [\"001\"], soak = \"10s\" }]");
    // Who divides requests otherwise need not divide users.
    needs(
        "sticky",
        is_by_key || found.shares_upstream,
        "write sticky = \"x-user\", or sticky_cookie = \"group\"",
    );
    Some(Read { strategy, versions, settings, at, goes_back, line: section.place.line(&input.text) })
}

/// A key that the strategy does not go by would be silently ignored.
fn check_keys(section: &Section<'_>, strategy: &Strategy) {
    for (key, _) in section.entries() {
        let name = key.name.as_str();
        let is_known = COMMON.contains(&name) || strategy.keys.contains(&name);
        if !is_known && SHAPE.keys.contains(&name) {
            let message = format!("`{name}` means nothing to {}", strategy.name);
            let help = format!("keys of {}: {}", strategy.name, words::quoted(strategy.keys));
            section.mistakes.note(&key.place, message, "another strategy's", help);
        }
    }
}
