//! The table for the decision maker, played: what a version that fails 5 % costs by strategy and judge, at 1,000 requests per second.
//! Reference: the rollouts page, section 4; there each number is arithmetic, here each is counted in virtual time. The faults are
//! drawn, so a count may be three standard deviations (square roots of what is expected) off, and no more.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests that read reports")]
mod support;

use serde_json::Value;
use support::{assert_ledger_balances, newest, sim, told};

/// The report when the scenario is changed so.
fn played(sets: &[&str]) -> Value {
    let out = tempfile::tempdir().unwrap();
    let path = out.path().to_str().unwrap();
    let mut arguments = vec!["run", "scenarios/worked_example.toml", "--quiet", "--out", path];
    arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
    let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
    // A live run on a busy machine may be worth nothing as a measurement; its counts are still counts.
    assert!([0, 97, 99].contains(&code), "{code}\n{stdout}\n{stderr}");
    let report = newest(out.path(), "worked-example");
    assert_ledger_balances(&report);
    assert_eq!(report["rollout"]["breaches"], serde_json::json!([]), "{sets:?}");
    report
}

/// The bad answers of the new version.
fn errors(report: &Value) -> f64 {
    report["rollout"]["versions"][1]["errors"].as_u64().unwrap() as f64
}

/// The same when the scenario is changed so and nothing is dropped.
fn failed(sets: &[&str]) -> f64 {
    let report = played(sets);
    assert_eq!(report["requests"]["dropped"], 0, "{sets:?}");
    errors(&report)
}

/// `[rollout]` with another strategy.
fn rollout(strategy: &str, rest: &str) -> String {
    format!(
        "rollout={{strategy=\"{strategy}\",service=\"shop\",stable=\"v1\",canary=\"v2\",at=\"4s\",{rest}}}"
    )
}

fn about(seen: f64, expected: f64) {
    assert!((seen - expected).abs() <= 3.0 * expected.sqrt(), "{seen} instead of {expected}");
}

#[test]
fn an_interval_judge_costs_a_canary_75_and_blue_green_1500() {
    about(failed(&[]), 75.0);
    let blue_green = rollout("blue-green", "every=\"60s\"");
    about(failed(&[&blue_green, "thresholds={}"]), 1500.0);
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

#[test]
fn a_rolling_update_costs_a_sum_over_its_targets_and_less_when_somebody_looks() {
    let rolling = rollout("rolling", "max_surge=0,max_unavailable=1,drain=\"5s\"");
    let played = |sets: &[&str]| {
        let fixed = [rolling.as_str(), "mocks[1].ready_after=15s", "thresholds={}"];
        let report = played(&[&fixed[..], sets].concat());
        assert_eq!(report["requests"]["dropped"], 0, "{sets:?}");
        report
    };
    // Target k is out during the k-th 15 s, when k - 1 of nine are new: 15 x 50 x 5 in 150 s, then 50 in each second.
    let nobody = played(&["load.duration=164s", "analysis[0].dry_run=true"]);
    about(errors(&nobody), 3750.0 + 10.0 * 50.0);
    // Who looks after 15 s of the first new target has seen 83. The reference takes the new ones out one by one then, for another 83;
    // ours leaves them at once, and says that fewer serve than max_unavailable allows.
    let report = played(&["load.duration=60s", "analysis[0].interval=14900ms"]);
    about(errors(&report), 83.0);
    assert_eq!(report["rollout"]["ended"], "rolled-back");
    assert_eq!(report["rollout"]["outranked"]["available"], 8, "{}", report["rollout"]["outranked"]);
    let seen = errors(&played(&["load.duration=40s", "analysis=[{name=\"errors\",min_bad=1}]"]));
    assert!((1.0..=15.0).contains(&seen), "{seen}, about 7 by the table");
}

#[test]
fn recreate_is_an_outage_and_its_way_back_another() {
    let recreate = rollout("recreate", "every=\"90s\"").replace("\"4s\"", "\"12s\"");
    let fixed = [recreate.as_str(), "mocks[0].ready_after=10s", "mocks[1].ready_after=10s", "thresholds={}"];
    let report = played(&[&fixed[..], &["load.duration=80s"]].concat());
    // 10 s without anybody, 30 s until somebody looks, 10 s without anybody; and the first 10 s of the run, in which the old version
    // starts. Who is under way when a process ends is lost too.
    about(errors(&report), 1500.0);
    let dropped = report["requests"]["dropped"].as_u64().unwrap();
    assert!((30_000..30_100).contains(&dropped), "{dropped}");
    // Of 10,000 users with a tenth of a request per second each, 10,000 (1 - e^-3) are hit in 30 s.
    let hurt = report["rollout"]["users_hurt"].as_u64().unwrap() as f64;
    let hit = 1.0 - (-3.0_f64).exp();
    let by_errors = errors(&report);
    assert!(hurt > 10_000.0 * hit - 100.0 && hurt < 10_000.0 * hit + 100.0 + by_errors, "{hurt}");
    let always = "analysis=[{name=\"errors\",bad=\"status >= 500\",reference=\"before\",min_bad=1}]";
    let report = played(&[&fixed[..], &["load.duration=50s", always]].concat());
    assert!((1.0..=50.0).contains(&errors(&report)), "{}", errors(&report));
}

#[test]
fn a_shadow_costs_nobody_anything() {
    let shadow = rollout("shadow", "every=\"30s\"");
    let report = played(&[&shadow, "load.duration=40s", "thresholds={}"]);
    assert_eq!((errors(&report), &report["rollout"]["ended"]), (0.0, &"rolled-back".into()));
    assert!(report["mirror"]["target_5xx"].as_u64().unwrap() > 1000, "{}", report["mirror"]);
    assert_eq!(
        report["rollout"]["users_hurt"].as_u64().unwrap(),
        report["requests"]["target_5xx"].as_u64().unwrap()
    );
}

#[test]
fn the_live_twins_agree() {
    // Aim: both engines count the same. Method: 4 s under a judge that looks once a second and needs three bad looks: blue-green costs
    // 3 s of 50 /s, a canary of 20 % 3 s of 10 /s. Five standard deviations and a fifth for a machine that is late.
    let look = "analysis=[{name=\"own-rate\",judge=\"threshold\",fail_if=\"rate > 1%\",interval=\"1s\",failure_limit=2}]";
    let canary = rollout("canary", "steps=[{weight=20,pause=\"20s\"}]");
    let blue_green = rollout("blue-green", "every=\"20s\"");
    for (strategy, expected) in [(canary, 30.0_f64), (blue_green, 150.0)] {
        for engine in ["model", "live"] {
            let engine_is = format!("engine=\"{engine}\"");
            let sets = [&strategy, engine_is.as_str(), "load.duration=9s", look, "thresholds={}"];
            let report = played(&sets);
            assert_eq!(report["rollout"]["ended"], "rolled-back", "{engine} {strategy}");
            assert_eq!(report["requests"]["dropped"], 0, "{engine} {strategy}");
            let seen = errors(&report);
            assert!(
                (seen - expected).abs() <= 5.0 * expected.sqrt() + expected / 5.0,
                "{engine} {strategy}: {seen}"
            );
        }
    }
}
