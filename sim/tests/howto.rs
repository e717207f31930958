//! Kong's blue-green how-to from the first curl to the last, against a gateway and four targets that are processes of their
//! own: once over the Admin API, once with a decK file. Exact counts, no luck with timing.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/server.rs"]
mod server;
#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rustix::process::Signal;
use server::{Answer, Server, call};
use support::{sim, told};

/// The how-to's targets.
const TARGETS: [&str; 4] = ["httpbin.konghq.com", "httpbin.org", "any.httpbun.com", "httpbun.com"];
/// The how-to's four targets on loopback; each says who it is.
fn targets() -> [Server; 4] {
    TARGETS.map(|name| Server::start(&["target", "--listen", "127.0.0.1:0", "--name", name]))
}

fn addresses(targets: &[Server; 4]) -> [String; 4] {
    std::array::from_fn(|i| targets[i].addresses[0].to_string())
}

/// A gateway on free ports; its proxy and its Admin API.
fn gateway(more: &[&str]) -> (Server, SocketAddr, SocketAddr) {
    let ports = ["gateway", "--proxy", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let server = Server::start(&[&ports, more].concat());
    let (proxy, admin) = (server.addresses[0], server.addresses[1]);
    assert_eq!(server.line, format!("proxy {proxy}  admin {admin}"));
    (server, proxy, admin)
}

/// How many of 300 requests each target answers.
fn served(proxy: SocketAddr) -> [usize; 4] {
    let mut counts = [0; 4];
    for _ in 0..300 {
        let answer = call(proxy, "GET", "/anything", None);
        assert_eq!(answer.status, 200, "{}", answer.body);
        counts[TARGETS.iter().position(|name| *name == answer.header("x-sim-version")).unwrap()] += 1;
    }
    counts
}

fn json(admin: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    call(admin, method, path, Some(("application/json", body)))
}

const BLUE: [usize; 4] = [200, 100, 0, 0];
const GREEN: [usize; 4] = [0, 0, 150, 150];

// Aim: what the how-to says happens, happens, to the request. Method: its entities one by one, then requests, then its one
// PATCH, there and back.
#[test]
fn live_the_how_to_holds_over_the_admin_api() {
    let targets = targets();
    let [konghq, org, any, httpbun] = addresses(&targets);
    let (server, proxy, admin) = gateway(&["--workers", "2"]);
    assert_eq!(call(proxy, "GET", "/anything", None).status, 404, "an empty gateway has no Route");
    let created = |path: &str, body: &str| {
        let answer = json(admin, "POST", path, body);
        assert_eq!(answer.status, 201, "{path} {body}: {}", answer.body);
    };
    created("/upstreams/", r#"{"name":"blue"}"#);
    created("/upstreams/blue/targets/", &format!(r#"{{"target":"{konghq}","weight":100}}"#));
    created("/upstreams/blue/targets/", &format!(r#"{{"target":"{org}","weight":50}}"#));
    created("/services/", r#"{"name":"example-service","host":"blue"}"#);
    created("/services/example-service/routes/", r#"{"name":"example-route","paths":["/anything"]}"#);
    assert_eq!(served(proxy), BLUE);
    created("/upstreams/", r#"{"name":"green"}"#);
    created("/upstreams/green/targets/", &format!(r#"{{"target":"{any}","weight":100}}"#));
    created("/upstreams/green/targets/", &format!(r#"{{"target":"{httpbun}","weight":100}}"#));
    assert_eq!(served(proxy), BLUE, "green exists and gets nothing");
    assert_eq!(json(admin, "PATCH", "/services/example-service", r#"{"host":"green"}"#).status, 200);
    assert_eq!(served(proxy), GREEN);
    let form = Some(("application/x-www-form-urlencoded", "host=blue"));
    assert_eq!(call(admin, "PATCH", "/services/example-service", form).status, 200);
    assert_eq!(served(proxy), BLUE);
    assert_eq!(server.end(Signal::TERM), (Some(0), String::new()));
    for target in targets {
        assert_eq!(target.end(Signal::INT), (Some(0), String::new()));
    }
}

/// The how-to's decK file.
fn write(path: &Path, [konghq, org, any, httpbun]: &[String; 4], host: &str) {
    let text = format!(
        "_format_version: \"3.0\"
upstreams:
  - name: blue
    targets: [{{ target: \"{konghq}\", weight: 100 }}, {{ target: \"{org}\", weight: 50 }}]
  - name: green
    targets: [{{ target: \"{any}\", weight: 100 }}, {{ target: \"{httpbun}\", weight: 100 }}]
services:
  - name: example-service
    host: {host}
routes:
  - name: example-route
    paths: [\"/anything\"]
    service: {{ name: example-service }}
"
    );
    fs::write(path, text).unwrap();
}

// Aim: the same by file: an edit and SIGHUP switch, a broken edit does nothing, and what was changed last survives a restart.
#[test]
fn live_the_how_to_holds_with_a_deck_file_and_survives_a_restart() {
    let targets = targets();
    let addresses = addresses(&targets);
    let folder = tempfile::tempdir().unwrap();
    let [file, state] = ["kong.yaml", "state.yaml"].map(|name| folder.path().join(name));
    write(&file, &addresses, "blue");
    let arguments = ["--config", file.to_str().unwrap(), "--state", state.to_str().unwrap()];
    let (server, proxy, admin) = gateway(&arguments);
    assert_eq!(served(proxy), BLUE);
    write(&file, &addresses, "green");
    server.signal(Signal::HUP);
    assert_eq!(server.wait_for("read again"), "read again: 1 service, 1 route, 2 upstreams, 4 targets\n");
    assert_eq!(served(proxy), GREEN);
    fs::write(&file, "services: [").unwrap();
    server.signal(Signal::HUP);
    let said = server.wait_for("nothing has changed");
    assert!(said.starts_with(&format!("error: {}: ", file.display())), "{said}");
    assert_eq!(served(proxy), GREEN);
    assert_eq!(json(admin, "PATCH", "/services/example-service", r#"{"host":"blue"}"#).status, 200);
    assert_eq!(served(proxy), BLUE);
    assert_eq!(server.end(Signal::TERM), (Some(0), String::new()));

    write(&file, &addresses, "green");
    let (server, proxy, _) = gateway(&arguments);
    assert_eq!(served(proxy), BLUE, "the state wins over the file");
    let (code, said) = server.end(Signal::INT);
    assert!(code == Some(0) && said.contains("--config is left aside"), "{said}");
}

#[test]
fn mistakes_in_files_exit_with_3_each_on_its_own_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kong.yaml");
    fs::write(&file, "_format_version: \"3.0\"\nservices: [{ name: a, port: x }]\nwrong: 1\n").unwrap();
    let path = file.to_str().unwrap();
    let (code, stdout, stderr) = told(&sim(&["gateway", "--config", path]).output().unwrap());
    assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert!(
        lines.len() == 3 && lines.iter().all(|line| line.starts_with(&format!("error: {path}: "))),
        "{stderr}"
    );
    let (code, _, stderr) = told(&sim(&["gateway", "--config", "no_such.yaml"]).output().unwrap());
    assert!(code == 3 && stderr.starts_with("error: cannot read no_such.yaml: "), "{stderr}");
}

#[test]
fn a_port_that_is_taken_exits_with_4_and_an_open_admin_api_is_warned_of() {
    let server = Server::start(&["gateway", "--proxy", "127.0.0.1:0", "--admin", "0.0.0.0:0"]);
    let taken = server.addresses[0].to_string();
    for arguments in [
        ["gateway", "--admin", "127.0.0.1:0", "--proxy", &taken],
        ["gateway", "--proxy", "127.0.0.1:0", "--admin", &taken],
        ["target", "--name", "x", "--listen", &taken],
    ] {
        let (code, stdout, stderr) = told(&sim(&arguments).output().unwrap());
        assert!(code == 4 && stdout.is_empty() && stderr.contains(&taken), "{stderr}");
    }
    let (_, said) = server.end(Signal::TERM);
    assert!(said.starts_with("warning: the Admin API listens on 0.0.0.0:"), "{said}");
}

#[test]
fn a_target_answers_as_its_flags_say() {
    let flags = ["target", "--listen", "127.0.0.1:0", "--version", "v2", "--respond", "bytes=7"];
    let server = Server::start(&[&flags[..], &["--latency", "p50=1ms,p99=2ms"]].concat());
    assert_eq!(server.line, format!("listening {}", server.addresses[0]));
    let answer = call(server.addresses[0], "GET", "/", None);
    assert_eq!((answer.status, answer.header("x-sim-version"), answer.body.as_str()), (200, "v2", "xxxxxxx"));
    for (flag, value, said) in [
        ("--latency", "p50=4ms,p99=2ms", "p99 is below p50"),
        ("--latency", "5", "a duration needs a unit"),
        ("--respond", "bytes", "`bytes` needs a number"),
        ("--version", "a b", "cannot be sent"),
    ] {
        let output = sim(&["target", "--listen", "127.0.0.1:0", flag, value]).output().unwrap();
        let (code, _, stderr) = told(&output);
        assert!(code == 2 && stderr.contains(said), "{flag} {value}: {stderr}");
    }
}
