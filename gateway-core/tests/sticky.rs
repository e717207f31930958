//! Cookies end to end: the first answer sets one, requests that bring it back stay with their target, and when that target is
//! gone or ill they get another and a new cookie.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gateway_core::config::Config;
use gateway_core::entity::{
    Address, Algorithm, HashOn, Healthchecks, Limits, Route, Service, Target, Upstream,
};
use gateway_core::weight::Weight;
use http::Request;
use http::header::COOKIE;
use http_body_util::Full;
use support::{Answer, Gate, client, request};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Answers everything with its own name, and sets a cookie of its own.
async fn target(name: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_string(name).insert_header("set-cookie", "own=1");
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// An Upstream of these targets, with passive health checks so that one may be called ill.
fn gate(targets: &[SocketAddr], upstream: Upstream) -> Gate {
    let passive = Limits { http_failures: 1, ..Limits::default() };
    let healthchecks = Healthchecks { passive, ..Healthchecks::default() };
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream { healthchecks, ..upstream }).unwrap();
    let mut overrides = BTreeMap::new();
    for (number, address) in targets.iter().enumerate() {
        let name = format!("blue-{number}:80");
        config.add_target(Target::new(blue, Address::parse(&name).unwrap(), Weight::DEFAULT)).unwrap();
        overrides.insert(name, *address);
    }
    let service = config.add_service(Service::new("shop", "blue")).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    Gate::start(config, overrides, 1)
}

fn sticky() -> Upstream {
    Upstream { algorithm: Algorithm::StickySessions, ..Upstream::new("blue") }
}

async fn get(gate: &Gate, cookie: Option<&str>) -> Answer {
    let mut request = request("GET", "/");
    request.headers_mut().extend(cookie.map(|cookie| (COOKIE, cookie.parse().unwrap())));
    gate.client().await.send(request).await
}

async fn admin(gate: &Gate, method: &str, path: &str, body: &'static str) -> u16 {
    let call = Request::builder().method(method).uri(path).header("host", "localhost");
    let call = call.header("content-type", "application/json").body(Full::from(body)).unwrap();
    client(gate.shell.admin_addr()).await.send(call).await.status.as_u16()
}

/// The cookie of the gateway's that an answer sets, if any: its pair and its attributes. The target's own stays.
fn set(answer: &Answer) -> Option<(String, String)> {
    let all: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    assert_eq!(all[0], "own=1");
    let (pair, attributes) = all.get(1)?.split_once("; ").unwrap();
    Some((pair.to_owned(), attributes.to_owned()))
}

fn served(answer: &Answer) -> String {
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_session_stays_until_its_target_is_ill() {
    let (a, b) = (target("0").await, target("1").await);
    let gate = gate(&[*a.address(), *b.address()], sticky());
    let first = get(&gate, None).await;
    let (cookie, attributes) = set(&first).unwrap();
    assert!(cookie.starts_with("sticky_session=") && !cookie.contains("blue"), "{cookie}");
    assert_eq!(attributes, "Path=/; SameSite=Lax; HttpOnly");
    let home = served(&first);
    for _ in 0..5 {
        let next = get(&gate, Some(&format!("x=1; {cookie}"))).await;
        assert_eq!((served(&next), set(&next)), (home.clone(), None));
    }
    assert_eq!(
        admin(&gate, "PUT", &format!("/upstreams/blue/targets/blue-{home}:80/unhealthy"), "").await,
        204
    );
    let moved = get(&gate, Some(&cookie)).await;
    let (anew, _) = set(&moved).unwrap();
    assert!(served(&moved) != home && anew != cookie);
    assert_eq!(served(&get(&gate, Some(&anew)).await), served(&moved));
}

#[tokio::test]
async fn a_target_that_drains_keeps_its_sessions_and_gets_no_new_ones() {
    let (a, b) = (target("0").await, target("1").await);
    let upstream = Upstream {
        sticky_sessions_cookie: Some("who".into()),
        sticky_sessions_cookie_path: "/shop".into(),
        ..sticky()
    };
    let gate = gate(&[*a.address(), *b.address()], upstream);
    let first = get(&gate, Some("who=nobody")).await;
    let (cookie, attributes) = set(&first).unwrap();
    assert!(cookie.starts_with("who=") && attributes.starts_with("Path=/shop;"));
    let home = served(&first);
    let path = format!("/upstreams/blue/targets/blue-{home}:80");
    assert_eq!(admin(&gate, "PATCH", &path, r#"{"weight":0}"#).await, 200);
    for _ in 0..4 {
        let stays = get(&gate, Some(&cookie)).await;
        assert_eq!((served(&stays), set(&stays)), (home.clone(), None));
        assert_ne!(served(&get(&gate, None).await), home);
    }
    assert_eq!(admin(&gate, "DELETE", &path, "").await, 204);
    let moved = get(&gate, Some(&cookie)).await;
    assert!(served(&moved) != home && set(&moved).is_some());
}

#[tokio::test]
async fn the_cookie_names_who_answered_and_not_who_was_tried_first() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let b = target("1").await;
    let gate = gate(&[nobody, *b.address()], sticky());
    let first = get(&gate, None).await;
    let (cookie, _) = set(&first).unwrap();
    let again = get(&gate, Some(&cookie)).await;
    assert_eq!((served(&first), served(&again), set(&again)), ("1".into(), "1".into(), None));
}

#[tokio::test]
async fn a_cookie_to_hash_by_is_made_once() {
    let targets = [target("0").await, target("1").await, target("2").await];
    let upstream = Upstream {
        algorithm: Algorithm::ConsistentHashing,
        hash_on: HashOn::Cookie("who".into()),
        ..Upstream::new("blue")
    };
    let gate = gate(&targets.each_ref().map(|target| *target.address()), upstream);
    let mut homes = BTreeMap::new();
    for _ in 0..12 {
        let first = get(&gate, None).await;
        let (cookie, attributes) = set(&first).unwrap();
        assert_eq!(attributes, "Path=/; SameSite=Lax; HttpOnly");
        homes.insert(cookie, served(&first));
    }
    assert_eq!(homes.len(), 12, "every client has a cookie of its own");
    for (cookie, home) in homes {
        let again = get(&gate, Some(&cookie)).await;
        assert_eq!((served(&again), set(&again)), (home, None));
    }
    assert_eq!(gate.stop().await.failed, 0);
}
