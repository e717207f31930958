//! The percentile spectrum: response time against percentile, each step to the right ten times rarer. A curve ends at its
//! slowest request, because nothing is known beyond it.

use plotters::prelude::*;

use super::palette::{Look, Palette};
use super::panel::{Figure, Panel};
use super::pen::{area, line};
use super::scale::{log_ticks, thinned};
use crate::summary::{Spectrum, Summary};
use crate::words;

const HEIGHT: u32 = 300;
/// Percentiles with a rule of their own.
const RULES: [(f64, &str); 6] = [
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// How many nines: 0.99 is 2.
fn nines(p: f64) -> f64 {
    -(1.0 - p).max(1e-9).log10()
}

/// The chart; `id` is its number on the page. `None` when there is nothing to show.
pub(crate) fn spectrum(summary: &Summary, id: usize) -> Option<Figure> {
    let curves: Vec<(&Spectrum, Vec<(f64, f64)>)> = summary
        .spectrum
        .iter()
        .map(|spectrum| (spectrum, curve(spectrum)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let values = || curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    let ticks = log_ticks(low, high);
    let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
    let right =
        curves.iter().flat_map(|(_, points)| points.iter().map(|point| point.0)).reduce(f64::max)?.max(1.0);
    let palette = Palette::new(summary);
    let mut panel = Panel::new(HEIGHT);
    let y = |ms: f64| f64::from(HEIGHT) * (high / ms).log10() / (high / low).log10();
    for tick in thinned(&ticks, 9) {
        panel.rule(y(tick), &words::short(tick, 2), (tick - low).abs() < 1e-12);
    }
    for (p, name) in RULES.iter().filter(|(p, _)| nines(*p) <= right) {
        panel.upright(nines(*p) / right);
        panel.text(nines(*p) / right, f64::from(HEIGHT) + 18.0, "mid", name);
    }
    let (root, paper) = area(HEIGHT);
    let mut chart = ChartBuilder::on(&root)
        .build_cartesian_2d(0.0..right, (low..high).log_scale())
        .expect("drawing into a string cannot fail");
    for (at, (spectrum, points)) in curves.iter().enumerate() {
        let look = look_of(&curves, at, &palette);
        // Drawing into a string cannot fail.
        let _ = chart.draw_series(LineSeries::new(points.iter().copied(), line(look.line)));
        if let [only] = points.as_slice() {
            let _ = chart.draw_series([Circle::new(*only, 1, line(look.point))]);
        }
        label(&mut panel, spectrum, points, look, y);
    }
    drop(chart);
    drop(root);
    panel.draw(&paper.borrow());
    let finding: Vec<_> = curves
        .iter()
        .map(|(spectrum, points)| {
            let slowest = points.last().map_or(0.0, |point| point.1);
            format!(
                "{} ends at {} ms of {}",
                spectrum.name,
                words::decimal(slowest, 1),
                words::counted(spectrum.n, "request")
            )
        })
        .collect();
    Some(Figure {
        name: "percentiles",
        title: if curves.iter().any(|(spectrum, _)| spectrum.version.is_some()) {
            "Percentiles of each version"
        } else {
            "Percentiles before, during and after"
        },
        caption: String::new(),
        svg: panel.finish(
            id,
            "Percentile spectrum of the response time",
            &format!("{}.", words::list(&finding)),
        ),
        key: curves
            .iter()
            .enumerate()
            .map(|(at, (spectrum, _))| {
                let look = look_of(&curves, at, &palette);
                (look.color, look.dashed, format!("{}, n {}", spectrum.name, words::count(spectrum.n)))
            })
            .collect(),
        columns: "",
        ticks_below: true,
    })
}

/// Nines and milliseconds, rising.
fn curve(spectrum: &Spectrum) -> Vec<(f64, f64)> {
    let known = spectrum.points.iter().filter(|(_, us)| *us > 0.0);
    known.map(|&(p, us)| (nines(p).min(ends_at(spectrum.n)), us / 1000.0)).collect()
}

/// Beyond one in n nothing is known.
fn ends_at(n: u64) -> f64 {
    (n.max(1) as f64).log10()
}

/// The switches together are ink; a version that serves twice has its second colour the second time.
fn look_of(curves: &[(&Spectrum, Vec<(f64, f64)>)], at: usize, palette: &Palette) -> Look {
    let (spectrum, _) = &curves[at];
    match (&spectrum.upstream, &spectrum.version) {
        (None, _) => Palette::all_versions(),
        (Some(upstream), Some(version)) => palette.look_of((upstream, version), 0),
        (Some(upstream), None) => {
            let earlier =
                curves[..at].iter().filter(|(other, _)| other.upstream.as_ref() == Some(upstream)).count();
            palette.look(upstream, earlier)
        }
    }
}

fn label(panel: &mut Panel, spectrum: &Spectrum, points: &[(f64, f64)], look: Look, y: impl Fn(f64) -> f64) {
    let Some(last) = points.last() else { return };
    let upstream = spectrum.upstream.as_ref().filter(|_| spectrum.version.is_none());
    let upstream = upstream.map(|name| format!(" ({})", words::cut(name, 10))).unwrap_or_default();
    let below = format!("max {} ms, n {}", words::decimal(last.1, 0), words::count(spectrum.n));
    panel.label_pair(y(last.1), look.text, format!("{}{upstream}", spectrum.name), below);
}
