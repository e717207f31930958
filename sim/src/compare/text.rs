//! The final screen of a comparison: its shape, one ranking (or all), the report's path last.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::answer::too_few;
use super::{Against, Comparison, Condition, Row, Value, Word};
use crate::plan::{Figure, Scale};
use crate::words;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
/// Never wider than this.
const WIDTH_MAX: usize = 92;
/// Columns of a name, at most.
const NAME_MAX: usize = 26;
/// Columns of the interval and of the word with its change.
const INTERVAL: usize = 17;
const WORD: usize = 22;

/// The screen, `width` columns wide at most; `all` shows every condition, else the one in the middle. `report` is where the page
/// lies.
pub fn screen(comparison: &Comparison, report: &str, width: usize, all: bool) -> String {
    let mut out = String::new();
    let name = words::plain(&comparison.name);
    let took = format!("{} s", words::decimal(comparison.volatile.wall_s, 0));
    let _ = writeln!(
        out,
        "{BOLD}{name}{BOLD:#}  {}  {}, {}  {DIM}{took}{DIM:#}\n",
        comparison.engine,
        comparison.shape(),
        trust(comparison)
    );
    let shown = comparison.conditions.len() / 2;
    for (at, condition) in comparison.conditions.iter().enumerate() {
        if all || at == shown {
            ranking(&mut out, comparison, condition, width.min(WIDTH_MAX));
        }
    }
    let tied = comparison.conditions.iter().flat_map(|condition| &condition.rows).any(|row| row.tied);
    if tied {
        let why = too_few(comparison).unwrap_or_else(|| "the same seeds cannot tell them apart".to_owned());
        let _ = writeln!(out, "  {DIM}equal ranks: {why}{DIM:#}");
    }
    let others = comparison.conditions.len() - 1;
    if others > 0 && !all {
        let _ = writeln!(
            out,
            "  {DIM}{}: --all or the report{DIM:#}",
            words::counted(others as u64, "other condition")
        );
    }
    let _ = writeln!(out, "  {DIM}report{DIM:#}      {}", words::plain(report));
    out
}

/// `all VALID`, or how many are not.
fn trust(comparison: &Comparison) -> String {
    if comparison.invalid == 0 && comparison.degraded == 0 {
        return "all VALID".to_owned();
    }
    format!("{YELLOW}{} DEGRADED, {} INVALID{YELLOW:#}", comparison.degraded, comparison.invalid)
}

fn ranking(out: &mut String, comparison: &Comparison, condition: &Condition, width: usize) {
    let (figures, by) = (comparison.known(), comparison.ranking());
    let Some(&ranks) = figures.get(by) else { return };
    if !condition.name.is_empty() {
        let _ = writeln!(out, "  {}", words::plain(&condition.name));
    }
    let axis = comparison.axes.first().map_or("scenario", |(name, _)| name.as_str());
    let names = condition.rows.iter().map(|row| words::plain(&row.name).chars().count());
    let name_width = names.chain([axis.chars().count()]).max().unwrap_or(0).min(NAME_MAX);
    let (mut room, mut others) =
        (width.saturating_sub(9 + name_width + INTERVAL + WORD + wide(ranks)), Vec::new());
    for (at, &figure) in figures.iter().enumerate().filter(|(at, _)| *at != by) {
        if room >= wide(figure) {
            room -= wide(figure);
            others.push((at, figure));
        }
    }
    let mut head = format!(
        "       {:<name_width$}{:>3$}  {:<4$}",
        words::cut(&words::plain(axis), NAME_MAX),
        ranks.head(),
        "95 % interval",
        wide(ranks),
        INTERVAL - 2
    );
    for (_, figure) in &others {
        let _ = write!(head, "{:>1$}", figure.head(), wide(*figure));
    }
    let _ = writeln!(
        out,
        "  {DIM}{head}   {} against {}{DIM:#}",
        ranks.short(),
        words::cut(&words::plain(comparison.baseline()), 18)
    );
    for row in &condition.rows {
        let place = format!("{}{}", row.rank, if row.tied { "=" } else { " " });
        let loud = if row.rank == 1 { BOLD } else { Style::new() };
        let _ = write!(out, "  {place:>6} {:<name_width$}", words::cut(&words::plain(&row.name), NAME_MAX));
        let _ = write!(out, "{loud}{:>1$}{loud:#}", value(ranks, row.values[by]), wide(ranks));
        let _ = write!(out, "  {:<1$}", interval(ranks, row.values[by]), INTERVAL - 2);
        for &(at, figure) in &others {
            let _ = write!(out, "{:>1$}", value(figure, row.values[at]), wide(figure));
        }
        let _ = writeln!(out, "   {}", word(ranks, row, by, comparison));
    }
    out.push('\n');
}

/// Columns of a figure.
fn wide(figure: Figure) -> usize {
    figure.head().chars().count().max(6) + 2
}

/// A figure in words; `–` where there is none.
pub(super) fn value(figure: Figure, value: Option<Value>) -> String {
    match value {
        None => words::NOTHING.to_owned(),
        Some(Value { value: None, .. }) => figure.say(f64::INFINITY),
        Some(Value { value: Some(value), .. }) => figure.say(value),
    }
}

/// `21 to 22`
pub(super) fn interval(figure: Figure, value: Option<Value>) -> String {
    match value {
        Some(Value { low: Some(low), high: Some(high), .. }) => {
            format!("{} to {}", figure.say(low), figure.say(high))
        }
        _ => words::NOTHING.to_owned(),
    }
}

/// `−89 %`, `+0.2`
pub(super) fn change(figure: Figure, change: Option<f64>) -> String {
    match (change, figure.scale()) {
        (None, _) => words::NOTHING.to_owned(),
        (Some(change), Scale::Ratio) => {
            let percent = change * 100.0;
            format!("{} %", words::signed(percent, usize::from(percent.abs() < 9.95)))
        }
        (Some(change), Scale::Difference) => {
            let said = figure.say(change);
            if change > 0.0 { format!("+{said}") } else { said }
        }
    }
}

/// `−89 % (−90 % to −88 %)`
pub(super) fn change_with_interval(figure: Figure, against: &Against) -> String {
    let of = |value| change(figure, value);
    match (against.low, against.high) {
        (Some(_), Some(_)) => format!("{} ({} to {})", of(against.change), of(against.low), of(against.high)),
        _ => of(against.change),
    }
}

fn word(figure: Figure, row: &Row, by: usize, comparison: &Comparison) -> String {
    let Some(against) = &row.against[by] else {
        let is_baseline = row.name == comparison.baseline();
        return format!("{DIM}{}{DIM:#}", if is_baseline { "baseline" } else { words::NOTHING });
    };
    let style = match against.word {
        Word::Better => GREEN,
        Word::Worse => RED,
        Word::Unclear => DIM,
    };
    format!("{style}{:<8}{style:#} {}", against.word.as_str(), change(figure, against.change))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{comparison, hostile};
    use super::*;

    fn plain(comparison: &Comparison, all: bool) -> String {
        anstream::adapter::strip_str(&screen(comparison, "reports/x/compare.html", 92, all)).to_string()
    }

    #[test]
    fn the_screen_reads_like_this_and_fits() {
        let screen = plain(&comparison(), false);
        assert!(screen.lines().all(|line| line.chars().count() <= WIDTH_MAX), "{screen}");
        insta::assert_snapshot!("compare_screen", screen);
        assert_eq!(plain(&comparison(), true).matches("baseline").count(), 2);
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let screen = plain(&hostile(), true);
        assert!(screen.chars().all(|c| c == '\n' || !c.is_control()), "{screen}");
    }
}
