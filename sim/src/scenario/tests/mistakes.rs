//! What each mistake in a scenario is told and where, what is only warned of, and that no text whatever makes the reader panic.

use proptest::prelude::*;

use super::*;

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
        "[load.keys]\nusers = 9\nheader = \"X-User\"\n[[load.requests]]\nheaders = { x-user = \"a\" }",
        "the header field `X-User` is written for each user",
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
