//! What a switch costs in connections: the new version has none yet.

use serde_json::Value;

use super::piped;

const TEXT: &str = r#"
name = "herd"
seed = 7
[load]
rate = 400
duration = "6s"
warmup = "500ms"
connections = 64
[[load.requests]]
path = "/"
[[services]]
name = "shop"
host = "blue"
[[routes]]
paths = ["/"]
service = { name = "shop" }
[[upstreams]]
name = "blue"
targets = [{ target = "blue-1:80" }]
[[upstreams]]
name = "green"
targets = [{ target = "green-1:80" }]
[[mocks]]
match = "*"
latency = "50ms"
[[steps]]
at = "2s"
set_host = { service = "shop", host = "green" }
[[steps]]
at = "4s"
set_host = { service = "shop", host = "blue" }
"#;

#[test]
fn a_switch_opens_as_many_connections_as_there_are_requests_under_way_and_a_way_back_none() {
    // Aim: the herd is counted and timed, in both engines. Method: 400 a second that take 50 ms each are twenty at once, and the one
    // that comes while the first is on its way; back at blue they all find the connections of before.
    for engine in ["model", "live"] {
        let report = piped(TEXT, engine, "herd");
        let [there, back] = [0, 1].map(|at| report["switches"][at]["connects"].clone());
        let n = |connects: &Value| connects["connect_us"]["n"].as_u64().unwrap();
        let most = if engine == "model" { 21 } else { 64 };
        assert!((20..=most).contains(&n(&there)), "{engine}: {there}");
        assert_eq!(there["window_ms"], 1_500);
        assert!(there["connect_us"]["p50"].as_f64() > Some(0.0), "{engine}: {there}");
        if engine == "model" {
            // There and back on the network, 50 µs each.
            let times = ["p50", "max"].map(|time| there["connect_us"][time].as_f64().unwrap());
            assert!(times.iter().all(|us| (us - 100.0).abs() < 1.0), "{there}");
            assert_eq!(n(&back), 0, "{back}");
        }
    }
}
