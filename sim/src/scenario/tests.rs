//! Scenario files as people write them, right and wrong: what a right one means, what each mistake is told, and that no text
//! whatever makes the reader panic.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use gateway_core::gateway::{Balancing, Options};
use proptest::prelude::*;

use super::*;
use crate::mock::{Errors, FaultKind, Latency, Pace, Respond};
use crate::rollout::Step;

mod load;
mod matrix;
mod rollout;

const BLUE_GREEN: &str = include_str!("../../../scenarios/blue_green.toml");

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

/// The first keys of the shipped load.
const RATE_AND_DURATION: &str =
    "executor    = \"constant-arrival-rate\"   # open loop: never waits for an answer
rate        = 600
duration    = \"30s\"
";

/// A text of the shipped scenario, what stands there instead, and what is told: one mistake, except where a name that
/// others use has gone.
const BROKEN: &[(&str, &str, &str)] = &[
    ("name = \"blue-green\"", "name = \"../blue\"", "a scenario's name is the name of a folder too"),
    ("name = \"blue-green\"", "", "a scenario needs `name`"),
    ("name = \"blue-green\"", "name = 7", "`name` is not a string"),
    ("name = \"blue-green\"", "nmae = \"blue-green\"", "unknown key `nmae`"),
    ("seed = 42", "seed = 42\nengine = \"alive\"", "`alive` is not a value of `engine`"),
    ("seed = 42", "seed = -1", "`seed` is out of range"),
    ("seed = 42", "seed = 99999999999999999999", "`seed` is out of range"),
    ("seed = 42", "seed = 1.5", "`seed` is out of range"),
    ("seed = 42", "seed = 42\nseed = 43", "duplicate key"),
    ("seed = 42", "seed = = 42", "extra `=`"),
    ("[load]", "[load", "unclosed table"),
    ("rate        = 600", "rate = 0", "`rate` is out of range"),
    ("rate        = 600", "rate = 1e9", "`rate` is out of range"),
    ("rate        = 600", "rate = nan", "`rate` is out of range"),
    ("rate        = 600", "rate = 0.01", "the load is not a single request"),
    ("rate        = 600", "rate = \"600\"", "`rate` is not a number"),
    ("rate        = 600", "", "the load needs `rate`"),
    ("rate        = 600", "rte = 600", "unknown key `rte`"),
    (
        "rate        = 600",
        "rate = 600\nstages = []\n",
        "`stages` goes with executor = \"ramping-arrival-rate\"",
    ),
    ("rate        = 600", "rate = 600\ntrace = \"a.csv\"", "`trace` goes with arrivals = \"trace\""),
    ("rate        = 600", "rate = 600\nvus = 5", "`vus` goes with executor = \"constant-vus\""),
    ("\"constant-arrival-rate\"", "\"constant-vus\"", "the load needs `vus`; `rate` goes with an open loop"),
    (
        RATE_AND_DURATION,
        "executor = \"constant-vus\"\nduration = \"30s\"\nvus = 65\n",
        "there are more users than connections",
    ),
    (
        RATE_AND_DURATION,
        "executor = \"constant-vus\"\nduration = \"30s\"\nvus = 5\nthink = { p50 = \"5s\", p99 = \"1s\" }\n",
        "a latency makes no sense",
    ),
    ("rate        = 600", "rate = 600\nstop_after = 0", "`stop_after` is out of range"),
    (
        "rate        = 600",
        "rate = 600\narrivals = \"trace\"",
        "the load needs `trace`; `rate` goes with arrivals that are even or poisson",
    ),
    ("rate        = 600", "arrivals = \"trace\"\ntrace = \"no.csv\"", "there is no no.csv"),
    ("rate        = 600", "rate = 600\nname = \"x\"", "`name` belongs to the load above it"),
    ("duration    = \"30s\"", "duration = 30", "a duration needs a unit"),
    ("duration    = \"30s\"", "duration = \"30\"", "a duration needs a unit"),
    ("duration    = \"30s\"", "duration = \"-30s\"", "a duration starts with a number"),
    ("duration    = \"30s\"", "duration = \"0s\"", "`duration` is zero"),
    ("duration    = \"30s\"", "duration = \"900h\"", "the load is more than a billion requests"),
    ("warmup      = \"2s\"", "warmup = \"30s\"", "the warm-up is as long as the load"),
    ("connections = 64", "connections = 0", "`connections` is out of range"),
    (
        "\"constant-arrival-rate\"",
        "\"ramping-arrival-rate\"",
        "the load needs `stages`; `duration` goes with a constant rate: stages say how long they are",
    ),
    (RATE_AND_DURATION, "executor = \"ramping-arrival-rate\"\nstages = []\n", "a ramp needs a stage"),
    (
        RATE_AND_DURATION,
        "executor = \"ramping-arrival-rate\"\nstages = [{ rate = -1, for = 3 }, { rte = 5, for = \"1s\" }]\n",
        "`rate` is out of range; a duration needs a unit; unknown key `rte`",
    ),
    (
        RATE_AND_DURATION,
        "executor = \"ramping-arrival-rate\"\nstages = 5\n",
        "`stages` is not a list of tables",
    ),
    ("\"constant-arrival-rate\"", "\"ramping-vus\"", "`ramping-vus` is not served yet"),
    (
        "\"constant-arrival-rate\"",
        "\"constant-arival-rate\"",
        "`constant-arival-rate` is not a value of `executor`",
    ),
    ("[[load.requests]]", "[load.requests]", "`requests` is not a list of tables"),
    ("method = \"GET\"", "method = \"get it\"", "a method is one word in capitals"),
    (
        "method = \"GET\"",
        "headers = { Content-Length = \"5\" }",
        "`Content-Length` is written by the load generator",
    ),
    ("method = \"GET\"", "headers = { a = \"1\\r\\nb: 2\" }", "`a` has a value that cannot be sent"),
    (
        "method = \"GET\"",
        "headers = { host = \"a\", Host = \"b\" }",
        "the header field `Host` stands there twice",
    ),
    ("path   = \"/anything\"", "path = \"anything\"", "a path cannot be sent as it is"),
    ("path   = \"/anything\"", "path = \"/${idx}\"", "`${idx}` stands for nothing"),
    ("path   = \"/anything\"", "path = \"/${user}\"", "`${user}` needs users"),
    ("path   = \"/anything\"", "body = \"${\"", "`${ without its }` stands for nothing"),
    ("path   = \"/anything\"", "body_file = \"order.json\"", "there is no order.json"),
    ("path   = \"/anything\"", "body_size = \"10\"", "`body_size` is not a size"),
    ("path   = \"/anything\"", "body_size = \"17MiB\"", "`body_size` is out of range"),
    (
        "path   = \"/anything\"",
        "body = \"x\"\nbody_size = \"1KB\"",
        "a body is told by `body` or by `body_size`",
    ),
    ("[[load.requests]]", "keys = 5\n[[load.requests]]", "`keys` is not a table"),
    (
        "[[load.requests]]",
        "[load.keys]\nzipf = -1\n[[load.requests]]",
        "a set of keys needs `users`; `zipf` is out of range",
    ),
    (
        "[[load.requests]]",
        "[load.keys]\nusers = 200_000\ncookies = true\nheader = \"Connection\"\n[[load.requests]]",
        "`users` is out of range; `Connection` is written by the load generator",
    ),
    (
        "[[load.requests]]",
        "[load.retry]\nattempts = 1\non = [\"resets\"]\n[[load.requests]]",
        "a retry needs `budget`; `attempts` is out of range; `resets` is not a value of `on`",
    ),
    (
        "[[load.requests]]",
        "[load.keys]\nusers = 9\ncookies = true\n[[load.requests]]\nheaders = { Cookie = \"a=1\" }",
        "the header field `cookie` is written for each user",
    ),
    ("[[load.requests]]", "[load.hedge]\nafter = \"0s\"\n[[load.requests]]", "`after` is zero"),
    ("connections = 64", "keepalive = { requests = 5 }", "unknown key `requests`"),
    ("connections = 64", "keepalive = \"5s\"", "`keepalive` is not a table"),
    (
        "connections = 64",
        "keepalive = { requests_per_connection = 2, new_connection_each_time = true }",
        "a connection carries one request or several",
    ),
    (
        "name = \"example-service\"\n",
        "name = \"a b\"\n",
        "`name` breaks a rule for a Service; a Route points at a Service that does not exist; \
     step 1 changes a Service that does not exist; step 2 changes a Service that does not exist",
    ),
    ("host = \"blue\"", "host = \"bleu\"", "a host names nothing that could answer"),
    ("host = \"blue\"", "host = \"blue\"\nretries = 70000", "`retries` is out of range"),
    ("host = \"blue\"", "host = \"blue\"\nread_timeout = 0", "`read_timeout` is out of range"),
    (
        "host = \"blue\"",
        "host = \"blue\"\nprotocol = \"grpc\"",
        "grpc is not served by this gateway; use http",
    ),
    ("host = \"blue\"", "host = \"blue\"\npath = \"x\"", "`path` breaks a rule for a Service"),
    (
        "[[routes]]",
        "[[services]]\nname = \"example-service\"\nhost = \"blue\"\n[[routes]]",
        "two Services are called `example-service`",
    ),
    ("paths   = [\"/anything\"]", "paths = []", "a Route breaks a rule"),
    ("paths   = [\"/anything\"]", "paths = [\"/anything\", \"~/(\"]", "`paths[1]` breaks a rule for a Route"),
    (
        "service = { name = \"example-service\" }",
        "service = { name = \"shop\" }",
        "a Route points at a Service that does not exist",
    ),
    ("service = { name = \"example-service\" }", "service = \"example-service\"", "`service` is not a table"),
    (
        "name    = \"green\"",
        "name = \"10.0.0.1\"",
        "`name` breaks a rule for an Upstream; step 1 points at an upstream that does not exist; \
     the upstream of a threshold does not exist",
    ),
    (
        "name    = \"green\"",
        "name = \"green\"\nalgorithm = \"latency\"",
        "the weights of an Upstream promise no shares",
    ),
    ("weight = 50", "weight = 70000", "`weight` is out of range"),
    ("weight = 50", "wieght = 50", "unknown key `wieght`"),
    ("httpbin.org:80", "httpbin.org:x", "a target is a host name or address with a port"),
    ("httpbin.org:80", "httpbin.konghq.com:80", "target `httpbin.konghq.com:80` is listed twice"),
    (
        "name    = \"green\"",
        "name = \"blue\"",
        "two Upstreams are called `blue`; step 1 points at an upstream that does not exist; \
     the upstream of a threshold does not exist",
    ),
    (
        "match   = \"*\"",
        "match = \"httpbin*\"",
        "nothing answers for `any.httpbun.com:80`; nothing answers for `httpbun.com:80`",
    ),
    ("match   = \"*\"", "match = \"[\"", "a pattern cannot be read"),
    ("p99 = \"20ms\"", "p99 = \"2ms\"", "a latency makes no sense"),
    ("p99 = \"20ms\"", "uniform = [\"1ms\", \"2ms\"]", "a latency has one form"),
    ("p99 = \"20ms\"", "p90 = \"20ms\"", "unknown key `p90`"),
    ("respond = \"anything\"", "respond = \"nothing\"", "`nothing` is not a value of `respond`"),
    ("respond = \"anything\"", "respond = \"bytes\"", "`bytes` needs a number"),
    ("respond = \"anything\"", "errors = 1.5", "`errors` is out of range"),
    ("respond = \"anything\"", "errors = { status = 503 }", "errors needs `share`"),
    ("respond = \"anything\"", "errors = { share = 0.5, status = 200 }", "`status` is out of range"),
    ("respond = \"anything\"", "capacity = 0", "`capacity` is out of range"),
    ("respond = \"anything\"", "quue = 5", "unknown key `quue`"),
    ("respond = \"anything\"", "queue = 5", "`queue` needs `capacity`"),
    (
        "respond = \"anything\"",
        "capacity = 1\ndiscipline = \"lifo\"",
        "`lifo` is not a value of `discipline`",
    ),
    ("respond = \"anything\"", "warmup = { for = \"0s\", latency_x = 3 }", "`for` is zero"),
    ("respond = \"anything\"", "keepalive = { idle = 5 }", "a duration needs a unit"),
    ("[thresholds]", "[[faults]]\nmatch = \"*\"\nkill = true\n[thresholds]", "a fault needs `at`"),
    (
        "[thresholds]",
        "[[faults]]\nat = \"31s\"\nmatch = \"*\"\nkill = true\n[thresholds]",
        "a fault comes after the load has ended",
    ),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"httpbun.cmo:80\"\nkill = true\n[thresholds]",
        "a fault hits nobody",
    ),
    ("[thresholds]", "[[faults]]\nat = \"1s\"\nmatch = \"*\"\n[thresholds]", "a fault does nothing"),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nkill = false\n[thresholds]",
        "a fault does nothing",
    ),
    ("[thresholds]", "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nkil = true\n[thresholds]", "unknown key `kil`"),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nkill = true\nhang = true\n[thresholds]",
        "a fault is one thing",
    ),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nslow_body = \"10kb\"\n[thresholds]",
        "`slow_body` is not a pace",
    ),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nderegister = 1\n[thresholds]",
        "`deregister` is not true or false",
    ),
    (
        "[thresholds]",
        "[[faults]]\nat = \"1s\"\nmatch = \"*\"\nfraction = 2\nkill = true\n[thresholds]",
        "`fraction` is out of range",
    ),
    ("at       = \"10s\"", "at = \"30s\"", "a step comes after the load has ended"),
    ("at       = \"20s\"", "at = \"30s\"", "a step comes after the load has ended"),
    ("at       = \"20s\"", "at = \"5s\"", "a step comes before the one above it"),
    ("set_host = { service = \"example-service\", host = \"blue\"", "set_hots = {", "unknown key `set_hots`"),
    (
        "set_host = { service = \"example-service\", host = \"blue\" }",
        "set_canary_scale = \"x\"",
        "a share needs two versions that share an Upstream",
    ),
    ("set_host = { service = \"example-service\", host = \"blue\" }", "", "a step does nothing"),
    (
        "service = \"example-service\", host = \"green\"",
        "service = \"shop\", host = \"green\"",
        "step 1 changes a Service that does not exist",
    ),
    (
        "service = \"example-service\", host = \"green\"",
        "service = \"example-service\", host = \"gren\"",
        "step 1 points at an upstream that does not exist",
    ),
    ("[thresholds]", "seed = 43\n[thresholds]", "`seed` belongs to the step above it"),
    ("[thresholds]", "[rollout]\nstrategy = \"canary\"\n[thresholds]", "a rollout needs `service`"),
    ("[thresholds]", "[thresholds]\nsummary = \"x\"", "`summary` belongs to the thresholds above it"),
    ("dropped   ", "droped    ", "no metric is called `droped`"),
    ("dropped   ", "rollback  ", "`rollback` cannot be asked for `count`"),
    ("dropped   ", "\"dropped{cause:refusd}\"", "the cause of a threshold does not exist"),
    ("upstream:blue", "upstream:bleu", "the upstream of a threshold does not exist"),
    ("phase:after-1", "phase:after-3", "the phase of a threshold does not exist"),
    ("phase:after-1", "target:httpbin.org", "the target of a threshold does not exist"),
    ("p(99) < 100ms", "p(99) < 100", "a duration needs a unit"),
    ("[\"p(99) < 100ms\"]", "[]", "a threshold is a list"),
    ("[\"p(99) < 100ms\"]", "\"p(99) < 100ms\"", "a threshold is a list"),
    ("[load]", "[gateway]\nworkers = 0\n[load]", "`workers` is out of range"),
    ("[load]", "[gateway]\nnodes = 0\n[load]", "`nodes` is out of range"),
    ("[load]", "[gateway]\nnodes = 3\n[load]", "several nodes learn of changes late"),
    ("[load]", "[gateway]\nnodes = 60\nworkers = 5\nprofile = \"kong\"\n[load]", "300 workers are too many"),
    ("[load]", "[gateway]\nbalancing = \"per-wroker\"\n[load]", "`per-wroker` is not a value of `balancing`"),
    ("[load]", "[gateway]\nprofile = \"nginx\"\n[load]", "`nginx` is not a value of `profile`"),
    ("[load]", "[gateway]\nsync_interval = 5\n[load]", "a duration needs a unit"),
    ("[load]", "[gateway]\nproxy_listen = \"0.0.0.0:80\"\n[load]", "a rehearsal listens on loopback only"),
];

// Aim: a mistake is told once, for what it is, and nothing that only follows from it is told beside it; how each looks is
// agreed. Method: the shipped scenario with one thing broken at a time.
#[test]
fn each_mistake_is_told_for_what_it_is_and_alone() {
    let mut shown = String::new();
    let mut wrong = Vec::new();
    for (old, new, said) in BROKEN {
        let text = with(old, new);
        let found = read(&input(&text, &[])).err().unwrap_or_default();
        let told: Vec<_> = found.iter().map(|mistake| mistake.message.as_str()).collect();
        if told.join("; ") != *said {
            wrong.push(format!("{new:?}: {told:#?}"));
        }
        shown.push_str(&render(&found, &input(&text, &[]), false));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("broken", shown);
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
       = help: write "30s" or "500ms"

    error: unknown key `wieght`
      --> scenario.toml:29:94
       |
    29 | ...arget = "httpbin.org:80", wieght = 50 } ]
       |                              ^^^^^^ not a key of a target
       = help: did you mean `weight`?

    error: a duration needs a unit
     --> --set:1:14
      |
    1 | load.timeout=5
      |              ^ a bare number
      = help: write "30s" or "500ms"
    "#);
}

// Aim: one slip in TOML does not hide what is wrong elsewhere, and what only follows from it is not told. Method: a broken
// header, whose keys then seem to belong to the section above, and mistakes before and after it.
#[test]
fn a_slip_in_the_syntax_hides_nothing_elsewhere() {
    let text = with("[[services]]", "[[services]").replacen("\"30s\"", "30", 1).replacen("100ms", "100", 1);
    let told: Vec<_> =
        read(&input(&text, &["load.rate=0"])).unwrap_err().into_iter().map(|m| m.message).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0], "a duration needs a unit");
    assert_eq!(told[2..], ["a duration needs a unit", "`rate` is out of range"]);
}

#[test]
fn a_flag_is_told_for_what_it_is() {
    for (set, said) in [
        ("load.rte=5", "unknown key `rte`"),
        ("load.timeout=5", "a duration needs a unit"),
        ("load.rate=[1,", "unclosed array"),
        ("steps[9].at=5s", "there is no entry [9], only 2 of them, in `steps`"),
        ("upstreams[0].targets[1].weight=70000", "`weight` is out of range"),
        ("thresholds.switch=[\"mixd < 1s\"]", "`switch` cannot be asked for `mixd`"),
        ("services[0].host=bleu", "a host names nothing that could answer"),
        ("nothing", "a --set has no value"),
    ] {
        let input = input(BLUE_GREEN, &[set]);
        let found = read(&input).unwrap_err();
        assert_eq!(found.iter().map(|mistake| mistake.message.as_str()).collect::<Vec<_>>(), [said]);
        assert_eq!(found[0].place.text, Text::Set(0));
        assert!(render(&found, &input, false).contains("--> --set:1:"));
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_move_nothing() {
    let text = format!("\u{feff}{}", with("weight = 50", "wieght = 50").replace('\n', "\r\n"));
    let input = input(&text, &[]);
    let shown = render(&read(&input).unwrap_err(), &input, false);
    assert!(shown.contains("scenario.toml:29:94"), "{shown}");
    assert!(!shown.contains('\r'));
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

// === Warnings ===

#[test]
fn what_cannot_work_is_warned_of_where_it_stands() {
    let blue = "name = \"blue\"\nalgorithm = \"consistent-hashing\"\nhealthchecks.passive.unhealthy.http_failures = 3\nhealthchecks.threshold = 100";
    let text = with("name    = \"blue\"", blue);
    let input = input(
        &text,
        &["upstreams[1].name=httpbun.com", "steps[0].set_host.host=httpbun.com", "thresholds={}"],
    );
    let (plan, warnings) = check(&input).unwrap();
    assert_eq!(plan.steps.len(), 2);
    insta::assert_snapshot!("warnings", render_warnings(&warnings, &input, false));
    assert_eq!(check(&self::input(BLUE_GREEN, &[])).unwrap().1, [], "the shipped scenario");
}

// === [gateway] ===

const KONG_YAML: &str = "_format_version: \"3.0\"
upstreams:
  - { name: blue, targets: [{ target: \"httpbin.konghq.com:80\" }, { target: \"httpbin.org:80\", weight: 50 }] }
  - { name: green, targets: [{ target: \"any.httpbun.com:80\" }, { target: \"httpbun.com:80\" }] }
services:
  - { name: example-service, host: ${{ env \"DECK_HOST\" }}, routes: [{ name: r, paths: [\"/anything\"] }] }
";

/// The shipped scenario with its entities in `config`, files beside it.
fn by_file(config: &str) -> Input {
    let (load, rest) = BLUE_GREEN.split_once("[[services]]").unwrap();
    let mocks = &rest[rest.find("[[mocks]]").unwrap()..];
    let file = |path: &Path| match path.to_str().unwrap() {
        "folder/kong.yaml" => Ok(KONG_YAML.to_owned()),
        "folder/other.yaml" => Ok(KONG_YAML.replace("httpbun.com", "httpbun.org")),
        "folder/wrong.yaml" => Ok("_format_version: \"3.0\"\nservices: [{ name: a, port: x }]\n".to_owned()),
        "folder/plugins.yaml" => Ok(format!("{KONG_YAML}plugins: [{{ name: cors }}]\n")),
        path => Err(format!("cannot read {path}")),
    };
    let variable = |name: &str| (name == "DECK_HOST").then(|| "blue".to_owned());
    Input {
        path: "folder/scenario.toml".into(),
        text: format!("{load}[gateway]\nconfig = {config}\n{mocks}"),
        surroundings: Surroundings { file, variable },
        ..Input::default()
    }
}

/// Surroundings in which each file holds something else.
fn others() -> Surroundings {
    let file = |path: &Path| (by_file("").surroundings.file)(path).map(|text| format!("{text}# edited\n"));
    Surroundings { file, ..by_file("").surroundings }
}

#[test]
fn entities_may_come_from_deck_files() {
    let (plan, warnings) = check(&by_file("\"kong.yaml\"")).unwrap();
    assert_eq!(warnings, []);
    let mocks: Vec<_> =
        plan.mocks.iter().map(|mock| (mock.name.as_str(), mock.upstream_name.as_str())).collect();
    assert_eq!(mocks[1], ("httpbin.org:80", "blue"));
    assert_eq!((mocks.len(), plan.steps.len(), plan.thresholds.len()), (4, 2, 8));
    assert!(plan.source.resolved.contains("# kong.yaml: sha256 "), "{}", plan.source.resolved);
    let other = read(&by_file("[\"other.yaml\"]")).unwrap();
    assert_eq!(other.mocks[3].name, "httpbun.org:80");
    let same_text = Input { text: by_file("\"kong.yaml\"").text, surroundings: others(), ..by_file("") };
    assert_ne!(read(&same_text).unwrap().source.sha256, plan.source.sha256, "what the file holds counts");
    assert_eq!(check(&by_file("\"plugins.yaml\"")).unwrap().1.len(), 1, "what is left out is warned of");
}

#[test]
fn what_is_wrong_with_deck_files_is_told_at_their_names() {
    let both = Input { text: by_file("\"kong.yaml\"").text + "[[services]]\nname = \"s\"\n", ..by_file("") };
    let nobody = Input { surroundings: Surroundings::default(), ..by_file("\"kong.yaml\"") };
    let mut shown = String::new();
    for input in
        [both, nobody, by_file("[\"kong.yaml\", \"no.yaml\"]"), by_file("\"wrong.yaml\""), by_file("7")]
    {
        shown.push_str(&render(&read(&input).unwrap_err(), &input, false));
    }
    insta::assert_snapshot!("files", shown);
}

#[test]
fn a_profile_is_options_and_what_is_said_beside_it_wins() {
    let options = |gateway: &str| {
        let text = with("[load]", &format!("[gateway]\nworkers = 2\n{gateway}\n[load]"));
        read(&input(&text, &[])).unwrap().gateway.options
    };
    let plain = Options { workers: 2, seed: 42, ..Options::default() };
    assert_eq!(options(""), plain);
    assert_eq!(options("profile = \"kong\""), Options::kong(2, 42));
    let shared = Options { balancing: Balancing::Shared, sync_interval: None, ..Options::kong(2, 42) };
    assert_eq!(options("profile = \"kong\"\nbalancing = \"shared\"\nsync_interval = \"0s\""), shared);
    let late = Options { sync_interval: Some(Duration::from_secs(2)), ..plain };
    assert_eq!(options("sync_interval = \"2s\""), late);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let input = input(&text, &[&text]);
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
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
            prop_assert!(shown.lines().all(|line| line.chars().count() < 200), "{shown}");
        }
    }
}
