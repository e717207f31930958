//! Promises of a rollout that were not kept, in the names of the report. What the recorder saw broken, and shares that were not
//! exact, which the proof of the weights knows.

use gateway_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::tables::{ms, request_id, upstream_name};
use super::{accuracy, shares};
use crate::measure::{Breach, Measured, MeasuredWeights, Outranked, Promise};
use crate::plan::Plan;
use crate::words;

/// A promise that was not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BreachRow {
    /// In words.
    pub promise: String,
    /// When for the first time.
    pub t_ms: f64,
    /// How often.
    pub count: u64,
    /// Requests it concerns, three at most.
    pub requests: Vec<String>,
    /// What it concerns beside requests: targets, Routes, Services, Upstreams, causes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
}

impl BreachRow {
    /// `4 times from 1.2 s on (1 of at least 2 serve, without v1-1:80; 42-00017, 42-00018)`
    pub fn in_words(&self) -> String {
        let times = words::counted(self.count, "time");
        let requests = Some(self.requests.join(", ")).filter(|requests| !requests.is_empty());
        let named: Vec<_> = self.what.clone().into_iter().chain(requests).collect();
        let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join("; ")) };
        format!("{times} from {} s on{named}", words::seconds(self.t_ms, 3))
    }
}

/// Fewer targets served on the way back than a rolling update allows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OutrankedRow {
    /// When first.
    pub t_ms: f64,
    /// The fewest that served.
    pub available: usize,
    /// As many should have.
    pub needed: usize,
}

impl OutrankedRow {
    pub(super) fn of(outranked: &Outranked) -> Self {
        let Outranked { at, available, needed } = *outranked;
        Self { t_ms: ms(at), available, needed }
    }
}

/// Those of this run.
pub(super) fn breaches(plan: &Plan, measured: &Measured) -> Vec<BreachRow> {
    let row = |breach: &Breach| BreachRow {
        promise: breach.promise.as_str().to_owned(),
        t_ms: ms(breach.at),
        count: breach.count,
        requests: breach.requests.iter().map(|&request| request_id(plan, request)).collect(),
        what: breach.what.clone().or_else(|| targets(plan, &breach.mocks)),
    };
    let inexact = [inexact(plan, measured), apart(plan, measured), inside(plan, measured)];
    measured.rollout.breaches.iter().chain(inexact.iter().flatten()).map(row).collect()
}

/// `v1-1:80 and v1-2:80`; nothing where there are none.
fn targets(plan: &Plan, mocks: &[u32]) -> Option<String> {
    let names = mocks.iter().filter_map(|mock| plan.mocks.get(*mock as usize));
    let names: Vec<_> = names.map(|mock| mock.name.clone()).collect();
    (!names.is_empty()).then(|| words::list(&names))
}

/// A promise about the shares of an Upstream that was not kept in some stretches, each with when and at whose pick.
fn of_shares(
    plan: &Plan,
    promise: Promise,
    off: &[&MeasuredWeights],
    farthest: fn(&MeasuredWeights) -> Option<(Instant, u64)>,
) -> Option<Breach> {
    let first = off.first()?;
    let seen: Vec<_> = off.iter().filter_map(|row| farthest(row)).collect();
    let at = seen.iter().min().map_or(first.from, |(at, _)| *at);
    let requests = seen.iter().map(|(_, request)| *request).take(3).collect();
    let node = if plan.gateway.nodes > 1 { format!(", node {}", first.node + 1) } else { String::new() };
    let what = Some(format!("upstream {}{node}", upstream_name(plan, first.upstream)));
    Some(Breach { count: off.len() as u64, requests, what, ..Breach::of(promise, at) })
}

/// Where the targets of a version together were not within their bound of its share.
fn apart(plan: &Plan, measured: &Measured) -> Option<Breach> {
    let is_off = |row: &&MeasuredWeights| {
        let bound = shares::bound(plan, row).filter(|_| Some(row.upstream) == plan.rollout.shared);
        bound.is_some_and(|bound| row.share_off > bound + accuracy::ROUNDING)
    };
    let off: Vec<_> = measured.weights.iter().filter(is_off).collect();
    of_shares(plan, Promise::VersionIsExact, &off, |row| row.share_farthest)
}

/// Where some target was not within a request of its share of what its version got.
fn inside(plan: &Plan, measured: &Measured) -> Option<Breach> {
    let limit = accuracy::PREFIX_LIMIT * accuracy::workers(plan) + accuracy::ROUNDING;
    let is_off = |row: &&MeasuredWeights| {
        let is_judged = Some(row.upstream) == plan.rollout.shared && shares::keeps_versions(plan, row);
        is_judged && row.inside_off.is_some_and(|off| off >= limit)
    };
    let off: Vec<_> = measured.weights.iter().filter(is_off).collect();
    of_shares(plan, Promise::InsideIsExact, &off, |row| row.inside_farthest)
}

/// Where some target of the Upstream that both versions share was not within its bound of its share.
fn inexact(plan: &Plan, measured: &Measured) -> Option<Breach> {
    let is_off = |row: &&MeasuredWeights| {
        let test = accuracy::test(plan, row, &[], 1);
        let is_judged = Some(row.upstream) == plan.rollout.shared && test.is_bound();
        is_judged && !test.ok && row.deviation_max >= test.limit
    };
    let off: Vec<_> = measured.weights.iter().filter(is_off).collect();
    let mut breach = of_shares(plan, Promise::SharesAreExact, &off, |row| {
        row.farthest.map(|(at, request, _)| (at, request))
    })?;
    let target =
        off.iter().find_map(|row| row.farthest).and_then(|(.., target)| plan.gateway.config.target(target));
    breach.what = target
        .map(|target| target.target.to_string())
        .into_iter()
        .chain(breach.what)
        .reduce(|target, upstream| format!("{target} of {upstream}"));
    Some(breach)
}

#[cfg(test)]
mod tests {
    use gateway_core::id::TargetId;

    use super::*;
    use crate::measure::rehearsal::{BLUE, how_to, measure, play};

    #[test]
    fn a_share_that_was_not_exact_breaks_a_promise_and_names_the_request() {
        // Aim: the proof of the weights holds in every rollout by shares. Method: an exact run, then the same with one pick too far.
        let mut plan = how_to(100.0, 5, &[]);
        plan.rollout.shared = Some(BLUE);
        let mut measured = measure(&plan, &play(&plan));
        assert!(breaches(&plan, &measured).is_empty());
        measured.weights[0].deviation_max = 1.5;
        measured.weights[0].farthest = Some((Instant::from_millis(1200), 17, TargetId(1)));
        let told: Vec<_> = breaches(&plan, &measured).iter().map(BreachRow::in_words).collect();
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(
            *told,
            format!("1 time from 1.200 s on (httpbin.org:80 of upstream blue; {})", request_id(&plan, 17))
        );
        let row = BreachRow { count: 2, what: Some("v1:80 is gone".into()), ..BreachRow::default() };
        assert_eq!(row.in_words(), "2 times from 0.000 s on (v1:80 is gone)");
        let row = BreachRow { requests: vec!["42-1".into(), "42-2".into()], ..row };
        assert_eq!(row.in_words(), "2 times from 0.000 s on (v1:80 is gone; 42-1, 42-2)");
        measured.weights[0].deviation_max = 0.5;
        (measured.weights[0].share_off, measured.weights[0].sides) = (1.5, (2, 2));
        (measured.weights[0].versions, measured.weights[0].are_told) = (2, false);
        assert!(breaches(&plan, &measured).is_empty(), "two targets on each side may be two requests off");
        measured.weights[0].sides = (1, 3);
        measured.weights[0].share_farthest = Some((Instant::from_millis(1300), 19));
        let told = breaches(&plan, &measured);
        assert_eq!(told[0].promise, "a version has its share, to the request, however many targets it has");
        assert_eq!(told[0].requests, [request_id(&plan, 19)]);
        assert_eq!(told[0].what.as_deref(), Some("upstream blue"));
        // Where the gateway knows the versions, half a request is the most, and a target may be as far off inside as among all.
        measured.weights[0].are_told = true;
        (measured.weights[0].share_off, measured.weights[0].sides) = (0.5, (2, 2));
        measured.weights[0].inside_off = Some(0.9);
        assert!(breaches(&plan, &measured).is_empty());
        (measured.weights[0].share_off, measured.weights[0].inside_off) = (0.6, Some(1.1));
        measured.weights[0].inside_farthest = Some((Instant::from_millis(1400), 23));
        let told: Vec<_> =
            breaches(&plan, &measured).into_iter().map(|row| (row.promise, row.requests)).collect();
        let named = |promise: &str, request| (promise.to_owned(), vec![request_id(&plan, request)]);
        assert_eq!(
            told,
            [
                named("a version has its share, to the request, however many targets it has", 19),
                named("every target has its share of its version, to the request", 23),
            ]
        );
        plan.rollout.shared = None;
        assert!(breaches(&plan, &measured).is_empty(), "nobody promised shares");
    }
}
