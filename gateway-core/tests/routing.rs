//! Routes over real sockets: which path a target sees, and what a client is told whose protocol will not do. Which Route
//! wins is tested beside the router.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;

use gateway_core::config::Config;
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::id::ServiceId;
use gateway_core::weight::Weight;
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
    let (target, gate) = gate([route("shop", "/shop")]).await;
    let mut client = gate.client().await;
    for (raw, sent, prefix) in [
        ("/sh%6fp/a%20b?x=%20&y", "/srv/a%20b?x=%20&y", "/shop"),
        ("/x/..//shop/%2fa", "/srv/%2Fa", "/shop"),
        ("/shop?", "/srv?", "/shop"),
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
