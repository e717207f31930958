//! All requests near a switch, counted: each column is a short time, each bar the requests of it that took about so long, those
//! of the old version first. What a lens shows where dots would cover each other.

use std::collections::BTreeMap;

use super::lens::{View, axis, response_axis};
use super::palette::Mark;
use super::panel::{Figure, Panel};
use super::pen::boxes;
use crate::summary::LensBins;
use crate::words;

const HEIGHT: u32 = 150;
/// The height of what was dropped, which has no response time.
const DROPPED: f64 = 6.0;
/// A bar shorter than this share of the width would not be seen.
const SHORTEST: f64 = 0.000_8;
/// How much of its column the longest bar takes.
const LONGEST: f64 = 0.92;

/// The bins of a lens; `id` is the chart's number on the page.
pub(super) fn bins(view: &View<'_>, bins: &LensBins, id: usize) -> Figure {
    let rows: Vec<Row> = rows(bins).collect();
    let from = rows.iter().map(|row| row.t_ms).fold(f64::INFINITY, f64::min);
    let to = rows.iter().map(|row| row.t_ms).fold(f64::NEG_INFINITY, f64::max) + bins.width_ms;
    let took = || rows.iter().filter_map(|row| row.took);
    let low = took().map(|(from, _)| from).filter(|ms| *ms > 0.0).reduce(f64::min).unwrap_or(1.0);
    let high = took().map(|(_, to)| to).reduce(f64::max).unwrap_or(10.0);
    let mut panel = Panel::new(HEIGHT);
    let y = response_axis(&mut panel, low, high);
    let x = |ms: f64| (ms - from) / (to - from);
    axis(&mut panel, from, to, x);
    let longest = together(&rows).values().copied().max().unwrap_or(1) as f64;
    let full = x(from + bins.width_ms) * LONGEST;
    let mut beside: BTreeMap<Place, f64> = BTreeMap::new();
    let mut drawn = [(view.old.solid, Vec::new()), (view.new.solid, Vec::new()), (Mark::FAIL, Vec::new())];
    for row in &rows {
        let width = (row.n as f64 / longest * full).max(SHORTEST);
        let left = beside.entry(row.place()).or_insert_with(|| x(row.t_ms));
        let (top, height) = row.took.map_or((0.0, DROPPED), |(from, to)| (y(to), y(from) - y(to)));
        let kind = if row.took.is_none() { 2 } else { usize::from(row.new) };
        drawn[kind].1.push([*left, top, width, height]);
        *left += width;
    }
    for (mark, places) in &drawn {
        panel.draw(&boxes(*mark, places));
    }
    view.sides(&mut panel, x(0.0));
    let dropped: u64 = rows.iter().filter(|row| row.took.is_none()).map(|row| row.n).sum();
    panel.label_pair(
        f64::from(HEIGHT) / 2.0,
        "fink",
        words::count(view.lens.n),
        format!("{} dropped", words::count(dropped)),
    );
    let finding = format!(
        "{} around the switch, {} of them dropped.",
        words::counted(view.lens.n, "request"),
        words::count(dropped)
    );
    Figure {
        name: "bins",
        title: "Every request, counted",
        caption: format!(
            "response time in ms against intended time; a bar for those of {} that took about so long",
            words::time(bins.width_ms * 1e3)
        ),
        svg: panel.finish(id, "Response times around the switch, counted", &finding),
        key: view.key(),
        columns: "",
        ticks_below: true,
    }
}

/// One bin.
struct Row {
    t_ms: f64,
    /// From and to, nothing when dropped.
    took: Option<(f64, f64)>,
    new: bool,
    n: u64,
}

/// Column and row of a bin, whichever version it is of.
type Place = (u64, u64);

impl Row {
    fn place(&self) -> Place {
        (self.t_ms.to_bits(), self.took.map_or(0, |(from, _)| from.to_bits()))
    }
}

fn rows(bins: &LensBins) -> impl Iterator<Item = Row> {
    // A report may come from anywhere: lists of unequal length end with the shortest.
    let took = bins.response_ms.iter().zip(&bins.to_ms).map(|(from, to)| from.zip(*to));
    let told = bins.t_ms.iter().zip(took).zip(bins.new.iter().zip(&bins.n));
    told.map(|((t_ms, took), (new, n))| Row { t_ms: *t_ms, took, new: *new == 1, n: *n })
}

/// How many lie at each place, of both versions.
fn together(rows: &[Row]) -> BTreeMap<Place, u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        *sums.entry(row.place()).or_default() += row.n;
    }
    sums
}
