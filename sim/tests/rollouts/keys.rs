//! Users who are divided by keys: who has moved stays.

use serde_json::Value;

use super::{between, piped};
use crate::support;

#[test]
fn users_who_have_moved_stay_by_key_ring_and_flag_in_both_engines() {
    // Aim: nobody comes back, and those move who should. Method: the shipped users and targets, three strategies in seconds.
    let file = std::fs::read_to_string(support::root().join("scenarios/sticky_canary.toml")).unwrap();
    let head =
        file[..file.find("[rollout]").unwrap()].replace("\"26s\"", "\"4s\"").replace("\"2s\"", "\"500ms\"");
    let common = "service = \"shop\"\nstable = \"v1\"\ncanary = \"v2\"\nat = \"1s\"\n";
    for (strategy, moved) in [
        (
            "\"canary\"\nsticky = \"x-user\"\nsteps = [{ weight = 10, pause = \"2s\" }]\ndrain = \"100ms\"\n",
            None,
        ),
        ("\"feature-flag\"\nsticky = \"X-User\"\npercent = 10\nevery = \"60s\"\n", Some(200.0)),
        (
            "\"ring\"\nheader = \"x-user\"\nrings = [{ values = [\"0001\", \"0002\"], soak = \"1s\" }, \
             { values = [\"0003\"], soak = \"60s\" }]\n",
            None,
        ),
    ] {
        for engine in ["model", "live"] {
            let text = format!("{head}[rollout]\nstrategy = {strategy}{common}");
            let report = piped(&text, engine, "sticky-canary");
            let rollout = &report["rollout"];
            assert_eq!(rollout["breaches"], Value::Array(Vec::new()), "{engine} {strategy}");
            assert_eq!(report["requests"]["dropped"], 0, "{engine} {strategy}");
            let [stable, canary] = [0, 1].map(|n| rollout["versions"][n]["picks"].as_u64().unwrap());
            assert!(stable > 0 && canary > 0, "{engine} {strategy}");
            if let Some(moved) = moved {
                // 1,500 requests of 2,000 users reach about half of those 200: 200 (1 - e^-0.75), four standard errors.
                let expected = moved * (1.0 - (-0.75_f64).exp());
                let seen = rollout["users_moved"].as_u64().unwrap() as f64;
                assert!((seen - expected).abs() < 4.0 * expected.sqrt(), "{engine}: {seen}, not {expected}");
            }
        }
    }
}

#[test]
fn who_is_given_a_key_stays_for_its_age_and_who_is_not_is_absorbed() {
    // Aim: a division by the gateway's own cookies, in both engines. Method: 200 users ask ten times each while 10 % of the keys
    // are the new version's, 2.5 /s each: of those 20 move where all are given keys; where only who moves is, everybody is drawn
    // anew with each request and 200 (1 - e^-1) = 126 have moved; where a key is over after a second, so is the stay.
    let run = |engine: &str, more: &str| {
        let steps = "steps = [{ weight = 10, pause = \"60s\" }]";
        let rollout = format!("strategy = \"canary\"\nsticky_cookie = \"group\"\n{steps}\n{more}");
        let report = piped(&between("5s", "users = 200\ncookies = true", &rollout), engine, "sticky-canary");
        assert_eq!(report["rollout"]["breaches"], Value::Array(Vec::new()), "{engine} {more}");
        assert_eq!(report["requests"]["dropped"], 0, "{engine} {more}");
        ["users_moved", "users_back"].map(|name| report["rollout"][name].as_u64().unwrap())
    };
    for engine in ["model", "live"] {
        let [moved, back] = run(engine, "max_age = \"60s\"");
        // Four standard errors. Who asks twice at once may be given two keys; on sockets a stall makes many ask at once.
        let is_rare = |back: u64| engine == "live" || back <= 5;
        assert!(moved.abs_diff(20) <= 17 && is_rare(back), "{engine}: {moved}, {back} back");
        let [absorbed, back] = run(engine, "primary_sticky = false");
        assert!(absorbed.abs_diff(126) <= 28 && is_rare(back), "{engine}: {absorbed}, {back} back");
        let [again, back] = run(engine, "max_age = \"1s\"");
        assert!(again > moved && back > 5, "{engine}: {again}, {back} back");
    }
}
