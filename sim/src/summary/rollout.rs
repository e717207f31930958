//! The rollout of a run: how it ended, what led to it, what it cost, and whether its promises were kept.

use std::collections::BTreeMap;

use gateway_core::entity::SplitKey;
use gateway_core::time::Instant;
use serde::{Deserialize, Serialize};

use super::promises::{self, BreachRow, OutrankedRow};
use super::scales;
pub use super::scales::ScaleRow;
use super::serving;
pub use super::serving::{NodeRow, ServiceRow};
use super::shares;
pub use super::shares::ShareRow;
use super::tables::ms;
use super::{Attempts, Latency, attempts, latency};
use crate::measure::{Capacity, Flips, Measured, MeasuredRollout, SideTally};
use crate::plan::{End, Plan};
use crate::rollout::judge::Side;
use crate::rollout::{Mark, MarkKind};

/// The rollout of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RolloutSummary {
    /// Its strategy.
    pub strategy: String,
    /// `promoted`, `rolled-back`, `held`, `complete` (all steps are done, none was to promote) or `unfinished`.
    pub ended: String,
    /// Why it was given up or held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// From the new version's first request or copy, or the first fault that hit it if that came later, to the decision against it.
    pub detect_ms: Option<f64>,
    /// When it was decided against it.
    pub decided_ms: Option<f64>,
    /// From there to the last first try or copy that was sent to it.
    pub rollback_ms: Option<f64>,
    /// Answers of the new version up to the way back: what users saw of it.
    pub exposure: u64,
    /// Users with a request that was dropped or answered with an error.
    pub users_hurt: u64,
    /// Of so many.
    pub users: u64,
    /// Users divided by their keys that were sent to the new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_moved: Option<u64>,
    /// Those of them that were sent to the old version again while the rollout went on, where the gateway gives the keys: they
    /// asked twice before they had one, or it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users_back: Option<u64>,
    /// Users who were answered by another version than before, where the load says who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flips: Option<FlipsRow>,
    /// From the first request that was sent to the new version to the last one to either, while there were both.
    pub mixed_ms: Option<f64>,
    /// From the first request that was sent to the new version to the last answer of either, while there were both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed_answers_ms: Option<f64>,
    /// From the last request that was sent to the version that was left to its last answer; nothing while both are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<f64>,
    /// From its first step to the last thing that happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ms: Option<f64>,
    /// What it took in targets.
    #[serde(default)]
    pub capacity: CapacityRow,
    /// The old version, the new one, and the baseline if there is one.
    pub versions: Vec<VersionRow>,
    /// Each of the gateway's nodes, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeRow>,
    /// Each Service that was switched, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRow>,
    /// Each step that began, those of the way back included.
    pub steps: Vec<StepRow>,
    /// What judges said.
    pub decisions: Vec<DecisionRow>,
    /// The new version's share of requests over time, 0 to 1.
    pub shares: Vec<ShareRow>,
    /// How far the new version, all of its targets together, was from its exact share after any pick, in requests, what was carried in
    /// included; nothing where weights do not divide requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_off_requests: Option<f64>,
    /// It may be no more than this: half a request where the gateway knows two versions by their tags, 1 - 1/(2n - 2) where it knows n;
    /// else the bound of a target times the targets of the version that has fewer; nothing where targets have no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_bound_requests: Option<f64>,
    /// How far a target was from its share of what its version got after any pick, in requests, what was carried in included; nothing where
    /// the gateway does not know versions. It must be less than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside_off_requests: Option<f64>,
    /// The 99th percentile of whatever second had the highest one, microseconds; nothing where more than a hundredth of a second's
    /// requests was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_second_us: Option<f64>,
    /// The 99th percentile of all that came before its first step, microseconds, the warm-up left out: what the worst second is held
    /// against; nothing where there was too little, or too much of it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_us: Option<f64>,
    /// Where whole targets make the share: what was asked, what is reachable with so many, and what was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scales: Vec<ScaleRow>,
    /// Promises that were not kept.
    pub breaches: Vec<BreachRow>,
    /// Where the way back left fewer targets serving than `max_unavailable` allows: an abort outranks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outranked: Option<OutrankedRow>,
}

/// Targets beyond those at the start, and short of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CapacityRow {
    /// Of both versions, running at the start.
    pub at_start: usize,
    /// The most that ran beyond those.
    pub extra_max: usize,
    /// The most that were missing among those that serve.
    pub missing_max: usize,
    /// Extra targets times how long they ran, seconds.
    pub extra_seconds: f64,
    /// Missing targets times how long they were, seconds.
    pub missing_seconds: f64,
}

impl CapacityRow {
    fn of(capacity: &Capacity) -> Self {
        let Capacity { at_start, extra_max, missing_max, extra_seconds, missing_seconds } = *capacity;
        Self { at_start, extra_max, missing_max, extra_seconds, missing_seconds }
    }
}

/// Users who were answered by another version than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FlipsRow {
    /// So many, at least once.
    pub users: u64,
    /// Answers of the new version to somebody whom the old one had answered before.
    pub to_new: u64,
    /// The other way round, the way back included.
    pub to_old: u64,
}

impl FlipsRow {
    fn of(flips: &Flips) -> Option<Self> {
        let Flips { to_new, to_old, .. } = *flips;
        flips.users().map(|users| Self { users, to_new, to_old })
    }
}

/// One version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionRow {
    /// `stable`, `canary` or `baseline`.
    pub role: String,
    /// What its targets say they are.
    pub version: String,
    /// First tries sent to it.
    pub picks: u64,
    /// Requests it answered.
    pub answered: u64,
    /// Of those, with a 5xx status.
    pub errors: u64,
    /// Requests last sent to it that got no answer.
    pub dropped: u64,
    /// How often the requests were sent to targets, of any version, whose first try was sent to it; absent where nothing is ever sent
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
    /// The first request sent to it.
    pub first_pick_ms: Option<f64>,
    /// The last one.
    pub last_pick_ms: Option<f64>,
    /// Response time of its answers, warm-up left out.
    #[serde(default)]
    pub latency_us: Latency,
}

/// One step as it happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepRow {
    /// Number of the step, from 1; those of the way back follow the plan's.
    pub step: usize,
    /// In words.
    pub action: String,
    /// Whether it is one of the way back.
    pub is_way_back: bool,
    /// When it began.
    pub requested_ms: f64,
    /// When its calls were acknowledged, if it has any.
    pub acked_ms: Option<f64>,
    /// When the gateway had put it in force, if it changed the gateway.
    pub in_force_ms: Option<f64>,
    /// When it was over; nothing when something else ended it.
    pub over_ms: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// A verdict and what it rests on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DecisionRow {
    /// When.
    pub t_ms: f64,
    /// Whose.
    pub analysis: String,
    /// `fail`, `pass`, `unclear` or `no data`.
    pub verdict: String,
    /// Attempts of the new version that were judged, and how many of them were bad.
    pub canary: [u64; 2],
    /// The same for the old one.
    pub stable: [u64; 2],
    /// The evidence in words.
    pub evidence: String,
}

/// The rollout of this run, if it was one.
pub(super) fn rollout(plan: &Plan, measured: &Measured) -> Option<RolloutSummary> {
    if !plan.rollout.is_some() {
        return None;
    }
    let rollout = &measured.rollout;
    let mark = |is: fn(&MarkKind) -> bool| rollout.marks.iter().find(|mark| is(&mark.kind));
    let decided = mark(|kind| matches!(kind, MarkKind::Aborted(_))).map(|mark| mark.at);
    let between = |from: Option<Instant>, to: Option<Instant>| Some(ms(Instant::ZERO + to?.since(from?)));
    let SideTally { first_pick, last_pick, .. } = rollout.canary;
    // The first and the last that it was asked, copies included.
    let copies = measured.copies.picked;
    let first_asked = first_pick.into_iter().chain(copies.map(|(first, _)| first)).min();
    let last_asked = last_pick.max(copies.map(|(_, last)| last));
    let (share_off_requests, share_bound_requests) = shares::share_off(plan, measured);
    Some(RolloutSummary {
        strategy: plan.rollout.strategy.clone(),
        ended: ended(plan, rollout).as_str().to_owned(),
        why: rollout.marks.iter().find_map(|mark| match &mark.kind {
            MarkKind::Aborted(why) | MarkKind::Held(why) => Some(why.clone()),
            _ => None,
        }),
        detect_ms: between(bad_from(plan, first_asked), decided),
        decided_ms: decided.map(ms),
        rollback_ms: decided.and_then(|decided| between(Some(decided), last_asked)),
        exposure: rollout.canary.answered,
        users_hurt: rollout.hurt.len() as u64,
        users: plan.load.streams.iter().map(|stream| stream.users.count()).sum(),
        users_moved: plan.rollout.key.as_ref().map(|_| rollout.moved.len() as u64),
        users_back: matches!(plan.rollout.key, Some(SplitKey::Cookie(_)))
            .then_some(rollout.back.len() as u64),
        flips: FlipsRow::of(&rollout.flips),
        mixed_ms: between(first_pick, rollout.stable.last_pick.min(last_pick)),
        mixed_answers_ms: between(first_pick, rollout.stable.last_answer.min(rollout.canary.last_answer)),
        drain_ms: left(plan, rollout).and_then(|left| between(left.last_pick, left.last_answer)),
        lasted_ms: between(
            rollout.marks.first().map(|mark| mark.at),
            rollout.marks.last().map(|mark| mark.at),
        ),
        capacity: CapacityRow::of(&rollout.capacity),
        versions: versions(plan, measured),
        nodes: serving::nodes(rollout),
        services: serving::services(plan, rollout),
        steps: steps(plan, rollout),
        decisions: rollout.marks.iter().filter_map(|mark| decision(plan, mark)).collect(),
        shares: shares::shares(plan, measured),
        share_off_requests,
        share_bound_requests,
        inside_off_requests: shares::inside_off(plan, measured),
        worst_second_us: None,
        before_us: None,
        scales: scales::scales(plan, measured),
        breaches: promises::breaches(plan, measured),
        outranked: rollout.outranked.map(|outranked| OutrankedRow::of(&outranked)),
    })
}

fn ended(plan: &Plan, rollout: &MeasuredRollout) -> End {
    let end = |mark: &Mark| match mark.kind {
        MarkKind::Promoted => Some(End::Promoted),
        MarkKind::RolledBack => Some(End::RolledBack),
        MarkKind::Held(_) => Some(End::Held),
        _ => None,
    };
    let last = plan.steps.len().checked_sub(1);
    let is_complete = || {
        rollout.marks.iter().any(|mark| mark.kind == MarkKind::Over && mark.step == last && last.is_some())
    };
    let otherwise = if is_complete() { End::Complete } else { End::Unfinished };
    rollout.marks.iter().rev().find_map(end).unwrap_or(otherwise)
}

/// The version that was left, if one was.
fn left<'a>(plan: &Plan, rollout: &'a MeasuredRollout) -> Option<&'a SideTally> {
    match ended(plan, rollout) {
        End::Promoted => Some(&rollout.stable),
        End::RolledBack => Some(&rollout.canary),
        _ => None,
    }
}

/// Since when there was something to find: the new version was asked, and something was wrong with it.
fn bad_from(plan: &Plan, first_pick: Option<Instant>) -> Option<Instant> {
    let is_canary = |mock: &usize| plan.rollout.sides.get(*mock).copied().flatten() == Some(Side::Canary);
    let hits = plan.faults.iter().filter(|fault| fault.mocks.iter().any(is_canary));
    let first_fault = hits.map(|fault| Instant::ZERO + fault.at).min();
    Some(first_pick?.max(first_fault.unwrap_or(Instant::ZERO)))
}

fn versions(plan: &Plan, measured: &Measured) -> Vec<VersionRow> {
    let rollout = &measured.rollout;
    let row = |role, side, tally| VersionRow {
        latency_us: latency::answered(&latency::of_version(plan, measured, side)),
        ..version(plan, (role, side), tally)
    };
    let both = [row("stable", Side::Stable, &rollout.stable), row("canary", Side::Canary, &rollout.canary)];
    let has_baseline = plan.rollout.sides.contains(&Some(Side::Baseline));
    let baseline = has_baseline.then(|| row("baseline", Side::Baseline, &rollout.baseline));
    both.into_iter().chain(baseline).collect()
}

fn version(plan: &Plan, (role, side): (&str, Side), tally: &SideTally) -> VersionRow {
    let of_side = plan.rollout.sides.iter().position(|of| *of == Some(side));
    VersionRow {
        role: role.to_owned(),
        version: of_side
            .and_then(|mock| plan.mocks.get(mock))
            .map_or_else(String::new, |mock| mock.version.clone()),
        picks: tally.picks,
        answered: tally.answered,
        errors: tally.errors,
        dropped: tally.dropped,
        attempts: attempts::may_repeat(plan).then(|| tally.attempts.into()),
        first_pick_ms: tally.first_pick.map(ms),
        last_pick_ms: tally.last_pick.map(ms),
        latency_us: Latency::default(),
    }
}

fn steps(plan: &Plan, rollout: &MeasuredRollout) -> Vec<StepRow> {
    let mut rows: BTreeMap<usize, StepRow> = BTreeMap::new();
    for mark in &rollout.marks {
        let Some((step, action)) = mark.step.and_then(|step| Some((step, plan.action(step)?))) else {
            continue;
        };
        match &mark.kind {
            MarkKind::Began => {
                rows.insert(
                    step,
                    StepRow {
                        step: step + 1,
                        action: action.in_words(),
                        is_way_back: step >= plan.steps.len(),
                        requested_ms: ms(mark.at),
                        ..StepRow::default()
                    },
                );
            }
            MarkKind::Over => {
                rows.entry(step).and_modify(|row| row.over_ms = Some(ms(mark.at)));
            }
            MarkKind::Failed(why) => {
                rows.entry(step).and_modify(|row| row.failed = Some(why.clone()));
            }
            _ => {}
        }
    }
    for moments in &rollout.steps {
        rows.entry(moments.step).and_modify(|row| {
            row.requested_ms = ms(moments.requested);
            row.acked_ms = moments.acked.map(ms);
            row.in_force_ms = moments.applied.map(ms);
        });
    }
    rows.into_values().collect()
}

fn decision(plan: &Plan, mark: &Mark) -> Option<DecisionRow> {
    let MarkKind::Judged { analysis, verdict, evidence } = &mark.kind else { return None };
    Some(DecisionRow {
        t_ms: ms(mark.at),
        analysis: plan
            .rollout
            .analyses
            .get(*analysis)
            .map_or_else(String::new, |analysis| analysis.name.clone()),
        verdict: verdict.as_str().to_owned(),
        canary: [evidence.canary.n, evidence.canary.bad],
        stable: [evidence.stable.n, evidence.stable.bad],
        evidence: evidence.text.clone(),
    })
}
