//! Who is found to be worse, and who is not: by which answers, against whom.

use serde_json::Value;

use super::{between, piped, report};
use crate::support;

#[test]
fn a_bad_canary_is_rolled_back_on_real_sockets_and_nothing_is_lost() {
    // Aim: the live twin. Method: more errors, so that it takes a second; no time is asserted, only counts and order.
    let sets = [
        "mocks[1].errors=0.5",
        "load.duration=6s",
        "rollout.at=2s",
        "rollout.steps=[{weight=20,pause=\"3s\"}]",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let report = report(&[&["scenarios/canary_bad.toml"], sets.as_slice()].concat(), "canary-bad");
    let rollout = &report["rollout"];
    assert_eq!(rollout["ended"], "rolled-back", "{rollout}");
    assert_eq!(rollout["breaches"], Value::Array(Vec::new()));
    assert_eq!(report["requests"]["dropped"], 0, "{}", report["requests"]);
    let [stable, canary] = rollout["versions"].as_array().unwrap().as_slice() else { panic!("{rollout}") };
    let picks = |version: &Value| version["picks"].as_u64().unwrap();
    assert_eq!(picks(stable) + picks(canary), report["requests"]["intended"].as_u64().unwrap());
    assert!(canary["errors"].as_u64().unwrap() >= 5, "{canary}");
    let way_back = rollout["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((&way_back["is_way_back"], &way_back["failed"]), (&Value::Bool(true), &Value::Null));
}

#[test]
fn retries_hide_a_failing_version_from_who_judges_answers_and_not_from_who_judges_attempts() {
    // Aim: `on` means the same in both engines. Method: the new version resets every connection, so each of its requests is
    // tried again at the old one; then once more without retries.
    for engine in ["model", "live"] {
        for (on, retries, ended) in
            [("attempts", 5, "rolled-back"), ("answers", 5, "promoted"), ("answers", 0, "rolled-back")]
        {
            let sets = [
                "load.duration=5s".to_owned(),
                "load.warmup=500ms".to_owned(),
                format!("services[0].retries={retries}"),
                "mocks[1].errors=0".to_owned(),
                "faults=[{at=\"1s\",match=\"v2-*\",reset=true}]".to_owned(),
                "steps=[{at=\"1500ms\",set_weight=20},{pause=\"2s\"},{promote=true}]".to_owned(),
                format!("analysis=[{{name=\"errors\",on=\"{on}\"}}]"),
                "thresholds={}".to_owned(),
            ];
            let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", set.as_str()]).collect();
            let arguments = [&["scenarios/canary_bad.toml", "--engine", engine], sets.as_slice()].concat();
            let report = report(&arguments, "canary-bad");
            let (rollout, dropped) = (&report["rollout"], report["requests"]["dropped"].as_u64().unwrap());
            let of = format!("{engine} {on} {retries}");
            assert_eq!(rollout["ended"], ended, "{of}: {rollout}");
            let decision = &rollout["decisions"][0];
            let [n, bad] = [0, 1].map(|at| decision["canary"][at].as_u64().unwrap());
            // Where a busy machine stands still for a moment, what fails after it may exceed the budget of retries.
            let few = if engine == "live" { n / 20 } else { 0 };
            assert!(if ended == "promoted" { bad <= few } else { bad == n }, "{of}: {decision}");
            assert_eq!(decision["stable"][1], 0, "{of}: {decision}");
            // The gateway's own 502 is what the client got.
            assert!(if retries > 0 { dropped <= few } else { dropped > 0 }, "{of}: {}", report["requests"]);
        }
    }
}

#[test]
fn against_a_baseline_who_is_only_cold_is_not_worse_and_who_fails_is() {
    // Aim: what a baseline is for, and that it is one in both engines. Method: the shipped scenario against the old targets, which are
    // warm; then a new version that fails every other request.
    let shipped = "scenarios/canary_baseline.toml";
    let cold = ["--engine", "model", "--set", "analysis[0].reference=concurrent", "--set", "thresholds={}"];
    let cold = report(&[&[shipped], &cold[..]].concat(), "canary-baseline");
    assert_eq!(cold["rollout"]["ended"], "rolled-back", "{}", cold["rollout"]);
    let bad = "analysis=[{name=\"errors\",reference=\"baseline\"}]";
    let sets = [
        "mocks[2].errors=0.5",
        "load.duration=6s",
        "load.warmup=500ms",
        "rollout.at=1s",
        bad,
        "thresholds={}",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    for engine in ["model", "live"] {
        let report = report(&[&[shipped, "--engine", engine], &sets[..]].concat(), "canary-baseline");
        let rollout = &report["rollout"];
        assert_eq!(
            (&rollout["ended"], &report["requests"]["dropped"]),
            (&"rolled-back".into(), &0.into()),
            "{engine}"
        );
        assert_eq!(rollout["breaches"], Value::Array(Vec::new()), "{engine}");
        let decision = &rollout["decisions"][0];
        let evidence = decision["evidence"].as_str().unwrap();
        assert!(evidence.ends_with("against the baseline"), "{evidence}");
        let n = |side: &str| decision[side][0].as_u64().unwrap();
        // As many for both, but for those under way.
        assert!(n("canary").abs_diff(n("stable")) <= 8, "{engine} {decision}");
        let versions = rollout["versions"].as_array().unwrap();
        assert_eq!(
            versions.iter().map(|row| &row["role"]).collect::<Vec<_>>(),
            ["stable", "canary", "baseline"]
        );
    }
}

#[test]
fn equal_versions_that_both_fail_a_few_are_promoted_and_worse_ones_are_found_whatever_leads_there() {
    // Aim: a judge knows what the new version is held against where no weights say so. Method: both fail one request in fifty, then
    // the new one one in five; the old version is alone for five seconds first.
    let users = (0..400).map(|user| format!("\"{user:04}\"")).collect::<Vec<_>>().join(", ");
    for strategy in [
        "strategy = \"blue-green\"\nevery = \"6s\"".to_owned(),
        "strategy = \"recreate\"\nevery = \"6s\"".to_owned(),
        format!("strategy = \"ab\"\nheader = \"x-user\"\nvalues = [{users}]\nevery = \"6s\""),
        format!(
            "strategy = \"ring\"\nheader = \"x-user\"\nrings = [{{ values = [{users}], soak = \"6s\" }}]"
        ),
        "strategy = \"ring\"\nrings = [{ services = [\"shop\"], soak = \"6s\" }]".to_owned(),
    ] {
        for (errors, ended) in [("0.02", "promoted"), ("0.2", "rolled-back")] {
            let mocks = format!(
                "[[mocks]]\nmatch = \"v1-*\"\nerrors = 0.02\n[[mocks]]\nmatch = \"v2-*\"\nerrors = {errors}\n"
            );
            let rollout = format!("{strategy}\n[[analysis]]\nname = \"errors\"");
            let text = between("13s", "users = 2000\nheader = \"x-user\"", &rollout)
                .replace("[rollout]", &format!("{mocks}[rollout]"))
                .replace("at = \"1s\"", "at = \"5s\"");
            let report = piped(&text, "model", "sticky-canary");
            assert_eq!(report["rollout"]["ended"], ended, "{strategy}: {}", report["rollout"]["decisions"]);
        }
    }
}

#[test]
fn whoever_copies_an_example_with_a_judge_is_saved_from_its_bad_release() {
    // Aim: the guide's examples do what it says. Method: its new version fails one request in twenty; all with a judge, for a minute.
    let page = std::fs::read_to_string(support::root().join("sim/src/rollout/ROLLOUTS.md")).unwrap();
    let mut examples = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let head = examples.next().unwrap().replace("\"120s\"", "\"60s\"");
    let mut seen = 0;
    for example in examples.filter(|example| example.contains("[[analysis]]")) {
        let report = piped(&format!("{head}\n{example}"), "model", "my-rollout");
        assert_eq!(
            report["rollout"]["ended"], "rolled-back",
            "{example}\n{}",
            report["rollout"]["decisions"]
        );
        seen += 1;
    }
    assert!(seen > 8, "{seen}");
}
