//! Rollouts through the command line, in virtual time and on real sockets: each ends as it says, keeps its thresholds, and accounts
//! for every request. What is shipped is looked at here; what is written for a test stands in a file for each subject.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod attempts;
mod connections;
mod copies;
mod judges;
mod keys;
mod nodes;
mod replicas;
mod routes;
#[expect(dead_code, reason = "shared with the tests that read reports")]
#[path = "../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use support::{assert_ledger_balances, newest, sim, told};

/// The report of a scenario, which must pass unless the machine was in the way.
fn report(arguments: &[&str], name: &str) -> Value {
    let out = tempfile::tempdir().unwrap();
    let arguments = [&["run"], arguments, &["--quiet", "--out", out.path().to_str().unwrap()]].concat();
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert!(code == 0 || code == 97, "{name}: {code}\n{stdout}\n{stderr}");
    let report = newest(out.path(), name);
    assert_ledger_balances(&report);
    report
}

#[test]
fn every_shipped_rollout_ends_as_it_says() {
    for (file, name, ended) in [
        ("canary_good", "canary-good", Some("promoted")),
        ("canary_bad", "canary-bad", Some("rolled-back")),
        ("canary_baseline", "canary-baseline", Some("promoted")),
        ("blue_green_rollback", "blue-green-rollback", Some("rolled-back")),
        ("rolling", "rolling", Some("promoted")),
        ("rolling_no_drain", "rolling-no-drain", Some("promoted")),
        ("cold_start", "cold-start", Some("promoted")),
        ("retry_storm", "retry-storm", Some("rolled-back")),
        ("shadow", "shadow", Some("rolled-back")),
        ("sticky_canary", "sticky-canary", Some("promoted")),
        ("kong_eventual", "kong-eventual", None),
        ("kong_nodes", "kong-nodes", None),
    ] {
        let report = report(&[&format!("scenarios/{file}.toml"), "--engine", "model"], name);
        assert_eq!(report["rollout"]["ended"].as_str(), ended, "{name}");
        assert_eq!(report["verdict"]["result"], "pass", "{name}: {}", report["verdict"]);
        if ended.is_some() {
            assert_eq!(report["rollout"]["breaches"], Value::Array(Vec::new()), "{name}");
        }
        for line in report["spectrum"].as_array().unwrap().iter().filter(|line| line["version"].is_string()) {
            let of_it = |row: &&Value| {
                line["name"]
                    == format!("{}, {}", row["version"].as_str().unwrap(), row["role"].as_str().unwrap())
            };
            let row = report["rollout"]["versions"].as_array().unwrap().iter().find(of_it).unwrap();
            assert_eq!(line["n"], row["latency_us"]["n"], "{name}");
        }
        let sentence = report["verdict"]["sentence"].as_str().unwrap();
        let is_told = sentence.contains("the new version was promoted in ");
        assert!(is_told || ended != Some("promoted") || report["requests"]["dropped"] != 0, "{sentence}");
    }
}

/// The shipped users and targets of a canary by users, for so many seconds, with another rollout.
fn between(seconds: &str, keys: &str, rollout: &str) -> String {
    let file = std::fs::read_to_string(support::root().join("scenarios/sticky_canary.toml")).unwrap();
    let head = &file[..file.find("[rollout]").unwrap()];
    let head = head.replace("\"26s\"", &format!("\"{seconds}\"")).replace("\"2s\"", "\"500ms\"");
    let head = head.replace("users  = 2000\nheader = \"x-user\"", keys);
    let common = "service = \"shop\"\nstable = \"v1\"\ncanary = \"v2\"\nat = \"1s\"\n";
    format!("{head}[rollout]\n{common}{rollout}\n")
}

/// The report of a scenario that is written to standard input.
fn piped(text: &str, engine: &str, name: &str) -> Value {
    let out = tempfile::tempdir().unwrap();
    let arguments = ["run", "-", "--engine", engine, "--quiet", "--out", out.path().to_str().unwrap()];
    let mut command = sim(&arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let code = child.wait().unwrap().code();
    assert!(code == Some(0) || code == Some(97), "{name}: {code:?}");
    let report = newest(out.path(), name);
    assert_ledger_balances(&report);
    report
}
