//! The section of copies: how many there were, what became of them, and the first answers that differed.

use super::table::{Cell, Table};
use crate::markup::{Markup, markup};
use crate::summary::Summary;
use crate::summary::mirror::{AnswerRow, MirrorSummary};
use crate::words;

/// The section; nothing for a run without copies.
pub(super) fn section(out: &mut Markup, summary: &Summary) {
    let Some(mirror) = &summary.mirror else { return };
    markup!(out, "\n<section id=\"mirror\"><h2>The mirror</h2><p class=\"lede\">" (in_words(mirror)) "</p>");
    out.append(&counts(mirror));
    if !mirror.samples.is_empty() {
        out.tag("<h3>The first differences</h3>");
        out.append(&samples(mirror));
    }
    out.tag("</section>");
}

fn in_words(mirror: &MirrorSummary) -> String {
    let compared = mirror.alike + mirror.different;
    let parts: Vec<_> = mirror.parts.iter().map(|(part, n)| format!("{part} {}", words::count(*n))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" (by {})", parts.join(", ")) };
    format!(
        "{} went to the new version; {} of {} answers differed{parts}. No user waited for a copy, and none is in the ledger.",
        words::counted(mirror.copies, "mirrored request"),
        words::count(mirror.different),
        words::count(compared),
    )
}

fn counts(mirror: &MirrorSummary) -> Markup {
    let mut table = Table::new("What became of copies", &["Copies", "#number", "meaning"]);
    for (name, n, meaning) in [
        ("Sent", mirror.copies, "requests of which the new version got a copy"),
        ("In the books", mirror.served, "copies that targets saw, as copies"),
        ("Answered", mirror.answered, "copies with a whole answer"),
        ("Errors", mirror.target_5xx, "of those, with a 5xx status"),
        ("Too slow", mirror.timed_out, "given up before the answer was whole"),
        ("Alike", mirror.alike, "the answer of the copy was that of the request"),
        ("Different", mirror.different, "it was another one"),
        ("Without answer", mirror.no_copy, "the request had an answer and its copy had none"),
        ("Nothing to compare", mirror.no_own, "the request itself had no answer"),
        ("Overflow", mirror.overflow, "not sent: too many copies were under way"),
        ("No target", mirror.no_target, "not sent: there was nobody to send to"),
    ] {
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
