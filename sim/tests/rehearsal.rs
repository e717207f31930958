//! Whole rehearsals through the command line, shortened: the report is read back and every request accounted for. Nothing
//! here depends on how fast the machine is: counts and order only.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that read reports")]
mod support;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use support::{assert_ledger_balances, newest, sim, told};

/// The shipped scenario at 200/s for 3 s, switched after 1 s and back after 2 s.
const SHORT: [&str; 12] = [
    "run",
    "scenarios/blue_green.toml",
    "--set",
    "load.rate=200",
    "--set",
    "load.duration=3s",
    "--set",
    "load.warmup=0.5s",
    "--set",
    "steps[0].at=1s",
    "--set",
    "steps[1].at=2s",
];

#[test]
fn live_blue_green_accounts_for_every_request() {
    let out = tempfile::tempdir().unwrap();
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--out", out.path().to_str().unwrap(), "--format", "json"]);
    let (_, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    let report = newest(out.path(), "blue-green");
    let printed: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed, report, "--format json prints the file");

    assert_ledger_balances(&report);
    let requests = &report["requests"];
    assert_eq!(requests["intended"], 600);
    assert_eq!(requests["answered"], 600, "{requests}\n{stderr}");
    for nothing in ["dropped", "duplicates", "lost", "wrong_version", "target_5xx"] {
        assert_eq!(requests[nothing], 0, "{nothing}: {requests}");
    }

    let mut picks = 0;
    for row in report["weights"].as_array().unwrap() {
        picks += row["requests"].as_u64().unwrap();
        assert!(row["max_prefix_deviation_requests"].as_f64().unwrap() < 1.0, "{row}");
        assert_eq!(row["test"]["ok"], true, "{row}");
    }
    assert_eq!(picks, 600, "each first try is in one row");

    let switches = report["switches"].as_array().unwrap();
    let routes: Vec<_> =
        switches.iter().map(|s| (s["from"].as_str().unwrap(), s["to"].as_str().unwrap())).collect();
    assert_eq!(routes, [("blue", "green"), ("green", "blue")]);
    for switch in switches {
        let at = |name: &str| switch[name].as_f64().unwrap_or_else(|| panic!("{name} is missing: {switch}"));
        assert_eq!(switch["stale_picks"], 0);
        assert!(at("requested_ms") <= at("applied_ms") && at("applied_ms") <= at("acked_ms"), "{switch}");
        assert!(at("applied_ms") <= at("first_new_pick_ms"), "{switch}");
        assert!(at("first_new_pick_ms") <= at("first_new_answer_ms"), "{switch}");
    }
    for name in ["report.html", "scenario.resolved.toml"] {
        assert!(out.path().join("blue-green/latest").join(name).exists(), "{name}");
    }
}

#[test]
fn live_a_failed_threshold_exits_with_99_and_is_told_first() {
    let out = tempfile::tempdir().unwrap();
    let mut arguments = SHORT.to_vec();
    arguments.extend(["--out", out.path().to_str().unwrap(), "--set", "thresholds.rate=[\"rate > 100000\"]"]);
    let (code, stdout, _) = told(&sim(&arguments).output().unwrap());
    let report = newest(out.path(), "blue-green");
    let thresholds = report["verdict"]["thresholds"].as_array().unwrap();
    let failed = thresholds.iter().filter(|threshold| threshold["ok"] == false).count();
    assert!(
        thresholds[..failed].iter().any(|threshold| threshold["metric"] == "rate"),
        "failed ones are first"
    );
    // A machine that is busy makes the measurement invalid, which outranks the threshold.
    let invalid = report["validity"]["result"] == "INVALID";
    assert_eq!(code, if invalid { 97 } else { 99 }, "{stdout}");
    assert!(stdout.starts_with(if invalid { "INVALID" } else { "FAIL" }), "{stdout}");
    assert!(stdout.lines().last().unwrap().ends_with("report.html"), "the path is the last line");
}

#[test]
fn live_repeats_take_the_next_seeds_and_github_hears_of_each() {
    let out = tempfile::tempdir().unwrap();
    let mut arguments = SHORT.to_vec();
    arguments.extend([
        "--out",
        out.path().to_str().unwrap(),
        "--repeat",
        "2",
        "--set",
        "load.duration=2500ms",
    ]);
    arguments.extend(["--format", "markdown", "--set", "thresholds.rate=[\"rate > 100000\"]"]);
    let [page, outputs] = ["summary", "outputs"].map(|name| out.path().join(name));
    let mut command = sim(&arguments);
    command.env("GITHUB_STEP_SUMMARY", &page).env("GITHUB_OUTPUT", &outputs);
    let (code, stdout, stderr) = told(&command.output().unwrap());
    assert!([97, 99].contains(&code), "{stderr}");
    assert_eq!(newest(out.path(), "blue-green")["scenario"]["seed"], 43);
    assert_eq!(stdout.matches("500 intended = ").count(), 2, "{stdout}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), stdout.replace("\n## ", "\n\n## ") + "\n");
    // A busy machine may fail more than the one threshold that must.
    assert!(stderr.matches("::error file=scenarios/blue_green.toml").count() >= 2, "{stderr}");
    let outputs = std::fs::read_to_string(&outputs).unwrap();
    assert_eq!(
        (outputs.matches("verdict=").count(), outputs.matches("\nreport=").count()),
        (2, 2),
        "{outputs}"
    );
}

#[test]
fn a_run_worse_than_its_baseline_exits_with_98() {
    let out = tempfile::tempdir().unwrap();
    let saved = out.path().join("baseline.json");
    let (out, saved) = (out.path().to_str().unwrap(), saved.to_str().unwrap());
    let run = |more: &[&str]| {
        let arguments =
            [&["run", "scenarios/blue_green.toml", "--engine", "model", "--out", out], more].concat();
        told(&sim(&arguments).output().unwrap())
    };
    let (code, stdout, stderr) = run(&[]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let latest = format!("{out}/blue-green/latest");
    let (code, stdout, _) = told(&sim(&["baseline", "save", &latest, saved]).output().unwrap());
    assert!(code == 0 && stdout.contains("--baseline"), "{stdout}");
    let (code, stdout, _) = told(&sim(&["baseline", "show", saved]).output().unwrap());
    assert!(code == 0 && stdout.starts_with("PASS  blue-green"), "{stdout}");

    let (code, stdout, stderr) = run(&["--baseline", saved]);
    assert_eq!((code, stdout.matches("no change").count()), (0, 5), "{stdout}{stderr}");
    let (code, stdout, stderr) = run(&["--baseline", saved, "--set", "mocks[0].latency=30ms"]);
    assert!(
        code == 98 && stdout.contains("worse") && stderr.contains("has changed since"),
        "{code} {stdout}{stderr}"
    );
    assert!(stdout.lines().last().unwrap().ends_with("report.html"), "the path is the last line");
    let (code, stdout, _) = told(&sim(&["baseline", "diff", saved, &latest]).output().unwrap());
    assert!(code == 98 && stdout.contains("worse"), "{stdout}");
    // A threshold that fails outranks it.
    let (code, ..) = run(&[
        "--baseline",
        saved,
        "--set",
        "mocks[0].latency=30ms",
        "--set",
        "thresholds.rate=[\"rate > 100000\"]",
    ]);
    assert_eq!(code, 99);
}

#[test]
fn live_ctrl_c_drains_and_leaves_an_aborted_report() {
    let out = tempfile::tempdir().unwrap();
    let out_path = out.path().to_str().unwrap();
    let mut child =
        sim(&["run", "scenarios/blue_green.toml", "--set", "load.warmup=0.3s", "--out", out_path])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // Requests have been answered once the warm-up is over.
    lines.by_ref().map(Result::unwrap).find(|line| line.contains("before")).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    lines.for_each(drop);
    let (code, stdout, _) = told(&child.wait_with_output().unwrap());
    assert_eq!(code, 130, "{stdout}");
    let report = newest(out.path(), "blue-green");
    assert_eq!(report["verdict"]["aborted"], true);
    assert_eq!(report["verdict"]["exit_code"], 130);
    assert_ledger_balances(&report);
    let requests = &report["requests"];
    assert_eq!(requests["intended"], 18_000);
    assert!(requests["dropped_by_cause"]["unsent"].as_u64().unwrap() > 0, "{requests}");
    assert!(requests["answered"].as_u64().unwrap() > 0, "{requests}");
}
