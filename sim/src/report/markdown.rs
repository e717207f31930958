//! `summary.md`: the verdict and its evidence for CI job summaries and comments on pull requests, the answer first. Never
//! longer than such places take; what is cut says so. Names from outside stand in code spans, where nothing is obeyed and
//! nobody is mentioned.

use std::fmt::Write as _;

use super::figures;
use crate::summary::{Outcome, Summary, Switch, Trust};
use crate::words;

/// Longest text, in bytes: a comment on GitHub takes 65,536 characters.
const LENGTH_MAX: usize = 60_000;
/// Rows of one table.
const ROWS_MAX: usize = 40;
/// Characters of one cell, or of a sentence.
const CELL_MAX: usize = 300;
/// Request ids shown for each drop cause.
const SAMPLES: usize = 3;

/// The text.
pub fn summary(summary: &Summary) -> String {
    let sections: [fn(&Summary) -> String; 8] =
        [head, thresholds, dropped, phases, switches, rollout, mirror, measurement];
    let mut out = String::new();
    for section in sections {
        let text = section(summary);
        if out.len() + text.len() > LENGTH_MAX {
            out.push_str("\nThe rest is in `report.html`.\n");
            break;
        }
        out.push_str(&text);
    }
    out
}

fn head(summary: &Summary) -> String {
    let word = match summary.verdict.result {
        Outcome::Invalid => "INVALID",
        _ if summary.verdict.aborted => "ABORTED",
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
    };
    let requests = &summary.requests;
    format!(
        "## {word} {}\n\n**{} intended = {} answered + {} dropped.** {}\n",
        code(&summary.scenario.name),
        words::count(requests.intended),
        words::count(requests.answered),
        words::count(requests.dropped),
        prose(&summary.verdict.sentence)
    )
}

fn thresholds(summary: &Summary) -> String {
    if summary.verdict.thresholds.is_empty() {
        return "\nNo thresholds: nothing was judged.\n".to_owned();
    }
    let rows = summary.verdict.thresholds.iter().map(|threshold| {
        let sign = if threshold.ok { "✓" } else { "✗" };
        let [metric, limit] = [&threshold.metric, &threshold.expression].map(|text| code(text));
        vec![sign.to_owned(), metric, limit, prose(&threshold.observed), prose(&threshold.margin)]
    });
    table(&["", "Threshold", "Limit", "Observed", "Margin"], rows.collect())
}

fn dropped(summary: &Summary) -> String {
    let mut causes: Vec<_> = summary.requests.dropped_by_cause.iter().collect();
    if causes.is_empty() {
        return String::new();
    }
    causes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    let rows = causes.into_iter().map(|(cause, n)| {
        let ids = summary.samples.get(cause).map(Vec::as_slice).unwrap_or_default();
        let ids: Vec<_> = ids.iter().take(SAMPLES).map(|id| code(id)).collect();
        vec![code(cause), words::count(*n), ids.join(" ")]
    });
    table(&["Dropped", "#Requests", "Such as"], rows.collect())
}

/// Latencies that cannot be trusted are not shown, because they would be believed.
fn phases(summary: &Summary) -> String {
    if summary.verdict.result == Outcome::Invalid {
        return String::new();
    }
    let repeats = summary.phases.iter().any(|phase| figures::repeats(phase.attempts));
    let rows = summary.phases.iter().filter(|phase| phase.name != "warmup").map(|phase| {
        let latency = &phase.latency_us;
        let mut row = vec![code(&phase.name)];
        row.extend([phase.requests.intended, phase.requests.dropped].map(words::count));
        row.extend(repeats.then(|| figures::per_request(phase.attempts)));
        row.extend(
            [latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(words::ms_or_nothing),
        );
        row
    });
    let mut heads = vec!["Phase", "#Requests", "#Dropped", "#p50 ms", "#p90", "#p99", "#p99.9", "#max"];
    if repeats {
        heads.insert(3, "#Attempts each");
    }
    table(&heads, rows.collect())
}

fn switches(summary: &Summary) -> String {
    if summary.switches.is_empty() || summary.verdict.result == Outcome::Invalid {
        return String::new();
    }
    let rows = summary.switches.iter().enumerate().map(|(at, switch)| {
        let after = |moment: Option<f64>| {
            moment.map_or_else(
                || words::NOTHING.to_owned(),
                |ms| words::difference((ms - switch.requested_ms) * 1e3),
            )
        };
        let mixed =
            switch.mixed_ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::time_in_ms(ms * 1e3));
        vec![
            format!("{} {} → {}", at + 1, code(&switch.from), code(&switch.to)),
            after(switch.first_new_pick_ms),
            after(switch.last_old_answer_ms),
            mixed,
            figures::opened(switch),
            cost(switch),
        ]
    });
    let heads = [
        "Switch",
        "#First new pick",
        "#Last old answer",
        "#Mixed",
        "#Connections opened",
        "#p50 cost (95 %)",
    ];
    table(&heads, rows.collect())
}

fn cost(switch: &Switch) -> String {
    switch.latency_cost_us.map_or_else(
        || words::NOTHING.to_owned(),
        |cost| {
            format!("{} ({} to {})", words::difference(cost.p50), words::ms(cost.low), words::ms(cost.high))
        },
    )
}

/// How a rollout ended, what it promised and did not keep, and what it cost.
fn rollout(summary: &Summary) -> String {
    let Some(rollout) = &summary.rollout else { return String::new() };
    let why = rollout.why.as_ref().map_or_else(String::new, |why| format!(": {}", prose(why)));
    let mut out = format!("\nRollout {}, **{}**{why}.\n", prose(&rollout.strategy), prose(&rollout.ended));
    for breach in &rollout.breaches {
        let _ = writeln!(out, "- **Not kept:** {}, {}", prose(&breach.promise), prose(&breach.in_words()));
    }
    if summary.verdict.result == Outcome::Invalid {
        return out;
    }
    let figures = figures::of_rollout(summary, rollout).into_iter();
    let rows = figures.filter_map(|figure| Some(vec![figure.name.to_owned(), prose(&figure.value?)]));
    out + &table(&["Rollout", "#Value"], rows.collect())
}

/// What the copies of requests came to.
fn mirror(summary: &Summary) -> String {
    let Some(mirror) = &summary.mirror else { return String::new() };
    let counts = figures::of_mirror(mirror).into_iter();
    let rows = counts.map(|(name, n, _)| vec![name.to_owned(), words::count(n)]);
    format!("\n{}\n", prose(&figures::mirror_in_words(mirror)))
        + &table(&["Copies", "#Number"], rows.collect())
}

fn measurement(summary: &Summary) -> String {
    let validity = &summary.validity;
    let word = match validity.result {
        Trust::Valid => "VALID",
        Trust::Degraded => "DEGRADED",
        Trust::Invalid => "INVALID",
    };
    let mut out = format!(
        "\nMeasurement **{word}**: generator lag p99 {}, {} of {} requests per second released.\n",
        words::time_in_ms(validity.lag_us.p99),
        words::decimal(validity.achieved_rate, 1),
        words::short(validity.intended_rate, 1)
    );
    for reason in validity.reasons.iter().take(ROWS_MAX) {
        let _ = writeln!(out, "- {}", prose(reason));
    }
    let seed = summary.scenario.seed;
    let _ = writeln!(out, "\nSeed {seed}; again: {}", code(&summary.environment.command));
    out
}

/// A table; heads that start with `#` are of numbers.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let names: Vec<_> = heads.iter().map(|head| head.trim_start_matches('#')).collect();
    let rules: Vec<_> = heads.iter().map(|head| if head.starts_with('#') { "--:" } else { "---" }).collect();
    let mut out = format!("\n| {} |\n| {} |\n", names.join(" | "), rules.join(" | "));
    let more = rows.len().saturating_sub(ROWS_MAX);
    for row in rows.into_iter().take(ROWS_MAX) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    if more > 0 {
        let _ = writeln!(out, "\n{} more in `report.html`.", words::count(more as u64));
    }
    out
}

/// Text in a code span that it cannot end, in a table cell that it cannot end either.
fn code(text: &str) -> String {
    let text = words::cut(&words::plain(text), CELL_MAX);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let room = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    // A backslash right before an escaped border would escape the escape.
    let text = text.replace("\\|", "\\\u{2060}|").replace('|', "\\|");
    format!("{fence}{room}{text}{room}{fence}")
}

/// Text as it is: every sign that markdown obeys is escaped, and a mention is taken apart.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for c in words::cut(&words::plain(text), CELL_MAX).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A word joiner cannot be seen, and nobody is called so.
            '@' => out.push_str("@\u{2060}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '#' | '!' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample::{failed, hostile, summary as good};
    use super::*;
    use crate::summary::mirror::MirrorSummary;
    use crate::summary::promises::BreachRow;
    use crate::summary::rollout::RolloutSummary;

    #[test]
    fn a_good_run_and_a_failed_one_read_like_this() {
        insta::assert_snapshot!("markdown_pass", summary(&good()));
        insta::assert_snapshot!("markdown_fail", summary(&failed()));
    }

    #[test]
    fn a_rollout_and_its_copies_stand_there_as_on_the_page() {
        let breach = BreachRow {
            promise: "nobody is sent to a target that drains".into(),
            t_ms: 1200.0,
            count: 2,
            requests: vec!["42-00017".into()],
            what: None,
        };
        let rollout = RolloutSummary {
            strategy: "canary".into(),
            ended: "rolled-back".into(),
            why: Some("errors: fail <b>".into()),
            users: 2000,
            users_hurt: 3,
            users_moved: Some(412),
            users_back: Some(3),
            detect_ms: Some(1200.0),
            breaches: vec![breach],
            ..RolloutSummary::default()
        };
        let mirror =
            MirrorSummary { copies: 7, timed_out: 2, no_copy: 2, alike: 5, ..MirrorSummary::default() };
        let mut run = Summary { rollout: Some(rollout), mirror: Some(mirror), ..good() };
        let text = summary(&run);
        let from = text.find("Rollout canary").unwrap();
        let until = text.find("\nMeasurement").unwrap();
        insta::assert_snapshot!("markdown_rollout", &text[from..until]);
        run.verdict.result = Outcome::Invalid;
        let text = summary(&run);
        assert!(text.contains("Not kept") && !text.contains("Time to detect"), "{text}");
    }

    #[test]
    fn what_cannot_be_trusted_shows_no_latency() {
        let mut invalid = good();
        invalid.verdict.result = Outcome::Invalid;
        let text = summary(&invalid);
        assert!(text.starts_with("## INVALID") && !text.contains("p50"), "{text}");
    }

    /// The borders of cells in a row, as a reader finds them: what follows a backslash is none.
    fn borders(row: &str) -> usize {
        let mut signs = row.chars();
        let mut found = 0;
        while let Some(sign) = signs.next() {
            match sign {
                '\\' => drop(signs.next()),
                '|' => found += 1,
                _ => {}
            }
        }
        found
    }

    #[test]
    fn names_from_outside_are_not_obeyed() {
        let text = summary(&hostile());
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("::") && !line.starts_with("# ")), "{text}");
        for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
            let ends: Vec<_> = table.lines().map(borders).collect();
            assert!(ends.iter().all(|&n| n == ends[0]), "{table}");
        }
        assert_eq!(prose("a@b <i> *x* #1"), "a@\u{2060}b &lt;i&gt; \\*x\\* \\#1");
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!([code("`"), code("a|b"), code("")], ["`` ` ``", "`a\\|b`", "`  `"]);
    }

    #[test]
    fn it_is_never_too_long_for_a_comment() {
        let mut long = failed();
        let phase = long.phases[1].clone();
        long.phases.extend(std::iter::repeat_n(phase, 500));
        long.validity.reasons = vec!["&".repeat(1000); 500];
        let threshold = long.verdict.thresholds[0].clone();
        long.verdict.thresholds.extend(
            (0..500).map(|_| crate::summary::ThresholdResult {
                observed: "&".repeat(10_000),
                ..threshold.clone()
            }),
        );
        let text = summary(&long);
        assert!(text.len() <= 61_000 && text.contains("more in `report.html`"), "{}", text.len());
        assert!(text.len() <= 65_536);
    }
}
