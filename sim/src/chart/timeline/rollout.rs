//! The new version's share of requests as it was, over the one that the steps ask for.

use super::super::palette::{Mark, Palette};
use super::super::panel::{Figure, Panel};
use super::super::scale::linear_ticks;
use super::{Frame, curve, polygon, stretches};
use crate::summary::rollout::ShareRow;
use crate::words;

const HEIGHT: u32 = 104;

pub(super) fn share(frame: &Frame<'_>, id: usize) -> Figure {
    let shares = frame.summary.rollout.as_ref().map_or(&[][..], |rollout| &rollout.shares);
    let largest = shares.iter().flat_map(|row| [row.planned, row.actual.unwrap_or(0.0)]).fold(0.05, f64::max);
    let high = (largest * 1.1).min(1.05);
    let mut panel = Panel::new(HEIGHT);
    for tick in linear_ticks(largest * 100.0, 4) {
        let y = f64::from(HEIGHT) * (1.0 - tick / 100.0 / high);
        panel.rule(y, &format!("{} %", words::short(tick, 2)), tick == 0.0);
    }
    frame.data(&mut panel, 0.0, high, |chart| {
        polygon(chart, steps(frame, shares), Mark::INK_FILL);
        let actual = shares.iter().enumerate().map(|(bin, row)| (frame.middle(bin), row.actual));
        for stretch in stretches(actual) {
            curve(chart, stretch, Palette::all_versions().line);
        }
    });
    frame.moments(&mut panel, 0.0);
    Figure {
        name: "version-share",
        title: "The new version's share",
        caption: "share of first tries; the area is what the steps ask for".to_owned(),
        svg: frame.finish(panel, id, "Share of the new version, planned and actual", &finding(shares)),
        key: Vec::new(),
        columns: "",
        ticks_below: false,
    }
}

/// The planned share as steps, from the axis up and back to it.
fn steps(frame: &Frame<'_>, shares: &[ShareRow]) -> Vec<(f64, f64)> {
    let mut points = vec![(0.0, 0.0)];
    for row in shares {
        let level = points[points.len() - 1].1;
        if (level - row.planned).abs() > f64::EPSILON {
            points.extend([(row.t_ms, level), (row.t_ms, row.planned)]);
        }
    }
    let level = points[points.len() - 1].1;
    points.extend([(frame.end, level), (frame.end, 0.0)]);
    points
}

fn finding(shares: &[ShareRow]) -> String {
    let planned = shares.iter().map(|row| row.planned).fold(0.0, f64::max);
    let actual = shares.iter().filter_map(|row| row.actual).fold(0.0, f64::max);
    format!("Up to {} planned, up to {} seen.", words::percent(planned, 1), words::percent(actual, 1))
}
