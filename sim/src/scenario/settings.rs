//! What `[rollout]` says beside its strategy and its versions: shares, times, limits, and who is told apart by what.

use std::time::Duration;

use gateway_core::id::ServiceId;

use super::gateway::Entities;
use super::header_routes;
use super::node::{Node, Value};
use super::reader::{Section, Shape};
use super::values::{boolean, number};
use super::{analyses, rings, told};
use crate::rollout::strategies::{Question, Scaling, Settings};
use crate::rollout::{Limits, Versions};
use crate::words;

/// So many pauses of an A/B test at most.
const ITERATIONS_MAX: i64 = 1000;

pub(super) const SHARE: Shape = Shape { what: "a step of a canary", keys: &["weight", "pause"], later: &[] };

/// Everything but the versions, of which the old one has so many targets; `judges` are the names of all analyses.
pub(super) fn read(
    section: &Section<'_>,
    service: Option<ServiceId>,
    (entities, judges): (&Entities<'_>, &[String]),
    old: usize,
) -> Option<Settings> {
    let share = |key: &str| {
        let node = section.node(key)?;
        number(node, key, 0.01, 100.0, section.mistakes).map(|percent| percent / 100.0)
    };
    let limits = limits(section, old);
    let preview = preview(section);
    let question = |key: &str| -> Option<Option<Question>> {
        let Some(node) = section.own(key) else { return Some(None) };
        let message = format!("`{key}` asks a judge that does not exist");
        analyses::question(section, key, node, (judges, &message)).map(Some)
    };
    Some(Settings {
        steps: shares(section),
        step: share("step")?,
        every: section.duration("every")?,
        until: share("until")?,
        drain: section.duration("drain")?,
        scale_down_delay: section.duration("scale_down_delay")?,
        preview: preview?.unwrap_or_default(),
        preview_targets: preview_targets(section),
        promote_after: promote_after(section)?,
        pre_analysis: question("pre_analysis")?,
        post_analysis: question("post_analysis")?,
        progress_deadline: section.some_time("progress_deadline")?,
        max_surge: limits?.surge,
        max_unavailable: limits?.unavailable,
        min_ready: section.duration("min_ready")?,
        told: told::read(section).filter(|_| preview != Some(None)),
        iterations: section
            .integer("iterations", 1, ITERATIONS_MAX)
            .and_then(|times| times.try_into().ok())?,
        scale: scale(section)?,
        rings: rings::read(section, entities),
        percent: share("percent")?,
        fraction: number(section.node("fraction")?, "fraction", 0.0, 1.0, section.mistakes)?,
        methods: methods(section),
        compare: compared(section),
        timeout: copy_timeout(section, (entities, service))?,
        routes: service.map(|service| header_routes::in_front(entities, service)).unwrap_or_default(),
    })
}

/// How long testers have the new version first; `Some(None)` where nobody does. `true` is as long as usual.
#[expect(clippy::option_option, reason = "a mistake is not an answer")]
fn preview(section: &Section<'_>) -> Option<Option<Duration>> {
    match section.own("preview").map(|node| &node.value) {
        Some(Value::Boolean(false)) => Some(None),
        Some(Value::Boolean(true)) => section.usual_duration("preview").map(Some),
        _ => section.duration("preview").map(Some),
    }
}

/// `preview_replicas = "all"`, or a number of targets.
fn preview_targets(section: &Section<'_>) -> Option<usize> {
    match section.node("preview_replicas")?.value {
        Value::Integer(_) => section.integer("preview_replicas", 1, 65_535)?.try_into().ok(),
        _ => section.one_of("preview_replicas", &["all"], &[]).and(None),
    }
}

/// How long promotion takes. Nobody sits at a rehearsal who could promote by hand, so who is waited for must be told to come.
fn promote_after(section: &Section<'_>) -> Option<Duration> {
    let by_itself = boolean(section.node("auto_promote")?, "auto_promote", section.mistakes)?;
    match section.own("promote_after") {
        Some(_) => section.duration("promote_after"),
        None if by_itself => Some(Duration::ZERO),
        None => {
            let (message, label) = ("nobody promotes the new version", "it would be waited for without end");
            let help = "write promote_after = \"30s\": how long whoever decides takes for it";
            section.mistakes.absent(section.place_of("auto_promote"), message, label, help);
            None
        }
    }
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

pub(super) fn check_scale(section: &Section<'_>, scale: Scaling, versions: &Versions) {
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

/// Who takes longer to start than it may never gets anywhere.
pub(super) fn check_start(section: &Section<'_>, settings: &Settings) {
    let Some(node) = section.own("start_time") else { return };
    let time = section.duration("start_time");
    if time.is_some_and(|time| time >= settings.progress_deadline) {
        let label =
            format!("progress_deadline is {} s", words::short(settings.progress_deadline.as_secs_f64(), 3));
        let help = "write less, or a longer progress_deadline";
        section.mistakes.note(&node.place, "targets take longer to start than they may", label, help);
    }
}

/// What happens before the switch needs somebody it happens to.
pub(super) fn check_preview(section: &Section<'_>, settings: &Settings, versions: &Versions) {
    let new = versions.canary.members.len();
    if settings.preview_targets.is_some_and(|targets| targets > new) {
        let label = format!("it has {}", words::counted(new as u64, "target"));
        let (place, help) = (section.place_of("preview_replicas"), "write \"all\", or a smaller number");
        section.mistakes.note(place, "the new version has fewer targets", label, help);
    }
    if settings.pre_analysis.is_some() && settings.told.is_none() {
        let (place, message) =
            (section.place_of("pre_analysis"), "nobody meets the new version before the switch");
        let help = "write header = \"x-tester\" or cookie = \"group\", and values: who does";
        section.mistakes.note(place, message, "nothing to judge", help);
    }
}

/// The methods that may be copied, those of nothing said by default.
pub(super) fn methods(section: &Section<'_>) -> Vec<String> {
    let methods = section.texts("methods");
    if methods.is_empty() { gateway_core::entity::Mirror::new("").methods } else { methods }
}

/// What of answers is compared: status and body where nothing is said, and header fields that mocks send and that do not tell
/// one answer from another.
pub(super) fn compared(section: &Section<'_>) -> Vec<String> {
    const KNOWN: [&str; 4] = ["status", "body", "content-type", "x-sim-version"];
    if !section.has("compare") {
        return KNOWN[..2].iter().map(|&part| part.to_owned()).collect();
    }
    let place = section.place_of("compare");
    let names: Vec<_> = section.texts("compare").iter().map(|name| name.to_ascii_lowercase()).collect();
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        let message = format!("no mock answers with the header field `{name}`");
        let help = format!("what can be compared: {}", words::quoted(&KNOWN));
        section.mistakes.note(place, message, "nothing to compare", help);
    }
    if section.list("compare").is_empty() {
        let (message, label) = ("nothing of the answers is compared", "all of them would be alike");
        section.mistakes.note(place, message, label, "write [\"status\", \"body\"], or leave it out");
    }
    names
}

/// How long copies may take, if that is said: no longer than requests.
#[expect(clippy::option_option, reason = "a mistake is not an answer")]
pub(super) fn copy_timeout(
    section: &Section<'_>,
    (entities, service): (&Entities<'_>, Option<ServiceId>),
) -> Option<Option<Duration>> {
    let Some(node) = section.own("timeout") else { return Some(None) };
    let timeout = section.some_time("timeout")?;
    let most =
        service.and_then(|service| entities.config.service(service)).map(|service| service.read_timeout);
    let seconds = |time: Duration| format!("{} s", words::short(time.as_secs_f64(), 3));
    if let Some(most) = most.filter(|most| timeout > *most) {
        let label = format!("the Service's read_timeout is {}", seconds(most));
        let message = "a copy is waited for longer than its request";
        section.mistakes.note(&node.place, message, label, "write less, or leave it out");
    }
    if timeout.subsec_nanos() % 1_000_000 > 0 {
        let label = "the gateway counts in milliseconds";
        section.mistakes.note(
            &node.place,
            "`timeout` is no whole number of milliseconds",
            label,
            "write \"250ms\"",
        );
    }
    Some(Some(timeout))
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
