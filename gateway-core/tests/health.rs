//! Health checks over real sockets: probes find a target ill and well again, passive checks take one out under load, and the
//! Admin API shows it and says so by hand.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "a client that waits for a probe has to sleep")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::entity::{Active, Address, Healthchecks, Limits, Route, Service, Target, Upstream};
use gateway_core::gateway::{Applied, Cause};
use gateway_core::shell::Hooks;
use gateway_core::weight::Weight;
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use support::{Gate, client, request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A target whose status can be set.
async fn target(status: Arc<AtomicU16>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let status = Arc::clone(&status);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(1..) = stream.read_buf(&mut head).await {
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let status = status.load(Ordering::Relaxed);
                        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    address
}

fn gate(targets: &[SocketAddr], healthchecks: Healthchecks) -> Gate {
    let (config, overrides) = blue(targets, healthchecks);
    Gate::start(config, overrides, 1)
}

/// One Upstream of these targets, and where they are.
fn blue(targets: &[SocketAddr], healthchecks: Healthchecks) -> (Config, BTreeMap<String, SocketAddr>) {
    let mut config = Config::default();
    let upstream = Upstream { healthchecks, ..Upstream::new("blue") };
    let blue = config.add_upstream(upstream).unwrap();
    let mut overrides = BTreeMap::new();
    for (number, address) in targets.iter().enumerate() {
        let name = format!("blue-{number}:80");
        config.add_target(Target::new(blue, Address::parse(&name).unwrap(), Weight::DEFAULT)).unwrap();
        overrides.insert(name, *address);
    }
    let service = config.add_service(Service::new("shop", "blue")).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    (config, overrides)
}

async fn admin(gate: &Gate, method: &str, path: &str) -> (u16, Value) {
    let call = Request::builder().method(method).uri(path).header("host", "localhost");
    let answer = client(gate.shell.admin_addr()).await.send(call.body(Full::default()).unwrap()).await;
    (answer.status.as_u16(), serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
}

/// The health of each target, by number.
async fn health(gate: &Gate) -> Vec<String> {
    let (status, body) = admin(gate, "GET", "/upstreams/blue/health").await;
    assert_eq!(status, 200);
    body["data"].as_array().unwrap().iter().map(|t| t["health"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the targets are this well; how long that takes is not at issue.
async fn until(gate: &Gate, expected: &[&str]) {
    for _ in 0..1000 {
        if health(gate).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {expected:?}, but {:?}", health(gate).await);
}

async fn statuses(gate: &Gate, requests: usize) -> BTreeMap<u16, usize> {
    let mut seen = BTreeMap::new();
    let mut client = gate.client().await;
    for _ in 0..requests {
        let answer = client.send(request("GET", "/")).await;
        assert!(answer.headers.contains_key("x-kong-request-id"));
        *seen.entry(answer.status.as_u16()).or_default() += 1;
    }
    seen
}

#[tokio::test]
async fn probes_find_a_target_ill_and_well_again() {
    let status = Arc::new(AtomicU16::new(503));
    let (ill, well) = (target(Arc::clone(&status)).await, target(Arc::new(AtomicU16::new(200))).await);
    let limits = Limits { http_failures: 2, successes: 2, ..Limits::active() };
    let interval = Duration::from_millis(20);
    let active =
        Active { healthy_interval: interval, unhealthy_interval: interval, limits, ..Active::default() };
    let gate = gate(&[ill, well], Healthchecks { active, ..Healthchecks::default() });
    until(&gate, &["UNHEALTHY", "HEALTHY"]).await;
    assert_eq!(statuses(&gate, 20).await, BTreeMap::from([(200, 20)]));
    status.store(200, Ordering::Relaxed);
    until(&gate, &["HEALTHY", "HEALTHY"]).await;
    assert_eq!(statuses(&gate, 20).await, BTreeMap::from([(200, 20)]));
    assert_eq!(gate.stop().await.failed, 0);
}

#[tokio::test]
async fn passive_checks_take_a_target_out_and_a_call_brings_it_back() {
    let (ill, well) = (Arc::new(AtomicU16::new(500)), Arc::new(AtomicU16::new(200)));
    let targets = [target(Arc::clone(&ill)).await, target(well).await];
    let passive = Limits { http_failures: 3, ..Limits::default() };
    let gate = gate(&targets, Healthchecks { passive, ..Healthchecks::default() });
    assert_eq!(statuses(&gate, 6).await, BTreeMap::from([(200, 3), (500, 3)]));
    assert_eq!(health(&gate).await, ["UNHEALTHY", "HEALTHY"], "what is shown is in force");
    assert_eq!(statuses(&gate, 100).await, BTreeMap::from([(200, 100)]));
    let (_, balancer) = admin(&gate, "GET", "/upstreams/blue/health?balancer_health=1").await;
    assert_eq!(balancer["data"]["details"]["weight"]["available"], 100);
    ill.store(200, Ordering::Relaxed);
    assert_eq!(admin(&gate, "PUT", "/upstreams/blue/targets/blue-0:80/healthy").await.0, 204);
    assert_eq!(health(&gate).await, ["HEALTHY", "HEALTHY"]);
    assert_eq!(admin(&gate, "PUT", "/upstreams/blue/targets/blue-1:80/unhealthy").await.0, 204);
    assert_eq!(statuses(&gate, 10).await, BTreeMap::from([(200, 10)]));
    assert_eq!(admin(&gate, "PUT", "/upstreams/blue/targets/blue-0:80/unhealthy").await.0, 204);
    assert_eq!(statuses(&gate, 2).await, BTreeMap::from([(503, 2)]));
}

#[tokio::test]
async fn a_turn_that_a_request_saw_takes_effect_though_nothing_else_is_due() {
    // Aim: the thread that makes tables is woken. Method: passive checks alone, so that no timer ticks; nobody calls the Admin API.
    let (ill, well) = (Arc::new(AtomicU16::new(500)), Arc::new(AtomicU16::new(200)));
    let targets = [target(ill).await, target(well).await];
    let passive = Limits { http_failures: 3, ..Limits::default() };
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let on_applied = move |applied: &Applied| tell.send(applied.clone()).unwrap();
    let hooks = Hooks { on_applied: Arc::new(on_applied), ..Hooks::default() };
    let (config, overrides) = blue(&targets, Healthchecks { passive, ..Healthchecks::default() });
    let gate = Gate::telling(hooks, config, overrides, 1);
    assert_eq!(statuses(&gate, 6).await, BTreeMap::from([(200, 3), (500, 3)]));
    let applied = told.recv().await.unwrap();
    assert_eq!((applied.cause, applied.epochs.len()), (Cause::Health, 1));
    assert_eq!(statuses(&gate, 20).await, BTreeMap::from([(200, 20)]));
    assert_eq!(gate.stop().await.failed, 0);
    assert!(told.try_recv().is_err(), "once");
}
