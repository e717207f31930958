//! Scenario files as people write them, right and wrong: what a right one means, what each mistake is told, and that no text
//! whatever makes the reader panic.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::load::Schedule;
use crate::mock::{Latency, Respond};

const BLUE_GREEN: &str = include_str!("../../../scenarios/blue_green.toml");

fn input(text: &str, sets: &[&str]) -> Input {
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    Input { path: "scenario.toml".into(), text: text.into(), sets, seed: None }
}

/// The messages of all mistakes.
fn messages(text: &str, sets: &[&str]) -> Vec<String> {
    read(&input(text, sets)).err().unwrap_or_default().into_iter().map(|mistake| mistake.message).collect()
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
    assert_eq!((plan.load.warmup, plan.load.duration), (Duration::from_secs(2), Duration::from_secs(30)));
    assert_eq!(Schedule::new(&plan.load, plan.seed).total(), 18_000);
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
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.at.as_secs(), step.line)).collect();
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
    let defaults = node::parse(DEFAULTS, &mut syntax);
    assert_eq!(syntax, []);
    assert!(defaults.get("load").is_some() && defaults.get("targets").is_some());
}

#[test]
fn flags_change_the_plan_and_the_resolved_text_and_its_hash() {
    let plain = read(&input(BLUE_GREEN, &[])).unwrap();
    let sets =
        ["load.rate=5000", "load.arrivals=poisson", "steps[0].at=5s", "upstreams[0].targets[1].weight=25"];
    let changed = read(&Input { seed: Some(7), ..input(BLUE_GREEN, &sets) }).unwrap();
    assert_eq!((changed.seed, changed.steps[0].at.as_secs(), changed.mocks[1].weight), (7, 5, 25));
    assert!(changed.source.resolved.contains("rate = 5000") && changed.source.resolved.contains("seed = 7"));
    assert_ne!(plain.source.sha256, changed.source.sha256);
    let again = read(&input(&changed.source.resolved, &[])).unwrap();
    assert_eq!(again.source.resolved, changed.source.resolved, "the resolved text is a scenario");
}

#[test]
fn each_mistake_is_told_for_what_it_is() {
    for (old, new, said) in [
        ("rate        = 600", "rate = 0", "`rate` is out of range"),
        ("rate        = 600", "rate = \"600\"", "`rate` is not a number"),
        ("rate        = 600", "", "the load needs `rate`"),
        ("duration    = \"30s\"", "duration = \"30\"", "a duration needs a unit"),
        ("duration    = \"30s\"", "duration = \"-30s\"", "a duration starts with a number"),
        ("warmup      = \"2s\"", "warmup = \"30s\"", "the warm-up is as long as the load"),
        ("connections = 64", "connections = 0", "`connections` is out of range"),
        ("\"constant-arrival-rate\"", "\"ramping-arrival-rate\"", "`ramping-arrival-rate` is not served yet"),
        ("\"constant-arrival-rate\"", "\"constant\"", "`constant` is not a value of `executor`"),
        ("seed = 42", "seed = 42\nengine = \"model\"", "`model` is not served yet"),
        ("seed = 42", "seed = -1", "`seed` is out of range"),
        ("method = \"GET\"", "method = \"get it\"", "a method is one word in capitals"),
        ("path   = \"/anything\"", "path = \"anything\"", "a path cannot be sent as it is"),
        (
            "name = \"example-service\"",
            "name = \"a b\"",
            "`name`: invalid value 'a b': the only accepted ascii characters are alphanumerics or ., -, _, and ~",
        ),
        ("host = \"blue\"", "host = \"bleu\"", "a host names nothing that could answer"),
        ("paths   = [\"/anything\"]", "paths = []", "`paths`: must set one of 'methods', 'hosts', 'paths'"),
        (
            "service = { name = \"example-service\" }",
            "service = { name = \"shop\" }",
            "a Route points at a Service that does not exist",
        ),
        ("weight = 50", "weight = 70000", "`weight` is out of range"),
        ("httpbin.org:80", "httpbin.org:x", "Invalid target; not a valid hostname or ip address"),
        ("httpbin.org:80", "httpbin.konghq.com:80", "target `httpbin.konghq.com:80` is listed twice"),
        ("name    = \"green\"", "name = \"blue\"", "two are called `blue`"),
        ("match   = \"*\"", "match = \"httpbin*\"", "nothing answers for `any.httpbun.com:80`"),
        ("p99 = \"20ms\"", "p99 = \"2ms\"", "this latency makes no sense: p99 is below p50"),
        ("respond = \"anything\"", "respond = \"nothing\"", "`nothing` is not a value of `respond`"),
        ("respond = \"anything\"", "errors = 0.5", "`errors` is not served yet"),
        ("at       = \"10s\"", "at = \"30s\"", "a step comes after the load has ended"),
        ("at       = \"20s\"", "at = \"5s\"", "a step comes before the one above it"),
        ("set_host = {", "set_hots = {", "unknown key `set_hots`"),
        ("[thresholds]", "name = \"x\"\n[thresholds]", "`name` belongs to the step above it"),
        ("dropped   ", "droped    ", "no metric is called `droped`"),
        ("upstream:blue", "upstream:bleu", "the upstream of a threshold does not exist"),
        ("p(99) < 100ms", "p(99) < 100", "a duration needs a unit"),
        ("[thresholds]", "[rollout]\nstrategy = \"canary\"\n[thresholds]", "`rollout` is not served yet"),
        (
            "[load]",
            "[gateway]\nproxy_listen = \"0.0.0.0:80\"\n[load]",
            "a rehearsal listens on loopback only",
        ),
    ] {
        let found = messages(&with(old, new), &[]);
        assert!(found.iter().any(|message| message == said), "{new:?}: {said:?} is not among {found:#?}");
    }
}

#[test]
fn all_mistakes_come_at_once_in_the_order_of_the_text() {
    let text = with("duration    = \"30s\"", "duration = 30").replacen("weight = 50", "wieght = 50", 1);
    let found = read(&input(&text, &["load.timeout=5"])).unwrap_err();
    let told: Vec<_> = found.iter().map(|mistake| mistake.message.as_str()).collect();
    assert_eq!(told, ["a duration needs a unit", "unknown key `wieght`", "a duration needs a unit"]);
    insta::assert_snapshot!(render(&found, &input(&text, &["load.timeout=5"]), false), @r#"
    error: a duration needs a unit
      --> scenario.toml:10:12
       |
    10 | duration = 30
       |            ^^ a bare number
       |
       = help: write "30s" or "500ms"

    error: unknown key `wieght`
      --> scenario.toml:29:94
       |
    29 | targets = [ { target = "httpbin.konghq.com:80", weight = 100 }, { target = "httpbin.org:80", wieght = 50 } ]
       |                                                                                              ^^^^^^ not a key of a target
       |
       = help: did you mean `weight`?

    error: a duration needs a unit
     --> --set:1:14
      |
    1 | load.timeout=5
      |              ^ a bare number
      |
      = help: write "30s" or "500ms"
    "#);
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
    let latencies: Vec<_> = plan.mocks.iter().map(|mock| mock.behaviour.latency).collect();
    assert_eq!(
        latencies[1..],
        [Latency::Constant(ms(5)), Latency::Exponential(ms(5)), Latency::Uniform(ms(1), ms(9))]
    );
    assert_eq!(plan.mocks[3].behaviour.respond, Respond::Bytes(10));
}

#[test]
fn a_plan_can_be_told_in_words() {
    let plan = read(&input(BLUE_GREEN, &[])).unwrap();
    assert_eq!(describe(&plan), "ok (18,000 requests, 2 switches, 30 s)");
    let told = dry_run(&plan);
    assert!(told.contains("10 s  PATCH /services/example-service  {\"host\": \"green\"}"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let input = input(&text, &[]);
        if let Err(mistakes) = read(&input) {
            prop_assert!(!render(&mistakes, &input, true).is_empty());
        }
    }

    #[test]
    fn no_damage_to_a_scenario_makes_the_reader_panic(
        at in 0_usize..1900, length in 0_usize..40, put in "[\\[\\]{}=\",.#a-z0-9\n\u{1b}é-]{0,12}",
    ) {
        let down = |at: usize| (0..=at.min(BLUE_GREEN.len())).rev().find(|&at| BLUE_GREEN.is_char_boundary(at)).unwrap();
        let text = format!("{}{put}{}", &BLUE_GREEN[..down(at)], &BLUE_GREEN[down(at + length)..]);
        let input = input(&text, &[&put]);
        if let Err(mistakes) = read(&input) {
            let shown = render(&mistakes, &input, false);
            prop_assert!(!shown.contains('\u{1b}'), "{shown:?}");
        }
    }
}
