//! The table for the decision maker, played: what a version that fails 5 % costs by strategy and judge, at 1,000 requests per second.
//! Reference: the rollouts page, section 4; there each number is arithmetic, here each is counted in virtual time. The faults are
//! drawn, so a count may be three standard deviations (square roots of what is expected) off, and no more.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that read reports")]
mod support;

use support::{assert_ledger_balances, newest, sim, told};

/// The bad answers of the new version when the scenario is changed so.
fn failed(sets: &[&str]) -> f64 {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let mut arguments = vec!["run", "scenarios/worked_example.toml", "--quiet", "--out", path];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    assert!(code == 0 || code == 99, "{code}\n{stdout}\n{stderr}");
    let report = newest(out.path(), "worked-example");
    assert_ledger_balances(&report);
    assert_eq!(report["rollout"]["breaches"], serde_json::json!([]), "{sets:?}");
    assert_eq!(report["requests"]["dropped"], 0, "nothing is dropped by any of them");
    report["rollout"]["versions"][1]["errors"].as_u64().unwrap() as f64
}

fn about(seen: f64, expected: f64) {
    assert!((seen - expected).abs() <= 3.0 * expected.sqrt(), "{seen} instead of {expected}");
}

#[test]
fn an_interval_judge_costs_a_canary_75_and_blue_green_1500() {
    about(failed(&[]), 75.0);
    let blue_green = "rollout={strategy=\"blue-green\",service=\"shop\",stable=\"v1\",canary=\"v2\",at=\"4s\",every=\"60s\"}";
    about(failed(&[blue_green, "thresholds={}"]), 1500.0);
}

#[test]
fn without_a_judge_each_second_of_each_step_costs_its_share() {
    // 75 in the first step, 300 in the second, and 150 of the 750 of the third: 4 + 30 + 30 + 6 seconds.
    about(failed(&["load.duration=70s", "analysis[0].dry_run=true", "thresholds={}"]), 75.0 + 300.0 + 150.0);
}

#[test]
fn an_always_valid_judge_costs_a_handful() {
    // About 5 by the table, without a smallest number; the shipped judge waits for at least 5, so it is a few more.
    let sequential = [
        "analysis=[{name=\"errors\",fail_if=\"risk_ratio > 1.5\",min_bad=1}]",
        "load.duration=15s",
        "thresholds={}",
    ];
    let seen = failed(&sequential);
    assert!((1.0..=15.0).contains(&seen), "{seen}");
}
