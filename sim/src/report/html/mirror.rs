//! The section of copies: how many there were, what became of them, and the first answers that differed.

use super::table::{Cell, Table};
use crate::markup::{Markup, markup};
use crate::report::figures;
use crate::summary::Summary;
use crate::summary::mirror::{AnswerRow, MirrorSummary};
use crate::words;

/// The section; nothing for a run without copies.
pub(super) fn section(out: &mut Markup, summary: &Summary) {
    let Some(mirror) = &summary.mirror else { return };
    markup!(out, "\n<section id=\"mirror\"><h2>The mirror</h2><p class=\"lede\">" (figures::mirror_in_words(mirror)) " No user waited for a copy, and none is in the ledger." "</p>");
    out.append(&counts(mirror));
    if !mirror.samples.is_empty() {
        out.tag("<h3>The first differences</h3>");
        out.append(&samples(mirror));
    }
    out.tag("</section>");
}

fn counts(mirror: &MirrorSummary) -> Markup {
    let mut table = Table::new("What became of copies", &["Copies", "#number", "meaning"]);
    for (name, n, meaning) in figures::of_mirror(mirror) {
        table.row([name.into(), words::count(n).into(), meaning.into()] as [Cell; 3]);
    }
    table.finish()
}

fn samples(mirror: &MirrorSummary) -> Markup {
    let heads = ["Request", "#at", "differs in", "the user got", "the copy got"];
    let mut table = Table::new("Answers that differed", &heads);
    for row in &mirror.samples {
        table.row([
            row.request.as_str().into(),
            format!("{} s", words::seconds(row.t_ms, 3)).into(),
            row.parts.join(", ").into(),
            answer(&row.own).into(),
            answer(&row.copy).into(),
        ] as [Cell; 5]);
    }
    table.finish()
}

/// `200, 14 bytes 3c5e…, x-version: 1`
fn answer(row: &AnswerRow) -> String {
    let bytes = words::counted(row.body_bytes, "byte");
    let fields = row
        .headers
        .iter()
        .map(|(name, value)| format!(", {name}: {}", value.as_deref().unwrap_or(words::NOTHING)));
    format!("{}, {bytes} {}{}", row.status, words::cut(&row.body_hash, 9), fields.collect::<String>())
}
