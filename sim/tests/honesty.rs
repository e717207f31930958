//! Experiments that break dishonest harnesses, on real sockets: what must be seen is seen, and what cannot be trusted is not
//! called trustworthy. Lower bounds and counts that hold on any machine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/server.rs"]
#[expect(dead_code, reason = "shared with the tests that ask servers themselves")]
mod server;
#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use rustix::process::Signal;
use server::Server;
use sim::engine::live;
use sim::measure::{Cause, Ending, Observation, Record, Recorder};
use sim::plan::Plan;
use sim::scenario::{self, Input};
use sim::summary::{Facts, Summary, Trust, summarise};

/// Two targets, 1,000 requests a second.
const SCENARIO: &str = r#"
name = "honesty"
seed = 42

[load]
rate        = 1000
duration    = "4s"
connections = 64
timeout     = "10s"

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

[[mocks]]
match   = "*"
latency = "1ms"
"#;

/// The scenario with `sets` changed and `more` below it.
fn plan(sets: &[&str], more: &str) -> Plan {
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let input =
        Input { path: "honesty.toml".into(), text: format!("{SCENARIO}{more}"), sets, ..Input::default() };
    scenario::read(&input).unwrap_or_else(|e| panic!("{}", scenario::render(&e, &input, false)))
}

/// What comes of running it.
fn run(sets: &[&str], more: &str) -> (Summary, Vec<Record>) {
    let plan = plan(sets, more);
    let (mut recorder, mut records) = (Recorder::new(&plan), Vec::new());
    let conditions = live::run(&plan, &AtomicBool::new(false), &mut |seen| {
        for observation in seen {
            recorder.record(observation);
            if let Observation::Ended(record) = observation {
                records.push(*record);
            }
        }
    });
    let measured = recorder.finish(conditions.unwrap());
    (summarise(&plan, &measured, Facts::default()), records)
}

#[test]
fn live_a_target_that_freezes_for_a_second_is_seen_to_the_millisecond() {
    // Aim: the arithmetic of a full stop, which a harness that waits for answers, or that starts its clock when it sends,
    // cannot show: of T = 4 s at 1,000/s, frozen for F = 1 s, the quantile q of the response time is F - (1 - q) T, whatever
    // the rate and whatever the number of connections. Method: what was intended while nobody answered cannot have been
    // answered before the thaw, so all of these are lower bounds; the machine can only add to them.
    let (summary, records) = run(&[], "[[faults]]\nat = \"1s\"\nfor = \"1s\"\nmatch = \"*\"\nhang = true\n");
    assert_eq!((summary.requests.answered, summary.requests.duplicates), (4000, 0));
    let (stop, thaw) = (Instant::from_millis(1000), Instant::from_millis(2000));
    // Who was sent shortly before may have been served before.
    let frozen = records.iter().filter(|record| record.intended >= stop && record.intended < thaw);
    let mut waited: Vec<Duration> = frozen
        .map(|record| {
            assert!(record.done >= thaw, "answered by nobody: {record:?}");
            record.response_time()
        })
        .collect();
    assert_eq!(waited.len(), 1000);
    waited.sort_unstable();
    for (rank, waited) in waited.iter().enumerate() {
        // From 0.5 ms to 999.5 ms in steps of one.
        assert!(*waited >= Duration::from_micros(1000 * rank as u64 + 499), "{rank}: {waited:?}");
    }
    let latency = &summary.latency_us;
    let seen = [latency.p90, latency.p99, latency.max].map(Option::unwrap);
    assert!(seen[0] >= 599e3 && seen[1] >= 959e3 && seen[2] >= 999e3, "{latency:?}");
}

/// decK's file for one target.
fn deck(target: SocketAddr) -> String {
    format!(
        "_format_version: \"3.0\"\n\
         services: [{{name: shop, host: blue, routes: [{{name: all, paths: [/]}}]}}]\n\
         upstreams: [{{name: blue, targets: [{{target: \"{target}\"}}]}}]\n"
    )
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the system's own clock is what the process is stopped by")]
fn live_a_process_that_is_stopped_for_two_seconds_is_seen_from_the_outside() {
    // Aim: the same arithmetic where nobody in the run knows of the stop: the system halts the target's process, whose
    // kernel goes on accepting. Method: target and gateway are processes of their own; what was intended while the target
    // stood cannot have been answered before it went on.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("kong.yaml");
    let target = Server::start(&["target", "--listen", "127.0.0.1:0", "--latency", "1ms"]);
    std::fs::write(&config, deck(target.addresses[0])).unwrap();
    let free = "127.0.0.1:0";
    let gateway =
        Server::start(&["gateway", "--config", config.to_str().unwrap(), "--proxy", free, "--admin", free]);
    let (plan, clock) = (plan(&["load.rate=500", "load.duration=4s"], ""), Clock::stopped());
    let (records, stood) = thread::scope(|scope| {
        let load = scope.spawn(|| live::send_load(&plan, gateway.addresses[0], &clock).unwrap());
        while clock.now() < Instant::from_millis(1000) {
            thread::sleep(Duration::from_millis(5));
        }
        target.signal(Signal::STOP);
        let from = clock.now();
        thread::sleep(Duration::from_secs(2));
        let until = clock.now();
        target.signal(Signal::CONT);
        (load.join().unwrap(), (from, until))
    });
    assert_eq!(records.len(), 2000);
    let failed = records.iter().find(|record| !matches!(record.ending, Ending::Answered(200)));
    assert!(failed.is_none(), "{failed:?}");
    let (from, until) = stood;
    let meanwhile = records.iter().filter(|record| record.intended >= from && record.intended < until);
    let early: Vec<_> = meanwhile.clone().filter(|record| record.done < until).collect();
    assert!(early.is_empty(), "answered by nobody: {early:?}");
    assert!(meanwhile.count() >= 999, "the load waited for answers");
}

#[test]
fn live_a_rate_beyond_capacity_grows_until_the_rest_is_dropped_at_its_time() {
    // Aim: overload is told as overload: what is under way grows to its bound, the rest is dropped by name at its intended
    // time, and nothing slows the load down. Method: two targets that serve 20 a second each, asked 1,000 times a second.
    let (summary, records) = run(
        &[
            "load.duration=1s",
            "load.max_in_flight=100",
            "load.connections=100",
            "mocks[0].latency=50ms",
            "mocks[0].capacity=1",
        ],
        "",
    );
    let requests = &summary.requests;
    assert_eq!((requests.intended, requests.answered + requests.dropped), (1000, 1000));
    assert_eq!(requests.dropped_by_cause.keys().collect::<Vec<_>>(), ["overflow"]);
    // Those under way at the end, and forty a second before that.
    assert!((100..=145).contains(&requests.answered), "{requests:?}");
    let most = summary.series.in_flight_max.iter().max().unwrap();
    assert!((90..=100).contains(most), "{most}");
    for record in records.iter().filter(|record| record.ending == Ending::Dropped(Cause::Overflow)) {
        assert_eq!(record.released, record.intended, "at its intended time: {record:?}");
    }
    // The answered look better than the load was served: all intended do not.
    assert!(summary.latency_us.p50.is_some() && summary.latency_all_us.p50.is_none());
    let phase = &summary.phases[0];
    assert!(phase.latency_us.p50.is_some() && phase.latency_all_us.p50.is_none());
    assert_eq!(summary.samples["overflow"].len(), 3, "three of them by name: {:?}", summary.samples);
}

/// Processes that do nothing but use up CPU time, ended when dropped.
struct Hogs(Vec<Child>);

impl Hogs {
    fn start() -> Self {
        let hogs = 2 * thread::available_parallelism().map_or(1, usize::from);
        let hog = |_| Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Self((0..hogs).map(hog).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            // One that has ended already needs no end.
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}

#[test]
fn live_beside_a_cpu_hog_nothing_is_called_valid() {
    let hogs = Hogs::start();
    let (summary, _) = run(&["load.duration=2s", "load.rate=200"], "");
    drop(hogs);
    assert_ne!(summary.validity.result, Trust::Valid, "{:?}", summary.validity);
    let of_others = |reason: &&String| reason.contains("went to other processes");
    let reason = summary.validity.reasons.iter().find(of_others);
    assert!(reason.is_some_and(|reason| reason.contains(" between ")), "{:?}", summary.validity.reasons);
}

#[test]
fn live_a_client_that_sends_twice_is_served_twice_and_told_by_method() {
    // Aim: a second service is a fact of the targets' books, whoever caused it. Method: targets that are twice as slow as the
    // hedge, so that each request is sent a second time.
    let (summary, _) = run(
        &["load.rate=50", "load.duration=1s", "mocks[0].latency=200ms", "load.hedge={after=\"50ms\"}"],
        "",
    );
    let ledger = &summary.requests;
    assert_eq!((ledger.answered, ledger.hedges), (50, 50));
    assert!((1..=50).contains(&ledger.duplicates), "{ledger:?}");
    let row = &summary.request_kinds[0];
    assert_eq!(
        (row.method.as_str(), row.requests.hedges, row.requests.duplicates),
        ("GET", 50, ledger.duplicates)
    );
}
