//! Weight share against what was expected, and weight accuracy in requests after every single pick.

use super::super::palette::Mark;
use super::super::panel::{Figure, Panel};
use super::super::scale::spread;
use super::{Frame, curve, rectangle, stretches};
use crate::words;

/// Labels of shares at the right; beyond, there is no room.
const LABELS_MAX: usize = 6;

pub(super) fn share(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let expected = expected(frame);
    let high = expected.iter().map(|(_, share)| *share).fold(0.1, f64::max) * 1.25;
    let high = high.min(1.1);
    let mut panel = Panel::new(104);
    let y = |share: f64| 104.0 * (1.0 - share / high);
    let mut drawn: Vec<f64> = Vec::new();
    for (_, share) in &expected {
        if drawn.iter().all(|other| (y(*other) - y(*share)).abs() > 12.0) {
            panel.rule(y(*share), &format!("{} %", words::decimal(share * 100.0, 0)), false);
            drawn.push(*share);
        }
    }
    let picks = |target: usize, bin: usize| {
        series.picks.get(target).and_then(|bins| bins.get(bin)).copied().unwrap_or(0)
    };
    frame.data(&mut panel, 0.0, high, |chart| {
        for lane in &frame.lanes {
            let of_upstream: Vec<usize> = (0..frame.summary.targets.len())
                .filter(|&target| frame.summary.targets[target].upstream == lane.upstream)
                .collect();
            let shares = (0..series.t_ms.len()).map(|bin| {
                let all: u64 = of_upstream.iter().map(|&target| picks(target, bin)).sum();
                let mine: u64 = lane.targets.iter().map(|&target| picks(target, bin)).sum();
                (frame.middle(bin), (all > 0).then(|| mine as f64 / all as f64 / lane.targets.len() as f64))
            });
            for stretch in stretches(shares) {
                curve(chart, stretch, lane.look.line);
            }
        }
    });
    frame.moments(&mut panel, 0.0);
    labels(frame, &mut panel, &expected, y);
    let held: Vec<_> = frame
        .lanes
        .iter()
        .zip(&expected)
        .take(LABELS_MAX)
        .map(|(lane, (_, share))| format!("{} {}", lane.name, words::share(*share)))
        .collect();
    Figure {
        name: "weight-share",
        title: "Weight share",
        caption: "share of picks within the serving upstream; grey lines are the expected shares".to_owned(),
        svg: frame.finish(
            panel,
            id,
            "Share of picks by target",
            &format!("Expected: {}.", words::list(&held)),
        ),
        key: frame.key(),
        columns: "",
        ticks_below: false,
    }
}

/// For each lane: its place among the lanes, and the share one of its targets should have.
fn expected(frame: &Frame<'_>) -> Vec<(usize, f64)> {
    frame
        .lanes
        .iter()
        .enumerate()
        .map(|(at, lane)| {
            let targets = &frame.summary.targets;
            let all: u64 =
                targets.iter().filter(|t| t.upstream == lane.upstream).map(|t| u64::from(t.weight)).sum();
            let mine: u64 = lane.targets.iter().map(|&target| u64::from(targets[target].weight)).sum();
            (at, mine as f64 / all.max(1) as f64 / lane.targets.len() as f64)
        })
        .collect()
}

fn labels(frame: &Frame<'_>, panel: &mut Panel, expected: &[(usize, f64)], y: impl Fn(f64) -> f64) {
    let mut places: Vec<f64> = expected.iter().take(LABELS_MAX).map(|(_, share)| y(*share)).collect();
    spread(&mut places, 15.0, 100.0);
    for ((at, share), place) in expected.iter().zip(places) {
        let lane = &frame.lanes[*at];
        panel.label(
            place,
            lane.look.text,
            format!("{} {}", words::share(*share), words::cut(&lane.name, 15)),
        );
    }
}

pub(super) fn accuracy(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let largest =
        frame.summary.weights.iter().map(|row| row.max_prefix_deviation_requests).fold(0.0, f64::max);
    let high = (largest * 1.15).max(1.6);
    let mut panel = Panel::new(92);
    let y = |requests: f64| 46.0 * (1.0 - requests / high);
    panel.rule(46.0, "0", true);
    panel.tick(y(1.0), "+1");
    panel.tick(y(-1.0), "−1");
    frame.data(&mut panel, -high, high, |chart| {
        rectangle(chart, (0.0, frame.end), (-1.0, 1.0), Mark::BAND);
        for (upstream, ranges) in &series.lag_range {
            let mark = frame.palette.look(upstream, 0).band;
            let mut from = 0;
            // Bins of the same range are one rectangle.
            for bin in 1..=ranges.len() {
                if bin == ranges.len() || ranges[bin] != ranges[from] {
                    if let Some((low, top)) = ranges[from] {
                        let (left, right) =
                            (from as f64 * frame.bin, (bin as f64 * frame.bin).min(frame.end));
                        rectangle(chart, (left, right), (low, top), mark);
                    }
                    from = bin;
                }
            }
        }
    });
    frame.moments(&mut panel, 0.0);
    panel.text(0.0083, y(1.0) - 5.0, "halo", "allowed: one request either way");
    panel.label(35.0, "fink", format!("largest {}", words::decimal(largest, 2)));
    panel.label(50.0, "fink2", "requests");
    let within = if largest < 1.0 { "never one request off" } else { "beyond the allowed one request" };
    Figure {
        name: "weight-accuracy",
        title: "Weight accuracy",
        caption:
            "requests away from the exact share after every single pick: the full range of each upstream"
                .to_owned(),
        svg: frame.finish(
            panel,
            id,
            "Deviation from the exact share in requests",
            &format!("Largest {} requests, {within}.", words::decimal(largest, 2)),
        ),
        key: Vec::new(),
        columns: "",
        ticks_below: false,
    }
}
