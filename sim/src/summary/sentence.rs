//! The one sentence of a report, in plain words: it names the worst true thing, never praise. Where nothing went wrong it
//! says what the switches cost.

use gateway_core::time::Instant;

use super::rollout::{DecisionRow, RolloutSummary};
use super::verdict::Evidence;
use super::{Outcome, Switch, ThresholdResult, Trust};
use crate::measure::{Cause, DropSample, Measured};
use crate::words;

/// The sentence of a run.
pub(super) fn of(evidence: &Evidence<'_>, thresholds: &[ThresholdResult], result: Outcome) -> String {
    if evidence.requests.intended == 0 {
        return "No request was intended, so nothing was measured.".to_owned();
    }
    let mut said = vec![worst(evidence, thresholds, result)];
    if let Some(at) = evidence.measured.conditions.aborted_at {
        said.insert(0, stopped(evidence, at));
    }
    if result != Outcome::Invalid && evidence.validity.result == Trust::Degraded {
        let reason = evidence.validity.reasons.first().map_or("", String::as_str);
        said.push(format!("Read it with care: {reason}."));
    }
    said.retain(|sentence| !sentence.is_empty());
    said.join(" ")
}

/// Each kind of trouble in order of weight; the first that is true is said.
fn worst(evidence: &Evidence<'_>, thresholds: &[ThresholdResult], result: Outcome) -> String {
    if result == Outcome::Invalid {
        return untrusted(evidence);
    }
    let troubles = [
        broken(evidence),
        lost(evidence),
        dropped(evidence),
        wrong(evidence),
        failed_switch(evidence),
        given_up(evidence),
        inexact(evidence),
        failed_threshold(thresholds),
    ];
    troubles.into_iter().flatten().next().unwrap_or_else(|| undisturbed(evidence))
}

fn untrusted(evidence: &Evidence<'_>) -> String {
    let reason = evidence.validity.reasons.first().map_or("", String::as_str);
    format!("The measurement cannot be trusted: {reason}.")
}

fn stopped(evidence: &Evidence<'_>, at: Instant) -> String {
    let at = words::seconds(at.as_millis_f64(), 1);
    let of = words::count(evidence.requests.intended);
    format!(
        "Stopped at {at} s: {} of {of} requests were never sent.",
        words::count(evidence.requests.not_sent())
    )
}

/// A rollout that does not keep what it promises is worse than any drop.
fn broken(evidence: &Evidence<'_>) -> Option<String> {
    let breach = evidence.broken_promise()?;
    Some(format!("Not kept: {}, {}.", breach.promise, breach.in_words()))
}

fn lost(evidence: &Evidence<'_>) -> Option<String> {
    let n = evidence.requests.lost;
    let stand = if n == 1 { "stands" } else { "stand" };
    (n > 0).then(|| format!("{} but {stand} in no target's book.", were(n, "answered")))
}

/// `214 requests were refused in the 300 ms after the first switch.`
fn dropped(evidence: &Evidence<'_>) -> Option<String> {
    let stopped = evidence.measured.conditions.aborted_at.is_some();
    let mut by_cause: Vec<(Cause, u64)> = Cause::ALL
        .into_iter()
        .filter(|&cause| !(stopped && cause == Cause::Unsent))
        .filter_map(|cause| Some((cause, *evidence.requests.dropped_by_cause.get(cause.as_str())?)))
        .collect();
    by_cause.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let (cause, n) = *by_cause.first()?;
    let total: u64 = by_cause.iter().map(|(_, n)| n).sum();
    let sample = evidence.measured.drops.get(&cause)?;
    let others = match by_cause.len() {
        1 => String::new(),
        _ => format!(", and {} dropped for other reasons", words::count(total - n)),
    };
    Some(format!("{}{}{others}.", were(n, verb(cause)), when(evidence.measured, sample)))
}

/// ` in the 300 ms after the first switch`, or from when to when.
fn when(measured: &Measured, sample: &DropSample) -> String {
    const NEAR_MS: u128 = 5_000;
    let last_switch = measured
        .switches
        .iter()
        .enumerate()
        .filter_map(|(at, switch)| Some((at, switch.moments.requested, switch.applied()?)))
        .rfind(|(_, requested, _)| *requested <= sample.from);
    if let Some((at, _, applied)) = last_switch {
        let length = sample.to.since(applied);
        if (1..NEAR_MS).contains(&length.as_millis()) {
            let switch = name(at, measured.switches_planned);
            return format!(" in the {} after {switch}", words::time(length.as_secs_f64() * 1e6));
        }
    }
    let seconds = |at: Instant| words::seconds(at.as_millis_f64(), 1);
    let (from, to) = (seconds(sample.from), seconds(sample.to));
    if from == to { format!(" at {from} s") } else { format!(" between {from} s and {to} s") }
}

fn verb(cause: Cause) -> &'static str {
    match cause {
        Cause::Unsent => "never sent",
        Cause::ClientPorts => "not sent for want of local ports",
        Cause::Refused => "refused",
        Cause::ConnectTimeout => "given up while connecting",
        Cause::ResetBeforeResponse => "cut off before an answer",
        Cause::ResetMidBody => "cut off within an answer",
        Cause::Truncated => "answered in part only",
        Cause::ResponseTimeout => "not answered in time",
        Cause::Gateway502 => "answered 502 by the gateway",
        Cause::Gateway503NoTarget => "answered 503 by the gateway, which had no target",
        Cause::Gateway504 => "answered 504 by the gateway",
        Cause::NoRoute => "answered 404 by the gateway, which had no route",
        Cause::GatewayError => "answered with an error by the gateway",
        Cause::BadResponse => "answered with something that is not HTTP",
        Cause::DamagedBody => "answered with another body than the target sent",
        Cause::Overflow => "dropped because too many were in flight",
        Cause::Censored => "still unanswered at the end",
    }
}

fn wrong(evidence: &Evidence<'_>) -> Option<String> {
    let (wrong, twice) = (evidence.requests.wrong_version, evidence.requests.duplicates);
    let mut parts = Vec::new();
    if wrong > 0 {
        parts.push(were(wrong, "answered by the wrong version"));
    }
    if twice > 0 {
        parts.push(were(twice, "served more than once"));
    }
    (!parts.is_empty()).then(|| format!("{}.", words::list(&parts)))
}

/// `The new version was rolled back at 7.1 s: errors, 5 of 94 bad where the old version had 0 of 1,770.`
fn given_up(evidence: &Evidence<'_>) -> Option<String> {
    let rollout = evidence.rollout?;
    let why = rollout.why.as_ref()?;
    let what = match rollout.ended.as_str() {
        "rolled-back" => "The new version was rolled back",
        "held" => "The rollout was held",
        _ => "The rollout was given up",
    };
    let judge =
        rollout.decisions.iter().rfind(|row| why.starts_with(&format!("{}: {}", row.analysis, row.verdict)));
    let why = judge.and_then(counted).unwrap_or_else(|| why.clone());
    Some(format!("{what} at {} s: {why}.", words::seconds(rollout.decided_ms?, 1)))
}

/// What a judge counted, where it counted.
fn counted(row: &DecisionRow) -> Option<String> {
    let [of, bad] = row.canary.map(words::count);
    let old = match row.stable {
        [0, _] => String::new(),
        [of, bad] => format!(" where the old version had {} of {}", words::count(bad), words::count(of)),
    };
    (row.verdict == "fail" && row.canary[1] > 0).then(|| format!("{}, {bad} of {of} bad{old}", row.analysis))
}

fn failed_switch(evidence: &Evidence<'_>) -> Option<String> {
    let at = evidence.switches.iter().position(|switch| switch.acked_ms.is_none())?;
    let switch = &evidence.switches[at];
    let what = if switch.applied_ms.is_some() { "was applied but never acknowledged" } else { "failed" };
    let name = capital(&name(at, evidence.measured.switches_planned));
    Some(format!("{name}, from {} to {}, {what}.", switch.from, switch.to))
}

fn inexact(evidence: &Evidence<'_>) -> Option<String> {
    let row = evidence
        .weights
        .iter()
        .filter(|row| !row.test.ok)
        .max_by(|a, b| a.max_prefix_deviation_requests.total_cmp(&b.max_prefix_deviation_requests))?;
    let off = words::decimal(row.max_prefix_deviation_requests, 2);
    Some(format!("The weights of {} were up to {off} requests off in {}.", row.upstream, row.phase))
}

fn failed_threshold(thresholds: &[ThresholdResult]) -> Option<String> {
    let failed: Vec<_> = thresholds.iter().filter(|threshold| !threshold.ok).collect();
    let first = failed.first()?;
    let more = match failed.len() - 1 {
        0 => String::new(),
        n => format!(", and {} more not met", words::counted(n as u64, "limit")),
    };
    Some(format!("{} should be {} but was {}{more}.", first.metric, first.expression, first.observed))
}

// === Nothing went wrong ===

fn undisturbed(evidence: &Evidence<'_>) -> String {
    let requests = evidence.requests;
    let answered = if requests.answered == requests.intended {
        format!(
            "All {} were answered once, by the right version",
            words::counted(requests.intended, "request")
        )
    } else {
        format!("{} were answered once, by the right version", words::counted(requests.answered, "request"))
    };
    let errors = match requests.target_5xx {
        0 => String::new(),
        n => format!(", {} of them with a 5xx status", words::count(n)),
    };
    let mut said = format!("{answered}{errors}");
    if let Some(mixed) = mixed(evidence.switches, evidence.rollout) {
        said.push_str("; ");
        said.push_str(&mixed);
    }
    let costs = costs(evidence.switches);
    if !costs.is_empty() {
        said.push_str("; ");
        said.push_str(&costs);
    }
    if let Some(rollout) = rolled_out(evidence) {
        said.push_str("; ");
        said.push_str(&rollout);
    }
    said.push('.');
    said
}

/// How a rollout ended that nobody gave up.
fn rolled_out(evidence: &Evidence<'_>) -> Option<String> {
    let rollout = evidence.rollout?;
    match rollout.ended.as_str() {
        "promoted" => {
            let lasted =
                rollout.lasted_ms.map_or_else(String::new, |ms| format!(" in {}", words::time(ms * 1e3)));
            Some(format!("the new version was promoted{lasted}"))
        }
        "unfinished" => Some("the load ended before the rollout did".to_owned()),
        "complete" if reached_nobody(rollout) && evidence.measured.copies.picked.is_none() => {
            Some("nobody was sent to the new version".to_owned())
        }
        _ => None,
    }
}

/// A trial that no request took part in has shown nothing.
fn reached_nobody(rollout: &RolloutSummary) -> bool {
    rollout.versions.iter().all(|row| row.role != "canary" || row.picks == 0)
}

/// A rollout may have let both versions answer long before its switch.
fn mixed(switches: &[Switch], rollout: Option<&RolloutSummary>) -> Option<String> {
    let longest = switches.iter().filter_map(|switch| switch.mixed_ms).reduce(f64::max)?;
    let whole = rollout.and_then(|rollout| rollout.mixed_answers_ms).filter(|whole| *whole > longest);
    let longest = whole.unwrap_or(longest);
    Some(if longest > 0.0 {
        let most = if switches.len() > 1 && whole.is_none() { " at most" } else { "" };
        format!("both versions answered side by side for {}{most}", words::time(longest * 1e3))
    } else {
        "the versions never answered side by side".to_owned()
    })
}

/// `the first switch cost 0.8 ms at the median for a second, the second nothing that shows`.
fn costs(switches: &[Switch]) -> String {
    let costs: Vec<_> = switches.iter().map(|switch| switch.latency_cost_us).collect();
    if costs.is_empty() || costs.iter().all(Option::is_none) {
        return String::new();
    }
    let is_felt = |low: f64| low > 0.0;
    if costs.iter().flatten().all(|cost| !is_felt(cost.low)) {
        let none = if switches.len() > 1 { "no switch" } else { "the switch cost nothing" };
        let verb = if switches.len() > 1 { " cost anything" } else { "" };
        return format!("{none}{verb} at the median that can be told from chance");
    }
    let parts: Vec<String> = costs
        .iter()
        .enumerate()
        .filter_map(|(at, cost)| Some((at, (*cost)?)))
        .map(|(at, cost)| {
            let switch = name(at, switches.len());
            if is_felt(cost.low) {
                format!("{switch} cost {} at the median in its first second", words::time(cost.p50))
            } else {
                format!("{switch} nothing that can be told from chance")
            }
        })
        .collect();
    words::list(&parts)
}

fn name(at: usize, switches: usize) -> String {
    if switches > 1 { format!("the {} switch", words::ordinal(at + 1)) } else { "the switch".to_owned() }
}

fn were(n: u64, what: &str) -> String {
    format!("{} {} {what}", words::counted(n, "request"), if n == 1 { "was" } else { "were" })
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::{how_to, measure, play};
    use crate::summary::{LatencyCost, tables};

    fn switches(costs: &[(f64, f64)]) -> Vec<Switch> {
        let plan = how_to(100.0, 30, &[(10_000, "green")]);
        let one = tables::switches(&plan, &measure(&plan, &play(&plan))).remove(0);
        let with = |&(p50, low): &(f64, f64)| Switch {
            latency_cost_us: Some(LatencyCost { p50, low, high: 2.0 * p50, n: 600, window_ms: 1000 }),
            ..one.clone()
        };
        costs.iter().map(with).collect()
    }

    #[test]
    fn a_cost_is_said_only_when_it_can_be_told_from_chance() {
        assert_eq!(
            costs(&switches(&[(800.0, 100.0), (-400.0, -500.0)])),
            "the first switch cost 800 µs at the median in its first second and the second switch nothing that can \
             be told from chance"
        );
        assert_eq!(
            costs(&switches(&[(2_100.0, 1.0)])),
            "the switch cost 2.1 ms at the median in its first second"
        );
        let by_chance = "the switch cost nothing at the median that can be told from chance";
        assert_eq!(costs(&switches(&[(300.0, -1.0)])), by_chance);
        assert_eq!(costs(&[]), "");
    }

    #[test]
    fn versions_that_answered_together_before_the_switch_did_not_keep_apart() {
        let one = |mixed_ms| Switch { mixed_ms, ..switches(&[(1.0, 0.0)]).remove(0) };
        let rollout = |mixed_answers_ms| RolloutSummary { mixed_answers_ms, ..RolloutSummary::default() };
        let said = |switches: &[Switch], ms| mixed(switches, Some(&rollout(ms))).unwrap();
        assert_eq!(said(&[one(Some(0.0))], None), "the versions never answered side by side");
        assert_eq!(
            said(&[one(Some(0.0))], Some(3957.0)),
            "both versions answered side by side for 3,957.0 ms"
        );
        let two = [one(Some(12.0)), one(Some(2.0))];
        assert_eq!(said(&two, Some(7.0)), "both versions answered side by side for 12.0 ms at most");
        assert_eq!(mixed(&[], Some(&rollout(Some(7.0)))), None);
    }

    #[test]
    fn a_judge_that_counted_is_told_by_what_it_counted() {
        let mut row =
            DecisionRow { analysis: "errors".into(), verdict: "fail".into(), ..DecisionRow::default() };
        assert_eq!(counted(&row), None, "a test of ranks has no counts");
        row.canary = [94, 5];
        assert_eq!(counted(&row).unwrap(), "errors, 5 of 94 bad");
        row.stable = [1770, 0];
        assert_eq!(counted(&row).unwrap(), "errors, 5 of 94 bad where the old version had 0 of 1,770");
        row.verdict = "unclear".into();
        assert_eq!(counted(&row), None);
    }

    #[test]
    fn every_cause_reads_as_a_sentence() {
        for cause in Cause::ALL {
            let sentence = were(1, verb(cause));
            assert!(sentence.starts_with("1 request was ") && !sentence.contains('_'), "{sentence}");
        }
    }
}
