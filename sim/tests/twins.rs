//! Twins: every shipped scenario that runs live, shortened, in both engines from one seed. What is decided must be the same: who
//! is picked, how many each target answers in each phase, why requests are dropped, how a rollout ends. Of what is measured only
//! one side can be held to: a machine answers as late as it likes, but never before a target's time for it is over, so no live
//! percentile is well below the modelled one. How near they are on a quiet machine
//! `cargo test --release -p sim --test twins -- --nocapture --test-threads=1` prints as a table.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and say what it could not compare"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gateway_core::gateway::Balancing;
use gateway_core::time::Instant;
use sim::engine::{live, model};
use sim::measure::{Conditions, Ending, Observation, Record, Recorder};
use sim::plan::{Engine, Plan};
use sim::scenario::{self, Input};
use sim::summary::{Facts, Phase, Summary, summarise};

/// How much of a modelled percentile the live one is at least. It may be less than all of it where a phase has other requests,
/// since a step came a few of them later.
const LEAST: f64 = 0.9;

/// Picks of one epoch of an Upstream: the target of each, by its ticket.
type Epoch = BTreeMap<u64, u32>;

/// What an engine said of a run.
struct Twin {
    /// By Upstream and number.
    epochs: BTreeMap<(u32, u32), Epoch>,
    /// When each request was intended, and which target answered it or why it was dropped.
    ends: Vec<(Instant, String)>,
    summary: Summary,
}

fn plan(file: &str, sets: &[&str]) -> Plan {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(file);
    let input = Input {
        path: file.into(),
        text: fs::read_to_string(path).unwrap(),
        sets: sets.iter().map(|set| (*set).to_owned()).collect(),
        ..Input::default()
    };
    scenario::read(&input).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn run(plan: &Plan, engine: impl FnOnce(&mut dyn FnMut(&[Observation])) -> Conditions) -> Twin {
    let (mut epochs, mut ends): (BTreeMap<_, Epoch>, _) = (BTreeMap::new(), Vec::new());
    let mut recorder = Recorder::new(plan);
    let conditions = engine(&mut |seen| {
        for seen in seen {
            match seen {
                Observation::Picked(pick) if pick.retry == 0 => {
                    let epoch = (pick.upstream.map_or(0, |id| id.0), pick.epoch.0);
                    epochs.entry(epoch).or_default().insert(pick.ticket, pick.target.0);
                }
                Observation::Ended(record) => ends.push((record.intended, what_came_of(record, plan))),
                _ => {}
            }
            recorder.record(seen);
        }
    });
    Twin { epochs, ends, summary: summarise(plan, &recorder.finish(conditions), Facts::default()) }
}

fn what_came_of(record: &Record, plan: &Plan) -> String {
    match (record.ending, record.target) {
        (Ending::Answered(_), Some(target)) => plan.mocks[target as usize].name.clone(),
        (Ending::Answered(status), None) => format!("nobody's {status}"),
        (Ending::Dropped(cause), _) => cause.as_str().to_owned(),
    }
}

impl Twin {
    /// Ends by phase and by what came of the request.
    fn counts(&self) -> BTreeMap<(&str, &str), u64> {
        let mut counts = BTreeMap::new();
        for (intended, end) in &self.ends {
            let at = intended.as_nanos() as f64 / 1e6;
            let phase = self.summary.phases.iter().find(|phase| phase.from_ms <= at && at < phase.to_ms);
            *counts.entry((phase.map_or("", |phase| phase.name.as_str()), end.as_str())).or_default() += 1;
        }
        counts
    }

    /// When each step was in force, or when it was acknowledged.
    fn moments(&self) -> Vec<f64> {
        match &self.summary.rollout {
            Some(rollout) => rollout.steps.iter().filter_map(|s| s.in_force_ms.or(s.acked_ms)).collect(),
            None => self.summary.switches.iter().filter_map(|s| s.applied_ms).collect(),
        }
    }
}

/// How many requests may be on the other side of some moment: those of the time by which the steps were later, those that
/// a busy machine released late, and those that a node or worker of Kong's got while another knew better.
fn slack([live, model]: &[Twin; 2]) -> u64 {
    let (seen, modelled) = (live.moments(), model.moments());
    assert_eq!(seen.len(), modelled.len(), "{seen:?} live, {modelled:?} modelled");
    let late = seen.iter().zip(&modelled).map(|(a, b)| (a - b).abs()).sum::<f64>();
    let lag = live.summary.validity.lag_us.max / 1e3 * seen.len() as f64;
    // Where one worker happens to get no request, only the other twin has a time in which they differed.
    let mixed = |twin: &Twin| twin.summary.switches.iter().filter_map(|s| s.mixed_picks_ms).sum::<f64>();
    let mixed = mixed(live).max(mixed(model));
    4 + ((late + 2.0 * lag + mixed) / 1e3 * live.summary.validity.intended_rate).ceil() as u64
}

/// By how many requests the counts of a target, or of a cause, differ in a phase at most.
fn most_counts_off(twins: &[Twin; 2]) -> u64 {
    let ([live, model], slack) = (twins, slack(twins));
    let (seen, modelled) = (live.counts(), model.counts());
    let keys: BTreeSet<_> = seen.keys().chain(modelled.keys()).collect();
    let mut most = 0;
    for key in keys {
        let count = |counts: &BTreeMap<_, u64>| counts.get(key).copied().unwrap_or(0);
        let off = count(&seen).abs_diff(count(&modelled));
        assert!(off <= slack, "{key:?}: {} live, {} modelled, slack {slack}", count(&seen), count(&modelled));
        most = most.max(off);
    }
    assert_eq!(live.summary.requests.intended, model.summary.requests.intended);
    most
}

/// The sequences agree as long as what came before was the same: an epoch that ends some picks later hands on other debts.
fn assert_picks_agree([live, model]: &[Twin; 2]) {
    let upstreams: BTreeSet<_> = live.epochs.keys().chain(model.epochs.keys()).map(|(id, _)| *id).collect();
    let mut compared = 0;
    for upstream in upstreams {
        for number in 0.. {
            let [Some(seen), Some(modelled)] = [live, model].map(|twin| twin.epochs.get(&(upstream, number)))
            else {
                break;
            };
            for (ticket, target) in seen {
                if let Some(modelled) = modelled.get(ticket) {
                    assert_eq!(modelled, target, "pick {ticket} of epoch {number} of upstream {upstream}");
                    compared += 1;
                }
            }
            if seen.len() != modelled.len() {
                break;
            }
        }
    }
    assert!(compared > 100, "only {compared} picks are in both");
}

fn percentiles(phase: &Phase) -> [f64; 4] {
    let latency = &phase.latency_us;
    [latency.p50, latency.p90, latency.p99, latency.mean].map(Option::unwrap_or_default)
}

/// Phases that percentiles say something of: a switch holds a handful of requests, and the warm-up is cold.
fn measured([live, model]: &[Twin; 2]) -> impl Iterator<Item = (&Phase, &Phase)> {
    let phases = live.summary.phases.iter().zip(&model.summary.phases);
    phases.filter(|(live, _)| live.latency_us.n >= 500 && live.name != "warmup")
}

/// What the model is off by, as rows of a table.
fn print_errors(name: &str, twins: &[Twin; 2], off: u64) {
    for (live, model) in measured(twins) {
        let pairs = percentiles(live).into_iter().zip(percentiles(model));
        let pairs: Vec<_> = pairs.map(|(seen, modelled)| format!("{seen:.0} / {modelled:.0}")).collect();
        let [seen, modelled] = [live, model].map(|phase| phase.latency_us.n);
        println!("| `{name}`, {} | {seen} / {modelled} | {off} | {} |", live.name, pairs.join(" | "));
    }
}

fn assert_nobody_is_early(twins: &[Twin; 2]) {
    for (live, model) in measured(twins) {
        for (seen, modelled) in percentiles(live).into_iter().zip(percentiles(model)).take(2) {
            assert!(seen >= LEAST * modelled, "{}: {seen} us live, {modelled} us modelled", live.name);
        }
    }
}

/// Plays a scenario, changed so that it is short, in both engines.
fn play(name: &str, sets: &[&str]) {
    let plan = plan(&format!("{name}.toml"), sets);
    let go_on = AtomicBool::new(false);
    let twins = [
        run(&plan, |see| live::run(&plan, &go_on, see).unwrap()),
        run(&plan, |see| model::run(&plan, &go_on, see)),
    ];
    let ends = |twin: &Twin| twin.summary.rollout.as_ref().map(|rollout| rollout.ended.clone());
    assert_eq!(ends(&twins[0]), ends(&twins[1]), "how the rollout ended");
    // Kong's workers each have a balancer of their own, and which of them a connection meets is the kernel's choice.
    if plan.gateway.options.balancing == Balancing::Shared {
        assert_picks_agree(&twins);
    }
    let off = most_counts_off(&twins);
    print_errors(name, &twins, off);
    assert_nobody_is_early(&twins);
}

#[test]
fn live_blue_green_has_a_twin() {
    play("blue_green", &["load.duration=6s", "load.warmup=1s", "steps[0].at=2s", "steps[1].at=4s"]);
}

#[test]
fn live_blue_dies_has_a_twin() {
    play(
        "blue_dies",
        &[
            "load.duration=6s",
            "load.warmup=500ms",
            "steps[0].at=1s",
            "steps[1].at=3s",
            "faults[0].at=1500ms",
            "faults[1].at=2s",
            "faults[1].for=2s",
        ],
    );
}

#[test]
fn live_blue_green_rollback_has_a_twin() {
    play(
        "blue_green_rollback",
        &[
            "load.duration=5s",
            "load.warmup=500ms",
            "rollout.at=1500ms",
            "rollout.every=2s",
            "rollout.scale_down_delay=3s",
        ],
    );
}

#[test]
fn live_canary_bad_has_a_twin() {
    play(
        "canary_bad",
        &["load.duration=6s", "load.warmup=500ms", "rollout.at=1s", "rollout.steps[0].weight=30"],
    );
}

#[test]
fn live_canary_baseline_has_a_twin() {
    play(
        "canary_baseline",
        &[
            "load.duration=7s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "rollout.steps[0].pause=2s",
            "rollout.steps[1].pause=1500ms",
            "rollout.drain=500ms",
            "mocks[1].warmup.for=1500ms",
            "mocks[2].warmup.for=1500ms",
        ],
    );
}

#[test]
fn live_canary_good_has_a_twin() {
    play(
        "canary_good",
        &[
            "load.duration=7s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "rollout.steps[0].pause=2s",
            "rollout.steps[1].pause=1s",
            "rollout.steps[2].pause=1s",
            "rollout.drain=500ms",
        ],
    );
}

#[test]
fn live_cold_start_has_a_twin() {
    play(
        "cold_start",
        &[
            "load.duration=6s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "rollout.every=2s",
            "rollout.drain=500ms",
            "mocks[1].warmup.for=1s",
        ],
    );
}

#[test]
fn live_kong_eventual_has_a_twin() {
    play(
        "kong_eventual",
        &["load.duration=5s", "load.warmup=500ms", "gateway.sync_interval=1s", "steps[0].at=1500ms"],
    );
}

#[test]
fn live_kong_nodes_has_a_twin() {
    play(
        "kong_nodes",
        &["load.duration=6s", "load.warmup=500ms", "gateway.sync_interval=1s", "steps[0].at=1500ms"],
    );
}

#[test]
fn live_kong_profile_has_a_twin() {
    play(
        "kong_profile",
        &[
            "load.duration=7s",
            "load.warmup=500ms",
            "gateway.sync_interval=1s",
            "steps[0].at=1500ms",
            "steps[1].at=4s",
        ],
    );
}

#[test]
fn live_retry_storm_has_a_twin() {
    play(
        "retry_storm",
        &[
            "load.duration=5s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "rollout.steps[0].pause=3s",
            "rollout.drain=500ms",
        ],
    );
}

#[test]
fn live_rolling_has_a_twin() {
    play(
        "rolling",
        &[
            "load.duration=7s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "mocks[1].ready_after=300ms",
            "rollout.drain=500ms",
        ],
    );
}

#[test]
fn live_rolling_no_drain_has_a_twin() {
    play(
        "rolling_no_drain",
        &["load.duration=6s", "load.warmup=500ms", "rollout.at=1s", "mocks[1].ready_after=300ms"],
    );
}

#[test]
fn live_shadow_has_a_twin() {
    play("shadow", &["load.duration=6s", "load.warmup=500ms", "rollout.at=1s", "rollout.every=4s"]);
}

#[test]
fn live_sticky_canary_has_a_twin() {
    play(
        "sticky_canary",
        &[
            "load.duration=6s",
            "load.warmup=500ms",
            "rollout.at=1s",
            "rollout.steps[0].pause=1s",
            "rollout.steps[1].pause=1s",
            "rollout.steps[2].pause=1s",
            "rollout.drain=500ms",
        ],
    );
}

#[test]
fn no_shipped_scenario_that_runs_live_is_left_out() {
    let text = include_str!("twins.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".toml") else { continue };
        let is_live = plan(&file, &[]).engine == Engine::Live;
        assert!(!is_live || text.contains(&format!("\"{name}\"")), "{name} has no twin");
    }
}
