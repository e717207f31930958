//! What a rollout cost: one table of the figures that every strategy has.

use super::table::{Cell, Table};
use crate::markup::Markup;
use crate::summary::mirror::MirrorSummary;
use crate::summary::rollout::{FlipsRow, RolloutSummary};
use crate::summary::{Ledger, Summary};
use crate::words;

/// The table of all figures that every strategy has.
pub(super) fn figures(summary: &Summary, rollout: &RolloutSummary) -> Markup {
    let mut table = Table::new("What the rollout cost", &["Figure", "#value", "meaning"]);
    let time = |ms: Option<f64>| ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::time(ms * 1000.0));
    let hurt = if rollout.users > 1 {
        format!("{} of {}", words::count(rollout.users_hurt), words::count(rollout.users))
    } else {
        words::NOTHING.to_owned()
    };
    let worst = rollout.worst_second_us.map_or_else(|| words::NOTHING.to_owned(), words::time);
    let before = rollout.before_us.map_or_else(String::new, |us| format!(", {} before", words::time(us)));
    for (name, value, meaning) in [
        (
            "Time to detect",
            time(rollout.detect_ms),
            "from the new version's first request, or the first fault that hit it",
        ),
        (
            "Time to roll back",
            time(rollout.rollback_ms),
            "from the decision to the last request sent to the new version",
        ),
        ("Exposure", words::count(rollout.exposure), "answers of the new version"),
        ("Requests failed", failed(summary), "dropped, by cause, or answered with an error"),
        ("Users hurt", hurt, "with a request that was dropped or answered with an error"),
        (
            "Users moved",
            moved(rollout),
            "by their keys; who has moved stays, unless the gateway gives the keys and they end",
        ),
        (
            "Version flips",
            flips(rollout),
            "answers by another version than the user had before: a session, a script or a token may be the other one's",
        ),
        ("Mixed window", time(rollout.mixed_ms), "while requests were sent to both versions"),
        (
            "Mixed answers",
            time(rollout.mixed_answers_ms),
            "until the last answer of the version that was left",
        ),
        (
            "Drain",
            time(rollout.drain_ms),
            "from the last request sent to the version that was left to its last answer",
        ),
        (
            "Extra targets",
            targets(rollout.capacity.extra_max, rollout.capacity.extra_seconds),
            "the most beyond those at the start, and times how long",
        ),
        (
            "Missing targets",
            targets(rollout.capacity.missing_max, rollout.capacity.missing_seconds),
            "the most short of those at the start, and times how long",
        ),
        (
            "Share, at most off by",
            share_off(rollout),
            "of the new version after any pick; its targets' own bounds say less than how much",
        ),
        (
            "Worst second",
            format!("{worst}{before}"),
            "the 99th percentile of the second with the highest one, and of all before the first step",
        ),
        (
            "Duplicates",
            words::count(summary.requests.duplicates),
            "requests that targets were asked more than once",
        ),
        ("Copies that differ", differing(summary), "from the old version's answers, where there are copies"),
        (
            "Whole rollout",
            time(rollout.lasted_ms),
            "from its first step to the last thing that happened to it",
        ),
    ] {
        table.row([name.into(), value.into(), meaning.into()] as [Cell; 3]);
    }
    table.finish()
}

/// `12 (9 gateway_502, 3 refused), 75 errors`
fn failed(summary: &Summary) -> String {
    let Ledger { dropped, target_5xx, dropped_by_cause, .. } = &summary.requests;
    let of = |(cause, n): (&String, &u64)| format!("{} {cause}", words::count(*n));
    let causes: Vec<_> = dropped_by_cause.iter().filter(|(_, n)| **n > 0).map(of).collect();
    let causes = if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
    format!("{}{causes}, {} errors", words::count(*dropped), words::count(*target_5xx))
}

/// `41 of 1,200`
fn differing(summary: &Summary) -> String {
    let of = |mirror: &MirrorSummary| {
        format!("{} of {}", words::count(mirror.different), words::count(mirror.copies))
    };
    summary.mirror.as_ref().map_or_else(|| words::NOTHING.to_owned(), of)
}

/// `0.45 requests, of less than 1`
fn share_off(rollout: &RolloutSummary) -> String {
    let bound = |bound: f64| format!(", of less than {}", words::short(bound, 2));
    let bound = rollout.share_bound_requests.map_or_else(String::new, bound);
    let off = |off: f64| format!("{} requests{bound}", words::decimal(off, 2));
    rollout.share_off_requests.map_or_else(|| words::NOTHING.to_owned(), off)
}

/// `1,203 of 412 users, 590 of them back to the old version`
fn flips(rollout: &RolloutSummary) -> String {
    let of = |FlipsRow { users, to_new, to_old }: FlipsRow| {
        let (all, back) = (words::count(to_new + to_old), words::count(to_old));
        format!("{all} of {}, {back} of them back to the old version", words::counted(users, "user"))
    };
    rollout.flips.map_or_else(|| words::NOTHING.to_owned(), of)
}

/// `412, 3 of them back again`
fn moved(rollout: &RolloutSummary) -> String {
    let back = |back: u64| format!(", {} of them back again", words::count(back));
    let back = rollout.users_back.filter(|&back| back > 0).map_or_else(String::new, back);
    rollout.users_moved.map_or_else(|| words::NOTHING.to_owned(), |moved| words::count(moved) + &back)
}

/// `2, 12.5 target-seconds`
fn targets(most: usize, seconds: f64) -> String {
    format!("{}, {} target-seconds", words::count(most as u64), words::decimal(seconds, 1))
}
