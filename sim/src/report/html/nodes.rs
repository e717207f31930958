//! Each switch as each node of the gateway made it, where there are several.

use super::table::{Cell, Table};
use crate::markup::Markup;
use crate::summary::Summary;
use crate::words;

/// The table; nothing where there is one node, or no switch.
pub(super) fn nodes(summary: &Summary) -> Markup {
    if summary.switches.iter().all(|switch| switch.nodes.is_empty()) {
        return Markup::new();
    }
    let heads =
        ["Switch", "#Node", "#first new pick, ms", "#last old pick, ms", "#mixed, ms", "#stale picks"];
    let mut table = Table::new("Each switch at each node, after it was asked for", &heads);
    for (number, switch) in (1..).zip(&summary.switches) {
        let after = |ms: Option<f64>| {
            ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::signed(ms - switch.requested_ms, 1))
        };
        for row in &switch.nodes {
            let mixed =
                row.mixed_picks_ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::decimal(ms, 1));
            table.row([
                words::ringed(number).into(),
                row.node.to_string().into(),
                after(row.first_new_pick_ms).into(),
                after(row.last_old_pick_ms).into(),
                mixed.into(),
                words::count(row.stale_picks).into(),
            ] as [Cell; 6]);
        }
    }
    table.finish()
}
