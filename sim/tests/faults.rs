//! Mocks with limits and mocks that go wrong, on real sockets: each is named rightly in the ledger. Counts and causes, and
//! times only where a request cannot have been faster.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sim::engine::live::{self, MockTarget};
use sim::measure::{Observation, Record, Recorder};
use sim::plan::Plan;
use sim::scenario::{self, Input};
use sim::summary::{Facts, Summary, summarise};

/// Two blue targets and a green one, 200 requests in a second.
const SCENARIO: &str = r#"
name = "faults"
seed = 42

[load]
rate        = 200
duration    = "1s"
connections = 300
timeout     = "5s"

[[load.requests]]
path = "/"

[[services]]
name = "shop"
host = "blue"

[[routes]]
paths   = ["/"]
service = { name = "shop" }

[[upstreams]]
name    = "blue"
targets = [ { target = "blue-1:80" }, { target = "blue-2:80" } ]

[[upstreams]]
name    = "green"
targets = [ { target = "green-1:80" } ]

[[mocks]]
match   = "*"
latency = "1ms"
"#;

/// What a run left behind.
struct Seen {
    summary: Summary,
    records: Vec<Record>,
}

impl Seen {
    fn dropped(&self) -> BTreeMap<&str, u64> {
        let causes = self.summary.requests.dropped_by_cause.iter();
        causes.filter(|(_, n)| **n > 0).map(|(cause, n)| (cause.as_str(), *n)).collect()
    }

    /// Requests that took longer than `ms`.
    fn slower_than(&self, ms: u64) -> usize {
        self.records.iter().filter(|record| record.response_time() > Duration::from_millis(ms)).count()
    }

    #[track_caller]
    fn assert_all_answered(&self) {
        let requests = &self.summary.requests;
        assert_eq!(requests.answered, requests.intended, "{:?}", self.dropped());
    }

    /// Every request was dropped, each for one of these.
    #[track_caller]
    fn assert_all_dropped(&self, causes: &[&str]) {
        let requests = &self.summary.requests;
        assert_eq!(requests.dropped, requests.intended, "{:?}", self.dropped());
        assert!(self.dropped().keys().all(|cause| causes.contains(cause)), "{:?}", self.dropped());
    }
}

/// The scenario with `sets` changed and `more` below it.
fn plan(sets: &[&str], more: &str) -> Plan {
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let input =
        Input { path: "faults.toml".into(), text: format!("{SCENARIO}{more}"), sets, ..Input::default() };
    scenario::read(&input).unwrap_or_else(|found| panic!("{}", scenario::render(&found, &input, false)))
}

/// Runs it.
fn run(sets: &[&str], more: &str) -> Seen {
    let plan = plan(sets, more);
    let mut recorder = Recorder::new(&plan);
    let mut records = Vec::new();
    let conditions = live::run(&plan, &AtomicBool::new(false), &mut |seen| {
        for observation in seen {
            recorder.record(observation);
            if let Observation::Ended(record) = observation {
                records.push(*record);
            }
        }
    })
    .unwrap();
    let summary = summarise(&plan, &recorder.finish(conditions), Facts::default());
    let requests = &summary.requests;
    assert_eq!(requests.intended, records.len() as u64);
    assert_eq!(requests.intended, requests.answered + requests.dropped, "{requests:?}");
    assert_eq!(requests.lost, 0);
    Seen { summary, records }
}

/// A fault from `at` on.
fn fault(at: &str, pattern: &str, what: &str) -> String {
    format!("\n[[faults]]\nat = \"{at}\"\nmatch = \"{pattern}\"\n{what}\n")
}

const NO_RETRIES: &str = "services[0].retries=0";

// === Faults ===

#[test]
fn live_refused_connections_are_tried_elsewhere_or_are_a_502() {
    let seen = run(&[], &fault("0s", "blue-1:80", "refuse = true"));
    seen.assert_all_answered();
    assert_eq!(seen.summary.requests.duplicates, 0, "nobody who refuses has served");
    assert!(seen.records.iter().all(|record| record.target == Some(1)), "all by the other one");
    run(&[], &fault("0s", "blue-*", "refuse = true")).assert_all_dropped(&["gateway_502"]);
}

#[test]
fn live_a_port_that_refused_is_listened_on_again() {
    let seen = run(&[], &fault("0s", "*", "for = \"400ms\"\nrefuse = true"));
    assert_eq!(seen.dropped().into_keys().collect::<Vec<_>>(), ["gateway_502"]);
    assert!(seen.summary.requests.answered > 0);
    let events: Vec<_> = seen.summary.events.iter().filter(|event| event.kind == "fault").collect();
    assert_eq!(events.len(), 2, "{events:?}");
    assert_eq!(events[1].text, "refuse is over: blue-1:80, blue-2:80, green-1:80");

    let seen = run(&["mocks[0].ready_after=400ms"], "");
    assert_eq!(seen.dropped().into_keys().collect::<Vec<_>>(), ["gateway_502"]);
    assert!(seen.summary.requests.answered > 0);
}

#[test]
fn live_a_reset_before_an_answer_is_a_502_or_a_request_served_twice() {
    run(&[NO_RETRIES], &fault("0s", "blue-*", "reset = true")).assert_all_dropped(&["gateway_502"]);
    let seen = run(&[], &fault("0s", "blue-1:80", "reset = true"));
    seen.assert_all_answered();
    assert_eq!(seen.summary.requests.duplicates, 100, "in the book of the one that reset and of the other");
}

#[test]
fn live_a_target_that_freezes_delays_and_drops_nothing() {
    // Aim: the arithmetic of a stall, which a closed loop would miss: about rate times stall requests are late, evenly from
    // the whole stall down to nothing. Method: 200/s, frozen for one second of two.
    let seen = run(&["load.duration=2s"], &fault("500ms", "*", "for = \"1s\"\nhang = true"));
    seen.assert_all_answered();
    let late = [50, 500].map(|ms| seen.slower_than(ms));
    assert!((150..=260).contains(&late[0]) && (80..=160).contains(&late[1]), "{late:?}");
    let slowest = seen.summary.latency_us.max.unwrap();
    assert!((980_000.0..2_000_000.0).contains(&slowest), "{slowest}");
    assert_eq!(seen.summary.requests.duplicates, 0);
}

#[test]
fn live_a_black_hole_is_somebodys_timeout() {
    let hole = fault("0s", "*", "blackhole = true");
    let sets = ["load.duration=0.3s", "services[0].read_timeout=200", NO_RETRIES];
    run(&sets, &hole).assert_all_dropped(&["gateway_504"]);
    run(&["load.duration=0.3s", "load.timeout=300ms"], &hole).assert_all_dropped(&["response_timeout"]);
}

#[test]
fn live_a_body_cut_short_is_no_answer() {
    let run = |size: &str| {
        let respond = format!("mocks[0].respond={{ bytes = {size} }}");
        run(&[&respond], &fault("0s", "*", "truncate = true"))
    };
    run("200000").assert_all_dropped(&["reset_mid_body", "truncated"]);
    // When head and end come together, the gateway may give up before it has passed on a byte.
    run("10").assert_all_dropped(&["reset_before_response", "reset_mid_body", "truncated"]);
}

#[test]
fn live_killed_after_a_switch_takes_what_was_under_way_on_blue() {
    // Aim: whoever dies after the switch hurts those only who were there already. Method: blue takes 300 ms, so at its death
    // 40 ms after the switch it has some sixty requests; its targets cannot help each other.
    let seen = run(
        &["mocks[0].latency=300ms"],
        &format!(
            "\n[[steps]]\nat = \"500ms\"\nset_host = {{ service = \"shop\", host = \"green\" }}\n{}",
            fault("540ms", "blue-*", "kill = true")
        ),
    );
    assert_eq!(seen.dropped().into_keys().collect::<Vec<_>>(), ["gateway_502"]);
    let of = |upstream: &str| {
        let phases = seen.summary.phases.iter();
        let rows = phases.filter(|phase| phase.upstream.as_deref() == Some(upstream));
        rows.map(|phase| phase.requests.dropped).sum::<u64>()
    };
    assert_eq!(of("blue") + of("green"), seen.summary.requests.dropped);
    // A thread that waits for a CPU just then puts the switch in force a little later than it stamped it.
    assert!(of("green") <= 3, "{}", of("green"));
    assert!((20..=80).contains(&of("blue")), "{}", of("blue"));
}

#[test]
fn live_errors_are_answers_and_counted_apart() {
    let seen = run(&["load.duration=2s"], &fault("0s", "*", "errors = { share = 0.25, status = 503 }"));
    seen.assert_all_answered();
    // A quarter of 400, give or take five standard errors.
    assert!((57..=143).contains(&seen.summary.requests.target_5xx), "{}", seen.summary.requests.target_5xx);
    let seen = run(&["mocks[0].errors=1"], "");
    seen.assert_all_answered();
    assert_eq!(seen.summary.requests.target_5xx, 200);
}

#[test]
fn live_slow_bodies_and_slow_answers_take_their_time() {
    let seen = run(&["mocks[0].respond={ bytes = 2000 }"], &fault("0s", "*", "slow_body = \"10KB/s\""));
    seen.assert_all_answered();
    // The last hundred bytes are due when 1900 have gone.
    assert_eq!(seen.slower_than(190), 200);
    let seen = run(&[], &fault("0s", "*", "latency_x = 100"));
    seen.assert_all_answered();
    assert_eq!(seen.slower_than(99), 200);
}

#[test]
fn live_a_partition_holds_back_and_drops_nothing() {
    let seen = run(&[], &fault("300ms", "blue-1:80", "for = \"500ms\"\npartition = true"));
    seen.assert_all_answered();
    assert!((20..=120).contains(&seen.slower_than(50)), "{}", seen.slower_than(50));
    assert_eq!(seen.summary.requests.duplicates, 0);
}

#[test]
fn live_connections_closed_without_warning_drop_nothing() {
    run(&[], &fault("0s", "*", "close = true")).assert_all_answered();
    run(&["mocks[0].keepalive={ max_requests = 10 }"], "").assert_all_answered();
    run(&["mocks[0].keepalive={ idle = \"30ms\" }", "load.rate=20"], "").assert_all_answered();
}

#[test]
fn live_who_leaves_the_upstream_is_alive_and_gets_no_more_until_it_comes_back() {
    // Aim: nobody loses a request, and the weights are exact on either side. Method: the first half without blue-2.
    let seen = run(&[], &fault("0s", "blue-2*", "for = \"500ms\"\nderegister = true"));
    seen.assert_all_answered();
    let of = |name: &str| seen.summary.targets.iter().find(|target| target.name == name).unwrap().requests;
    assert_eq!(of("blue-1:80") + of("blue-2:80"), 200);
    // Half of what came after it was back, however late the call was.
    assert!((1..=50).contains(&of("blue-2:80")), "{}", of("blue-2:80"));
    assert!(seen.summary.weights.iter().all(|row| row.test.ok), "{:?}", seen.summary.weights);
    assert!(seen.summary.weights.iter().any(|row| row.requests > 0 && row.targets.len() == 1));
    assert!(seen.summary.faults.iter().any(|fault| fault.kind == "deregister"));
    let gone = run(&["load.duration=0.3s"], &fault("0s", "blue-*", "deregister = true"));
    assert!(gone.dropped().keys().all(|cause| *cause == "gateway_503_no_target"), "{:?}", gone.dropped());
    assert!(gone.summary.requests.dropped > 0);
}

#[test]
fn live_kept_alive_connections_end_without_a_word() {
    // Aim: the end itself, which the gateway hides. Method: one target, one raw connection; what comes until it ends.
    let ask = |keepalive: &str, requests: usize| {
        let plan = plan(&[&format!("mocks[0].keepalive={keepalive}")], "");
        let target = MockTarget::start((Ipv4Addr::LOCALHOST, 0).into(), plan.mocks[0].clone()).unwrap();
        let mut stream = TcpStream::connect(target.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut told = String::new();
        for _ in 0..requests {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
            let mut part = [0; 4096];
            let read = stream.read(&mut part).unwrap();
            told += &String::from_utf8_lossy(&part[..read]);
        }
        stream.read_to_string(&mut told).unwrap();
        target.stop().unwrap();
        assert!(!told.to_ascii_lowercase().contains("connection"), "{told}");
        told.matches("HTTP/1.1 200").count()
    };
    assert_eq!(ask("{ max_requests = 3 }", 3), 3);
    assert_eq!(ask("{ idle = \"2s\" }", 2), 2);
    assert_eq!(ask("{ idle = \"50ms\" }", 0), 0);
}

// === Limits ===

#[test]
fn live_who_finds_no_place_is_told_503() {
    // 20 requests at once for two targets that hold three each.
    let sets = ["load.duration=0.1s", "mocks[0].latency=1s", "mocks[0].capacity=1", "mocks[0].queue=2"];
    let seen = run(&sets, "");
    seen.assert_all_answered();
    assert_eq!(seen.summary.requests.target_5xx, 14);
    assert_eq!([900, 1900, 2800].map(|ms| seen.slower_than(ms)), [6, 4, 2]);
}

#[test]
fn live_those_who_share_a_processor_are_slow_together() {
    let sets =
        ["load.duration=0.1s", "mocks[0].latency=100ms", "mocks[0].capacity=1", "mocks[0].discipline=ps"];
    let seen = run(&sets, "");
    seen.assert_all_answered();
    // Each target has ten demands of 100 ms: the last departs after a second of work, and nobody much before.
    assert_eq!(seen.slower_than(500), 20);
}
