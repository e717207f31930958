//! `compare.html`: one self-contained page that answers first: the ranking, then each condition, spectra, what each costs, and
//! whether the differences are real. Complete without a script, light and dark, narrow and printed.

mod charts;
mod front;
mod scale;
mod strategies;

use super::answer::too_few;
use super::text::{change_with_interval, interval, value};
use super::{Comparison, Condition, Row};
use crate::chart;
use crate::markup::{Markup, markup};
use crate::report::html::STYLE;
use crate::words;

const OWN_STYLE: &str = include_str!("compare.css");
const HOW: &str = include_str!("how.html");
/// Small multiples on a page; more conditions are in the table.
const MULTIPLES_MAX: usize = 12;
/// Numbers of charts, by section.
const SPECTRA: usize = 100;
const FRONT: usize = 200;
const STRATEGIES: usize = 300;

/// The page.
pub(super) fn page(comparison: &Comparison) -> String {
    let mut out = Markup::new();
    out.tag("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.tag("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    markup!(out, (words::plain(&comparison.name)) ": compare</title><style>");
    out.tag(chart::STYLE);
    out.tag(STYLE);
    out.tag(OWN_STYLE);
    out.tag("</style></head>\n<body><main>");
    header(&mut out, comparison);
    let Some(shown) = comparison.conditions.get(comparison.conditions.len() / 2) else {
        return out.into_string();
    };
    card(&mut out, comparison, shown);
    conditions(&mut out, comparison);
    spectra(&mut out, shown);
    costs(&mut out, comparison, shown);
    effects(&mut out, comparison);
    strategies::section(&mut out, comparison, shown, STRATEGIES);
    out.tag(HOW);
    markup!(out, "\n<footer><span>" (comparison.tool) "</span><span>comparison " (words::cut(&comparison.sha256, 17)) "</span></footer></main></body></html>\n");
    out.into_string()
}

fn header(out: &mut Markup, comparison: &Comparison) {
    let time = if comparison.engine == "model" { "virtual time" } else { "real sockets" };
    markup!(out, "<header><p class=\"eyebrow\">sim compare · " (comparison.engine) " engine · " (time) "</p><div class=\"top\"><div><h1>" (words::plain(&comparison.name)) "</h1>");
    if let Some(text) = &comparison.summary {
        markup!(out, "<p class=\"under\">" (words::plain(text)) "</p>");
    }
    out.tag("</div>\n<dl class=\"meta\">");
    let wall = words::decimal(comparison.volatile.wall_s, 0);
    let started = comparison.volatile.started_at.replace('T', " ").replace('Z', " UTC");
    for (name, value) in [
        ("matrix", comparison.shape()),
        ("requests", format!("{}, every one accounted for", words::count(comparison.requests))),
        ("run", format!("{started}, {wall} s wall")),
    ] {
        markup!(out, "<dt>" (name) "</dt><dd>" (value) "</dd>");
    }
    out.tag("</dl></div>\n<nav aria-label=\"Sections\"><a href=\"#rank\">Ranking</a><a href=\"#conditions\">By condition</a><a href=\"#spectra\">Spectra</a>");
    out.tag("<a href=\"#costs\">What it costs</a><a href=\"#effects\">Effects</a>");
    if comparison.conditions.iter().flat_map(|condition| &condition.rows).any(|row| row.track.is_some()) {
        out.tag("<a href=\"#strategies\">Over time</a>");
    }
    out.tag("<a href=\"#how\">How to read this</a></nav></header>\n");
}

fn card(out: &mut Markup, comparison: &Comparison, condition: &Condition) {
    let (badge, word) =
        if comparison.invalid > 0 { ("badge warn", "INVALID RUNS") } else { ("badge", "ANSWER") };
    markup!(out, "<section class=\"card\"><div class=\"verdict\"><span class=\"" (badge) "\">" (word) "</span><p class=\"say\">" (comparison.sentence) "</p><p class=\"sub\">");
    markup!(out, (comparison.valid) " runs VALID, " (comparison.degraded) " DEGRADED, " (comparison.invalid) " INVALID; what is INVALID is in no figure.</p></div><div id=\"rank\">");
    let figures = comparison.known();
    let by = comparison.ranking();
    let axis = comparison.axes.first().map_or("scenario", |(name, _)| name.as_str());
    markup!(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Ranking\"><table><thead><tr><th scope=\"col\">" (words::plain(axis)) "</th>");
    // What ranks and what it says come first: of a long list of figures the others may lie beyond the edge.
    if let Some(figure) = figures.get(by) {
        markup!(out, "<th scope=\"col\" class=\"n\">" (figure.head()) "</th><th scope=\"col\" class=\"n\">95 % interval</th>");
    }
    markup!(out, "<th scope=\"col\">against " (words::plain(comparison.baseline())) "</th>");
    let others = || figures.iter().enumerate().filter(|(at, _)| *at != by);
    for (_, figure) in others() {
        markup!(out, "<th scope=\"col\" class=\"n\">" (figure.head()) "</th>");
    }
    out.tag("</tr></thead><tbody>");
    for row in &condition.rows {
        markup!(out, "<tr><th scope=\"row\"><span class=\"place\">" (row.rank) (if row.tied { "=" } else { "" }) "</span>" (words::plain(&row.name)) "</th>");
        if let Some(figure) = figures.get(by) {
            let own = row.values[by];
            markup!(out, "<td class=\"n\"><b>" (value(*figure, own)) "</b></td><td class=\"n\">" (interval(*figure, own)) "</td>");
        }
        markup!(out, "<td>" [against(comparison, row)] "</td>");
        for (at, figure) in others() {
            markup!(out, "<td class=\"n\">" (value(*figure, row.values[at])) "</td>");
        }
        out.tag("</tr>");
    }
    out.tag("</tbody></table></div></div><p class=\"small\">");
    if !condition.name.is_empty() {
        markup!(out, (words::plain(&condition.name)) ". ");
    }
    out.tag("Equal ranks (=) mean that the same seeds cannot tell the two apart; – stands where there is no such figure.");
    if let Some(few) = too_few(comparison) {
        markup!(out, " "(few));
    }
    out.tag("</p></section>");
}

/// The word, and by how much.
fn against(comparison: &Comparison, row: &Row) -> Markup {
    let mut out = Markup::new();
    let by = comparison.ranking();
    match (row.against.get(by).and_then(Option::as_ref), comparison.known().get(by)) {
        (Some(against), Some(figure)) => {
            let word = against.word.as_str();
            markup!(out, "<span class=\"" (word) "\">" (word) "</span> " (change_with_interval(*figure, against)));
        }
        _ if row.name == comparison.baseline() => out.tag("<span class=\"baseline\">baseline</span>"),
        _ => out.tag("–"),
    }
    out
}

fn conditions(out: &mut Markup, comparison: &Comparison) {
    let Some(figure) = comparison.known().get(comparison.ranking()).copied() else { return };
    let seeds = words::counted(comparison.seeds.len() as u64, "seed");
    markup!(out, "\n<section id=\"conditions\"><h2>" (figure.short()) " under each condition</h2><p class=\"lede\">" (figure.head()) ", with 95 % intervals over " (seeds) "; the dotted line is " (words::plain(comparison.baseline())) " under the same condition.</p><div class=\"multiples whiskers\">");
    for (at, condition) in comparison.conditions.iter().enumerate().take(MULTIPLES_MAX) {
        if let Some(chart) = charts::whiskers(comparison, condition, at + 1) {
            let name = if condition.name.is_empty() { &comparison.name } else { &condition.name };
            markup!(out, "<figure class=\"panel\"><figcaption><b>" (words::plain(name)) "</b></figcaption>" [chart] "</figure>");
        }
    }
    out.tag("</div></section>");
}

fn spectra(out: &mut Markup, condition: &Condition) {
    let name = words::plain(&condition.name);
    let under = if name.is_empty() { name } else { format!("{name}. ") };
    markup!(out, "\n<section id=\"spectra\"><h2>Percentile spectra</h2><p class=\"lede\">" (under) "Response time in ms (log scale) against percentile; one in ink, the others in grey.</p><div class=\"multiples spectra\">");
    for (at, row) in condition.rows.iter().enumerate().take(MULTIPLES_MAX) {
        if let Some(chart) = charts::spectrum(condition, at, SPECTRA + at) {
            markup!(out, "<figure class=\"panel\"><figcaption><b>" (words::plain(&row.name)) "</b></figcaption>" [chart] "</figure>");
        }
    }
    out.tag("</div></section>");
}

/// The figure that ranks against the last other one in which they differ.
fn costs(out: &mut Markup, comparison: &Comparison, condition: &Condition) {
    let by = comparison.ranking();
    // Where all are the same there is nothing to pay.
    let differs = |at: &usize| {
        let values = condition.rows.iter().map(|row| row.values[*at].and_then(|value| value.value));
        let values: Option<Vec<f64>> = values.collect();
        values.is_some_and(|values| values.iter().any(|value| (value - values[0]).abs() > 0.0))
    };
    let mut others = (0..comparison.figures.len()).rev().filter(|at| *at != by);
    let Some(other) = others.find(differs) else { return };
    let Some(chart) = front::chart(comparison, condition, other, FRONT) else { return };
    let (across, up) = (comparison.known()[by], comparison.known()[other]);
    markup!(
        out,
        "\n<section id=\"costs\"><h2>What it costs</h2><p class=\"lede\">One is worth considering if no other is lower on both axes. Crosses are 95 % intervals; nothing lies beyond the dashed line.</p>"
    );
    markup!(out, "<figure class=\"panel front\"><figcaption><b>" (up.head()) " against " (across.head()) "</b><span>" (words::plain(&condition.name)) "</span></figcaption>" [chart] "</figure></section>");
}

fn effects(out: &mut Markup, comparison: &Comparison) {
    let by = comparison.ranking();
    let Some(figure) = comparison.known().get(by).copied() else { return };
    let margin = words::percent(comparison.margin, 1);
    markup!(out, "\n<section id=\"effects\"><h2>Is the difference real?</h2><p class=\"lede\">Change of " (figure.short()) " against " (words::plain(comparison.baseline())) " on the same seeds. Less than " (margin) " does not matter. Unclear is an answer, not a failure.</p>");
    out.tag("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Effects\"><table><thead><tr><th scope=\"col\">condition</th><th scope=\"col\">what</th><th scope=\"col\">change (95 % interval)</th>");
    out.tag("<th scope=\"col\" class=\"n\">p</th><th scope=\"col\" class=\"n\">effect A</th><th scope=\"col\" class=\"n\">seeds</th></tr></thead><tbody>");
    for condition in &comparison.conditions {
        // Where nothing but the choice varies there is one condition, without a name.
        let name =
            if condition.name.is_empty() { "the only one".to_owned() } else { words::plain(&condition.name) };
        for row in &condition.rows {
            let Some(found) = row.against.get(by).and_then(Option::as_ref) else { continue };
            let p = found.p_value.map_or_else(|| words::NOTHING.to_owned(), p_value);
            let effect =
                found.effect.map_or_else(|| words::NOTHING.to_owned(), |effect| words::decimal(effect, 2));
            markup!(out, "<tr><th scope=\"row\">" (name) "</th><td>" (words::plain(&row.name)) "</td><td>" [against(comparison, row)] "</td><td class=\"n\">" (p) "</td><td class=\"n\">" (effect) "</td><td class=\"n\">" (found.n) "</td></tr>");
        }
    }
    out.tag("</tbody></table></div></section>");
}

/// Three decimals, and no more zeros than that.
fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { words::decimal(p, 3) }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{comparison, hostile};
    use super::*;

    #[test]
    fn the_page_answers_first_and_needs_nothing_else() {
        let page = page(&comparison());
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert!(at("ANSWER") < at("id=\"conditions\"") && at("id=\"spectra\"") < at("id=\"effects\""));
        assert!(
            !page.contains("://") && !page.contains("<script") && !page.contains(" src="),
            "no network, no script"
        );
        assert_eq!(page.matches("role=\"img\"").count(), 2 + 3 + 1, "whiskers, spectra, front");
        assert!(page.len() < 150_000, "{}", page.len());
        assert!(!page.contains("whatever they show"), "eight seeds are enough for four comparisons");
    }

    #[test]
    fn where_seeds_were_too_few_the_page_says_so() {
        let few =
            super::super::judge(&super::super::sample::noise(1, 3, 5), crate::summary::Volatile::default());
        assert!(page(&few).contains("5 seeds cannot decide 4 comparisons, whatever they show; 8 could."));
    }

    #[test]
    fn no_name_is_markup() {
        let page = page(&hostile());
        assert!(!page.contains("<script") && !page.contains('\u{1b}'));
    }
}
