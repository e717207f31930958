//! `[rollout]`: which versions there are, and a strategy for the way from one to the other. Its steps are the strategy's, unless
//! the file says `[[steps]]` itself.

use std::time::Duration;

use gateway_core::id::ServiceId;
use gateway_core::schema::Entity as _;

use super::analyses::{self, Judged};
use super::gateway::Entities;
use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::values::number;
use super::verbs::Known;
use super::versions::{is_upstream, sides, versions};
use super::{Input, services, steps};
use crate::load::Load;
use crate::plan::MockPlan;
use crate::rollout::strategies::{self, Ring, Scaling, Settings, Strategy};
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
        "header",
        "values",
        "fraction",
        "methods",
        "compare",
        "sticky",
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
pub(super) const SHARE: Shape = Shape { what: "a step of a canary", keys: &["weight", "pause"], later: &[] };
pub(super) const RING: Shape = Shape { what: "a ring", keys: &["values", "soak"], later: &[] };

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
    let read = read(root, entities, mocks, input);
    let judged = Judged {
        asked: &steps::asked(root),
        strategy: read.as_ref().map(|read| &read.strategy),
        is_by_key: read.as_ref().is_some_and(|read| read.versions.by_key.is_some()),
        has_baseline: read.as_ref().is_some_and(|read| read.versions.baseline.is_some()),
        users: load.map_or(u64::MAX, |load| load.streams.iter().map(|stream| stream.users.count()).sum()),
    };
    let analyses = analyses::read(root, &judged);
    let names: Vec<_> = analyses.iter().map(|analysis| analysis.name.clone()).collect();
    let shares = read.as_ref().filter(|read| read.strategy.shares_upstream || read.versions.by_key.is_some());
    let shares = shares.map(|read| Shares::new(&read.versions));
    let mut known = Known { entities, mocks, analyses: &names, shares };
    let written = steps::read(root, &mut known, file, load.map(Load::duration));
    let Some(Read { strategy, versions, settings, at, goes_back, line }) = read else {
        if root.has("analysis") && !root.has("rollout") {
            let help = "write [rollout] with strategy, service, stable and canary";
            let (message, label) = ("an analysis needs two versions", "which is the new one?");
            root.mistakes.absent(root.place_of("analysis"), message, label, help);
        }
        return (written, Rollout::default());
    };
    // A canary goes by them only where whole targets make its share.
    let goes_by_limits = if strategy.keys.contains(&"scale") {
        settings.scale == Scaling::Replicas
    } else {
        strategy.keys.contains(&"max_surge")
    };
    let limits = Limits { surge: settings.max_surge, unavailable: settings.max_unavailable };
    let steps = if root.has("steps") {
        written
    } else {
        strategies::unfold(&strategy, &versions, &settings, at, line)
    };
    let shared = Some(&versions.upstream).filter(|_| strategy.shares_upstream);
    let rollout = Rollout {
        strategy: strategy.name.to_owned(),
        sides: sides(&versions, mocks),
        shared: shared.and_then(|name| is_upstream(entities, name)),
        initial_share: if strategy.shares_upstream { versions.initial_share() } else { 0.0 },
        key: versions.by_key.as_ref().map(|by_key| by_key.header.clone()),
        limits: goes_by_limits.then_some(limits),
        analyses,
        way_back: goes_back.then(|| (strategy.way_back)(&versions, &settings)),
    };
    (steps, rollout)
}

pub(super) fn strategy(name: &str) -> Option<Strategy> {
    strategies::ALL.into_iter().find(|strategy| strategy.name == name)
}

/// The rollout, if the file has one; everything that is wrong with it is noted.
fn read(root: &Section<'_>, entities: &Entities<'_>, mocks: &[MockPlan], input: &Input) -> Option<Read> {
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
    }
    // Where users are divided, each version has an Upstream of its own.
    let is_by_key = section.own("sticky").is_some();
    let strategy = Strategy { shares_upstream: found.shares_upstream && !is_by_key, ..found };
    let message = "a rollout is of a Service that does not exist";
    let service = services::named(&section, "service", message, entities);
    let versions = service.and_then(|service| versions(&section, &strategy, service, entities, mocks));
    let at = section.own("at").and_then(|_| section.duration("at"));
    let goes_back = section.one_of("on_fail", &["rollback", "hold"], &[]) != Some("hold");
    let old = versions.as_ref().map_or(1, |versions| versions.stable.members.len());
    let settings = settings(&section, service, entities, old);
    let (versions, settings) = (versions?, settings?);
    check_scale(&section, settings.scale, &versions);
    let needs = |key: &str, is_there: bool, help: &str| {
        if strategy.keys.contains(&key) && !is_there {
            let (message, label) = (format!("{} needs `{key}`", strategy.name), format!("no `{key}` here"));
            section.mistakes.absent(section.place, message, label, help);
        }
    };
    // A preview is for those who ask for one.
    let has_header = settings.header.is_some() || strategy.keys.contains(&"preview");
    needs("header", has_header, "write header = \"x-tester\" and values = [\"yes\"]");
    needs("rings", !settings.rings.is_empty(), "write rings = [{ values = [\"001\"], soak = \"10s\" }]");
    // Who divides requests otherwise need not divide users.
    needs("sticky", is_by_key || found.shares_upstream, "write sticky = \"x-user\"");
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

/// Everything but the versions, of which the old one has so many targets.
fn settings(
    section: &Section<'_>,
    service: Option<ServiceId>,
    entities: &Entities<'_>,
    old: usize,
) -> Option<Settings> {
    let share = |key: &str| {
        let node = section.node(key)?;
        number(node, key, 0.01, 100.0, section.mistakes).map(|percent| percent / 100.0)
    };
    let header = section.own("header").and_then(|_| section.text("header")).map(|header| {
        let values = section.texts("values");
        (header.to_owned(), if values.is_empty() { vec!["yes".to_owned()] } else { values })
    });
    let limits = limits(section, old);
    Some(Settings {
        steps: shares(section),
        step: share("step")?,
        every: section.duration("every")?,
        until: share("until")?,
        drain: section.duration("drain")?,
        scale_down_delay: section.duration("scale_down_delay")?,
        preview: section.duration("preview")?,
        max_surge: limits?.surge,
        max_unavailable: limits?.unavailable,
        min_ready: section.duration("min_ready")?,
        header,
        scale: scale(section)?,
        rings: rings(section),
        percent: share("percent")?,
        fraction: number(section.node("fraction")?, "fraction", 0.0, 1.0, section.mistakes)?,
        methods: methods(section),
        compare: compared(section),
        route: service.map(|service| route(entities, service)).unwrap_or_default(),
    })
}

/// `max_surge` and `max_unavailable`: numbers of targets, or percents of so many old ones; as Kubernetes has it, the first is rounded
/// up and the second down, and where both come to nothing one may be missing.
fn limits(section: &Section<'_>, old: usize) -> Option<Limits> {
    let limit = |key: &str, round: fn(f64) -> f64| {
        let node = section.node(key)?;
        let Some(percent) = node.as_text() else {
            return section.integer(key, 0, 65_535).map(|count| count as usize);
        };
        let number =
            percent.trim().strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
        let Some(number) = number.filter(|number| (0.0..=100.0).contains(number)) else {
            let help = format!("write {key} = 1, or {key} = \"25%\"");
            let message = format!("`{key}` cannot be read");
            section.mistakes.note(&node.place, message, "neither a number of targets nor a percentage", help);
            return None;
        };
        Some(round(number / 100.0 * old as f64) as usize)
    };
    let (surge, unavailable) = (limit("max_surge", f64::ceil)?, limit("max_unavailable", f64::floor)?);
    let is_text = |key: &str| section.node(key).is_some_and(|node| node.as_text().is_some());
    if surge > 0 || unavailable > 0 {
        return Some(Limits { surge, unavailable });
    }
    if !is_text("max_unavailable") {
        let help = "write max_surge = 1 or max_unavailable = 1";
        section.mistakes.note(section.place, "a rolling update cannot move", "both limits are 0", help);
    }
    Some(Limits { surge, unavailable: 1 })
}

/// `scale = "match"`, or a number of targets.
fn scale(section: &Section<'_>) -> Option<Scaling> {
    let node = section.node("scale")?;
    if let Value::Integer(_) = node.value {
        let targets = section.integer("scale", 1, 65_535)?;
        return usize::try_from(targets).ok().map(Scaling::Fixed);
    }
    Some(match section.one_of("scale", &["full", "match", "replicas"], &[])? {
        "match" => Scaling::Match,
        "replicas" => Scaling::Replicas,
        _ => Scaling::Full,
    })
}

fn check_scale(section: &Section<'_>, scale: Scaling, versions: &Versions) {
    let new = versions.canary.members.len();
    let (message, label, help) = match scale {
        Scaling::Fixed(targets) if targets > new => {
            let label = format!("it has {}", words::counted(new as u64, "target"));
            ("the new version has fewer targets", label, "write \"full\", or a smaller number")
        }
        _ if scale != Scaling::Full && versions.by_key.is_some() => {
            let label = "all of its targets are needed".to_owned();
            (
                "who is divided by keys may go to any target of the new version",
                label,
                "leave out `scale` or `sticky`",
            )
        }
        _ => return,
    };
    section.mistakes.note(section.place_of("scale"), message, label, help);
}

/// `rings = [{ values = ["001"], soak = "10s" }, ...]`
fn rings(section: &Section<'_>) -> Vec<Ring> {
    let read = |node: &Node| {
        let inner = section.inline("rings", node, &RING)?;
        inner.required("values", "[\"001\"]")?;
        let (values, soak) = (inner.texts("values"), inner.duration("soak"));
        Some(Ring { values, soak: soak? })
    };
    section.list("rings").iter().filter_map(read).collect()
}

/// The methods that may be copied, those of nothing said by default.
pub(super) fn methods(section: &Section<'_>) -> Vec<String> {
    let methods = section.texts("methods");
    if methods.is_empty() { gateway_core::entity::Mirror::new("").methods } else { methods }
}

/// The header fields of answers that are compared: those that mocks send and that do not tell one answer from another.
pub(super) fn compared(section: &Section<'_>) -> Vec<String> {
    const KNOWN: [&str; 2] = ["content-type", "x-sim-version"];
    let names: Vec<_> = section.texts("compare").iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        let message = format!("no mock answers with the header field `{name}`");
        let help = format!("status and body are always compared; beside them {}", words::quoted(&KNOWN));
        section.mistakes.note(section.place_of("compare"), message, "nothing to compare", help);
    }
    names
}

/// `steps = [{ weight = 5, pause = "30s" }, ...]`
fn shares(section: &Section<'_>) -> Vec<(f64, Duration)> {
    let read = |node: &Node| {
        let inner = section.inline("steps", node, &SHARE)?;
        let weight = number(inner.required("weight", "5")?, "weight", 0.0, 100.0, section.mistakes);
        let pause = inner.duration("pause");
        Some((weight? / 100.0, pause?))
    };
    section.list("steps").iter().filter_map(read).collect()
}

/// What a Route in front of the Service's own shares with it.
pub(super) fn route(
    entities: &Entities<'_>,
    service: ServiceId,
) -> serde_json::Map<String, serde_json::Value> {
    const SHARED: [&str; 7] =
        ["paths", "hosts", "methods", "strip_path", "preserve_host", "path_handling", "protocols"];
    let route = entities.config.routes().find(|(_, route)| route.service == Some(service));
    let fields = route.map(|(_, route)| route.to_json(&entities.config)).unwrap_or_default();
    fields.into_iter().filter(|(key, value)| SHARED.contains(&key.as_str()) && !value.is_null()).collect()
}
