//! Scenario files as people write them: what a right one means. What is told of a wrong one is in `tests/mistakes.rs`, and
//! parts with much to them have files of their own.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::mock::{Errors, FaultKind, Latency, Pace, Respond};
use crate::rollout::Step;

mod carriers;
mod gateway;
mod guide;
mod load;
mod matrix;
mod mistakes;
mod rollout;
mod strategies;

const BLUE_GREEN: &str = include_str!("../../../scenarios/blue_green.toml");

/// The first keys of the shipped load.
const RATE_AND_DURATION: &str =
    "executor    = \"constant-arrival-rate\"   # open loop: never waits for an answer
rate        = 600
duration    = \"30s\"
";

fn input(text: &str, sets: &[&str]) -> Input {
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    Input { path: "scenario.toml".into(), text: text.into(), sets, ..Input::default() }
}

/// The shipped scenario with one text replaced.
fn with(old: &str, new: &str) -> String {
    assert!(BLUE_GREEN.contains(old), "{old:?} is not in the shipped scenario");
    BLUE_GREEN.replacen(old, new, 1)
}

#[test]
fn the_shipped_scenario_is_what_it_says() {
    let plan = read(&input(BLUE_GREEN, &[])).unwrap();
    assert_eq!((plan.name.as_str(), plan.seed, plan.load.connections), ("blue-green", 42, 64));
    assert_eq!((plan.load.warmup, plan.load.duration()), (Duration::from_secs(2), Duration::from_secs(30)));
    assert_eq!(plan.load.total(), 18_000);
    let mocks: Vec<_> = plan
        .mocks
        .iter()
        .map(|mock| (mock.name.as_str(), mock.upstream_name.as_str(), mock.weight))
        .collect();
    assert_eq!(
        mocks,
        [
            ("httpbin.konghq.com:80", "blue", 100),
            ("httpbin.org:80", "blue", 50),
            ("any.httpbun.com:80", "green", 100),
            ("httpbun.com:80", "green", 100)
        ]
    );
    let ms = Duration::from_millis;
    assert_eq!(plan.mocks[0].behaviour.latency, Latency::LogNormal { p50: ms(4), p99: ms(20) });
    assert_eq!(plan.mocks[0].behaviour.respond, Respond::Anything);
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.at().unwrap().as_secs(), step.line)).collect();
    assert_eq!(steps, [(10, 40), (20, 44)]);
    assert_eq!(plan.thresholds.len(), 8);
    assert!(plan.thresholds.iter().all(|threshold| threshold.line > 47));
    let service = plan.gateway.config.find_service("example-service").unwrap().1;
    assert_eq!(
        (service.retries, service.port, service.read_timeout.as_secs()),
        (5, 80, 60),
        "Kong's defaults"
    );
    assert!(plan.gateway.proxy_listen.ip().is_loopback());
}

#[test]
fn the_defaults_are_read_from_the_file_that_people_read() {
    let mut syntax = Vec::new();
    node::parse(DEFAULTS, Place::defaults, &mut syntax);
    assert_eq!(syntax, []);
    let bare = read(&input(&with("connections = 64", ""), &[])).unwrap();
    assert_eq!((bare.load.connections, bare.load.max_in_flight), (64, 10_000));
}

#[test]
fn flags_change_the_plan_and_the_resolved_text_and_its_hash() {
    let plain = read(&input(BLUE_GREEN, &[])).unwrap();
    let sets =
        ["load.rate=5000", "load.arrivals=poisson", "steps[0].at=5s", "upstreams[0].targets[1].weight=25"];
    let changed = read(&Input { seed: Some(7), ..input(BLUE_GREEN, &sets) }).unwrap();
    assert_eq!((changed.seed, changed.steps[0].at().unwrap().as_secs(), changed.mocks[1].weight), (7, 5, 25));
    assert!(changed.source.resolved.contains("rate = 5000") && changed.source.resolved.contains("seed = 7"));
    assert_ne!(plain.source.sha256, changed.source.sha256);
    let again = read(&input(&changed.source.resolved, &[])).unwrap();
    assert_eq!(again.source.resolved, changed.source.resolved, "the resolved text is a scenario");
}

#[test]
fn a_step_without_a_time_follows_the_one_above_it() {
    let plan = read(&input(&with("at       = \"20s\"", ""), &[])).unwrap();
    assert_eq!(plan.steps.iter().map(Step::at).collect::<Vec<_>>(), [Some(Duration::from_secs(10)), None]);
}

#[test]
fn many_targets_are_named_by_number() {
    let text = with(
        "targets = [ { target = \"any.httpbun.com:80\", weight = 100 }, { target = \"httpbun.com:80\", weight = 100 } ]",
        "targets = { count = 3, name = \"green-{i}:80\", weight = 7 }",
    );
    let plan = read(&input(&text, &[])).unwrap();
    let green: Vec<_> = plan.mocks[2..].iter().map(|mock| (mock.name.as_str(), mock.weight)).collect();
    assert_eq!(green, [("green-1:80", 7), ("green-2:80", 7), ("green-3:80", 7)]);
}

#[test]
fn later_mocks_win_and_every_form_of_latency_is_read() {
    let mut text = BLUE_GREEN.to_owned();
    for (target, latency) in [
        ("httpbin.org*", "\"5ms\""),
        ("any.*", "{ exponential = \"5ms\" }"),
        ("httpbun*", "{ uniform = [\"1ms\", \"9ms\"] }"),
    ] {
        let _ = write!(
            text,
            "\n[[mocks]]\nmatch = \"{target}\"\nlatency = {latency}\nrespond = {{ bytes = 10 }}\n"
        );
    }
    let plan = read(&input(&text, &[])).unwrap();
    let ms = Duration::from_millis;
    let latencies: Vec<_> = plan.mocks.iter().map(|mock| mock.behaviour.latency.clone()).collect();
    assert_eq!(
        latencies[1..],
        [Latency::Constant(ms(5)), Latency::Exponential(ms(5)), Latency::Uniform(ms(1), ms(9))]
    );
    assert_eq!(plan.mocks[3].behaviour.respond, Respond::Bytes(10));
}

#[test]
fn limits_and_faults_are_read_and_told() {
    let mock = "respond = \"anything\"\nerrors = 0.25\ncapacity = 4\nqueue = 8\ndiscipline = \"ps\"\nready_after = \"2s\"\n\
                warmup = { for = \"5s\", latency_x = 3 }\nkeepalive = { idle = \"1s\", max_requests = 10 }";
    let faults = "[[faults]]\nat = \"12s\"\nfor = \"1.5s\"\nmatch = \"*HTTPBIN*\"\nfraction = 0.1\nslow_body = \"10KB/s\"\n\
                  [[faults]]\nat = \"15s\"\nmatch = \"httpbun.com:80\"\nerrors = { share = 0.5, status = 503 }\n[thresholds]";
    let text = with("respond = \"anything\"", mock).replacen("[thresholds]", faults, 1);
    let plan =
        read(&input(&text, &["mocks[0].latency={ pareto = { min = \"2ms\", alpha = 1.5 } }"])).unwrap();
    let behaviour = &plan.mocks[0].behaviour;
    assert_eq!(behaviour.latency, Latency::Pareto { min: Duration::from_millis(2), alpha: 1.5 });
    assert_eq!((plan.faults[0].mocks.len(), plan.picked_faults().all()[0].mocks.len()), (2, 1));
    assert_eq!((plan.faults[0].kind, plan.faults[1].lasts), (FaultKind::SlowBody(Pace(10_000)), None));
    let told = dry_run(&plan);
    for line in [
        "pareto from 2.0 ms, alpha 1.5, anything, ¼ of status 500, 4 at once, queue 8, processor sharing, ready after 2 s, \
         3 times as slow at first, for 5 s, closes after 1 s idle, closes after 10 answers",
        "  12 s  slow_body 10000 B/s for 1.5 s: httpbin.konghq.com:80",
        "  15 s  errors 0.5 of status 503 to the end: httpbun.com:80",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
}

#[test]
fn a_trace_may_stand_in_a_file_of_its_own() {
    let file = |path: &Path| match path.to_str().unwrap() {
        "folder/good.txt" => Ok("# measured\n4ms\n\n 90ms\n".to_owned()),
        "folder/bad.txt" => Ok("4ms\n5\n".to_owned()),
        "folder/empty.txt" => Ok(String::new()),
        path => Err(format!("cannot read {path}")),
    };
    let by_file = |name: &str| Input {
        path: "folder/scenario.toml".into(),
        surroundings: Surroundings { file, ..Surroundings::default() },
        ..input(BLUE_GREEN, &[&format!("mocks[0].latency={{ trace = \"{name}\" }}")])
    };
    let plan = read(&by_file("good.txt")).unwrap();
    let ms = Duration::from_millis;
    assert_eq!(plan.mocks[0].behaviour.latency, Latency::Trace([ms(4), ms(90)].into()));
    let again = read(&input(&plan.source.resolved, &[])).unwrap();
    assert_eq!(again.source.sha256, plan.source.sha256, "the resolved text needs no file");
    for (name, said) in [
        ("bad.txt", "line 2 of a trace: a duration needs a unit"),
        ("no.txt", "cannot read folder/no.txt"),
        ("empty.txt", "a latency makes no sense"),
    ] {
        let told: Vec<_> = read(&by_file(name)).unwrap_err().into_iter().map(|m| m.message).collect();
        assert_eq!(told, [said]);
    }
}

#[test]
fn flags_mean_what_keys_mean() {
    assert_eq!(errors_of("0.04"), Ok(Errors { share: 0.04, status: 500 }));
    assert_eq!(errors_of("share=0.5,status=503"), Ok(Errors { share: 0.5, status: 503 }));
    assert_eq!((capacity_of("4"), queue_of("0")), (Ok(4), Ok(0)));
    for wrong in [errors_of("2").err(), capacity_of("0").err(), queue_of("many").err()] {
        assert!(wrong.is_some());
    }
}

#[test]
fn a_plan_can_be_told_in_words() {
    let plan = read(&input(BLUE_GREEN, &[])).unwrap();
    assert_eq!(describe(&plan), "ok (18,000 requests, 2 switches, 30 s)");
    let told = dry_run(&plan);
    assert!(told.contains("10 s  PATCH /services/example-service  {\"host\":\"green\"}"), "{told}");
    let plan = read(&Input { seed: Some(7), ..input(BLUE_GREEN, &["load.rate=50"]) }).unwrap();
    insta::assert_snapshot!("dry_run", dry_run(&plan));
    let many = "upstreams[0].targets={ count = 40, name = \"blue-{i}:80\" }";
    let told = dry_run(&read(&input(BLUE_GREEN, &["engine=model", many])).unwrap());
    assert!(
        told.starts_with("blue-green  model  seed 42\n") && told.contains("            and 28 more\n"),
        "{told}"
    );
}
