//! How often requests are sent when what they are sent to fails: as often as theory says, by whoever sends them again.

use serde_json::Value;

use super::piped;

/// Requests a second, and seconds before and after the switch.
const RATE: f64 = 100.0;
const BEFORE: f64 = 2.0;

/// A blue that is fine, and a green that Service `shop` is switched to. More of it than anybody tries, so that each attempt is another
/// target's.
fn green_fails(seconds: u32, retries: u32, load: &str, green: &str) -> String {
    format!(
        r#"
name = "attempts"
seed = 7
[load]
rate = {RATE}
duration = "{seconds}s"
{load}
[[load.requests]]
path = "/"
[[services]]
name = "shop"
host = "blue"
retries = {retries}
[[routes]]
paths = ["/"]
service = {{ name = "shop" }}
[[upstreams]]
name = "blue"
targets = [{{ target = "blue-1:80" }}]
[[upstreams]]
name = "green"
targets = {{ count = 16, name = "green-{{i}}:80" }}
[[mocks]]
match = "*"
{green}
[[steps]]
at = "{BEFORE}s"
set_host = {{ service = "shop", host = "green" }}
"#
    )
}

/// Attempts, requests with one at least, and the one over the other.
fn attempts(report: &Value, phase: &str) -> (u64, u64, f64) {
    let phases = report["phases"].as_array().unwrap();
    let attempts = &phases.iter().find(|row| row["name"] == phase).unwrap()["attempts"];
    let count = |name: &str| attempts[name].as_u64().unwrap();
    (count("n"), count("requests"), attempts["per_request"].as_f64().unwrap())
}

#[test]
fn clients_that_retry_multiply_what_a_failing_version_is_asked_as_theory_says() {
    // Aim: (1 - f^(R+1)) / (1 - f) attempts for each request, and f^(R+1) of them without a good answer. Method: green fails a share f
    // of its answers, clients try R times more; 4,000 requests, so that five standard errors of a mean are a tenth at most.
    for (f, more) in [(0.5, 5_i32), (0.2, 2), (0.9, 3)] {
        let load = format!("[load.retry]\nattempts = {}\nbudget = 10.0\non = [\"target_5xx\"]", more + 1);
        let green = format!("[[mocks]]\nmatch = \"green-*\"\nerrors = {f}");
        let report = piped(&green_fails(42, 0, &load, &green), "model", "attempts");
        let (n, requests, _) = attempts(&report, "before");
        assert_eq!(n, requests);
        let (n, requests, each) = attempts(&report, "after");
        let last = f64::powi(f, more + 1);
        let theory = (1.0 - last) / (1.0 - f);
        assert!(requests > 3_990 && (each - theory).abs() < 0.1, "{each} of {theory}");
        let phase = report["phases"].as_array().unwrap().last().unwrap();
        let failed = phase["requests"]["target_5xx"].as_f64().unwrap() / requests as f64;
        assert!((failed - last).abs() < 0.04, "{failed} of {last}");
        let again = report["requests"]["retries"].as_u64().unwrap();
        assert!(n - requests <= again && again < n, "{n} {requests} {again}");
    }
}

#[test]
fn a_gateway_that_retries_asks_six_targets_that_all_refuse() {
    // Aim: the gateway's own retries count as the client's do, in both engines. Method: f = 1 and R = 5.
    let green = "[[faults]]\nat = \"0s\"\nmatch = \"green-*\"\nrefuse = true";
    for engine in ["model", "live"] {
        let report = piped(&green_fails(4, 5, "", green), engine, "attempts");
        // Who was to be sent before the switch, but was sent late, finds green.
        let (n, requests, _) = attempts(&report, "before");
        let late = if engine == "model" { 0 } else { requests / 5 };
        let again = n - requests;
        assert!(again.is_multiple_of(5) && again / 5 <= late, "{engine}: {n} {requests}");
        let (n, requests, _) = attempts(&report, "after");
        assert!(n == 6 * requests && n > 0, "{engine}: {n} {requests}");
    }
}

#[test]
fn what_is_never_sent_again_has_no_such_figure() {
    let report = piped(&green_fails(4, 0, "", ""), "model", "attempts");
    let phases = report["phases"].as_array().unwrap();
    assert!(phases.iter().all(|phase| phase["attempts"].is_null()), "{phases:?}");
}
