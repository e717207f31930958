//! Rollouts over time, one below the other on one axis: the new version's share as users met it, where it was decided against it,
//! and what the same strategy does under a condition in which it is promoted.

use std::fmt::Write as _;

use super::charts::{axis_base, pc, px, svg};
use crate::compare::{Comparison, Condition, Row, Track, text};
use crate::markup::{Markup, markup};
use crate::words;

/// Pixels of a panel, and of the whole share in it.
const HEIGHT: f64 = 86.0;
const WHOLE: f64 = 82.0;

/// All strategies of a condition; nothing where nothing was rolled out.
pub(super) fn section(out: &mut Markup, comparison: &Comparison, condition: &Condition, id: usize) {
    let tracks: Vec<(&Row, &Track)> =
        condition.rows.iter().filter_map(|row| Some((row, row.track.as_ref()?))).collect();
    let end = tracks.iter().map(|(_, track)| track.end_ms()).fold(0.0, f64::max);
    if end <= 0.0 {
        return;
    }
    let name = words::plain(&condition.name);
    let under = if name.is_empty() { name } else { format!("{name}. ") };
    markup!(out, "\n<section id=\"strategies\"><h2>Over time</h2><p class=\"lede\">" (under) "The new version’s share of requests in the first run of each, and where it was decided against it.");
    if tracks.iter().any(|(row, _)| promoted(comparison, condition, row).is_some()) {
        out.tag(" Dashed: the same where the new version is good.");
    }
    out.tag("</p>");
    for (at, (row, track)) in tracks.iter().enumerate() {
        let dashed = promoted(comparison, condition, row);
        let is_last = at + 1 == tracks.len();
        let hurt = hurt(comparison, row);
        markup!(out, "<figure class=\"panel strategy\"><figcaption><b>" (words::plain(&row.name)) "</b><span>" (track.ended) "<span class=\"nar\">: " (hurt.0) " " (hurt.1) "</span></span></figcaption>");
        out.append(&panel(row, track, dashed, &hurt, end, is_last, id + at));
        out.tag("</figure>");
    }
    out.tag("</section>");
}

/// What ranks, of a row, and what it is called.
fn hurt(comparison: &Comparison, row: &Row) -> (String, &'static str) {
    let by = comparison.ranking();
    let figure = comparison.known().get(by).copied();
    figure.map_or_else(Default::default, |figure| (text::value(figure, row.values[by]), figure.head()))
}

/// The same strategy under another condition, where it was promoted.
fn promoted<'a>(comparison: &'a Comparison, condition: &Condition, row: &Row) -> Option<&'a Track> {
    let others = comparison.conditions.iter().filter(|other| other.name != condition.name);
    let alike = others.flat_map(|other| &other.rows).filter(|other| other.name == row.name);
    alike.filter_map(|other| other.track.as_ref()).find(|track| track.ended == "promoted")
}

fn panel(
    row: &Row,
    track: &Track,
    dashed: Option<&Track>,
    (value, what): &(String, &'static str),
    end: f64,
    is_last: bool,
    id: usize,
) -> Markup {
    let mut inner = Markup::new();
    for (share, label) in [(1.0, "100 %"), (0.5, "50 %"), (0.0, "0")] {
        let y = HEIGHT - WHOLE * share;
        let class = if share > 0.0 { "grid" } else { "base" };
        markup!(inner, "<line class=\"" (class) "\" x1=\"0\" x2=\"100%\" y1=\"" (px(y)) "\" y2=\"" (px(y)) "\"/>");
        markup!(inner, "<text class=\"end\" x=\"0%\" dx=\"-8\" y=\"" (px(y + 4.0)) "\">" (label) "</text>");
    }
    markup!(inner, "<svg class=\"d\" viewBox=\"0 0 1000 " (px(HEIGHT)) "\" preserveAspectRatio=\"none\" width=\"100%\" height=\"" (px(HEIGHT)) "\" overflow=\"visible\">");
    let met: Vec<f64> = track.actual.iter().map(|share| share.unwrap_or(0.0)).collect();
    let line = steps(&met, track.step_ms, end);
    markup!(inner, "<path class=\"fgreen a2\" d=\"" (line) "V" (px(HEIGHT)) "H0Z\"/>");
    if let Some(other) = dashed {
        markup!(inner, "<path class=\"l thin axisc dash\" d=\"" (steps(&other.planned, other.step_ms, end)) "\"/>");
    }
    markup!(inner, "<path class=\"l green\" d=\"" (line) "\"/></svg>");
    let mut finding = format!("{}: {value} {what}", track.ended);
    if let Some(decided) = track.decided_ms {
        let x = decided / end;
        let back =
            track.back_ms.map_or_else(String::new, |back| format!(", back at {} s", words::seconds(back, 1)));
        let said = format!("decided at {} s{back}", words::seconds(decided, 1));
        let (anchor, dx) = if x > 0.6 { ("lab halo end", -8) } else { ("lab halo", 8) };
        markup!(inner, "<line class=\"mark\" x1=\"" (pc(x)) "%\" x2=\"" (pc(x)) "%\" y1=\"0\" y2=\"" (px(HEIGHT)) "\"/>");
        markup!(inner, "<text class=\"" (anchor) "\" x=\"" (pc(x)) "%\" dx=\"" (dx) "\" y=\"45\">" (said) "</text>");
        let _ = write!(finding, "; {said}");
    }
    markup!(inner, "<text class=\"dl fink count\" x=\"100%\" dx=\"12\" y=\"41\">" (value) "</text><text class=\"dl fink2\" x=\"100%\" dx=\"12\" y=\"57\">" (what) "</text>");
    if is_last {
        axis_base(&mut inner, end / 1e3, HEIGHT);
    }
    svg(id, HEIGHT, &format!("Share of the new version over time: {}", row.name), &finding, &inner)
}

/// A share that holds for a step at a time, from left to right.
fn steps(shares: &[f64], step_ms: f64, end: f64) -> String {
    let (mut path, mut last) = (String::new(), None);
    for (at, &share) in shares.iter().enumerate() {
        let y = px(HEIGHT - WHOLE * share);
        if last.as_ref() == Some(&y) {
            continue;
        }
        let x = px(1000.0 * at as f64 * step_ms / end);
        let _ = if last.is_none() { write!(path, "M0 {y}") } else { write!(path, "H{x}V{y}") };
        last = Some(y);
    }
    let _ = write!(path, "H{}", px((1000.0 * shares.len() as f64 * step_ms / end).min(1000.0)));
    path
}
