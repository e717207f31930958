//! `compare.md`: the answer and each ranking as tables, for CI job summaries and pull requests.

use std::fmt::Write as _;

use super::text::{change_with_interval, interval, value};
use super::{Comparison, Condition, Row};
use crate::words;

/// Conditions that are shown; a page of more helps nobody.
const CONDITIONS_MAX: usize = 24;

/// The file.
pub(super) fn summary(comparison: &Comparison) -> String {
    let mut out = format!("### {}\n\n{}\n\n", text(&comparison.name), text(&comparison.sentence));
    let _ = writeln!(
        out,
        "{}; {} VALID, {} DEGRADED, {} INVALID; {} requests.",
        text(&comparison.shape()),
        comparison.valid,
        comparison.degraded,
        comparison.invalid,
        words::count(comparison.requests)
    );
    for condition in comparison.conditions.iter().take(CONDITIONS_MAX) {
        ranking(&mut out, comparison, condition);
    }
    let more = comparison.conditions.len().saturating_sub(CONDITIONS_MAX);
    if more > 0 {
        let _ = writeln!(out, "\n{} more in compare.json.", words::counted(more as u64, "condition"));
    }
    out
}

fn ranking(out: &mut String, comparison: &Comparison, condition: &Condition) {
    let (figures, by) = (comparison.known(), comparison.ranking());
    if !condition.name.is_empty() {
        let _ = writeln!(out, "\n#### {}", text(&condition.name));
    }
    let axis = comparison.axes.first().map_or("scenario", |(name, _)| name.as_str());
    let _ = write!(out, "\n| | {} |", text(axis));
    for figure in &figures {
        let _ = write!(out, " {} |", figure.head());
    }
    let _ = writeln!(out, " 95 % interval | against {} |", text(comparison.baseline()));
    let _ = writeln!(out, "| --: | --- |{} --: | --- |", " --: |".repeat(figures.len()));
    for row in &condition.rows {
        let _ = write!(out, "| {}{} | {} |", row.rank, if row.tied { "=" } else { "" }, text(&row.name));
        for (at, figure) in figures.iter().enumerate() {
            let _ = write!(out, " {} |", value(*figure, row.values[at]));
        }
        let of = figures.get(by).map_or_else(String::new, |figure| interval(*figure, row.values[by]));
        let _ = writeln!(out, " {of} | {} |", against(comparison, row));
    }
}

/// `better −89 % (−90 % to −88 %)`
fn against(comparison: &Comparison, row: &Row) -> String {
    let by = comparison.ranking();
    match (row.against.get(by).and_then(Option::as_ref), comparison.known().get(by)) {
        (Some(against), Some(figure)) => {
            format!("**{}** {}", against.word.as_str(), change_with_interval(*figure, against))
        }
        _ if row.name == comparison.baseline() => "baseline".to_owned(),
        _ => words::NOTHING.to_owned(),
    }
}

/// A text that stays in its cell and is no markup.
fn text(text: &str) -> String {
    words::plain(text).chars().fold(String::new(), |mut safe, c| {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '@' => {
                safe.push('\\');
                safe.push(c);
            }
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::{comparison, hostile};
    use super::*;

    #[test]
    fn the_summary_reads_like_this() {
        insta::assert_snapshot!("compare_markdown", summary(&comparison()));
    }

    #[test]
    fn no_name_leaves_its_cell() {
        let text = summary(&hostile());
        assert!(!text.contains("<script") && !text.contains('\u{1b}'), "{text}");
        let rows = text.lines().filter(|line| line.starts_with("| "));
        for row in rows {
            let bars = row.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 8, "{row}");
        }
    }
}
