//! What it costs: the figure that ranks against another, each with its interval both ways, and the line below which nothing lies.

use super::charts::{axis_below, name, pc, px, svg, tick_text};
use super::scale::Axis;
use crate::compare::{Comparison, Condition, Row, Value};
use crate::markup::{Markup, markup};
use crate::plan::Figure;

const HEIGHT: f64 = 300.0;
/// Pixels from one label to the next.
const LABEL: f64 = 15.0;

/// One row in the plane.
struct Point<'a> {
    row: &'a Row,
    across: Place,
    up: Place,
}

/// A value on an axis, and the ends of its interval where it has one.
#[derive(Clone, Copy)]
struct Place {
    value: f64,
    low: f64,
    high: f64,
}

impl Place {
    fn of(value: Value) -> Option<Self> {
        let middle = value.value?;
        Some(Self { value: middle, low: value.low.unwrap_or(middle), high: value.high.unwrap_or(middle) })
    }
}

/// The chart of the figure number `other`.
pub(super) fn chart(
    comparison: &Comparison,
    condition: &Condition,
    other: usize,
    id: usize,
) -> Option<Markup> {
    let by = comparison.ranking();
    let figures = comparison.known();
    let (across, up) = (*figures.get(by)?, *figures.get(other)?);
    let place = |row: &Row, at: usize| row.values[at].and_then(Place::of);
    let points: Vec<Point<'_>> = condition
        .rows
        .iter()
        .filter_map(|row| Some(Point { row, across: place(row, by)?, up: place(row, other)? }))
        .collect();
    let ends = |of: fn(&Point<'_>) -> Place| {
        let places = points.iter().map(of).collect::<Vec<_>>();
        places.into_iter().flat_map(|place| [place.low, place.high])
    };
    let (x, y) = (Axis::new(across, ends(|point| point.across))?, Axis::new(up, ends(|point| point.up))?);
    let mut inner = Markup::new();
    axis_below(&mut inner, across, x, HEIGHT);
    for tick in y.ticks() {
        let at = px(height(y, tick));
        markup!(inner, "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"" (at) "\" y2=\"" (at) "\"/>");
        markup!(inner, "<text class=\"end\" x=\"0%\" dx=\"-8\" y=\"" (px(height(y, tick) + 4.0)) "\">" (tick_text(up, tick)) "</text>");
    }
    bound(&mut inner, &points, x, y);
    for point in &points {
        cross(&mut inner, point, x, y);
    }
    labels(&mut inner, &points, x, y);
    let title = format!("{} against {}", up.head(), across.head());
    Some(svg(id, HEIGHT, &title, &finding(&points, across, up), &inner))
}

fn height(axis: Axis, value: f64) -> f64 {
    HEIGHT * (1.0 - axis.at(value))
}

/// The line from the upper end down and to the right, along those that no other beats on both axes.
fn bound(out: &mut Markup, points: &[Point<'_>], x: Axis, y: Axis) {
    let beats = |rival: &Point<'_>, point: &Point<'_>| {
        let (a, b) = (rival.across.value - point.across.value, rival.up.value - point.up.value);
        a <= 0.0 && b <= 0.0 && (a < 0.0 || b < 0.0)
    };
    let mut best: Vec<&Point<'_>> =
        points.iter().filter(|point| !points.iter().any(|rival| beats(rival, point))).collect();
    best.sort_by(|a, b| a.across.value.total_cmp(&b.across.value));
    let mut from = 0.0;
    for (at, point) in best.iter().enumerate() {
        let (own, to) = (pc(x.at(point.across.value)), px(height(y, point.up.value)));
        let next = best.get(at + 1).map_or_else(|| pc(1.0), |next| pc(x.at(next.across.value)));
        markup!(out, "<line class=\"base dash\" x1=\"" (own) "%\" x2=\"" (own) "%\" y1=\"" (px(from)) "\" y2=\"" (to) "\"/>");
        markup!(out, "<line class=\"base dash\" x1=\"" (own) "%\" x2=\"" (next) "%\" y1=\"" (to) "\" y2=\"" (to) "\"/>");
        from = height(y, point.up.value);
    }
}

/// A dot and its intervals.
fn cross(out: &mut Markup, point: &Point<'_>, x: Axis, y: Axis) {
    let (cx, cy) = (pc(x.at(point.across.value)), px(height(y, point.up.value)));
    let [left, right] = [point.across.low, point.across.high].map(|end| pc(x.at(end)));
    let [bottom, top] = [point.up.low, point.up.high].map(|end| px(height(y, end)));
    markup!(out, "<line class=\"ink\" x1=\"" (left) "%\" x2=\"" (right) "%\" y1=\"" (cy) "\" y2=\"" (cy) "\"/>");
    markup!(out, "<line class=\"ink\" x1=\"" (cx) "%\" x2=\"" (cx) "%\" y1=\"" (bottom) "\" y2=\"" (top) "\"/>");
    markup!(out, "<circle class=\"fink\" r=\"4.25\" cx=\"" (cx) "%\" cy=\"" (cy) "\"/>");
}

/// Names beside their dots; those that would lie on each other are pushed apart.
fn labels(out: &mut Markup, points: &[Point<'_>], x: Axis, y: Axis) {
    let mut order: Vec<&Point<'_>> = points.iter().collect();
    order.sort_by(|a, b| height(y, a.up.value).total_cmp(&height(y, b.up.value)));
    let mut above = f64::NEG_INFINITY;
    for point in order {
        let at = (height(y, point.up.value) - 6.0).max(above + LABEL);
        above = at;
        let cx = x.at(point.across.value);
        let (anchor, dx) = if cx > 0.6 { ("lab halo end", -9) } else { ("lab halo", 9) };
        markup!(out, "<text class=\"" (anchor) "\" x=\"" (pc(cx)) "%\" dx=\"" (dx) "\" y=\"" (px(at)) "\">" (name(point.row)) "</text>");
    }
}

fn finding(points: &[Point<'_>], across: Figure, up: Figure) -> String {
    let one = |point: &Point<'_>| {
        let (a, b) = (across.say(point.across.value), up.say(point.up.value));
        format!("{}: {} {a}, {} {b}", point.row.name, across.head(), up.head())
    };
    points.iter().map(one).collect::<Vec<_>>().join("; ")
}
