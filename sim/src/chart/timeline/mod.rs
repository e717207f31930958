//! The panels over one time axis: who serves, the new version's share, what went wrong, throughput, response time, drops, weights, in flight, lag.
//! Each marks all switches and shades the warm-up.

mod faults;
mod latency;
mod rollout;
mod traffic;
mod weights;

use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::palette::{Mark, Palette};
use super::panel::{Drawing, Figure, Panel};
use super::pen::{Paper, Pen, area, fill, line};
use super::scale::{linear_ticks, time_unit};
use super::{Lane, lanes};
use crate::summary::{Outcome, Summary};
use crate::words;

/// What all panels share.
struct Frame<'a> {
    summary: &'a Summary,
    palette: Palette,
    lanes: Vec<Lane>,
    /// Where the axis ends, in milliseconds.
    end: f64,
    /// Width of a bin, in milliseconds.
    bin: f64,
    /// The number of the panel that has the tick labels; `None` when each has.
    ticks_below: Option<usize>,
}

/// Draws one panel with its number.
type Draw = fn(&Frame<'_>, usize) -> Figure;

/// A chart of plotters with both axes linear.
type Linear<'a> = ChartContext<'a, Pen, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// All panels, numbered from `id` on, with one time axis below the last.
pub(crate) fn timeline(summary: &Summary, id: usize) -> Vec<Figure> {
    let panels = panels(summary);
    let frame = Frame::new(summary, Some(id + panels.len() - 1));
    panels.into_iter().enumerate().map(|(number, panel)| frame.figure(panel, id + number)).collect()
}

/// The same, each with a time axis of its own.
pub(super) fn panels_alone(summary: &Summary) -> Vec<Figure> {
    let frame = Frame::new(summary, None);
    panels(summary).into_iter().map(|panel| frame.figure(panel, 1)).collect()
}

/// The panels a run has, from the top.
fn panels(summary: &Summary) -> Vec<Draw> {
    let mut panels: Vec<Draw> = vec![
        traffic::serving,
        traffic::throughput,
        latency::response,
        traffic::dropped,
        weights::share,
        weights::accuracy,
        traffic::in_flight,
    ];
    if summary.rollout.is_some() {
        panels.insert(1, rollout::share);
    }
    if !summary.faults.is_empty() {
        panels.insert(1, faults::faults);
    }
    // What makes a run invalid is looked at first.
    let at = if summary.verdict.result == Outcome::Invalid { 1 } else { panels.len() };
    panels.insert(at, latency::lag);
    panels
}

impl<'a> Frame<'a> {
    fn new(summary: &'a Summary, ticks_below: Option<usize>) -> Self {
        let palette = Palette::new(summary);
        Self {
            summary,
            lanes: lanes(summary, &palette),
            palette,
            end: (summary.scenario.duration_s * 1000.0).max(1.0),
            bin: summary.series.bin_ms.max(1) as f64,
            ticks_below,
        }
    }

    fn figure(&self, panel: Draw, id: usize) -> Figure {
        Figure { ticks_below: self.has_ticks(id), ..panel(self, id) }
    }

    fn has_ticks(&self, id: usize) -> bool {
        self.ticks_below.is_none_or(|at| at == id)
    }

    /// The finished panel, with tick labels where it has some.
    fn finish(&self, mut panel: Panel, id: usize, title: &str, finding: &str) -> Drawing {
        if self.has_ticks(id) {
            self.time_axis(&mut panel);
        }
        panel.finish(id, title, finding)
    }

    /// A moment as a share of the width.
    fn x(&self, ms: f64) -> f64 {
        (ms / self.end).clamp(0.0, 1.0)
    }

    /// The middle of bin `at`.
    fn middle(&self, at: usize) -> f64 {
        (at as f64 + 0.5) * self.bin
    }

    /// The switches: when they were applied, or else asked for.
    fn switches(&self) -> impl Iterator<Item = f64> {
        self.summary.switches.iter().map(|switch| switch.applied_ms.unwrap_or(switch.requested_ms))
    }

    /// Draws the data of a panel whose y axis goes from `low` to `high`.
    fn data(&self, panel: &mut Panel, low: f64, high: f64, draw: impl FnOnce(&mut Linear<'_>)) {
        let (root, paper) = area(panel.height() as u32);
        let mut chart = ChartBuilder::on(&root)
            .build_cartesian_2d(0.0..self.end, low..high)
            .expect("drawing into a string cannot fail");
        let warmup = self.summary.phases.iter().find(|phase| phase.name == "warmup");
        if let Some(warmup) = warmup {
            rectangle(&mut chart, (0.0, warmup.to_ms), (low, high), Mark::WARMUP);
        }
        draw(&mut chart);
        drop(chart);
        drop(root);
        add(panel, &paper);
    }

    /// The switches, or where there are none, how a rollout ended.
    fn moments(&self, panel: &mut Panel, top: f64) {
        for switch in self.switches() {
            panel.moment(self.x(switch), top);
        }
        if let Some((at, _)) = self.turning() {
            panel.moment(self.x(at), top);
        }
    }

    /// When it was decided how a rollout without a switch ends, and how.
    fn turning(&self) -> Option<(f64, &'static str)> {
        let rollout = self.summary.rollout.as_ref().filter(|_| self.summary.switches.is_empty())?;
        let whole = || rollout.shares.iter().find(|row| row.planned >= 1.0).map(|row| row.t_ms);
        match rollout.ended.as_str() {
            "promoted" => Some((whole()?, "promoted")),
            "rolled-back" => Some((rollout.decided_ms?, "rolled back")),
            "held" => Some((rollout.decided_ms?, "held")),
            _ => None,
        }
    }

    /// The tick labels of the time axis.
    fn time_axis(&self, panel: &mut Panel) {
        let (unit, name) = time_unit(self.end);
        let ticks = linear_ticks(self.end / unit, 6);
        let y = panel.height() + 20.0;
        let last = ticks.iter().rposition(|tick| tick * unit <= self.end * 1.000_001).unwrap_or(0);
        for (at, tick) in ticks.iter().enumerate().take(last + 1) {
            let name = if at == last { format!(" {name}") } else { String::new() };
            panel.text(self.x(tick * unit), y, "mid", &format!("{}{name}", words::short(*tick, 2)));
        }
    }

    /// The legend: one entry for each lane.
    fn key(&self) -> Vec<(&'static str, bool, String)> {
        self.lanes.iter().map(|lane| (lane.look.color, lane.look.dashed, lane.name.clone())).collect()
    }
}

fn add(panel: &mut Panel, paper: &Paper) {
    panel.draw(&paper.borrow());
}

/// Drawing into a string cannot fail, so the results are nothing to look at.
fn rectangle(chart: &mut Linear<'_>, x: (f64, f64), y: (f64, f64), mark: Mark) {
    let _ = chart.draw_series([Rectangle::new([(x.0, y.1), (x.1, y.0)], fill(mark))]);
}

fn polygon(chart: &mut Linear<'_>, points: Vec<(f64, f64)>, mark: Mark) {
    let _ = chart.draw_series([Polygon::new(points, fill(mark))]);
}

fn curve(chart: &mut Linear<'_>, points: Vec<(f64, f64)>, mark: Mark) {
    let _ = chart.draw_series([PathElement::new(points, line(mark))]);
}

/// The stretches without gaps of a series that may have some.
fn stretches(points: impl Iterator<Item = (f64, Option<f64>)>) -> Vec<Vec<(f64, f64)>> {
    let mut all = vec![Vec::new()];
    for (x, y) in points {
        match y {
            Some(y) => all.last_mut().expect("there is always one").push((x, y)),
            None if all.last().is_some_and(|last| !last.is_empty()) => all.push(Vec::new()),
            None => {}
        }
    }
    all.retain(|stretch| !stretch.is_empty());
    all
}
