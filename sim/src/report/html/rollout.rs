//! The section of a rollout: how it ended and why, what it cost, what judges said, each step, and the share that was planned
//! against the one that was.

use super::table::{Cell, Table};
use crate::markup::{Markup, markup};
use crate::report::figures::{self, Figure};
use crate::summary::Summary;
use crate::summary::promises::OutrankedRow;
use crate::summary::rollout::{RolloutSummary, StepRow};
use crate::words;

/// Rows of the table of shares at most; what lies between is left out.
const SHARES_MAX: usize = 60;

/// The section; nothing for a run without a rollout.
pub(super) fn section(out: &mut Markup, summary: &Summary) {
    let Some(rollout) = &summary.rollout else { return };
    markup!(out, "\n<section id=\"rollout\"><h2>The rollout</h2><p class=\"lede\">" (rollout.strategy) ": " (rollout.ended) ".");
    if let Some(why) = &rollout.why {
        markup!(out, " " (why) ".");
    }
    out.tag("</p>");
    for breach in &rollout.breaches {
        markup!(out, "<p><strong>Not kept: " (breach.promise) "</strong>, " (breach.in_words()) ".</p>");
    }
    if let Some(row) = &rollout.outranked {
        let OutrankedRow { t_ms, available, needed } = row;
        markup!(out, "<p>The way back left " (words::counted(*available as u64, "target")) " serving from " (words::seconds(*t_ms, 3)) " s on, where max_unavailable asks for " (needed) ": an abort outranks it.</p>");
    }
    out.append(&figures(summary, rollout));
    markup!(out, "<div class=\"gap\">" [versions(rollout)] "</div>");
    if !rollout.nodes.is_empty() {
        out.tag("<h3>Each node</h3>");
        out.append(&nodes(rollout));
    }
    if !rollout.services.is_empty() {
        out.tag("<h3>Each Service</h3>");
        out.append(&services(rollout));
    }
    if !rollout.decisions.is_empty() {
        out.tag("<h3>What judges said</h3>");
        out.append(&decisions(rollout));
    }
    if !rollout.scales.is_empty() {
        out.tag("<h3>Shares of whole targets</h3>");
        out.append(&scales(rollout));
    }
    out.tag("<h3>Steps</h3>");
    out.append(&steps(rollout));
    markup!(out, "<details><summary>The new version's share, planned and actual</summary>" [shares(rollout)] "</details></section>");
}

fn figures(summary: &Summary, rollout: &RolloutSummary) -> Markup {
    let mut table = Table::new("What the rollout cost", &["Figure", "#value", "meaning"]);
    for Figure { name, value, meaning } in figures::of_rollout(summary, rollout) {
        let value = value.unwrap_or_else(|| words::NOTHING.to_owned());
        table.row([name.into(), value.into(), long(meaning)]);
    }
    table.finish()
}

/// Text that goes over several lines where one is not enough.
fn long(text: &str) -> Cell {
    let mut wrapped = Markup::new();
    markup!(wrapped, "<span class=\"long\">" (text) "</span>");
    Cell::Markup(wrapped)
}

fn versions(rollout: &RolloutSummary) -> Markup {
    let repeats = rollout.versions.iter().any(|row| figures::repeats(row.attempts));
    let mut heads = vec![
        "Version",
        "role",
        "#requests",
        "#answered",
        "#errors",
        "#dropped",
        "#p50, ms",
        "#p99, ms",
        "#first, s",
        "#last, s",
    ];
    if repeats {
        heads.insert(6, "#attempts each");
    }
    let mut table = Table::new("The versions", &heads);
    for row in &rollout.versions {
        let head = [
            Cell::Code(row.version.clone()),
            row.role.as_str().into(),
            words::count(row.picks).into(),
            words::count(row.answered).into(),
            words::count(row.errors).into(),
            words::count(row.dropped).into(),
        ];
        let attempts = repeats.then(|| figures::per_request(row.attempts).into());
        let times = [
            words::ms_or_nothing(row.latency_us.p50),
            words::ms_or_nothing(row.latency_us.p99),
            seconds(row.first_pick_ms),
            seconds(row.last_pick_ms),
        ];
        table.row(head.into_iter().chain(attempts).chain(times.map(Cell::from)));
    }
    table.finish()
}

fn nodes(rollout: &RolloutSummary) -> Markup {
    let rows = rollout.nodes.iter().map(|row| {
        let times = [row.first_new_pick_ms, row.last_new_pick_ms, row.last_old_pick_ms, row.mixed_ms];
        (row.node.to_string(), times)
    });
    serving("#Node", "When each node sent requests to which version", rows)
}

fn services(rollout: &RolloutSummary) -> Markup {
    let rows = rollout.services.iter().map(|row| {
        let times = [row.first_new_pick_ms, row.last_new_pick_ms, row.last_old_pick_ms, row.mixed_ms];
        (row.service.clone(), times)
    });
    serving("Service", "When each Service had requests sent to which version", rows)
}

fn serving(
    whose: &'static str,
    title: &'static str,
    rows: impl Iterator<Item = (String, [Option<f64>; 4])>,
) -> Markup {
    let heads = [whose, "#first new, s", "#last new, s", "#last old, s", "#mixed, s"];
    let mut table = Table::new(title, &heads);
    for (name, times) in rows {
        let [first, last, old, mixed] = times.map(seconds);
        table.row([name, first, last, old, mixed].map(Cell::from));
    }
    table.finish()
}

fn decisions(rollout: &RolloutSummary) -> Markup {
    let heads = ["Analysis", "#at, s", "verdict", "#new: bad", "#of", "#old: bad", "#of", "evidence"];
    let mut table = Table::new("What judges said", &heads);
    for row in &rollout.decisions {
        table.row([
            row.analysis.as_str().into(),
            words::seconds(row.t_ms, 3).into(),
            row.verdict.as_str().into(),
            words::count(row.canary[1]).into(),
            words::count(row.canary[0]).into(),
            words::count(row.stable[1]).into(),
            words::count(row.stable[0]).into(),
            long(&row.evidence),
        ]);
    }
    table.finish()
}

fn steps(rollout: &RolloutSummary) -> Markup {
    let heads = ["Step", "what", "#requested, s", "#acknowledged, s", "#in force, s", "#over, s"];
    let mut table = Table::new("Each step", &heads);
    for row in &rollout.steps {
        let StepRow { step, action, is_way_back, requested_ms, acked_ms, in_force_ms, over_ms, failed } = row;
        let way = if *is_way_back { " (way back)" } else { "" };
        let failed = failed.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        table.row([
            step.to_string().into(),
            format!("{action}{way}{failed}").into(),
            words::seconds(*requested_ms, 4).into(),
            seconds(*acked_ms).into(),
            seconds(*in_force_ms).into(),
            seconds(*over_ms).into(),
        ] as [Cell; 6]);
    }
    table.finish()
}

fn scales(rollout: &RolloutSummary) -> Markup {
    let heads = ["#from, s", "#new targets", "#old targets", "#asked", "#reachable", "#observed"];
    let mut table = Table::new("The share that was asked, that is reachable, and that was seen", &heads);
    for row in &rollout.scales {
        let observed =
            row.observed.map_or_else(|| words::NOTHING.to_owned(), |share| words::percent(share, 2));
        let cells = [
            words::seconds(row.t_ms, 2),
            words::count(row.canary as u64),
            words::count(row.stable as u64),
            words::percent(row.asked, 2),
            words::percent(row.reachable, 2),
            observed,
        ];
        table.row(cells.map(Cell::from));
    }
    table.finish()
}

fn shares(rollout: &RolloutSummary) -> Markup {
    let mut table = Table::new("The new version's share over time", &["#t, s", "#planned", "#actual"]);
    let stride = rollout.shares.len().div_ceil(SHARES_MAX).max(1);
    for row in rollout.shares.iter().step_by(stride) {
        let actual = row.actual.map_or_else(|| words::NOTHING.to_owned(), |share| words::percent(share, 2));
        let cells = [words::seconds(row.t_ms, 2), words::percent(row.planned, 2), actual];
        table.row(cells.map(Cell::from));
    }
    table.finish()
}

/// Four decimals, or nothing.
fn seconds(ms: Option<f64>) -> String {
    ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::seconds(ms, 4))
}
