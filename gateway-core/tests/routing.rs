//! Routes over real sockets: which path a target sees, and what a client is told whose protocol will not do. Which Route
//! wins is tested beside the router.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use gateway_core::config::Config;
use gateway_core::entity::{Address, Protocol, Route, Service, Target, Upstream};
use gateway_core::id::ServiceId;
use gateway_core::weight::Weight;
use http_body_util::Full;
use support::{Gate, request};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A target that answers everything, and a gateway with one Service that sends these Routes there.
async fn gate(routes: impl IntoIterator<Item = Route>) -> (MockServer, Gate) {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).unwrap();
    config.add_target(Target::new(blue, Address::parse("blue:80").unwrap(), Weight::DEFAULT)).unwrap();
    config.add_service(Service { path: Some("/srv".into()), ..Service::new("s", "blue") }).unwrap();
    for route in routes {
        config.add_route(route).unwrap();
    }
    let overrides = BTreeMap::from([("blue:80".to_owned(), *target.address())]);
    (target, Gate::start(config, overrides, 1))
}

fn route(name: &str, path: &str) -> Route {
    Route { paths: vec![path.into()], ..Route::new(name, ServiceId(0)) }
}

#[tokio::test]
async fn paths_are_matched_and_sent_in_their_normal_form() {
    // Aim: the normal form decides and goes on, escaped; the raw path and the query are told as they came.
    let (target, gate) = gate([route("shop", "/shop"), route("regex", "~/r[^/]*/")]).await;
    let mut client = gate.client().await;
    for (raw, sent, prefix) in [
        ("/sh%6fp/a%20b?x=%20&y", "/srv/a%20b?x=%20&y", "/shop"),
        ("/x/..//shop/%2fa", "/srv/%2Fa", "/shop"),
        ("/shop?", "/srv?", "/shop"),
        ("/r%0d%0aX:%201/b", "/srv/b", "/r%0D%0AX:%201/"),
    ] {
        let answer = client.send(request("GET", raw)).await;
        assert!(
            answer.status == 200 && answer.headers.contains_key("via") && answer.body.is_empty(),
            "{raw}"
        );
        let seen = target.received_requests().await.unwrap().pop().unwrap();
        let url = seen.url.as_str();
        assert_eq!(&url[url.find("/srv").unwrap()..], sent, "{raw}");
        let raw_path = raw.split('?').next().unwrap();
        assert_eq!(seen.headers["x-forwarded-path"], raw_path);
        assert_eq!(seen.headers["x-forwarded-prefix"], prefix);
    }
    drop(client);
    assert_eq!(gate.stop().await.failed, 0);
}

#[tokio::test]
async fn a_plain_request_to_a_secure_route_is_told_where_to_go() {
    let secure = |name: &str, path: &str, https_redirect_status_code| Route {
        protocols: vec![Protocol::Https],
        https_redirect_status_code,
        ..route(name, path)
    };
    let (target, gate) = gate([secure("upgrade", "/u", 426), secure("redirect", "/r", 301)]).await;
    let mut client = gate.client().await;
    let told = client.send(request("GET", "/u")).await;
    assert_eq!(told.status, 426);
    assert_eq!(told.headers["connection"], "Upgrade");
    assert_eq!(told.headers["upgrade"], "TLS/1.2, HTTP/1.1");
    let body: serde_json::Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(body["message"], "Please use HTTPS protocol");
    let told = client.send(request("GET", "/r/%61?x=1")).await;
    assert_eq!(told.status, 301);
    assert_eq!(told.headers["location"], "https://example.com/r/%61?x=1");
    assert!(target.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn ports_and_repeated_headers_decide() {
    let by_port = Route { hosts: vec!["example.com:81".into()], ..route("port", "/") };
    let by_header = Route { headers: [("x-v".into(), vec!["2".into()])].into(), ..route("header", "/h") };
    let (_target, gate) = gate([by_port, by_header]).await;
    let mut client = gate.client().await;
    let mut ask = async |path: &str, headers: &[(&str, &str)]| {
        let mut asked = http::Request::get(path);
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        client.send(asked.body(Full::default()).unwrap()).await.status
    };
    assert_eq!(ask("/x", &[("host", "Example.com:81")]).await, 200);
    assert_eq!(ask("/x", &[("host", "example.com")]).await, 404);
    assert_eq!(ask("http://example.com:81/x", &[("host", "other")]).await, 200);
    assert_eq!(ask("/h", &[("host", "other"), ("x-v", "1"), ("x-v", "2")]).await, 200);
    assert_eq!(ask("/h", &[("host", "other"), ("x-v", "1")]).await, 404);
}
