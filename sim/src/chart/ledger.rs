//! The ledger as one bar: every intended request, by who answered it, and at the right what was dropped and what was never sent.

use plotters::prelude::*;

use super::lanes;
use super::palette::{Mark, Palette};
use super::panel::{Figure, Panel};
use super::pen::{WIDTH, area, fill};
use crate::summary::Summary;
use crate::words;

const HEIGHT: u32 = 66;
/// Narrower parts carry no text; the legend has it.
const LABELLED_FROM: f64 = 0.09;
/// Between two parts, in thousandths of the width.
const GAP: f64 = 1.4;

/// The bar; `id` is its number on the page.
pub(crate) fn ledger(summary: &Summary, id: usize) -> Figure {
    let requests = &summary.requests;
    let mut parts: Vec<(u64, String, Mark, &'static str, bool)> = lanes(summary, &Palette::new(summary))
        .into_iter()
        .map(|lane| {
            let answered = lane.targets.iter().map(|&target| summary.targets[target].answered).sum();
            (answered, lane.name, lane.look.solid, lane.look.color, lane.look.dashed)
        })
        .filter(|(answered, ..)| *answered > 0)
        .collect();
    let not_sent = requests.not_sent();
    let missing = [
        (requests.dropped - not_sent, "dropped", Mark::FAIL, "--c:var(--fail)"),
        // Nobody's fault: the run was stopped before their time.
        (not_sent, "not sent", Mark::INK_FILL, "--c:var(--axis)"),
    ];
    parts.extend(
        missing
            .iter()
            .filter(|(n, ..)| *n > 0)
            .map(|&(n, name, mark, color)| (n, name.to_owned(), mark, color, false)),
    );
    let whole = requests.intended.max(1) as f64;
    let mut panel = Panel::new(HEIGHT);
    let (root, paper) = area(HEIGHT);
    let mut from = 0.0;
    for (count, name, mark, ..) in &parts {
        let share = *count as f64 / whole;
        let (left, right) = (from * f64::from(WIDTH), (from + share) * f64::from(WIDTH) - GAP);
        let corners =
            [(left * 10.0, 60.0), (right.max(left + 0.5) * 10.0, 280.0)].map(|(x, y)| (x as i32, y as i32));
        // Drawing into a string cannot fail.
        let _ = root.draw(&Rectangle::new(corners, fill(*mark)));
        if share >= LABELLED_FROM {
            panel.text(from, 46.0, "lab wide", &words::count(*count));
            panel.text(from, 62.0, "wide", name);
        }
        from += share;
    }
    drop(root);
    panel.draw(&paper.borrow());
    let said = missing.iter().filter(|(n, name, ..)| *n > 0 || (*name == "dropped" && not_sent == 0));
    let said: Vec<_> = said.map(|(n, name, ..)| format!("{} {name}", words::count(*n))).collect();
    panel.text(1.0, 46.0, "lab end wide", &words::list(&said));
    let finding: Vec<_> =
        parts.iter().map(|(count, name, ..)| format!("{} {name}", words::count(*count))).collect();
    let finding = format!("Of {} intended: {}.", words::count(requests.intended), words::list(&finding));
    Figure {
        name: "ledger",
        title: "Ledger",
        caption: String::new(),
        svg: panel.finish(id, "Intended requests by who answered", &finding),
        key: parts
            .into_iter()
            .map(|(count, name, _, color, dashed)| (color, dashed, format!("{} {name}", words::count(count))))
            .collect(),
        columns: "",
        ticks_below: false,
    }
}
