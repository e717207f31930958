//! Twins: the shipped scenarios, shortened, in both engines from one seed. What is decided must be the same: who is picked, how
//! many each target answers, why requests are dropped. What is measured must be near: percentiles within a tenth or half a
//! millisecond, in release builds and where the live engine itself says that its measurement holds; a debug build and a busy
//! machine have nothing to compare.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and say what it could not compare"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use sim::engine::{live, model};
use sim::measure::{Conditions, Observation, Recorder};
use sim::plan::Plan;
use sim::scenario::{self, Input};
use sim::summary::{Facts, Phase, Summary, Trust, summarise};

/// Percentiles differ by no more than this part of the live one, or by so many microseconds: sockets cost.
const PART: f64 = 0.10;
const MICROSECONDS: f64 = 500.0;

/// What an engine said of a run.
struct Twin {
    /// The target of each pick, by Upstream, epoch and ticket.
    picks: BTreeMap<(u32, u32, u64), u32>,
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
    let (mut picks, mut recorder) = (BTreeMap::new(), Recorder::new(plan));
    let conditions = engine(&mut |seen| {
        for seen in seen {
            if let Observation::Picked(pick) = seen
                && pick.retry == 0
            {
                picks.insert((pick.upstream.map_or(0, |id| id.0), pick.epoch.0, pick.ticket), pick.target.0);
            }
            recorder.record(seen);
        }
    });
    Twin { picks, summary: summarise(plan, &recorder.finish(conditions), Facts::default()) }
}

/// The live twin, the modelled one.
fn twins(plan: &Plan) -> [Twin; 2] {
    let go_on = AtomicBool::new(false);
    [run(plan, |see| live::run(plan, &go_on, see).unwrap()), run(plan, |see| model::run(plan, &go_on, see))]
}

/// How many requests may be on the other side of some moment: those of the time by which the switches were later, and those that
/// a busy machine released late.
fn slack([live, model]: &[Twin; 2]) -> u64 {
    let applied =
        |twin: &Twin| twin.summary.switches.iter().map(|s| s.applied_ms.unwrap()).collect::<Vec<_>>();
    let late = applied(live).into_iter().zip(applied(model)).map(|(a, b)| (a - b).abs()).sum::<f64>();
    let lag = live.summary.validity.lag_us.max / 1e3 * live.summary.switches.len() as f64;
    4 + ((late + 2.0 * lag) / 1e3 * live.summary.validity.intended_rate).ceil() as u64
}

/// Answers of each target.
fn assert_counts_agree(twins: &[Twin; 2]) {
    let ([live, model], slack) = (twins, slack(twins));
    for (live, model) in live.summary.targets.iter().zip(&model.summary.targets) {
        let (seen, modelled) = (live.answered, model.answered);
        assert!(
            seen.abs_diff(modelled) <= slack,
            "{}: {seen} live, {modelled} modelled, slack {slack}",
            live.name
        );
    }
    let [live, model] = [live, model].map(|twin| &twin.summary.requests);
    assert_eq!(live.intended, model.intended);
}

/// What the model is off by, phase by phase: `--nocapture` shows it.
fn print_errors([live, model]: &[Twin; 2]) {
    println!("phase: requests, and p50, p99 and mean in microseconds, live and modelled");
    for (live, model) in live.summary.phases.iter().zip(&model.summary.phases) {
        let figures = |phase: &Phase| {
            let latency = &phase.latency_us;
            let known = [latency.p50, latency.p99, latency.mean].map(Option::unwrap_or_default);
            format!("{} {:.0} {:.0} {:.0}", latency.n, known[0], known[1], known[2])
        };
        println!("{}: {} and {}", live.name, figures(live), figures(model));
    }
}

fn assert_percentiles_agree([live, model]: &[Twin; 2]) {
    if cfg!(debug_assertions) || live.summary.validity.result != Trust::Valid {
        println!("percentiles are not compared: {:?}", live.summary.validity.reasons);
        return;
    }
    for (live, model) in live.summary.phases.iter().zip(&model.summary.phases) {
        // A switch holds a handful of requests, and the warm-up is cold.
        if live.latency_us.n < 500 || live.name == "warmup" {
            continue;
        }
        let both = [(live.latency_us.p50, model.latency_us.p50), (live.latency_us.p90, model.latency_us.p90)];
        for (seen, modelled) in both {
            let (seen, modelled) = (seen.unwrap(), modelled.unwrap());
            let margin = (PART * seen).max(MICROSECONDS);
            assert!(
                (seen - modelled).abs() < margin,
                "{}: {seen} us live, {modelled} us modelled",
                live.name
            );
        }
    }
}

#[test]
fn live_blue_green_has_a_twin() {
    let sets = ["load.duration=6s", "load.warmup=1s", "steps[0].at=2s", "steps[1].at=4s"];
    let twins = twins(&plan("blue_green.toml", &sets));
    let [live, model] = &twins;
    for (ticket, target) in &live.picks {
        // The last picks of an epoch may be on its other side.
        if let Some(modelled) = model.picks.get(ticket) {
            assert_eq!(modelled, target, "{ticket:?}");
        }
    }
    assert!(live.picks.len().abs_diff(model.picks.len()) == 0, "each request is picked once");
    assert_counts_agree(&twins);
    print_errors(&twins);
    assert_percentiles_agree(&twins);
}

#[test]
fn live_blue_dies_has_a_twin() {
    let sets = [
        "load.duration=6s",
        "load.warmup=500ms",
        "steps[0].at=1s",
        "steps[1].at=3s",
        "faults[0].at=1500ms",
        "faults[1].at=2s",
        "faults[1].for=2s",
    ];
    let twins = twins(&plan("blue_dies.toml", &sets));
    assert_counts_agree(&twins);
    let causes = |twin: &Twin| twin.summary.requests.dropped_by_cause.clone();
    let [live, model] = [&twins[0], &twins[1]].map(causes);
    assert!(live.keys().eq(model.keys()), "{live:?} live, {model:?} modelled");
    let slack = slack(&twins);
    for (cause, seen) in &live {
        assert!(seen.abs_diff(model[cause]) <= slack, "{live:?} live, {model:?} modelled");
    }
    print_errors(&twins);
    assert_percentiles_agree(&twins);
}
