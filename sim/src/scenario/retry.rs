//! `[load.retry]` and `[load.hedge]`: what the client sends again.

use std::time::Duration;

use super::reader::{Section, Shape};
use super::values;
use crate::load::{Failure, Retry};

pub(super) const RETRY: Shape = Shape { what: "a retry", keys: &["attempts", "budget", "on"], later: &[] };
pub(super) const HEDGE: Shape = Shape { what: "a hedge", keys: &["after"], later: &[] };
const ATTEMPTS_MAX: i64 = 10;

/// The retries of the load in `section`; `Some(None)` is none.
#[expect(clippy::option_option, reason = "a mistake is not an answer")]
pub(super) fn read(section: &Section<'_>) -> Option<Option<Retry>> {
    if !section.has("retry") {
        return Some(None);
    }
    let retry = section.section("retry", &RETRY)?;
    let attempts = retry.required("attempts", "3").and_then(|_| retry.integer("attempts", 2, ATTEMPTS_MAX));
    let budget = retry.required("budget", "0.2");
    let budget = budget.and_then(|node| values::number(node, "budget", 0.0, 10.0, retry.mistakes));
    let on = retry.required("on", "[\"connect\", \"reset\"]").map(|_| failures(&retry));
    Some(Some(Retry { attempts: u32::try_from(attempts?).ok()?, budget: budget?, on: on?? }))
}

fn failures(retry: &Section<'_>) -> Option<Vec<Failure>> {
    let known = Failure::ALL.map(Failure::as_str);
    let failure = |node| {
        let word = values::one_of(node, "on", &known, &[], retry.mistakes)?;
        Failure::ALL.into_iter().find(|failure| failure.as_str() == word)
    };
    let failures: Vec<_> = retry.list("on").iter().map(failure).collect();
    failures.into_iter().collect()
}

/// When a second attempt is sent; `Some(None)` is never.
#[expect(clippy::option_option, reason = "a mistake is not an answer")]
pub(super) fn hedge(section: &Section<'_>) -> Option<Option<Duration>> {
    if !section.has("hedge") {
        return Some(None);
    }
    section.section("hedge", &HEDGE)?.some_time("after").map(Some)
}
