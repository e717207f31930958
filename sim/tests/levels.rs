//! A canary between versions of several targets: the share of the new version, and each target's inside its version, to the request at
//! every pick, from the report of a run in either engine.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that read reports")]
mod support;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use support::{assert_ledger_balances, newest, sim};

/// A canary from so many targets to as many, with weights that repeat, and what else there is to say of it.
fn canary(targets: usize, weights: &[u16], rest: &str) -> String {
    let target = |version: &str, i: usize| {
        let weight = weights[i % weights.len()];
        format!("{{ target = \"{version}-{i}:80\", weight = {weight} }}")
    };
    let list = |version: &str| (0..targets).map(|i| target(version, i)).collect::<Vec<_>>().join(", ");
    format!(
        "name = \"levels\"
seed = 7
[load]
rate = 400
duration = \"9s\"
arrivals = \"poisson\"
[[load.requests]]
method = \"GET\"
path = \"/\"
[[services]]
name = \"shop\"
host = \"v1\"
[[routes]]
name = \"shop\"
paths = [\"/\"]
service = {{ name = \"shop\" }}
[[upstreams]]
name = \"v1\"
targets = [{}]
[[upstreams]]
name = \"v2\"
targets = [{}]
[[mocks]]
match = \"*\"
latency = \"2ms\"
{rest}
[rollout]
strategy = \"canary\"
service = \"shop\"
stable = \"v1\"
canary = \"v2\"
at = \"1s\"
drain = \"500ms\"
steps = [{{ weight = 5, pause = \"1s\" }}, {{ weight = 20, pause = \"1s\" }}, {{ weight = 60, pause = \"1s\" }}]
",
        list("v1"),
        list("v2")
    )
}

/// The report of a scenario that is written to standard input.
fn report(text: &str, engine: &str) -> Value {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["run", "-", "--engine", engine, "--quiet", "--out", out.path().to_str().unwrap()];
    let mut child = sim(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let code = child.wait().unwrap().code();
    assert!(code == Some(0) || code == Some(97), "{code:?}");
    let report = newest(out.path(), "levels");
    assert_ledger_balances(&report);
    report
}

fn figure(report: &Value, name: &str) -> f64 {
    report["rollout"][name].as_f64().unwrap_or_else(|| panic!("no {name}"))
}

fn assert_exact_at_both_levels(text: &str, engine: &str) {
    let report = report(text, engine);
    let rollout = &report["rollout"];
    assert_eq!((&rollout["ended"], &rollout["breaches"]), (&"promoted".into(), &Value::Array(Vec::new())));
    assert!((figure(&report, "share_bound_requests") - 0.5).abs() < 1e-9);
    let [version, inside] = ["share_off_requests", "inside_off_requests"].map(|name| figure(&report, name));
    assert!(version > 0.4 && version < 0.5 + 1e-6, "{engine}: version {version}");
    assert!(inside > 0.4 && inside < 1.0, "{engine}: inside {inside}");
}

#[test]
fn versions_of_many_targets_are_as_exact_as_versions_of_one() {
    for text in [canary(2, &[100], ""), canary(10, &[100], ""), canary(5, &[70, 20, 10], "")] {
        assert_exact_at_both_levels(&text, "model");
    }
}

#[test]
fn they_are_on_real_sockets_with_several_workers_too() {
    assert_exact_at_both_levels(&canary(2, &[100], "[gateway]\nworkers = 2"), "live");
}

#[test]
fn where_tags_say_otherwise_only_what_targets_promise_is_held() {
    // Aim: the bound of a version is not taken from what the gateway was not told. Method: a target of the old one says that it is of another.
    let tagged = " weight = 100, tags = [\"version:any\"] }";
    let untold = canary(4, &[100], "").replacen(" weight = 100 }", tagged, 1);
    let report = report(&untold, "model");
    assert_eq!(report["rollout"]["breaches"], Value::Array(Vec::new()));
    assert!(figure(&report, "share_bound_requests") > 3.0);
    assert_eq!(report["rollout"]["inside_off_requests"], Value::Null);
}
