//! The rows of the report: phases, switches, weights, targets, samples.

use std::collections::BTreeMap;

use gateway_core::id::UpstreamId;
use gateway_core::time::Instant;

use super::{
    Connects, Latency, LatencyCost, NodeSwitch, Phase, ScenarioFacts, SlowRequest, Switch, TargetRow,
    WeightRow, WeightTarget, accuracy, attempts, latency, ledger, lens,
};
use crate::load::RequestIds;
use crate::measure::{COST_WINDOW, Measured, MeasuredSwitch, MeasuredWeights, NodePicks, PhaseKind, REACH};
use crate::plan::Plan;
use crate::rollout::Action;
use crate::stats;

pub(super) fn scenario(plan: &Plan) -> ScenarioFacts {
    ScenarioFacts {
        name: plan.name.clone(),
        summary: plan.summary.clone(),
        sha256: plan.source.sha256.clone(),
        engine: plan.engine.as_str().to_owned(),
        seed: plan.seed,
        load: plan.load.in_words(),
        duration_s: plan.load.duration().as_secs_f64(),
        file: plan.source.path.clone(),
        text: plan.source.text.clone(),
        overrides: plan.source.overrides.clone(),
    }
}

/// A moment in milliseconds.
pub(super) fn ms(at: Instant) -> f64 {
    at.as_millis_f64()
}

/// The id of a request, as its header carries it: `42-06003`.
pub(super) fn request_id(plan: &Plan, index: u64) -> String {
    RequestIds::new(plan.seed, plan.load.total()).id(index)
}

pub(super) fn samples(plan: &Plan, measured: &Measured) -> BTreeMap<String, Vec<String>> {
    let ids = |first: &[u64]| first.iter().map(|&index| request_id(plan, index)).collect();
    measured.drops.iter().map(|(cause, sample)| (cause.as_str().to_owned(), ids(&sample.first))).collect()
}

/// The Upstream that serves in a phase, of the switched Service, or of the first one.
pub(super) fn serving(plan: &Plan, measured: &Measured, kind: PhaseKind) -> Option<String> {
    let host = match kind {
        PhaseKind::Switch(at) | PhaseKind::After(at) => {
            measured.switches.get(at).map(|switch| switch.to.clone())
        }
        PhaseKind::Warmup | PhaseKind::Before => {
            let switched = plan.steps.iter().find_map(|step| match &step.action {
                Action::SetHost { service, .. } => Some(*service),
                _ => None,
            });
            let config = &plan.gateway.config;
            let first = config.services().next().map(|(id, _)| id);
            switched.or(first).and_then(|id| config.service(id)).map(|service| service.host.clone())
        }
    };
    host.filter(|host| plan.gateway.config.upstream_named(host).is_some())
}

pub(super) fn phases(plan: &Plan, measured: &Measured) -> Vec<Phase> {
    let may_repeat = attempts::may_repeat(plan);
    measured
        .phases
        .iter()
        .map(|phase| {
            let timed = latency::timed(phase);
            Phase {
                name: phase.kind.name(measured.switches_planned),
                from_ms: ms(phase.from),
                to_ms: ms(phase.to),
                upstream: serving(plan, measured, phase.kind),
                requests: ledger::phase(phase),
                attempts: may_repeat.then(|| phase.attempts().into()),
                latency_us: latency::answered(&timed.answered.response),
                latency_all_us: latency::intended(&timed.answered.response, timed.dropped),
                lag_us: latency::answered(&timed.lag),
                client_wait_us: latency::answered(&timed.client_wait),
                ttfb_us: latency::answered(&timed.first_byte),
                service_time_us: latency::answered(timed.answered.service()),
            }
        })
        .collect()
}

// === Switches ===

pub(super) fn switches(plan: &Plan, measured: &Measured) -> Vec<Switch> {
    measured.switches.iter().enumerate().map(|(at, switch)| row(plan, measured, at, switch)).collect()
}

fn row(plan: &Plan, measured: &Measured, at: usize, switch: &MeasuredSwitch) -> Switch {
    let phase = measured.phases.iter().find(|phase| phase.kind == PhaseKind::Switch(at));
    Switch {
        service: switch.service.clone(),
        from: switch.from.clone(),
        to: switch.to.clone(),
        requested_ms: ms(switch.moments.requested),
        acked_ms: switch.moments.acked.map(ms),
        applied_ms: switch.moments.applied.map(ms),
        first_new_pick_ms: switch.first_new_pick.map(ms),
        last_old_pick_ms: switch.last_old_pick.map(ms),
        first_new_answer_ms: switch.first_new_answer.map(ms),
        last_old_answer_ms: switch.last_old_answer.map(ms),
        mixed_picks_ms: between(switch.first_new_pick, switch.last_old_pick),
        mixed_ms: between(switch.first_new_answer, switch.last_old_answer),
        drain_ms: between(switch.applied(), switch.last_old_answer),
        stale_picks: switch.stale_picks,
        nodes: nodes(switch),
        connects: switch.applied().map(|_| Connects {
            window_ms: REACH.as_millis() as u64,
            connect_us: switch.connects.as_deref().map(latency::answered).unwrap_or_default(),
        }),
        in_flight_at_switch: u64::try_from(switch.in_flight).unwrap_or(0),
        dropped: phase.map_or(0, |phase| phase.tally().dropped()),
        latency_cost_us: cost(switch),
        lens: lens::lens(plan, measured, at),
    }
}

fn nodes(switch: &MeasuredSwitch) -> Vec<NodeSwitch> {
    let row = |(node, picks): (u16, &NodePicks)| NodeSwitch {
        node,
        first_new_pick_ms: picks.first_new.map(ms),
        last_old_pick_ms: picks.last_old.map(ms),
        mixed_picks_ms: between(picks.first_new, picks.last_old),
        stale_picks: picks.stale,
    };
    let are_several = switch.nodes.len() > 1;
    (1..).zip(switch.nodes.iter().filter(|_| are_several)).map(row).collect()
}

/// From one moment to another; 0 when that came first.
fn between(from: Option<Instant>, to: Option<Instant>) -> Option<f64> {
    Some(ms(Instant::ZERO + to?.since(from?)))
}

fn cost(switch: &MeasuredSwitch) -> Option<LatencyCost> {
    let cost = stats::difference(switch.after.median()?, switch.steady.median()?);
    Some(LatencyCost {
        p50: cost.value,
        low: cost.low,
        high: cost.high,
        n: switch.after.n(),
        window_ms: COST_WINDOW.as_millis() as u64,
    })
}

// === Weights ===

pub(super) fn weights(plan: &Plan, measured: &Measured) -> Vec<WeightRow> {
    measured.weights.iter().map(|row| weight_row(plan, measured, row)).collect()
}

/// The name of an Upstream.
pub(super) fn upstream_name(plan: &Plan, id: UpstreamId) -> String {
    plan.gateway.config.upstream(id).map_or_else(|| id.to_string(), |upstream| upstream.name.clone())
}

fn weight_row(plan: &Plan, measured: &Measured, row: &MeasuredWeights) -> WeightRow {
    let config = &plan.gateway.config;
    let began = row.switch.and_then(|at| measured.switches.get(at)).and_then(MeasuredSwitch::applied);
    let first = measured.phases.first().map_or(PhaseKind::Before, |phase| phase.kind);
    let total: u32 = row.members.iter().map(|member| member.weight).sum();
    let targets: Vec<_> = row
        .members
        .iter()
        .map(|member| WeightTarget {
            target: config.target(member.target).map_or_else(String::new, |t| t.target.to_string()),
            weight: member.weight,
            expected_share: f64::from(member.weight) / f64::from(total),
            picks: member.picks,
            share: if row.picks == 0 { 0.0 } else { member.picks as f64 / row.picks as f64 },
            deviation_requests: member.deviation,
        })
        .collect();
    WeightRow {
        node: (plan.gateway.nodes > 1).then_some(row.node + 1),
        upstream: upstream_name(plan, row.upstream),
        phase: row.switch.map_or(first, PhaseKind::Switch).name(measured.switches_planned),
        from_ms: ms(began.unwrap_or(row.from)),
        algorithm: accuracy::algorithm(plan, row.upstream).as_str().to_owned(),
        requests: row.picks,
        max_prefix_deviation_requests: row.deviation_max,
        test: accuracy::test(plan, row, &targets, measured.weights.len()),
        targets,
    }
}

// === Targets and single requests ===

pub(super) fn targets(plan: &Plan, measured: &Measured) -> Vec<TargetRow> {
    plan.mocks
        .iter()
        .zip(&measured.targets)
        .map(|(mock, tally)| TargetRow {
            name: mock.name.clone(),
            upstream: mock.upstream_name.clone(),
            version: mock.version.clone(),
            weight: mock.weight,
            requests: tally.served,
            answered: tally.tally.answered,
            errors: tally.tally.target_5xx,
            latency_us: tally.response.as_deref().map_or_else(Latency::default, latency::answered),
        })
        .collect()
}

pub(super) fn slowest(plan: &Plan, measured: &Measured) -> Vec<SlowRequest> {
    let us = |duration: std::time::Duration| duration.as_nanos() as f64 / 1e3;
    measured
        .slowest
        .iter()
        .map(|slow| &slow.record)
        .map(|record| SlowRequest {
            id: request_id(plan, record.index),
            phase: measured
                .phase_of(record.intended)
                .map_or_else(String::new, |phase| phase.kind.name(measured.switches_planned)),
            target: record
                .target
                .and_then(|mock| plan.mocks.get(mock as usize))
                .map(|mock| mock.name.clone()),
            intended_ms: ms(record.intended),
            lag_us: us(record.lag()),
            client_wait_us: us(record.client_wait().unwrap_or_default()),
            service_time_us: us(record.service_time()),
            response_time_us: us(record.response_time()),
        })
        .collect()
}
