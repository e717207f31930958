//! What GitHub shows beside a scenario's lines: one workflow command for each threshold that failed, at the line where it
//! stands; a measurement that cannot be trusted is one of its own.

use std::fmt::Write as _;

use crate::summary::{Outcome, Summary, Trust};
use crate::words;

/// GitHub shows so many of each kind from one step.
const SHOWN: usize = 10;

/// The commands, one a line; empty when there is nothing to object to.
pub fn annotations(summary: &Summary) -> String {
    let mut out = String::new();
    let name = &summary.scenario.name;
    let mut say = |kind: &str, line: usize, title: &str, text: &str| {
        let _ = write!(out, "::{kind} file={}", property(&summary.scenario.file));
        if line > 0 {
            let _ = write!(out, ",line={line}");
        }
        let _ = writeln!(out, ",title={}::{}", property(title), data(text));
    };
    if summary.verdict.result == Outcome::Invalid || summary.verdict.aborted {
        say("error", 0, name, &summary.verdict.sentence);
        return out;
    }
    for threshold in summary.verdict.thresholds.iter().filter(|threshold| !threshold.ok).take(SHOWN) {
        let title = format!("{name}: {} {}", threshold.metric, threshold.expression);
        let text = format!("was {} ({})", threshold.observed, threshold.margin);
        say("error", threshold.line, &title, &text);
    }
    if summary.validity.result == Trust::Degraded {
        for reason in summary.validity.reasons.iter().take(SHOWN) {
            say("warning", 0, &format!("{name}: measurement degraded"), reason);
        }
    }
    out
}

/// The text of a command. Line ends are spelt out already.
fn data(text: &str) -> String {
    words::plain(text).replace('%', "%25")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::sample::{failed, hostile, summary};
    use super::*;

    #[test]
    fn a_failed_threshold_is_shown_at_its_line() {
        let mut failed = failed();
        failed.scenario.file = "scenarios/a:b.toml".into();
        failed.verdict.thresholds[0].line = 49;
        failed.validity.result = Trust::Degraded;
        failed.validity.reasons = vec!["31 % of the machine's CPU time went to other processes".into()];
        let said = "::error file=scenarios/a%3Ab.toml,line=49,title=blue-green%3A dropped count == 0::was 214 (214 too many)\n\
            ::warning file=scenarios/a%3Ab.toml,title=blue-green%3A measurement degraded::31 %25 of the machine's CPU time went \
            to other processes\n";
        assert_eq!(annotations(&failed), said);
        assert_eq!(annotations(&summary()), "");
    }

    #[test]
    fn no_text_begins_a_command_of_its_own() {
        let text = annotations(&hostile());
        assert!(text.lines().count() == 1 && text.starts_with("::error file="), "{text}");
        let properties = text.split("::").nth(1).unwrap();
        assert_eq!(properties.matches([':', ',']).count(), 1, "{properties}");
    }
}
