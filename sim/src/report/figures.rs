//! What a rollout and its copies came to, as rows of a name, a value and what it means, and how often requests were sent: the same on
//! the page and in the summary.

use crate::summary::mirror::MirrorSummary;
use crate::summary::rollout::{FlipsRow, RolloutSummary};
use crate::summary::{Attempts, Latency, Ledger, Summary, Switch};
use crate::words;

/// One figure.
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// Nothing where it does not apply.
    pub(super) value: Option<String>,
    pub(super) meaning: &'static str,
}

/// Whether some requests were sent to targets more than once.
pub(super) fn repeats(attempts: Option<Attempts>) -> bool {
    attempts.is_some_and(|attempts| attempts.n > attempts.requests)
}

/// Attempts per request: `1.969`.
pub(super) fn per_request(attempts: Option<Attempts>) -> String {
    let per_request = attempts.and_then(|attempts| attempts.per_request);
    per_request.map_or_else(|| words::NOTHING.to_owned(), |per_request| words::decimal(per_request, 3))
}

/// A time that opening connections to the new Upstream of a switch took: `88 µs`.
pub(super) fn opening(switch: &Switch, time: impl Fn(&Latency) -> Option<f64>) -> String {
    let time = switch.connects.as_ref().and_then(|connects| time(&connects.connect_us));
    time.map_or_else(|| words::NOTHING.to_owned(), words::time)
}

/// How many connections were opened to the new Upstream of a switch: `57 (301 µs at most)`.
pub(super) fn opened(switch: &Switch) -> String {
    match switch.connects.as_ref().map(|connects| connects.connect_us.n) {
        None => words::NOTHING.to_owned(),
        Some(0) => "0".to_owned(),
        Some(n) => format!("{} ({} at most)", words::count(n), opening(switch, |of| of.max)),
    }
}

/// What a rollout cost: all figures that every strategy has.
pub(super) fn of_rollout(summary: &Summary, rollout: &RolloutSummary) -> Vec<Figure> {
    let time = |ms: Option<f64>| ms.map(|ms| words::time(ms * 1000.0));
    let hurt = || format!("{} of {}", words::count(rollout.users_hurt), words::count(rollout.users));
    let worst = rollout.worst_second_us.map(words::time);
    let before = rollout.before_us.map_or_else(String::new, |us| format!(", {} before", words::time(us)));
    let all = [
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
        ("Exposure", Some(words::count(rollout.exposure)), "answers of the new version"),
        ("Requests failed", Some(failed(summary)), "dropped, by cause, or answered with an error"),
        (
            "Users hurt",
            (rollout.users > 1).then(hurt),
            "with a request that was dropped or answered with an error",
        ),
        (
            "Users moved",
            moved(rollout),
            "by their keys; who has moved stays, unless the gateway gives the keys and they end",
        ),
        (
            "Version flips",
            flips(rollout),
            "answers by another version than the user had before, and those of the old one again: a session, a script or a token may be the other one's",
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
            Some(targets(rollout.capacity.extra_max, rollout.capacity.extra_seconds)),
            "the most beyond those at the start, and times how long",
        ),
        (
            "Missing targets",
            Some(targets(rollout.capacity.missing_max, rollout.capacity.missing_seconds)),
            "the most short of those at the start, and times how long",
        ),
        (
            "Share, at most off by",
            share_off(rollout),
            "of the new version after any pick, and the most it may be",
        ),
        (
            "Inside a version, at most off by",
            rollout
                .inside_off_requests
                .map(|off| format!("{} requests, of less than 1", words::decimal(off, 2))),
            "of a target after any pick, from its share of what its version got",
        ),
        (
            "Worst second",
            worst.map(|worst| format!("{worst}{before}")),
            "the 99th percentile of the second with the highest one, and of all before the first step",
        ),
        (
            "Duplicates",
            Some(words::count(summary.requests.duplicates)),
            "requests that targets were asked more than once",
        ),
        ("Copies that differ", differing(summary), "from the old version's answers, where there are copies"),
        (
            "Whole rollout",
            time(rollout.lasted_ms),
            "from its first step to the last thing that happened to it",
        ),
    ];
    all.into_iter().map(|(name, value, meaning)| Figure { name, value, meaning }).collect()
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
fn differing(summary: &Summary) -> Option<String> {
    let of = |mirror: &MirrorSummary| {
        format!("{} of {}", words::count(mirror.different), words::count(mirror.copies))
    };
    summary.mirror.as_ref().map(of)
}

/// `0.45 requests, of 0.5 at most`
fn share_off(rollout: &RolloutSummary) -> Option<String> {
    let bound = |bound: f64| format!(", of {} at most", words::short(bound, 2));
    let bound = rollout.share_bound_requests.map_or_else(String::new, bound);
    Some(format!("{} requests{bound}", words::decimal(rollout.share_off_requests?, 2)))
}

/// `1,203 by 412 users, 590 back`
fn flips(rollout: &RolloutSummary) -> Option<String> {
    let of = |FlipsRow { users, to_new, to_old }: FlipsRow| {
        let (all, back) = (words::count(to_new + to_old), words::count(to_old));
        format!("{all} by {}, {back} back", words::counted(users, "user"))
    };
    rollout.flips.map(of)
}

/// `412, 3 of them back again`
pub(super) fn moved(rollout: &RolloutSummary) -> Option<String> {
    let back = |back: u64| format!(", {} of them back again", words::count(back));
    let back = rollout.users_back.filter(|&back| back > 0).map_or_else(String::new, back);
    Some(words::count(rollout.users_moved?) + &back)
}

/// `2, 12.5 target-seconds`
fn targets(most: usize, seconds: f64) -> String {
    format!("{}, {} target-seconds", words::count(most as u64), words::decimal(seconds, 1))
}

/// `412 mirrored requests went to the new version; 3 of 410 answers differed (by body 3).`
pub(super) fn mirror_in_words(mirror: &MirrorSummary) -> String {
    let compared = mirror.alike + mirror.different;
    let parts: Vec<_> = mirror.parts.iter().map(|(part, n)| format!("{part} {}", words::count(*n))).collect();
    let parts = if parts.is_empty() { String::new() } else { format!(" (by {})", parts.join(", ")) };
    format!(
        "{} went to the new version; {} of {} answers differed{parts}.",
        words::counted(mirror.copies, "mirrored request"),
        words::count(mirror.different),
        words::count(compared),
    )
}

/// What became of copies.
pub(super) fn of_mirror(mirror: &MirrorSummary) -> [(&'static str, u64, &'static str); 11] {
    [
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
    ]
}
