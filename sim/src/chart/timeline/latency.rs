//! Response time in bands on a log axis, and the generator's lag.

use plotters::prelude::*;

use super::super::palette::Mark;
use super::super::panel::{Figure, Panel};
use super::super::pen::{area, fill, line};
use super::super::scale::{linear_ticks, log_ticks, thinned};
use super::{Frame, add, curve, stretches};
use crate::words;

const HEIGHT: u32 = 168;

/// Median, p90, p99 and slowest of each bin, in milliseconds.
type Curves<'a> = [(&'static str, &'a [Option<f64>], Mark); 4];

pub(super) fn response(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let curves: Curves<'_> = [
        ("p50", &series.p50_us, Mark::THICK_LAT),
        ("p90", &series.p90_us, Mark::THIN_LAT),
        ("p99", &series.p99_us, Mark::THIN_LAT),
        ("max", &series.max_us, Mark::FAINT_LAT),
    ];
    let values = || {
        curves
            .iter()
            .flat_map(|(_, values, _)| values.iter().flatten())
            .map(|us| us / 1000.0)
            .filter(|ms| *ms > 0.0)
    };
    let limit = latency_limit(frame);
    let low = values().reduce(f64::min).unwrap_or(1.0);
    let high = values().chain(limit.as_ref().map(|(ms, _)| *ms)).reduce(f64::max).unwrap_or(10.0);
    // The limit is labelled above its line, so it needs room there.
    let ticks = log_ticks(low * 0.8, high * 1.5);
    let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
    let mut panel = Panel::new(HEIGHT);
    let y = |ms: f64| f64::from(HEIGHT) * (high / ms.max(low)).log10() / (high / low).log10();
    for tick in thinned(&ticks, 8) {
        panel.rule(y(tick), &words::short(tick, 2), (tick - low).abs() < 1e-12);
    }
    frame.data(&mut panel, 0.0, 1.0, |_| {});
    bands(frame, &mut panel, &curves, low, high);
    frame.moments(&mut panel, 0.0);
    if let Some((ms, text)) = &limit {
        panel.limit(y(*ms), text);
    }
    let latency = &frame.summary.latency_us;
    for (name, us, class) in [
        ("max", latency.max, "flat"),
        ("p99", latency.p99, "flat"),
        ("p90", latency.p90, "flat"),
        ("p50", latency.p50, "flat"),
    ] {
        if let Some(us) = us {
            panel.label(y(us / 1000.0), class, format!("{name} {} ms", words::ms(us)));
        }
    }
    let finding = match (latency.p50, latency.p99) {
        (Some(p50), Some(p99)) => format!(
            "Median {} ms, 99th percentile {} ms outside the warm-up.",
            words::ms(p50),
            words::ms(p99)
        ),
        _ => "Too few requests for percentiles.".to_owned(),
    };
    Figure {
        name: "response-time",
        title: "Response time",
        caption: "ms, log scale; from the intended send time to the last byte".to_owned(),
        svg: frame.finish(panel, id, "Response time percentiles over time", &finding),
        key: vec![("--c:var(--lat)", false, "p50 (thick), p90, p99, max".to_owned())],
        columns: "2 3 4 5",
        ticks_below: false,
    }
}

/// The smallest upper limit that the thresholds set for the response time, and what it is for.
fn latency_limit(frame: &Frame<'_>) -> Option<(f64, String)> {
    frame
        .summary
        .verdict
        .thresholds
        .iter()
        .filter(|threshold| threshold.metric.starts_with("latency"))
        .filter_map(|threshold| {
            let (asked, limit) = threshold.expression.split_once('<')?;
            let limit = crate::plan::parse_duration(limit.trim_start_matches('=').trim()).ok()?;
            let ms = limit.as_secs_f64() * 1000.0;
            Some((
                ms,
                format!("limit for {} of {}: {}", asked.trim(), threshold.metric, words::time(ms * 1000.0)),
            ))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0))
}

fn bands(frame: &Frame<'_>, panel: &mut Panel, curves: &Curves<'_>, low: f64, high: f64) {
    let (root, paper) = area(HEIGHT);
    let mut chart = ChartBuilder::on(&root)
        .build_cartesian_2d(0.0..frame.end, (low..high).log_scale())
        .expect("drawing into a string cannot fail");
    let points = |values: &[Option<f64>]| {
        stretches(
            values
                .iter()
                .enumerate()
                .map(|(bin, us)| (frame.middle(bin), us.map(|us| (us / 1000.0).clamp(low, high)))),
        )
    };
    let marks = [Mark::LAT_INNER, Mark::LAT_MIDDLE, Mark::LAT_OUTER];
    for (pair, mark) in curves.windows(2).zip(marks).rev() {
        // Where the upper one has no value the band has no edge, so both are drawn where both are known.
        let both = |of: usize| -> Vec<Option<f64>> {
            pair[0]
                .1
                .iter()
                .zip(pair[1].1)
                .map(|(a, b)| a.and(*b).and(if of == 0 { *a } else { *b }))
                .collect()
        };
        for (lower, upper) in points(&both(0)).into_iter().zip(points(&both(1))) {
            let outline: Vec<_> = upper.into_iter().chain(lower.into_iter().rev()).collect();
            // Drawing into a string cannot fail.
            let _ = chart.draw_series([Polygon::new(outline, fill(mark))]);
        }
    }
    for (_, values, mark) in curves.iter().rev() {
        for stretch in points(values) {
            let _ = chart.draw_series([PathElement::new(stretch, line(*mark))]);
        }
    }
    drop(chart);
    drop(root);
    add(panel, &paper);
}

pub(super) fn lag(frame: &Frame<'_>, id: usize) -> Figure {
    let values = &frame.summary.series.lag_p99_us;
    // Two steps of a whole microsecond at least, so that no label is a rounded one.
    let most = values.iter().flatten().copied().fold(2.0, f64::max);
    let ticks = linear_ticks(most, 2);
    let high = ticks[ticks.len() - 1] * 1.1;
    let mut panel = Panel::new(64);
    let y = |us: f64| 64.0 * (1.0 - us / high);
    for tick in &ticks {
        panel.rule(y(*tick), &words::short(*tick, 0), *tick == 0.0);
    }
    frame.data(&mut panel, 0.0, high, |chart| {
        for stretch in stretches(values.iter().enumerate().map(|(bin, us)| (frame.middle(bin), *us))) {
            curve(chart, stretch, Mark::INK);
        }
    });
    frame.moments(&mut panel, 0.0);
    let lag = frame.summary.validity.lag_us;
    panel.label(y(lag.p99.min(high)), "fink", format!("p99 {}", words::time(lag.p99)));
    let cpu = &frame.summary.cpu_us_per_request;
    let used: Vec<_> = [("gateway", cpu.gateway), ("generator", cpu.generator), ("targets", cpu.targets)]
        .into_iter()
        .filter_map(|(part, us)| Some(format!("{part} {} µs", words::decimal(us?, 0))))
        .collect();
    let used =
        if used.is_empty() { String::new() } else { format!("; CPU for each request: {}", used.join(", ")) };
    Figure {
        name: "generator-lag",
        title: "Generator lag",
        caption: format!("µs between intended and actual release, 99th percentile{used}"),
        svg: frame.finish(
            panel,
            id,
            "Generator lag",
            &format!(
                "Median {}, 99th percentile {}, largest {}.",
                words::time(lag.p50),
                words::time(lag.p99),
                words::time(lag.max)
            ),
        ),
        key: Vec::new(),
        columns: "8",
        ticks_below: true,
    }
}
