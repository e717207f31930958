//! The final screen of a run, as `sim run` prints it: at most one screen, the verdict first, the report's path last.
//! Colours stand in the text as ANSI sequences; whoever prints it strips them where they are not wanted. Figures in words
//! come from `words`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::figures;
use crate::summary::mirror::MirrorSummary;
use crate::summary::rollout::RolloutSummary;
use crate::summary::{
    Ledger, Outcome, Phase, Replications, RequestRow, Summary, Switch, ThresholdResult, Trust,
};
use crate::words;

/// Never wider than this.
const WIDTH_MAX: usize = 92;
/// Below this width the phase table shows fewer percentiles.
const WIDTH_OF_ALL_PERCENTILES: usize = 74;
/// Request ids shown for each drop cause.
const SAMPLES: usize = 3;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// The screen for `summary`, `width` columns wide at most; `report` is where the page lies.
pub fn screen(summary: &Summary, report: &str, width: usize) -> String {
    let mut out = String::new();
    headline(&mut out, summary);
    more_than_once(&mut out, &summary.request_kinds);
    attempts(&mut out, &summary.phases);
    if summary.verdict.result == Outcome::Invalid {
        invalid(&mut out, summary);
    } else {
        if summary.verdict.result == Outcome::Pass {
            phases(&mut out, summary, width.min(WIDTH_MAX));
            switches(&mut out, &summary.switches);
            rollout(&mut out, summary.rollout.as_ref());
            mirror(&mut out, summary.mirror.as_ref());
        }
        runs(&mut out, summary.replications.as_ref());
        thresholds(&mut out, summary);
        trust(&mut out, summary);
    }
    let _ = writeln!(out, "  {DIM}report{DIM:#}      {}", words::plain(report));
    out
}

/// How a rollout ended, and what it cost.
fn rollout(out: &mut String, rollout: Option<&RolloutSummary>) {
    let Some(rollout) = rollout else { return };
    let why = rollout.why.as_ref().map_or_else(String::new, |why| format!(": {}", words::plain(why)));
    let _ = writeln!(out, "  {} {}{why}", rollout.strategy, rollout.ended);
    let mut parts = Vec::new();
    let mut tell = |name: &str, ms: Option<f64>| {
        parts.extend(ms.map(|ms| format!("{name} {}", words::time(ms * 1000.0))));
    };
    tell("detected after", rollout.detect_ms);
    tell("back after", rollout.rollback_ms);
    parts.push(format!("{} of the new version", words::counted(rollout.exposure, "answer")));
    if rollout.users > 1 {
        parts.push(format!("{} hurt", words::counted(rollout.users_hurt, "user")));
    }
    if let Some(moved) = figures::moved(rollout) {
        parts.push(format!("moved: {moved}"));
    }
    let _ = writeln!(out, "  {}\n", parts.join(", "));
}

/// What the copies of requests came to.
fn mirror(out: &mut String, mirror: Option<&MirrorSummary>) {
    let Some(mirror) = mirror else { return };
    let mut parts = vec![
        words::counted(mirror.copies, "mirrored request"),
        format!(
            "{} of {} answers differed",
            words::count(mirror.different),
            words::count(mirror.alike + mirror.different)
        ),
    ];
    for (n, what) in [
        (mirror.no_copy, "without an answer"),
        (mirror.timed_out, "given up as too slow"),
        (mirror.overflow, "not sent, too many under way"),
        (mirror.no_target, "not sent, no target"),
    ] {
        parts.extend((n > 0).then(|| format!("{} {what}", words::count(n))));
    }
    let _ = writeln!(out, "  mirror: {}\n", parts.join(", "));
}

/// What several modelled runs say together.
fn runs(out: &mut String, replications: Option<&Replications>) {
    let Some(Replications { count, figures }) = replications else { return };
    let head = format!("{} runs", words::count(u64::from(*count)));
    let _ = writeln!(
        out,
        "  {DIM}{head:<18}{:>12}   {:<26}{:>12}{:>12}{DIM:#}",
        "mean", "95 % sure between", "least", "most"
    );
    for figure in figures {
        let [mean, low, high, min, max] = [figure.mean, figure.low, figure.high, figure.min, figure.max]
            .map(|value| figure.in_words(value));
        let between = format!("{low} and {high}");
        let _ = writeln!(out, "  {:<18}{mean:>12}   {between:<26}{min:>12}{max:>12}", figure.name);
    }
    out.push('\n');
}

/// `PASS  blue-green: 18,000 intended = 18,000 answered + 0 dropped`
fn headline(out: &mut String, summary: &Summary) {
    let (word, colour) = match summary.verdict.result {
        Outcome::Invalid => ("INVALID", YELLOW),
        Outcome::Fail if !summary.verdict.aborted => ("FAIL", RED),
        _ if summary.verdict.aborted => ("ABORTED", YELLOW),
        Outcome::Pass => ("PASS", GREEN),
        Outcome::Fail => ("FAIL", RED),
    };
    let head = colour.bold();
    let name = words::plain(&summary.scenario.name);
    let said = match summary.verdict.result {
        Outcome::Invalid => words::plain(&summary.verdict.sentence),
        _ => ledger(&summary.requests),
    };
    let _ = writeln!(out, "{head}{word}{head:#}  {BOLD}{name}: {said}{BOLD:#}\n");
}

/// `again       GET 12 sent again, 3 served more than once; POST 1 sent again`
fn more_than_once(out: &mut String, kinds: &[RequestRow]) {
    let methods: BTreeSet<&str> = kinds.iter().map(|kind| kind.method.as_str()).collect();
    let of = |method: &str| {
        let sum = |n: fn(&Ledger) -> u64| {
            kinds.iter().filter(|kind| kind.method == method).map(|kind| n(&kind.requests)).sum::<u64>()
        };
        let counts = [
            (sum(|ledger| ledger.retries), "sent again"),
            (sum(|ledger| ledger.hedges), "hedged"),
            (sum(|ledger| ledger.duplicates), "served more than once"),
        ];
        let said = counts.into_iter().filter(|(n, _)| *n > 0);
        said.map(|(n, what)| format!("{} {what}", words::count(n))).collect::<Vec<_>>().join(", ")
    };
    let said: Vec<_> = methods.iter().map(|method| (*method, of(method))).collect();
    let said = said.iter().filter(|(_, said)| !said.is_empty());
    let line = said.map(|(method, said)| format!("{method} {said}")).collect::<Vec<_>>().join("; ");
    if !line.is_empty() {
        let _ = writeln!(out, "  {DIM}again{DIM:#}       {}\n", words::plain(&line));
    }
}

/// `attempts    for each request 1.969 in after`, where there was more than one.
fn attempts(out: &mut String, phases: &[Phase]) {
    let more = phases.iter().filter(|phase| figures::repeats(phase.attempts));
    let more = more.map(|phase| format!("{} in {}", figures::per_request(phase.attempts), phase.name));
    let more = more.collect::<Vec<_>>().join(", ");
    if !more.is_empty() {
        let _ = writeln!(out, "  {DIM}attempts{DIM:#}    for each request {more}\n");
    }
}

fn ledger(requests: &Ledger) -> String {
    let noted = |n, what: &str| if n > 0 { format!(", {} {what}", words::count(n)) } else { String::new() };
    let again = noted(requests.retries, "sent again") + &noted(requests.hedges, "hedged");
    format!(
        "{} intended = {} answered + {} dropped{again}",
        words::count(requests.intended),
        words::count(requests.answered),
        words::count(requests.dropped)
    )
}

// === The phases ===

/// One column of the phase table: head, width, figure.
type Column = (&'static str, usize, fn(&Phase) -> String);

fn columns(width: usize) -> Vec<Column> {
    let mut columns: Vec<Column> = vec![
        ("requests", 10, |phase| words::count(phase.requests.intended)),
        ("dropped", 9, |phase| words::count(phase.requests.dropped)),
        ("p50", 8, |phase| words::ms_or_nothing(phase.latency_us.p50)),
    ];
    if width >= WIDTH_OF_ALL_PERCENTILES {
        columns.push(("p90", 8, |phase| words::ms_or_nothing(phase.latency_us.p90)));
    }
    columns.push(("p99", 8, |phase| words::ms_or_nothing(phase.latency_us.p99)));
    if width >= WIDTH_OF_ALL_PERCENTILES {
        columns.push(("p99.9", 8, |phase| words::ms_or_nothing(phase.latency_us.p999)));
    }
    columns.push(("max ms", 11, |phase| words::ms_or_nothing(phase.latency_us.max)));
    columns
}

fn phases(out: &mut String, summary: &Summary, width: usize) {
    let columns = columns(width);
    let row = |cell: &dyn Fn(&Column) -> String| {
        let mut row = String::new();
        for column in &columns {
            let _ = write!(row, "{:>width$}", cell(column), width = column.1);
        }
        row
    };
    let _ = writeln!(out, "  {DIM}{:<11}{}{DIM:#}", "phase", row(&|(head, ..)| (*head).to_owned()));
    for phase in summary.phases.iter().filter(|phase| phase.name != "warmup") {
        let _ = writeln!(out, "  {:<11}{}", phase.name, row(&|(_, _, figure)| figure(phase)));
    }
    if let Some(warmup) = summary.phases.iter().find(|phase| phase.name == "warmup") {
        let requests = words::count(warmup.requests.intended);
        let dropped = words::count(warmup.requests.dropped);
        let _ = writeln!(
            out,
            "  {DIM}{:<11}{requests:>10}{dropped:>9}     left out of latencies{DIM:#}",
            "warmup"
        );
    }
    out.push('\n');
}

// === The switches ===

fn switches(out: &mut String, switches: &[Switch]) {
    if switches.is_empty() {
        return;
    }
    let names: Vec<String> = switches
        .iter()
        .enumerate()
        .map(|(i, switch)| {
            words::cut(
                &format!("{} {} -> {}", i + 1, words::plain(&switch.from), words::plain(&switch.to)),
                24,
            )
        })
        .collect();
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(15);
    let _ = writeln!(
        out,
        "  {DIM}{:<first$}{:>17}{:>18}{:>10}   p50 cost (95 %){DIM:#}",
        "switch", "first new pick", "last old answer", "mixed"
    );
    for (switch, name) in switches.iter().zip(names) {
        let after = |moment: Option<f64>| {
            moment.map_or_else(
                || words::NOTHING.to_owned(),
                |ms| words::difference((ms - switch.requested_ms) * 1000.0),
            )
        };
        let mixed =
            switch.mixed_ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::time_in_ms(ms * 1000.0));
        let _ = writeln!(
            out,
            "  {name:<first$}{:>17}{:>18}{mixed:>10}   {}",
            after(switch.first_new_pick_ms),
            after(switch.last_old_answer_ms),
            cost(switch)
        );
    }
    let has_opened =
        |switch: &Switch| switch.connects.as_ref().is_some_and(|connects| connects.connect_us.n > 0);
    if switches.iter().any(has_opened) {
        let opened: Vec<_> = switches.iter().map(figures::opened).collect();
        let line = format!("connections opened within 1.5 s: {}", opened.join(", "));
        let _ = writeln!(out, "  {DIM}{}{DIM:#}", words::cut(&line, WIDTH_MAX - 2));
    }
    out.push('\n');
}

/// `+0.8 ms (0.1 to 1.6)`
fn cost(switch: &Switch) -> String {
    switch.latency_cost_us.map_or_else(
        || words::NOTHING.to_owned(),
        |cost| {
            format!("{} ({} to {})", words::difference(cost.p50), words::ms(cost.low), words::ms(cost.high))
        },
    )
}

// === What had to hold ===

fn thresholds(out: &mut String, summary: &Summary) {
    let results = &summary.verdict.thresholds;
    if results.is_empty() {
        let _ = writeln!(out, "  {DIM}no thresholds: nothing was judged{DIM:#}\n");
        return;
    }
    let passed = summary.verdict.result == Outcome::Pass;
    let shown: Vec<&ThresholdResult> = results.iter().filter(|result| passed || !result.ok).collect();
    let wide = |text: fn(&ThresholdResult) -> &str, least: usize| {
        shown.iter().map(|result| text(result).chars().count()).max().unwrap_or(0).max(least)
    };
    let metric = wide(|result| &result.metric, 25).min(36);
    let expression = wide(|result| &result.expression, 16).min(24);
    let dropped_failed = shown.iter().any(|result| !result.ok && result.metric.starts_with("dropped"));
    for result in &shown {
        let (sign, colour) = if result.ok { ("✓", GREEN) } else { ("✗", RED) };
        let loud = if result.ok { Style::new() } else { RED };
        let _ = writeln!(
            out,
            "  {colour}{sign}{colour:#} {loud}{:<metric$}  {:<expression$}  {}{loud:#}",
            words::plain(&result.metric),
            words::plain(&result.expression),
            words::plain(&result.observed)
        );
        if !result.ok && result.metric.starts_with("dropped") {
            causes(out, summary);
        }
    }
    let met = results.len() - shown.len();
    if met > 0 {
        let _ = writeln!(out, "  {GREEN}✓{GREEN:#} {met} more met");
    }
    if !dropped_failed && summary.requests.dropped > 0 {
        let _ = writeln!(out, "\n  {DIM}dropped{DIM:#}");
        causes(out, summary);
    }
    out.push('\n');
}

/// `      refused                  198   42-06003  42-06004  42-06007`
fn causes(out: &mut String, summary: &Summary) {
    let mut causes: Vec<_> = summary.requests.dropped_by_cause.iter().collect();
    causes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (cause, n) in causes {
        let ids = summary.samples.get(cause).map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<_> = ids.iter().take(SAMPLES).map(|id| words::plain(id)).collect();
        let _ = writeln!(out, "      {cause:<22} {:>7}   {DIM}{}{DIM:#}", words::count(*n), ids.join("  "));
    }
}

// === Whether it can be believed ===

fn trust(out: &mut String, summary: &Summary) {
    let validity = &summary.validity;
    let figures = format!(
        "lag p99 {}, {} of {} /s",
        words::time_in_ms(validity.lag_us.p99),
        words::decimal(validity.achieved_rate, 1),
        words::short(validity.intended_rate, 1)
    );
    let (word, colour) = match validity.result {
        Trust::Valid => ("VALID", Style::new()),
        Trust::Degraded => ("DEGRADED", YELLOW),
        Trust::Invalid => ("INVALID", YELLOW),
    };
    let _ = writeln!(out, "  {DIM}measurement{DIM:#} {colour}{word}{colour:#}: {figures}");
    reasons(out, summary);
}

fn reasons(out: &mut String, summary: &Summary) {
    for reason in &summary.validity.reasons {
        let _ = writeln!(out, "  {}", words::plain(reason));
    }
}

/// No latency figures at all, because they would be believed.
fn invalid(out: &mut String, summary: &Summary) {
    reasons(out, summary);
    let _ = writeln!(out, "  try a lower rate, or more cores\n");
    let _ = writeln!(out, "  {}", ledger(&summary.requests));
}

#[cfg(test)]
mod tests {
    use super::super::sample::{failed, invalid, summary};
    use super::*;

    fn plain(summary: &Summary, width: usize) -> String {
        anstream::adapter::strip_str(&screen(summary, "reports/x/report.html", width)).to_string()
    }

    #[test]
    fn screens_of_a_good_a_failed_and_an_untrustworthy_run() {
        let screen = plain(&summary(), 92);
        let lines: Vec<_> = screen.lines().collect();
        assert!(lines.len() <= 24, "{screen}");
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH_MAX), "{screen}");
        insta::assert_snapshot!("screen_pass", screen);
        insta::assert_snapshot!("screen_fail", plain(&failed(), 92));
        let screen = plain(&invalid(), 92);
        assert!(!screen.contains("p99") && !screen.contains(" ms"), "no latency is worth showing:\n{screen}");
        insta::assert_snapshot!("screen_invalid", screen);
    }

    #[test]
    fn a_narrow_terminal_gets_fewer_percentiles() {
        insta::assert_snapshot!("screen_narrow", plain(&summary(), 60));
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        let mut summary = summary();
        summary.scenario.name = "x\u{1b}[2Jy".into();
        assert!(screen(&summary, "r", 92).contains("x\\u{1b}[2Jy"));
    }
}
