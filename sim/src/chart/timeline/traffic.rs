//! Who serves, throughput, drops and requests in flight.

use super::super::palette::Mark;
use super::super::panel::{Figure, Panel};
use super::super::scale::linear_ticks;
use super::{Frame, Linear, curve, polygon, rectangle, stretches};
use crate::measure::Cause;
use crate::summary::Phase;
use crate::words;

/// Drop causes drawn apart; the rest are drawn as one.
const CAUSES_MAX: usize = 5;

pub(super) fn serving(frame: &Frame<'_>, id: usize) -> Figure {
    let mut panel = Panel::new(46);
    let end = frame.summary.verdict.aborted_at_ms.unwrap_or(frame.end).min(frame.end);
    frame.data(&mut panel, 0.0, 46.0, |chart| {
        for phase in frame.summary.phases.iter().filter(|phase| phase.from_ms < end) {
            if let Some(upstream) = &phase.upstream {
                let look = frame.palette.look(upstream, 0);
                let mark = if look.dashed { look.area } else { look.solid };
                rectangle(chart, (phase.from_ms, phase.to_ms.min(end)), (8.0, 18.0), mark);
            }
        }
    });
    for (number, switch) in frame.summary.switches.iter().enumerate() {
        let at = frame.x(switch.applied_ms.unwrap_or(switch.requested_ms));
        let text = if frame.summary.switches.len() > 4 {
            words::ringed(number + 1)
        } else {
            format!(
                "{} {} → {}",
                words::ringed(number + 1),
                words::cut(&switch.from, 12),
                words::cut(&switch.to, 12)
            )
        };
        panel.text(at, 10.0, "lab mid halo", &text);
    }
    if let Some((at, how)) = frame.turning() {
        panel.text(frame.x(at), 10.0, "lab mid halo", how);
    }
    frame.moments(&mut panel, 15.0);
    for phase in
        frame.summary.phases.iter().filter(|phase| frame.x(phase.to_ms) - frame.x(phase.from_ms) > 0.06)
    {
        let middle = f64::midpoint(frame.x(phase.from_ms), frame.x(phase.to_ms));
        panel.text(middle, 24.0, if phase.name == "warmup" { "mid wide" } else { "mid" }, name(phase));
    }
    panel.label(34.0, "fink2", "serving");
    let order: Vec<_> = frame
        .summary
        .phases
        .iter()
        .filter(|phase| !phase.name.starts_with("switch") && phase.name != "warmup")
        .filter_map(|phase| {
            Some(format!("{} from {} s", phase.upstream.as_ref()?, words::seconds(phase.from_ms, 1)))
        })
        .collect();
    Figure {
        name: "serving",
        title: "Who is serving",
        caption: "phases come from what was measured".to_owned(),
        svg: frame.finish(panel, id, "Which upstream serves over time", &format!("{}.", words::list(&order))),
        key: Vec::new(),
        columns: "",
        ticks_below: false,
    }
}

fn name(phase: &Phase) -> &str {
    if phase.name == "warmup" { "warm-up" } else { &phase.name }
}

pub(super) fn throughput(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let offered = frame.summary.validity.intended_rate;
    let rates: Vec<Vec<f64>> = frame
        .lanes
        .iter()
        .map(|lane| {
            (0..series.t_ms.len())
                .map(|bin| {
                    let answered: u64 =
                        lane.targets.iter().filter_map(|&t| series.answered.get(t)?.get(bin)).sum();
                    answered as f64 * 1000.0 / frame.bin
                })
                .collect()
        })
        .collect();
    let total = |bin: usize| rates.iter().map(|rates| rates[bin]).sum::<f64>();
    let most = (0..series.t_ms.len()).map(total).fold(offered, f64::max);
    let ticks = linear_ticks(most * 0.98, 3);
    let high = ticks[ticks.len() - 1].max(most) * 1.12;
    let mut panel = Panel::new(112);
    let y = |rate: f64| 112.0 * (1.0 - rate / high);
    for tick in &ticks {
        panel.rule(y(*tick), &words::short(*tick, 1), *tick == 0.0);
    }
    frame.data(&mut panel, 0.0, high, |chart| {
        let mut below = vec![0.0; series.t_ms.len()];
        for (lane, rates) in frame.lanes.iter().zip(&rates) {
            let above: Vec<f64> = below.iter().zip(rates).map(|(below, rate)| below + rate).collect();
            for stretch in served(rates) {
                stack(
                    frame,
                    chart,
                    &below[stretch.clone()],
                    &above[stretch.clone()],
                    stretch.start,
                    lane.look.area,
                    lane.look.line,
                );
            }
            below = above;
        }
    });
    name_lanes(frame, &mut panel, &rates, y);
    frame.moments(&mut panel, 0.0);
    panel.label(y(offered), "fink", format!("{} offered", words::short(offered, 1)));
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len().max(1) as f64;
    let finding = format!(
        "{} requests per second offered, {} answered on average.",
        words::short(offered, 1),
        words::short(rates.iter().map(|rates| mean(rates)).sum(), 1)
    );
    Figure {
        name: "throughput",
        title: "Throughput",
        caption: "answered requests per second, stacked by target".to_owned(),
        svg: frame.finish(panel, id, "Throughput by target", &finding),
        key: frame.key(),
        columns: "1",
        ticks_below: false,
    }
}

/// The stretches of bins in which a lane has anything.
fn served(values: &[f64]) -> Vec<std::ops::Range<usize>> {
    let mut all: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in values.iter().enumerate().filter(|(_, value)| **value > 0.0) {
        match all.last_mut() {
            Some(last) if last.end == at => last.end += 1,
            _ => all.push(at..at + 1),
        }
    }
    all
}

/// One layer of a stack in steps, from bin `first` on, and the line on top of it.
fn stack(
    frame: &Frame<'_>,
    chart: &mut Linear<'_>,
    below: &[f64],
    above: &[f64],
    first: usize,
    area: Mark,
    top: Mark,
) {
    let steps = |values: &[f64]| -> Vec<(f64, f64)> {
        values
            .iter()
            .enumerate()
            .flat_map(|(at, value)| {
                let left = (first + at) as f64 * frame.bin;
                [(left, *value), ((left + frame.bin).min(frame.end), *value)]
            })
            .collect()
    };
    let line = steps(above);
    let mut outline = line.clone();
    outline.extend(steps(below).into_iter().rev());
    polygon(chart, outline, area);
    curve(chart, line, top);
}

/// Names stand inside their areas, where there is room.
fn name_lanes(frame: &Frame<'_>, panel: &mut Panel, rates: &[Vec<f64>], y: impl Fn(f64) -> f64) {
    for phase in
        frame.summary.phases.iter().filter(|phase| frame.x(phase.to_ms) - frame.x(phase.from_ms) > 0.18)
    {
        let middle = f64::midpoint(phase.from_ms, phase.to_ms.min(frame.end));
        let bin = (middle / frame.bin) as usize;
        let mut below = 0.0;
        for (lane, rates) in frame.lanes.iter().zip(rates) {
            let rate = rates.get(bin).copied().unwrap_or(0.0);
            if y(below) - y(below + rate) > 17.0 {
                let middle_y = f64::midpoint(y(below), y(below + rate)) + 4.0;
                panel.text(
                    frame.x(middle),
                    middle_y,
                    "lab mid wide",
                    &format!("{} {}", lane.name, words::short(rate, 0)),
                );
            }
            below += rate;
        }
    }
}

pub(super) fn dropped(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let requests = &frame.summary.requests;
    let mut causes: Vec<_> = requests.dropped_by_cause.iter().collect();
    causes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let bins = |cause: &str| series.dropped.get(cause).cloned().unwrap_or_default();
    let mut rows: Vec<(String, u64, Vec<u64>)> =
        causes.iter().take(CAUSES_MAX).map(|(cause, n)| ((*cause).clone(), **n, bins(cause))).collect();
    if causes.len() > CAUSES_MAX {
        let rest = &causes[CAUSES_MAX..];
        let mut sum = vec![0; series.t_ms.len()];
        for (cause, _) in rest {
            for (into, n) in sum.iter_mut().zip(bins(cause)) {
                *into += n;
            }
        }
        rows.push(("others".to_owned(), rest.iter().map(|(_, n)| **n).sum(), sum));
    }
    let height = if rows.is_empty() { 40 } else { 84 };
    let mut panel = Panel::new(height);
    let most = (0..series.t_ms.len())
        .map(|bin| rows.iter().map(|(_, _, bins)| bins.get(bin).copied().unwrap_or(0)).sum::<u64>())
        .max()
        .unwrap_or(0) as f64;
    let high = if rows.is_empty() { 1.0 } else { most.max(1.0) * 1.15 };
    frame.data(&mut panel, 0.0, high, |chart| bars(frame, chart, &rows));
    if rows.is_empty() {
        panel.rule(20.0, "0", true);
        panel.text(0.5, 14.0, "mid lab halo", "none, by any cause");
        panel.label(20.0, "fink", format!("0 of {}", words::count(requests.intended)));
    } else {
        let y = |n: f64| f64::from(height) * (1.0 - n / high);
        panel.rule(y(0.0), "0", true);
        panel.rule(y(most), &words::count(most as u64), false);
        panel.label(
            18.0,
            "ffail",
            format!("{} of {}", words::count(requests.dropped), words::count(requests.intended)),
        );
        for (number, (cause, n, _)) in rows.iter().take(3).enumerate() {
            panel.label(34.0 + 16.0 * number as f64, "fink2", format!("{} {cause}", words::count(*n)));
        }
    }
    frame.moments(&mut panel, 0.0);
    let listed: Vec<_> = rows.iter().map(|(cause, n, _)| format!("{} {cause}", words::count(*n))).collect();
    let finding = if rows.is_empty() {
        "No request was dropped in the whole run.".to_owned()
    } else {
        format!(
            "{} of {} requests were dropped: {}.",
            words::count(requests.dropped),
            words::count(requests.intended),
            words::list(&listed)
        )
    };
    Figure {
        name: "dropped",
        title: "Dropped, by cause",
        caption: "requests".to_owned(),
        svg: frame.finish(panel, id, "Dropped requests by cause", &finding),
        key: Vec::new(),
        columns: "9",
        ticks_below: false,
    }
}

fn bars(frame: &Frame<'_>, chart: &mut Linear<'_>, rows: &[(String, u64, Vec<u64>)]) {
    let marks = [Mark::FAIL, Mark::FAIL2, Mark::FAIL3];
    let mut below = vec![0.0; frame.summary.series.t_ms.len()];
    for (number, (cause, _, bins)) in rows.iter().enumerate() {
        let mark = if cause == Cause::Unsent.as_str() { Mark::INK_FILL } else { marks[number % marks.len()] };
        for (bin, &n) in bins.iter().enumerate().filter(|(_, n)| **n > 0) {
            let (left, from) = (bin as f64 * frame.bin, below[bin]);
            rectangle(chart, (left, left + frame.bin * 0.9), (from, from + n as f64), mark);
            below[bin] += n as f64;
        }
    }
}

pub(super) fn in_flight(frame: &Frame<'_>, id: usize) -> Figure {
    let series = &frame.summary.series;
    let bins = series.t_ms.len();
    let means: Vec<Vec<f64>> = frame
        .lanes
        .iter()
        .map(|lane| {
            (0..bins)
                .map(|bin| lane.targets.iter().filter_map(|&t| series.in_flight.get(t)?.get(bin)).sum())
                .collect()
        })
        .collect();
    let peak = series.in_flight_max.iter().copied().max().unwrap_or(0);
    let ticks = linear_ticks((peak as f64).max(1.0), 2);
    let high = ticks[ticks.len() - 1] * 1.15;
    let mut panel = Panel::new(84);
    let y = |n: f64| 84.0 * (1.0 - n / high);
    for tick in &ticks {
        panel.rule(y(*tick), &words::short(*tick, 1), *tick == 0.0);
    }
    frame.data(&mut panel, 0.0, high, |chart| {
        let mut below = vec![0.0; bins];
        for (lane, means) in frame.lanes.iter().zip(&means) {
            let above: Vec<f64> = below.iter().zip(means).map(|(below, mean)| below + mean).collect();
            for stretch in served(means) {
                let mut outline: Vec<_> =
                    stretch.clone().map(|bin| (frame.middle(bin), above[bin])).collect();
                outline.extend(stretch.rev().map(|bin| (frame.middle(bin), below[bin])));
                polygon(chart, outline, lane.look.area);
            }
            below = above;
        }
        let peaks =
            series.in_flight_max.iter().enumerate().map(|(bin, n)| (frame.middle(bin), Some(*n as f64)));
        for stretch in stretches(peaks) {
            curve(chart, stretch, Mark::THIN_INK);
        }
    });
    frame.moments(&mut panel, 0.0);
    let mean = means.iter().flatten().sum::<f64>() / bins.max(1) as f64;
    panel.label(y(peak as f64), "fink", format!("peak {}", words::count(peak)));
    panel.label(y(mean), "fink2", format!("mean {}", words::decimal(mean, 1)));
    let bin = words::short(frame.bin / 1000.0, 3);
    Figure {
        name: "in-flight",
        title: "In flight",
        caption: format!("requests inside the gateway, stacked by target; line: highest in each {bin} s"),
        svg: frame.finish(
            panel,
            id,
            "Requests in flight",
            &format!("{} on average, never above {}.", words::decimal(mean, 1), words::count(peak)),
        ),
        key: frame.key(),
        columns: "6 7",
        ticks_below: false,
    }
}
