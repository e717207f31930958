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

/// How long requests were sent to both versions, milliseconds.
fn mixed(report: &Value) -> f64 {
    report["rollout"]["mixed_ms"].as_f64().unwrap()
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
    let report = played(&[&blue_green, "thresholds={}"]);
    about(errors(&report), 1500.0);
    assert_eq!(report["requests"]["dropped"], 0);
    // A second version as large as the first.
    assert_eq!(report["rollout"]["capacity"]["extra_max"], 10);
}

#[test]
fn without_a_judge_five_minutes_cost_what_each_second_of_each_step_does() {
    // 300 s from the beginning at 4 s. The canary: 75, 300 and 750 for its steps, then 210 x 50. Blue-green: 300 x 50.
    let to_the_end = ["load.duration=304s", "analysis[0].dry_run=true", "thresholds={}"];
    let canary = played(&to_the_end);
    about(errors(&canary), 11_625.0);
    assert_eq!(
        (&canary["rollout"]["ended"], &canary["requests"]["dropped"]),
        (&"promoted".into(), &0.into())
    );
    let lasted = canary["rollout"]["lasted_ms"].as_f64().unwrap();
    assert!((90_000.0..91_000.0).contains(&lasted), "{lasted}");
    let blue_green = rollout("blue-green", "every=\"400s\"");
    let report = played(&[&to_the_end[..], &[&blue_green]].concat());
    about(errors(&report), 15_000.0);
    assert_eq!((&report["requests"]["dropped"], mixed(&report)), (&0.into(), 0.0), "one atomic step");
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
    // Blue-green has nobody beside it to compare with: 63 by the table, which looks once a second; ours looks at each answer.
    let blue_green = rollout("blue-green", "every=\"60s\"");
    let before = "analysis=[{name=\"errors\",bad=\"status >= 500\",reference=\"before\",min_bad=1}]";
    let report = played(&[&blue_green, before, "load.duration=15s", "thresholds={}"]);
    let (seen, hurt) = (errors(&report), report["rollout"]["users_hurt"].as_f64().unwrap());
    assert!((1.0..=63.0).contains(&seen), "{seen}");
    // The old version's own errors, a thousandth, hurt users too.
    assert!(hurt >= seen && hurt <= seen + 40.0, "{hurt} users by {seen} errors");
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
    // Target k is out during the k-th 15 s, when k - 1 of nine are new: 15 x 50 x 5 in 150 s, then 50 in each second to 300 s.
    let nobody = played(&["load.duration=304s", "analysis[0].dry_run=true"]);
    about(errors(&nobody), 3750.0 + 150.0 * 50.0);
    let row = &nobody["rollout"];
    assert_eq!((&row["capacity"]["missing_max"], &row["capacity"]["extra_max"]), (&1.into(), &0.into()));
    // Both versions are sent requests from the first new target's start to the last old one's end.
    let lasted = row["lasted_ms"].as_f64().unwrap();
    assert!((mixed(&nobody) - 120_000.0).abs() < 1500.0, "{}", mixed(&nobody));
    assert!((lasted - 150_000.0).abs() < 1500.0, "{lasted}");
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
    let fixed = [
        &rollout("recreate", "every=\"400s\""),
        "mocks[0].ready_after=10s",
        "mocks[1].ready_after=10s",
        "thresholds={}",
    ];
    let recreate = |sets: &[&str]| played(&[&fixed[..], sets].concat());
    let dropped = |report: &Value| report["requests"]["dropped"].as_u64().unwrap();
    let hurt = |report: &Value| report["rollout"]["users_hurt"].as_u64().unwrap() as f64;
    // 10 s without anybody, then 290 s x 50: 24,500 failed. Who is under way when a process ends is lost too.
    let nobody = recreate(&["load.duration=304s", "analysis[0].dry_run=true"]);
    assert!((10_000..10_050).contains(&dropped(&nobody)), "{}", dropped(&nobody));
    about(errors(&nobody), 14_500.0);
    assert!(mixed(&nobody) <= 0.0, "never both");
    // 30 s until somebody looks, and another 10 s without anybody: 21,500.
    let interval = recreate(&["load.duration=80s"]);
    assert!((20_000..20_100).contains(&dropped(&interval)), "{}", dropped(&interval));
    about(errors(&interval), 1500.0);
    // Of 10,000 users with a tenth of a request per second each, 10,000 (1 - e^-2) are hit in 20 s: 8,647.
    let hit = 10_000.0 * (1.0 - (-2.0_f64).exp());
    let always = "analysis=[{name=\"errors\",bad=\"status >= 500\",reference=\"before\",min_bad=1}]";
    let sequential = recreate(&["load.duration=30s", always]);
    assert!((20_000..20_100).contains(&dropped(&sequential)), "{}", dropped(&sequential));
    assert!((1.0..=50.0).contains(&errors(&sequential)), "{}", errors(&sequential));
    assert!((hurt(&sequential) - hit).abs() < 150.0, "{}", hurt(&sequential));
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

// === Live twins ===
// Aim: both engines count the same for every strategy. Method: seconds instead of half minutes, and a judge that looks once a second
// and needs three bad looks.

/// What a strategy costs.
struct Costs {
    errors: f64,
    dropped: f64,
    ended: &'static str,
}

/// Such a judge, and one who never gives up.
const LOOK: &str = "analysis=[{name=\"own-rate\",judge=\"threshold\",fail_if=\"rate > 1%\",interval=\"1s\",failure_limit=2}]";
const NOBODY: &str = "analysis=[{name=\"errors\",dry_run=true}]";

/// Whether `seen` is within five standard deviations of what is expected and a fifth, and what came of being later than expected.
fn is_near(seen: f64, expected: f64, late: f64) -> bool {
    (seen - expected).abs() <= 5.0 * expected.sqrt() + expected / 5.0 + late
}

/// Plays a strategy in both engines, where it costs the same, but for the time by which the machine carried it out later than the
/// model; their reports.
fn twins(strategy: &str, sets: &[&str], costs: &Costs) -> [Value; 2] {
    let mut modelled = None;
    ["model", "live"].map(|engine| {
        let engine_is = format!("engine=\"{engine}\"");
        let strategy = strategy.replace("at=\"4s\"", "at=\"1s\"");
        let fixed = [&strategy, &engine_is, "load.warmup=500ms", "load.duration=7s", "thresholds={}"];
        let report = played(&[&fixed[..], sets].concat());
        let dropped = report["requests"]["dropped"].as_f64().unwrap();
        assert_eq!(report["rollout"]["ended"], costs.ended, "{engine}");
        let lasted = report["rollout"]["lasted_ms"].as_f64().unwrap() / 1e3;
        let late = (lasted - *modelled.get_or_insert(lasted)).abs();
        // Nothing comes of it where nothing may be dropped.
        let (bad, of_bad, of_all) = (errors(&report), 50.0 * late, costs.dropped * late);
        assert!(is_near(bad, costs.errors, of_bad), "{engine}: {bad} errors, {late} s later");
        assert!(is_near(dropped, costs.dropped, of_all), "{engine}: {dropped} dropped, {late} s later");
        report
    })
}

#[test]
fn live_a_canary_of_a_fifth_costs_3_s_of_10() {
    let canary = rollout("canary", "steps=[{weight=20,pause=\"20s\"}]");
    twins(&canary, &[LOOK], &Costs { errors: 30.0, dropped: 0.0, ended: "rolled-back" });
}

#[test]
fn live_blue_green_costs_3_s_of_50() {
    let blue_green = rollout("blue-green", "every=\"20s\"");
    twins(&blue_green, &[LOOK], &Costs { errors: 150.0, dropped: 0.0, ended: "rolled-back" });
}

#[test]
fn live_recreate_costs_the_same_and_drops_what_comes_in_1_s_twice() {
    let sets = [LOOK, "mocks[0].ready_after=1s", "mocks[1].ready_after=1s", "load.duration=9s"];
    let costs = Costs { errors: 150.0, dropped: 2000.0, ended: "rolled-back" };
    twins(&rollout("recreate", "every=\"20s\""), &sets, &costs);
}

#[test]
fn live_a_rolling_update_costs_1_s_for_each_target_and_then_6_s_of_50() {
    // While target k of ten is out, k - 1 of nine are new: 50 x 5 in all, and in the 6 s that are left 50 each.
    let rolling = rollout("rolling", "max_surge=0,max_unavailable=1,drain=\"1s\"");
    let sets = [NOBODY, "mocks[1].ready_after=1s", "load.duration=17s"];
    twins(&rolling, &sets, &Costs { errors: 550.0, dropped: 0.0, ended: "promoted" });
}

#[test]
fn live_a_shadow_costs_nothing_and_shows_3_s_of_50() {
    let costs = Costs { errors: 0.0, dropped: 0.0, ended: "complete" };
    for report in twins(&rollout("shadow", "every=\"3s\""), &[NOBODY], &costs) {
        let copies = report["mirror"]["target_5xx"].as_f64().unwrap();
        assert!(is_near(copies, 150.0, 0.0), "{copies}");
    }
}
