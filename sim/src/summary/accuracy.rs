//! Which test `weights = ["exact"]` stands for: each algorithm is held to what it promises, so that nobody chooses a tolerance.

use gateway_core::balancer::Recipe;
use gateway_core::entity::{Algorithm, Promise};
use gateway_core::gateway::Balancing;
use gateway_core::id::UpstreamId;

use super::model::{WeightTarget, WeightTest};
use super::shares;
use crate::measure::MeasuredWeights;
use crate::plan::Plan;
use crate::stats;

/// What round-robin promises: after every pick each target is less than this many requests away from its share, what was
/// carried in included.
pub(super) const PREFIX_LIMIT: f64 = 1.0;
/// The chance of calling a fair balancer unfair, over all rows of a report together.
const ALPHA: f64 = 0.001;
/// Equal but for rounding.
pub(super) const ROUNDING: f64 = 1e-6;

/// How targets are chosen from an Upstream, Kong's rules applied.
pub(super) fn algorithm(plan: &Plan, upstream: UpstreamId) -> Algorithm {
    let rules = plan.gateway.options.rules;
    let upstream = plan.gateway.config.upstream(upstream);
    upstream.map_or_else(Algorithm::default, |upstream| Recipe::new(upstream, rules).algorithm)
}

/// The test of one stretch; `rows` stretches are tested in all.
pub(super) fn test(plan: &Plan, row: &MeasuredWeights, targets: &[WeightTarget], rows: usize) -> WeightTest {
    let workers = workers(plan);
    let is_whole = row.missing == 0 && row.wrong == 0;
    let bound = |name: &str, limit: f64| WeightTest {
        name: name.to_owned(),
        statistic: row.deviation_max,
        limit,
        p_value: None,
        ok: row.deviation_max < limit + ROUNDING && is_whole,
    };
    match algorithm(plan, row.upstream).promise() {
        Promise::EveryPick if shares::keeps_versions(plan, row) => {
            bound("prefix-bound", among(row) * workers)
        }
        Promise::EveryPick => WeightTest {
            ok: row.deviation_max < PREFIX_LIMIT * workers && is_whole,
            ..bound("prefix-bound", PREFIX_LIMIT * workers)
        },
        Promise::WholeTurns => bound("turn-bound", turn_bound(row) * workers),
        Promise::Chance => by_chance(row, targets, rows),
        Promise::Load | Promise::Key => WeightTest {
            name: "none".to_owned(),
            statistic: row.deviation_max,
            limit: 0.0,
            p_value: None,
            ok: is_whole,
        },
    }
}

/// Workers that each keep a promise may together be as many times as far off.
pub(super) fn workers(plan: &Plan) -> f64 {
    let options = plan.gateway.options;
    match options.balancing {
        Balancing::Shared => 1.0,
        Balancing::PerWorker => options.workers.max(1) as f64,
    }
}

/// How far one of so many versions may be from its share at most, where they have turns of their own.
pub(super) fn of_versions(versions: usize) -> f64 {
    1.0 - 1.0 / (2 * versions.max(2) - 2) as f64
}

/// How far a target may be from its share of all, where versions have turns of their own: of two versions no more than a request, of
/// more a part of their own bound besides.
fn among(row: &MeasuredWeights) -> f64 {
    PREFIX_LIMIT + of_versions(row.versions) - of_versions(2)
}

/// As far as a target can be from its share within a turn of which it has its exact part: all its picks first, or last.
fn turn_bound(row: &MeasuredWeights) -> f64 {
    let gcd = |a: u32, b: u32| {
        let (mut a, mut b) = (a, b);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let weights = || row.members.iter().map(|member| member.weight);
    let total: f64 = weights().map(f64::from).sum();
    let divisor = f64::from(weights().fold(0, gcd).max(1));
    weights()
        .map(|weight| f64::from(weight) / divisor * (1.0 - f64::from(weight) / total))
        .fold(0.0, f64::max)
}

fn by_chance(row: &MeasuredWeights, targets: &[WeightTarget], rows: usize) -> WeightTest {
    let counts: Vec<u64> = targets.iter().map(|target| target.picks).collect();
    let shares: Vec<f64> = targets.iter().map(|target| target.expected_share).collect();
    let found = stats::g_test(&counts, &shares);
    // Several rows are looked at, so each may only be this unlikely.
    let level = ALPHA / rows.max(1) as f64;
    WeightTest {
        name: if found.is_some() { "g-test" } else { "not-enough-picks" }.to_owned(),
        statistic: found.map_or(0.0, |test| test.statistic),
        limit: level,
        p_value: found.map(|test| test.p_value),
        ok: found.is_none_or(|test| test.p_value >= level) && row.missing == 0 && row.wrong == 0,
    }
}
