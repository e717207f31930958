//! Shadows: what copies show, and that nobody is hurt or slower for them.

use serde_json::Value;

use super::{between, piped, report};

#[test]
fn copies_show_what_the_new_version_would_have_said_and_nobody_is_hurt() {
    // Aim: both engines agree on what copies are. Method: everything copied, no judge, so that counts are those of the plan.
    let sets = [
        "load.duration=4s",
        "load.warmup=500ms",
        "rollout.at=1s",
        "rollout.every=2s",
        "rollout.fraction=0.25",
        "mocks[1].errors=0.2",
        "mocks[1].differs=0.3",
        "analysis=[{name=\"errors\",dry_run=true}]",
        "thresholds={}",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    for engine in ["model", "live"] {
        let arguments = [&["scenarios/shadow.toml", "--engine", engine], sets.as_slice()].concat();
        let report = report(&arguments, "shadow");
        assert_eq!(report["rollout"]["ended"], "complete", "{engine}");
        let (requests, mirror) = (&report["requests"], &report["mirror"]);
        for count in ["dropped", "target_5xx", "duplicates"] {
            assert_eq!(requests[count], 0, "{engine} {count}");
        }
        let n = |name: &str| mirror[name].as_u64().unwrap();
        // A quarter of 400 per second from one call to the other, and for as long as these take.
        let steps = report["rollout"]["steps"].as_array().unwrap();
        let mut asked =
            steps.iter().filter(|step| step["action"].as_str().unwrap().starts_with("set_mirror"));
        let mut asked = || asked.next().unwrap()["requested_ms"].as_f64().unwrap();
        let (from, to) = (asked(), asked());
        let expected = 0.25 * 0.4 * (to - from);
        assert!((n("copies") as f64 - expected).abs() < 30.0, "{engine} {expected} {mirror}");
        assert_eq!(n("copies"), n("alike") + n("different") + n("no_copy") + n("no_own"), "{engine}");
        assert_eq!((n("served"), n("answered"), n("overflow")), (n("copies"), n("copies"), 0), "{engine}");
        assert_eq!(mirror["parts"]["status"].as_u64(), Some(n("target_5xx")), "{engine} {mirror}");
        // A fifth fails, and of the others three in ten say something else: 44 %, four standard errors.
        let share = n("different") as f64 / n("copies") as f64;
        assert!((share - 0.44).abs() < 0.14, "{engine} {share}");
        assert_eq!(mirror["samples"].as_array().unwrap().len(), 3);
        assert_eq!(report["rollout"]["versions"][1]["picks"], 0, "{engine}");
    }
}

#[test]
fn a_copy_that_takes_too_long_has_failed_and_no_user_is_any_slower() {
    // Aim: what a timeout of copies is, in both engines. Method: copies take 10 to 110 ms, evenly, and may take 60: half of them
    // fail. In the model users' times are those of the same run without.
    let run = |engine: &str, more: &str| {
        let rollout = format!("strategy = \"shadow\"\nevery = \"3s\"\ndrain = \"500ms\"\n{more}");
        let text = between("5s", "users = 2000", &rollout).replace(
            "[rollout]",
            "[[mocks]]\nmatch = \"v2-*\"\nlatency = { uniform = [\"10ms\", \"110ms\"] }\n[rollout]",
        );
        let text = format!("{text}[[analysis]]\nname = \"failed\"\nbad = \"failed\"\ndry_run = true\n");
        piped(&text, engine, "sticky-canary")
    };
    for engine in ["model", "live"] {
        let report = run(engine, "timeout = \"60ms\"");
        let n = |name: &str| report["mirror"][name].as_u64().unwrap();
        let (slow, copies) = (n("timed_out"), n("copies"));
        // How many there are on sockets depends on what else the machine does; in virtual time three seconds have 1,500 requests.
        let least = if engine == "model" { 1000 } else { 100 };
        assert!(copies > least && slow > 0 && slow < copies, "{engine}: {slow} of {copies}");
        assert_eq!((n("no_copy"), n("answered")), (slow, copies - slow), "{engine}");
        // On sockets a stall may hold up a copy for as long as it may take, before its target has seen it.
        let is_seen = if engine == "model" { n("served") == copies } else { n("served") <= copies };
        assert!(is_seen, "{engine}: {}", report["mirror"]);
        assert_eq!(report["requests"]["dropped"], 0, "{engine}");
        assert_eq!(report["rollout"]["versions"][1]["picks"], 0, "{engine}");
        // The judge counts each of them: pairs in which the copy alone was bad.
        let decision = &report["rollout"]["decisions"][0];
        assert!(
            decision["verdict"] == "fail" && decision["canary"][1].as_u64() > Some(4),
            "{engine}: {decision}"
        );
        if engine == "model" {
            assert!((slow as f64 / copies as f64 - 0.5).abs() < 0.06, "{slow} of {copies}");
            let patient = run(engine, "");
            assert_eq!(patient["mirror"]["timed_out"], 0);
            assert_eq!(patient["requests"], report["requests"]);
            let users = |report: &Value| {
                report["phases"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|p| p["latency_us"].clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(users(&patient), users(&report));
        }
    }
}
