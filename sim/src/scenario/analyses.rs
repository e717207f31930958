//! `[[analysis]]`: who judges the new version, by what, and what follows.

use std::time::Duration;

use gateway_core::entity::SplitKey;

use super::node::{Node, Value};
use super::questions::Questions;
use super::reader::{Section, Shape};
use super::values::{number, text};
use crate::plan::parse_duration;
use crate::rollout::judge::{
    Analysis, Bad, BadTerm, Kind, MannWhitneyRule, On, Otherwise, Reference, SequentialRule, ThresholdRule,
    Unit,
};
use crate::rollout::strategies::{Question, Strategy};
use crate::words;

pub(super) const SHAPE: Shape = Shape {
    what: "an analysis",
    keys: &[
        "name",
        "judge",
        "bad",
        "fail_if",
        "pass_if",
        "alpha",
        "beta",
        "reference",
        "on",
        "min_bad",
        "min_effect",
        "on_unclear",
        "on_no_data",
        "interval",
        "count",
        "confidence",
        "initial_delay",
        "failure_limit",
        "unit",
        "dry_run",
    ],
    later: &[],
};
pub(super) const QUESTION: Shape =
    Shape { what: "a question to a judge", keys: &["name", "for"], later: &[] };
/// Each judge, and the keys that mean something to it and not to every other.
const JUDGES: [(&str, &[&str]); 3] = [
    ("sequential", &["fail_if", "pass_if", "alpha", "beta", "min_bad", "min_effect", "reference", "unit"]),
    ("threshold", &["fail_if", "interval", "count", "initial_delay", "failure_limit", "reference"]),
    ("mann-whitney", &["interval", "count", "confidence", "min_effect", "reference"]),
];
/// Points of Mann and Whitney's judge, unless the file says how many: what Kayenta's authors advise at least.
const POINTS: u32 = 50;
/// As many as are bearable: all pairs of them are compared.
const POINTS_MAX: i64 = 2_000;

/// What analyses need to know of the rollout they judge.
pub(super) struct Judged<'a> {
    /// What steps ask of them. Those that no step asks watch all along.
    pub(super) questions: &'a Questions,
    pub(super) strategy: Option<&'a Strategy>,
    /// What users are divided by, where they are and not requests.
    pub(super) key: Option<&'a SplitKey>,
    /// Whether fresh targets of the old version start with the new one.
    pub(super) has_baseline: bool,
    /// How many users the load has.
    pub(super) users: u64,
}

/// The names of all analyses, as they are written.
pub(super) fn names(root: &Section<'_>) -> Vec<String> {
    let Some(Value::List(analyses)) = root.own("analysis").map(|node| &node.value) else { return Vec::new() };
    let name = |analysis: &Node| match &analysis.value {
        Value::Table(table) => table.get("name").and_then(Node::as_text).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    analyses.iter().map(name).collect()
}

/// `{ name, for }`, the value `node` of `key`: which of the analyses called `names` is asked for how long. `message` is for one that
/// does not exist.
pub(super) fn question(
    section: &Section<'_>,
    key: &str,
    node: &Node,
    (names, message): (&[String], &str),
) -> Option<Question> {
    let inner = section.inline(key, node, &QUESTION)?;
    let (name, at_most) = (inner.required_text("name", "errors"), inner.some_time("for"));
    let (name, at_most) = (name?, at_most?);
    let analysis = names.iter().position(|known| known == name);
    if analysis.is_none() {
        let help = format!("analyses here: {}", words::quoted(names));
        let label = format!("no [[analysis]] is called `{name}`");
        section.mistakes.absent(&node.place, message, label, help);
    }
    Some(Question { analysis: analysis?, at_most })
}

/// All analyses of a rollout, as they are written. After them, once more those that are asked on both sides of a switch and say nothing
/// of what the new version is held against: after it that is what the old one did before.
pub(super) fn read(root: &Section<'_>, judged: &Judged<'_>) -> Vec<Analysis> {
    let sections = root.sections("analysis", &SHAPE);
    let says_nothing = |section: &Section<'_>| section.own("reference").is_none();
    let read = |section: &Section<'_>| Some((analysis(section, judged)?, says_nothing(section)));
    let read: Vec<_> = sections.iter().filter_map(read).collect();
    let is_twice = |name: &str| judged.questions.are_beside(name) && judged.questions.are_alone(name);
    let later = read.iter().filter(|(analysis, says_nothing)| *says_nothing && is_twice(&analysis.name));
    let later = later.map(|(analysis, _)| Analysis {
        reference: Reference::Before,
        unit: Unit::Requests,
        ..analysis.clone()
    });
    let later: Vec<_> = later.collect();
    read.into_iter().map(|(analysis, _)| analysis).chain(later).collect()
}

fn analysis(section: &Section<'_>, judged: &Judged<'_>) -> Option<Analysis> {
    let name = section.required_text("name", "errors")?.to_owned();
    let judge = section.one_of("judge", &JUDGES.map(|(name, _)| name), &[])?;
    let on = on(section, judged)?;
    let reference = reference(section, judged, (&name, judge))?;
    let bad = section.node("bad").and_then(|node| bad(section, node));
    let own = JUDGES.iter().find(|(name, _)| *name == judge).map_or(&[][..], |(_, keys)| keys);
    let is_others = |key: &str| JUDGES.iter().any(|(_, keys)| keys.contains(&key)) && !own.contains(&key);
    for (key, _) in section.entries().iter().filter(|(key, _)| is_others(&key.name)) {
        let message = format!("`{}` means nothing to the judge `{judge}`", key.name);
        section.mistakes.note(&key.place, message, "another judge's", "leave it out");
    }
    let unit = unit(section, judged, judge, reference)?;
    check_share(section, judged, judge, reference);
    let kind = match judge {
        "sequential" => sequential(section)?,
        "threshold" => threshold(section)?,
        _ => mann_whitney(section)?,
    };
    let otherwise = |key: &str| {
        Some(match section.one_of(key, &["promote", "abort", "hold"], &[])? {
            "promote" => Otherwise::Promote,
            "abort" => Otherwise::Abort,
            _ => Otherwise::Hold,
        })
    };
    let dry_run =
        section.node("dry_run").and_then(|node| super::values::boolean(node, "dry_run", section.mistakes));
    Some(Analysis {
        in_background: !judged.questions.ask(&name),
        name,
        kind,
        on,
        bad: bad?,
        unit,
        reference,
        is_paired: judge == "sequential"
            && reference == Reference::Concurrent
            && judged.strategy.is_some_and(|strategy| strategy.keys.contains(&"fraction")),
        on_unclear: otherwise("on_unclear")?,
        on_no_data: otherwise("on_no_data")?,
        dry_run: dry_run?,
    })
}

fn on(section: &Section<'_>, judged: &Judged<'_>) -> Option<On> {
    let on = match section.one_of("on", &["attempts", "answers"], &[])? {
        "answers" => On::Answers,
        _ => On::Attempts,
    };
    if on == On::Answers && judged.strategy.is_some_and(|strategy| strategy.keys.contains(&"fraction")) {
        let (message, help) = ("no user gets the answer to a copy", "leave `on` out: copies are attempts");
        section.mistakes.note(section.place_of("on"), message, "nothing to judge", help);
    }
    Some(on)
}

fn reference(section: &Section<'_>, judged: &Judged<'_>, (name, judge): (&str, &str)) -> Option<Reference> {
    let (is_beside, is_alone) = (judged.questions.are_beside(name), judged.questions.are_alone(name));
    let Some(node) = section.own("reference") else {
        return Some(if is_beside { Reference::Concurrent } else { Reference::Before });
    };
    let reference = match section.one_of("reference", &["concurrent", "before", "baseline"], &[])? {
        "before" => Reference::Before,
        "baseline" => Reference::Baseline,
        _ => Reference::Concurrent,
    };
    if is_alone && reference == Reference::Concurrent && judge != "threshold" {
        let message = "once a Service is switched, no old version answers beside the new one";
        let label = "whatever fails then is held against nobody";
        let help = "leave it out: \"before\" is what the old version did until then";
        section.mistakes.warn(&node.place, message, label, help);
    }
    if let Some(strategy) =
        judged.strategy.filter(|_| reference == Reference::Baseline && !judged.has_baseline)
    {
        let message = "there is no baseline to hold the new version against";
        let (label, help) = if strategy.keys.contains(&"baseline") {
            let help =
                "write baseline = \"...\" in [rollout]: an Upstream with fresh targets of the old version";
            ("[rollout] names none".to_owned(), help)
        } else {
            // Nowhere else do three groups serve side by side.
            let label = format!("{} divides requests in two", strategy.name);
            (label, "write \"concurrent\" or \"before\", or let it be a canary with a baseline")
        };
        section.mistakes.note(section.place_of("reference"), message, label, help);
    }
    Some(reference)
}

/// Who is moved and never stays grows beyond its share, and a test that goes by the share would blame it for that.
fn check_share(section: &Section<'_>, judged: &Judged<'_>, judge: &str, reference: Reference) {
    let absorbs = matches!(judged.key, Some(SplitKey::Cookie(cookie)) if !cookie.primary_sticky);
    if absorbs && judge == "sequential" && reference == Reference::Concurrent {
        let message = "without primary_sticky nobody knows the new version's share";
        let label = "this judge goes by the share";
        let help = "write reference = \"before\", judge = \"threshold\", or leave primary_sticky out";
        section.mistakes.note(section.place_of("name"), message, label, help);
    }
}

/// Users where they are divided, unless the file says otherwise: what happens to one of them is no accident the second time.
fn unit(section: &Section<'_>, judged: &Judged<'_>, judge: &str, reference: Reference) -> Option<Unit> {
    let can_be_keys = judge == "sequential" && reference != Reference::Before;
    let Some(node) = section.own("unit") else {
        let is_keys = judged.key.is_some() && judged.users > 1 && can_be_keys;
        return Some(if is_keys { Unit::Keys } else { Unit::Requests });
    };
    let unit = match section.one_of("unit", &["requests", "keys"], &[])? {
        "keys" => Unit::Keys,
        _ => Unit::Requests,
    };
    if unit == Unit::Keys && judged.users <= 1 {
        let help = "write [load.keys] with users = 1000, or leave `unit` out";
        section.mistakes.note(&node.place, "users cannot count one by one", "the load has one user", help);
    } else if unit == Unit::Keys && judge == "sequential" && !can_be_keys {
        let (message, label) = ("users count against the old version at the same time", "not before");
        section.mistakes.note(&node.place, message, label, "leave `unit` or `reference` out");
    }
    Some(unit)
}

fn sequential(section: &Section<'_>) -> Option<Kind> {
    let chance = |key: &str| number(section.node(key)?, key, 1e-9, 0.5, section.mistakes);
    let tolerated = ratio(section, "fail_if", ">", 1.5)?;
    let excluded = ratio(section, "pass_if", "<", tolerated.max(1.0) / 0.75)?;
    if excluded <= tolerated {
        let help = "let pass_if be above fail_if: in between is what cannot be told";
        let place = section.place_of("pass_if");
        section.mistakes.note(place, "a version can fail and pass at once", "not above fail_if", help);
    }
    Some(Kind::Sequential(SequentialRule {
        tolerated,
        excluded,
        alpha: chance("alpha")?,
        beta: chance("beta")?,
        bad_min: section.integer("min_bad", 1, 1_000_000)?.unsigned_abs(),
        effect_min: number(section.node("min_effect")?, "min_effect", 1e-6, 1.0, section.mistakes)?,
    }))
}

/// `risk_ratio > 1.5`, in which only the number may differ.
fn ratio(section: &Section<'_>, key: &str, sign: &str, default: f64) -> Option<f64> {
    let Some(node) = section.own(key) else { return Some(default) };
    let said = text(node, key, section.mistakes)?;
    let number = said.trim().strip_prefix("risk_ratio").map(str::trim_start);
    let number = number.and_then(|rest| rest.strip_prefix(sign)).and_then(|rest| rest.trim().parse().ok());
    let number = number.filter(|ratio: &f64| (1.0..=1000.0).contains(ratio));
    if number.is_none() {
        let help = format!("write {key} = \"risk_ratio {sign} {default}\", from 1 to 1000");
        section.mistakes.note(&node.place, format!("`{key}` cannot be read"), "not a risk ratio", help);
    }
    number
}

fn threshold(section: &Section<'_>) -> Option<Kind> {
    const HELP: &str = "write fail_if = \"rate > 1%\"";
    let node = section.required("fail_if", "\"rate > 1%\"")?;
    let said = text(node, "fail_if", section.mistakes)?;
    let percent = said.trim().strip_prefix("rate").and_then(|rest| rest.trim_start().strip_prefix('>'));
    let percent = percent.and_then(|rest| rest.trim().strip_suffix('%')?.trim_end().parse::<f64>().ok());
    let Some(percent) = percent.filter(|percent| (0.0..=100.0).contains(percent)) else {
        section.mistakes.note(&node.place, "`fail_if` cannot be read", "not a rate", HELP);
        return None;
    };
    let whole = |key: &str| section.integer(key, 0, 1_000_000).and_then(|n| u32::try_from(n).ok());
    Some(Kind::Threshold(ThresholdRule {
        rate_max: percent / 100.0,
        interval: section.some_time("interval")?,
        initial_delay: section.duration("initial_delay")?,
        count: section.own("count").and_then(|_| whole("count")),
        failure_limit: whole("failure_limit")?,
    }))
}

fn mann_whitney(section: &Section<'_>) -> Option<Kind> {
    let count = section.own("count").map_or(Some(POINTS.into()), |_| section.integer("count", 4, POINTS_MAX));
    Some(Kind::MannWhitney(MannWhitneyRule {
        interval: section.some_time("interval")?,
        count: count.and_then(|count| u32::try_from(count).ok())?,
        confidence: number(section.node("confidence")?, "confidence", 0.5, 0.9999, section.mistakes)?,
        effect_min: number(section.node("min_effect")?, "min_effect", 1e-6, 1.0, section.mistakes)?,
    }))
}

/// `status >= 500 || timeout`
fn bad(section: &Section<'_>, node: &Node) -> Option<Bad> {
    let said = text(node, "bad", section.mistakes)?;
    let terms: Option<Vec<_>> = said.split("||").map(|term| bad_term(term.trim())).collect();
    if terms.is_none() {
        let help = "write terms such as \"status >= 500\", \"timeout\", \"failed\" or \"latency > 200ms\", joined by ||";
        section.mistakes.note(&node.place, "`bad` cannot be read", "not a list of terms", help);
    }
    terms.map(Bad)
}

fn bad_term(term: &str) -> Option<BadTerm> {
    match term {
        "timeout" => return Some(BadTerm::Timeout),
        "failed" => return Some(BadTerm::Failed),
        _ => {}
    }
    if let Some(limit) = term.strip_prefix("latency").and_then(|rest| rest.trim_start().strip_prefix('>')) {
        let limit: Option<Duration> = parse_duration(limit.trim()).ok();
        return limit.map(BadTerm::Slower);
    }
    let rest = term.strip_prefix("status")?.trim_start();
    let number = |rest: &str| rest.trim().parse::<u16>().ok();
    if let Some(least) = rest.strip_prefix(">=").and_then(number) {
        return Some(BadTerm::Status(least, u16::MAX));
    }
    rest.strip_prefix("==").and_then(number).map(|only| BadTerm::Status(only, only))
}
