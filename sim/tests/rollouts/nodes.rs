//! Several nodes, each of which learns of a change at its own time.

use serde_json::Value;

use super::report;
use crate::support::{newest, sim, told};

#[test]
fn nodes_learn_of_a_switch_one_after_the_other_on_real_sockets() {
    // Aim: the live twin of several nodes. Method: they look often, so that the run is short; counts and order, no times. Requests
    // go to the nodes by turns, but to another one where all connections to the node whose turn it is are busy, as when it stalls:
    // so there are as many connections as requests, and a third of both is each node's.
    let sets = [
        "load.duration=5s",
        "load.rate=60",
        "load.connections=300",
        "gateway.sync_interval=\"600ms\"",
        "steps[0].at=2s",
        "thresholds={}",
    ];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let report = report(&[&["scenarios/kong_nodes.toml"], sets.as_slice()].concat(), "kong-nodes");
    let switch = &report["switches"][0];
    let nodes = switch["nodes"].as_array().unwrap();
    let of = |node: &Value, key: &str| node[key].as_f64().unwrap();
    let count = |node: &Value, key: &str| node[key].as_u64().unwrap();
    assert_eq!(nodes.iter().map(|node| count(node, "node")).collect::<Vec<_>>(), [1, 2, 3]);
    let stale: u64 = nodes.iter().map(|node| count(node, "stale_picks")).sum();
    assert!(stale > 0 && stale == count(switch, "stale_picks"), "{switch}");
    for node in nodes {
        // Within a node one worker serves, so old and new picks never alternate.
        assert!(of(node, "mixed_picks_ms") <= 0.0, "{node}");
        assert!(of(node, "first_new_pick_ms") > of(switch, "requested_ms"), "{node}");
    }
    assert_eq!(report["requests"]["dropped"], 0, "{}", report["requests"]);
    let weights = report["weights"].as_array().unwrap();
    assert_eq!(weights.len(), 6, "two Upstreams at each of three nodes: {weights:?}");
    let picks = |node: u64| -> u64 {
        let rows = weights.iter().filter(|row| row["node"] == node);
        rows.map(|row| row["requests"].as_u64().unwrap()).sum()
    };
    assert_eq!([1, 2, 3].map(picks), [100, 100, 100], "{weights:?}");
}

#[test]
fn a_version_that_is_ended_while_a_node_still_sends_to_it_is_a_failed_run() {
    // Aim: scale-down before the switch is everywhere, reference page 5, 2 to 4. Method: three nodes that look each 4 s, and blue
    // ends 1.5 s after the switch; then with a delay that outlasts two looks.
    let run = |delay: &str| {
        let out = tempfile::tempdir().unwrap();
        let path = out.path().to_str().unwrap();
        let delay = format!("rollout.scale_down_delay={delay}");
        let sets = [
            "gateway.nodes=3",
            "gateway.sync_interval=4s",
            "rollout.every=500ms",
            "rollout.drain=1s",
            &delay,
        ];
        let sets = sets.iter().flat_map(|set| ["--set", *set]);
        let fixed = ["run", "scenarios/cold_start.toml", "--engine", "model", "--quiet", "--out"];
        let arguments: Vec<&str> = fixed.into_iter().chain([path]).chain(sets).collect();
        let (code, ..) = told(&sim(&arguments).output().unwrap());
        let report = newest(out.path(), "cold-start");
        (code, report)
    };
    let (code, report) = run("0s");
    assert_eq!(code, 99);
    let breach = &report["rollout"]["breaches"][0];
    assert_eq!(breach["promise"], "no target is ended while a node still sends requests to it");
    assert_eq!(breach["requests"].as_array().unwrap().len(), 3, "{breach}");
    assert_eq!(breach["what"], "blue-1:80 and blue-2:80");
    let sentence = report["verdict"]["sentence"].as_str().unwrap();
    assert!(sentence.contains("Not kept: no target is ended"), "{sentence}");
    let (_, report) = run("8s");
    assert_eq!(report["rollout"]["breaches"], Value::Array(Vec::new()));
    // Each node by itself leaves blue at one moment; together they send to both for as long as the last one has not looked.
    let nodes = report["rollout"]["nodes"].as_array().unwrap();
    let mixed: Vec<_> = nodes.iter().map(|node| node["mixed_ms"].as_f64().unwrap()).collect();
    assert!(nodes.len() == 3 && mixed.iter().all(|mixed| *mixed <= 0.0), "{nodes:?}");
    assert!(report["rollout"]["mixed_ms"].as_f64().unwrap() > 0.0, "{nodes:?}");
    assert_eq!(report["requests"]["dropped"], 0, "{}", report["requests"]);
}
