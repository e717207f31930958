//! A canary of whole targets, which no router divides.

use serde_json::Value;

use super::piped;
use crate::support::{self, sim, told};

#[test]
fn a_canary_by_whole_targets_says_what_was_asked_what_it_reaches_and_what_was_seen() {
    let file = std::fs::read_to_string(support::root().join("scenarios/sticky_canary.toml")).unwrap();
    let head = file[..file.find("[rollout]").unwrap()].replace("\"26s\"", "\"9s\"");
    let report = piped(&format!("{head}{}", rollout_by_replicas()), "model", "sticky-canary");
    let rollout = &report["rollout"];
    assert_eq!((&rollout["ended"], &rollout["breaches"]), (&"promoted".into(), &Value::Array(Vec::new())));
    assert_eq!(report["requests"]["dropped"], 0);
    let scales = rollout["scales"].as_array().unwrap();
    let targets: Vec<_> = scales.iter().map(|row| (row["canary"].as_u64(), row["stable"].as_u64())).collect();
    assert_eq!(targets, [(Some(1), Some(3)), (Some(2), Some(1)), (Some(3), Some(0))]);
    for row in scales {
        let [reachable, observed] = ["reachable", "observed"].map(|name| row[name].as_f64().unwrap());
        // Round-robin is exact; a bin that begins in the middle of a turn is off by a request of hundreds.
        assert!((reachable - observed).abs() < 0.01, "{row}");
    }
    // What is asked and what is reachable is known before: `validate` and the first lines of a run say it.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("replicas.toml");
    let text = format!("{head}{}", rollout_by_replicas());
    std::fs::write(&file, text).unwrap();
    let (path, out) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    let (_, told_by_validate, _) = told(&sim(&["validate", path]).output().unwrap());
    let (_, _, told_by_run) = told(&sim(&["run", path, "--engine", "model", "--out", out]).output().unwrap());
    for said in [told_by_validate, told_by_run] {
        let lines = [
            "  5 % asked, 25.00 % reachable: 1 of 4 targets",
            "  66 % asked, 66.67 % reachable: 2 of 3 targets",
        ];
        assert!(lines.iter().all(|line| said.contains(line)), "{said}");
    }
}

/// A canary of whole targets.
fn rollout_by_replicas() -> &'static str {
    "[rollout]\nstrategy = \"canary\"\nservice = \"shop\"\nstable = \"v1\"\ncanary = \"v2\"\nat = \"3s\"\n\
     scale = \"replicas\"\nsteps = [{ weight = 5, pause = \"2s\" }, { weight = 66, pause = \"1s\" }]\ndrain = \"1s\"\n"
}
