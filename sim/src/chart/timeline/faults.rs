//! What went wrong at the targets: a band for each fault, from its beginning to its end.

use super::super::palette::Mark;
use super::super::panel::{Figure, Panel};
use super::{Frame, rectangle};
use crate::summary::FaultSpan;
use crate::words;

/// Faults that have a band; the others are counted.
const BANDS: usize = 6;
/// Height of a band with its gap, in pixels.
const PITCH: u32 = 22;
/// Characters of a fault's name.
const NAME: usize = 28;

/// The bands of the faults there were, at least one.
pub(super) fn faults(frame: &Frame<'_>, id: usize) -> Figure {
    let faults = &frame.summary.faults;
    let shown = &faults[..faults.len().min(BANDS)];
    let mut panel = Panel::new(shown.len() as u32 * PITCH);
    let height = panel.height();
    let top = |row: usize| row as f64 * f64::from(PITCH) + 2.0;
    let until = |fault: &FaultSpan| fault.until_ms.unwrap_or(frame.end).min(frame.end);
    frame.data(&mut panel, 0.0, height, |chart| {
        for (row, fault) in shown.iter().enumerate() {
            // The chart's axis goes up, rows go down.
            let y = (height - top(row) - 18.0, height - top(row));
            rectangle(chart, (fault.from_ms, until(fault)), y, Mark::FAIL3);
        }
    });
    frame.moments(&mut panel, 0.0);
    for (row, fault) in shown.iter().enumerate() {
        let (from, until) = (frame.x(fault.from_ms), frame.x(until(fault)));
        // Named at the side of it from which the name stays within the chart.
        let (x, class) = match f64::midpoint(from, until) {
            middle if middle < 0.36 => (from, "lab"),
            middle if middle > 0.64 => (until, "lab end"),
            middle => (middle, "lab mid"),
        };
        panel.text(x, top(row) + 13.0, class, &words::cut(&fault.kind, NAME));
        panel.label(top(row) + 9.0, "fink2", words::cut(&targets(fault), NAME));
    }
    let more = match faults.len() - shown.len() {
        0 => String::new(),
        more => format!("; {} more under Events", words::count(more as u64)),
    };
    let told: Vec<_> = shown.iter().map(|fault| told(fault, frame.end)).collect();
    Figure {
        name: "faults",
        title: "What went wrong",
        caption: format!("faults at targets, as the scenario has them{more}"),
        svg: frame.finish(panel, id, "Which faults were on over time", &format!("{}.", words::list(&told))),
        key: Vec::new(),
        columns: "",
        ticks_below: false,
    }
}

fn targets(fault: &FaultSpan) -> String {
    match fault.targets.as_slice() {
        [one] => one.clone(),
        several => words::counted(several.len() as u64, "target"),
    }
}

fn told(fault: &FaultSpan, end: f64) -> String {
    let (from, until) = (words::seconds(fault.from_ms, 1), words::seconds(fault.until_ms.unwrap_or(end), 1));
    format!("{} at {} from {from} to {until} s", fault.kind, words::list(&fault.targets))
}
