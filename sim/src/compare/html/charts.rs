//! The charts of compare.html: whiskers for each condition, a spectrum for each value, and what the other charts share with them.
//! Places are per cent of the width, so that type never shrinks; data is drawn in a layer that stretches.

use std::fmt::Write as _;

use super::scale::Axis;
use crate::compare::{Comparison, Condition, Row};
use crate::markup::{Markup, markup};
use crate::plan::Figure;
use crate::words;

/// Pixels of a row of whiskers, and the height of a spectrum.
const ROW: f64 = 26.0;
const SPECTRUM: f64 = 132.0;
/// Characters of a name beside a chart.
const NAME: usize = 20;

/// A share of the width.
pub(super) fn pc(x: f64) -> String {
    words::short_plain(x * 100.0, 2)
}

pub(super) fn px(y: f64) -> String {
    words::short_plain(y, 1)
}

pub(super) fn name(row: &Row) -> String {
    words::cut(&words::plain(&row.name), NAME)
}

/// The SVG around what was drawn; `finding` is what there is to see.
pub(super) fn svg(id: usize, height: f64, title: &str, finding: &str, inner: &Markup) -> Markup {
    let mut out = Markup::new();
    markup!(out, "<div class=\"plot\"><svg width=\"100%\" height=\"" (px(height)) "\" role=\"img\" aria-labelledby=\"t" (id) " d" (id) "\">");
    markup!(out, "<title id=\"t" (id) "\">" (words::plain(title)) "</title><desc id=\"d" (id) "\">" (words::plain(finding)) "</desc>" [inner] "</svg></div>");
    out
}

/// The axis below a chart.
pub(super) fn axis_below(out: &mut Markup, figure: Figure, axis: Axis, height: f64) {
    let ticks = axis.ticks();
    for (at, tick) in ticks.iter().enumerate() {
        let x = pc(axis.at(*tick));
        let unit = if at + 1 == ticks.len() { unit(figure) } else { "" };
        markup!(out, "<line class=\"grid\" x1=\"" (x) "%\" x2=\"" (x) "%\" y1=\"0\" y2=\"" (px(height)) "\"/>");
        markup!(out, "<text class=\"mid\" x=\"" (x) "%\" y=\"" (px(height + 17.0)) "\">" (tick_text(figure, *tick)) (unit) "</text>");
    }
}

/// Seconds from 0 to `end` below a chart.
pub(super) fn axis_base(out: &mut Markup, end: f64, height: f64) {
    let ticks = Axis::seconds(end).ticks();
    for (at, tick) in ticks.iter().enumerate() {
        let unit = if at + 1 == ticks.len() { " s" } else { "" };
        markup!(out, "<text class=\"mid\" x=\"" (pc(tick / end)) "%\" y=\"" (px(height + 18.0)) "\">" (words::short(*tick, 1)) (unit) "</text>");
    }
}

fn unit(figure: Figure) -> &'static str {
    match figure.head().rsplit_once(", ") {
        Some((_, "ms")) => " ms",
        Some((_, "‰")) => " ‰",
        Some((_, "s")) => " s",
        _ => "",
    }
}

/// A tick without zeros that say nothing.
pub(super) fn tick_text(figure: Figure, value: f64) -> String {
    let said = figure.say(value);
    if said.contains('.') { said.trim_end_matches('0').trim_end_matches('.').to_owned() } else { said }
}

/// Value and interval of each row under one condition; the axis is that of all conditions.
pub(super) fn whiskers(comparison: &Comparison, condition: &Condition, id: usize) -> Option<Markup> {
    let by = comparison.ranking();
    let figure = *comparison.known().get(by)?;
    let axis = axis_of(comparison, by, figure)?;
    let height = ROW * condition.rows.len() as f64;
    let mut inner = Markup::new();
    axis_below(&mut inner, figure, axis, height);
    let baseline = condition.rows.iter().find(|row| row.name == comparison.baseline());
    if let Some(value) = baseline.and_then(|row| row.values[by]?.value) {
        let x = pc(axis.at(value));
        markup!(inner, "<line class=\"exp\" x1=\"" (x) "%\" x2=\"" (x) "%\" y1=\"-2\" y2=\"" (px(height)) "\"/>");
    }
    let mut finding = Vec::new();
    for (at, row) in condition.rows.iter().enumerate() {
        let y = ROW * (at as f64 + 0.5);
        let said = super::super::text::value(figure, row.values[by]);
        markup!(inner, "<text class=\"end lab\" x=\"0%\" dx=\"-12\" y=\"" (px(y + 4.0)) "\">" (name(row)) "</text>");
        finding.push(format!("{} {said}", row.name));
        let Some(value) = row.values[by] else { continue };
        let Some(middle) = value.value else {
            markup!(inner, "<text class=\"lab halo end\" x=\"100%\" y=\"" (px(y + 4.0)) "\">" (said) "</text>");
            continue;
        };
        if let (Some(low), Some(high)) = (value.low, value.high) {
            markup!(inner, "<line class=\"ink\" stroke-width=\"2\" x1=\"" (pc(axis.at(low))) "%\" x2=\"" (pc(axis.at(high))) "%\" y1=\"" (px(y)) "\" y2=\"" (px(y)) "\"/>");
        }
        markup!(inner, "<circle class=\"fink\" r=\"4.25\" cx=\"" (pc(axis.at(middle))) "%\" cy=\"" (px(y)) "\"/>");
        markup!(inner, "<text class=\"lab halo\" x=\"" (pc(axis.at(value.high.unwrap_or(middle)))) "%\" dx=\"9\" y=\"" (px(y + 4.0)) "\">" (said) "</text>");
    }
    let title = format!("{} under {}", figure.head(), condition.name);
    Some(svg(id, height, &title, &finding.join("; "), &inner))
}

/// One axis for all conditions, so that they can be compared by eye.
fn axis_of(comparison: &Comparison, at: usize, figure: Figure) -> Option<Axis> {
    let rows = comparison.conditions.iter().flat_map(|condition| &condition.rows);
    let values = rows.filter_map(|row| row.values[at]).flat_map(|value| [value.value, value.low, value.high]);
    let values: Vec<f64> = values.flatten().collect();
    Axis::new(figure, values.into_iter())
}

/// The spectrum of one row in ink, those of the others in grey.
pub(super) fn spectrum(condition: &Condition, at: usize, id: usize) -> Option<Markup> {
    let all = || condition.rows.iter().flat_map(|row| &row.spectrum).filter(|(_, us)| *us > 0.0);
    let figure = Figure::Latency(crate::plan::Percentile::P99);
    let axis = Axis::new(figure, all().map(|(_, us)| *us))?;
    let right = all().map(|(q, _)| nines(*q)).reduce(f64::max)?.max(1.0);
    let y = |us: f64| SPECTRUM * (1.0 - axis.at(us));
    let mut inner = Markup::new();
    for tick in axis.ticks() {
        markup!(inner, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"" (px(y(tick))) "\" y2=\"" (px(y(tick))) "\"/>");
        markup!(inner, "<text class=\"end\" x=\"0%\" dx=\"-8\" y=\"" (px(y(tick) + 4.0)) "\">" (tick_text(figure, tick)) "</text>");
    }
    for (q, label) in [(0.5, "50 %"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")] {
        if nines(q) <= right {
            markup!(inner, "<text class=\"mid\" x=\"" (pc(nines(q) / right)) "%\" y=\"" (px(SPECTRUM + 17.0)) "\">" (label) "</text>");
        }
    }
    markup!(inner, "<svg class=\"d\" viewBox=\"0 0 1000 " (px(SPECTRUM)) "\" preserveAspectRatio=\"none\" width=\"100%\" height=\"" (px(SPECTRUM)) "\" overflow=\"visible\">");
    let others = condition.rows.iter().enumerate().filter(|(other, _)| *other != at);
    for (_, row) in others {
        markup!(inner, "<path class=\"l thin others\" d=\"" (path(row, right, y)) "\"/>");
    }
    let own = condition.rows.get(at)?;
    markup!(inner, "<path class=\"l ink\" d=\"" (path(own, right, y)) "\"/></svg>");
    let last = own.spectrum.last().map_or_else(String::new, |(_, us)| words::time(*us));
    let finding = format!("It ends at {last}.");
    Some(svg(id, SPECTRUM, &format!("Percentile spectrum of {}", own.name), &finding, &inner))
}

/// How many nines: 0.99 is 2.
fn nines(q: f64) -> f64 {
    -(1.0 - q).max(1e-9).log10()
}

fn path(row: &Row, right: f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    for (at, (q, us)) in row.spectrum.iter().filter(|(_, us)| *us > 0.0).enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{} {}", px(1000.0 * nines(*q) / right), px(y(*us)));
    }
    path
}
