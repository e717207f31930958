//! The proxy, request by request: what reaches a target, what comes back, and what the client is told when nothing does.
//! Well-behaved targets are wiremock's; those that misbehave write their bytes themselves.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::disallowed_methods, reason = "a client that pauses has to sleep")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::config::Config;
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::weight::Weight;
use http_body_util::Full;
use hyper::Request;
use support::{Answer, Gate, request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{any, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A gateway whose only Service points at Upstream `blue` with these targets; `change` may alter Service and Route.
fn gate(targets: &[SocketAddr], change: impl FnOnce(&mut Service, &mut Route)) -> Gate {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).unwrap();
    let mut overrides = BTreeMap::new();
    for (number, address) in targets.iter().enumerate() {
        let name = format!("blue-{number}:80");
        config.add_target(Target::new(blue, Address::parse(&name).unwrap(), Weight::DEFAULT)).unwrap();
        overrides.insert(name, *address);
    }
    let mut service = Service::new("shop", "blue");
    let mut route = Route { paths: vec!["/shop".into()], ..Route::new("r", gateway_core::id::ServiceId(0)) };
    change(&mut service, &mut route);
    config.add_service(service).unwrap();
    config.add_route(route).unwrap();
    Gate::start(config, overrides, 1)
}

fn plain(_: &mut Service, _: &mut Route) {}

async fn get(gate: &Gate, path: &str) -> Answer {
    gate.client().await.send(request("GET", path)).await
}

fn message(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["request_id"].as_str().unwrap(), answer.headers["x-kong-request-id"]);
    body["message"].as_str().unwrap().to_owned()
}

/// A target that reads a head, writes `answer` and closes; one connection after the other.
async fn raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if read_head(&mut stream).await.is_some() {
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    address
}

async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

/// An address that nobody listens on.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

// === What reaches a target ===

#[tokio::test]
async fn a_request_arrives_as_kong_would_send_it() {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let gate = gate(&[*target.address()], |service, _| service.path = Some("/api".into()));
    let sent = Request::builder()
        .method("GET")
        .uri("/shop/cart?x=1&y=%20")
        .header("host", "Example.com:8000")
        .header("x-custom", "kept")
        .header("x-forwarded-for", "10.9.8.7")
        .header("x-forwarded-proto", "https")
        .header("connection", "keep-alive, x-mine")
        .header("x-mine", "of this hop")
        .header("te", "trailers")
        .header("proxy-connection", "keep-alive")
        .body(Full::default())
        .unwrap();
    assert_eq!(gate.client().await.send(sent).await.status, 200);

    let seen = &target.received_requests().await.unwrap()[0];
    assert_eq!(seen.url.path(), "/api/cart");
    assert_eq!(seen.url.query(), Some("x=1&y=%20"));
    let field = |name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    for (name, expected) in [
        ("host", "blue-0"),
        ("x-custom", "kept"),
        ("x-forwarded-for", "10.9.8.7, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "example.com"),
        ("x-forwarded-path", "/shop/cart"),
        ("x-forwarded-prefix", "/shop"),
        ("x-real-ip", "127.0.0.1"),
        ("via", concat!("1.1 gateway-core/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(field(name).as_deref(), Some(expected), "{name}");
    }
    assert_eq!(field("x-forwarded-port"), Some(gate.proxy().port().to_string()));
    assert_eq!(field("x-kong-request-id").map(|id| id.len()), Some(32));
    assert_eq!(field("te").as_deref(), Some("trailers"), "the one coding that is passed on");
    assert_eq!(field("connection").as_deref(), Some("TE"), "which belongs to each hop");
    for gone in ["x-mine", "proxy-connection", "content-length", "transfer-encoding"] {
        assert_eq!(field(gone), None, "{gone} belongs to the client's hop");
    }
}

#[tokio::test]
async fn routes_match_by_host_and_method_and_may_preserve_the_host() {
    let target = MockServer::start().await;
    Mock::given(header("host", "shop.example")).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let gate = gate(&[*target.address()], |_, route| {
        route.paths = vec![];
        route.hosts = vec!["shop.example".into()];
        route.methods = vec!["GET".into()];
        route.preserve_host = true;
    });
    let to = |method: &str, host: &str| {
        Request::builder().method(method).uri("/x").header("host", host).body(Full::default()).unwrap()
    };
    let mut client = gate.client().await;
    assert_eq!(client.send(to("GET", "shop.example")).await.status, 200);
    assert_eq!(client.send(to("POST", "shop.example")).await.status, 404);
    assert_eq!(client.send(to("GET", "other.example")).await.status, 404);
}

#[tokio::test]
async fn bodies_arrive_whole_whether_their_length_was_said_or_not() {
    let target = MockServer::start().await;
    Mock::given(method("POST")).respond_with(ResponseTemplate::new(201)).mount(&target).await;
    let gate = gate(&[*target.address()], plain);
    let mut client = gate.client().await;
    for size in [0, 1, 100, 64 * 1024, 3 * 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let post = Request::post("/shop").header("host", "x").body(Full::from(body.clone())).unwrap();
        assert_eq!(client.send(post).await.status, 201, "{size} bytes");
        assert!(target.received_requests().await.unwrap().last().unwrap().body == body, "{size} bytes");
    }
    // Chunked, in pieces that arrive one by one.
    let mut stream = TcpStream::connect(gate.proxy()).await.unwrap();
    stream.write_all(b"POST /shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    for piece in ["5\r\nhello\r\n", "1\r\n \r\n", "5\r\nworld\r\n", "0\r\n\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(read_head(&mut stream).await.unwrap().starts_with(b"HTTP/1.1 201"));
    let seen = target.received_requests().await.unwrap();
    assert_eq!(seen.last().unwrap().body, b"hello world");
}

// === What comes back ===

#[tokio::test]
async fn answers_come_back_with_their_status_headers_and_body() {
    let target = MockServer::start().await;
    for size in [0_usize, 1, 8191, 8192, 8193, 2 * 1024 * 1024] {
        let body: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
        let answer = ResponseTemplate::new(203).insert_header("x-answer", "yes").set_body_bytes(body.clone());
        Mock::given(path(format!("/{size}"))).respond_with(answer).mount(&target).await;
    }
    let gate = gate(&[*target.address()], plain);
    let mut client = gate.client().await;
    for size in [0_usize, 1, 8191, 8192, 8193, 2 * 1024 * 1024] {
        let answer = client.send(request("GET", &format!("/shop/{size}"))).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (203, size));
        assert!(answer.body.iter().enumerate().all(|(i, &b)| b == (i % 253) as u8));
        assert_eq!(answer.headers["x-answer"], "yes");
        assert_eq!(answer.headers["via"], concat!("1.1 gateway-core/", env!("CARGO_PKG_VERSION")));
        assert!(answer.headers.contains_key("x-kong-upstream-latency"));
        assert!(answer.headers.contains_key("x-kong-proxy-latency"));
    }
}

#[tokio::test]
async fn every_form_of_an_answer_is_read_to_its_end() {
    for (answer, expected) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"[..], "hello"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\na: b\r\n\r\n", "hello"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello until the connection ends", "hello until the connection ends"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", "old"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", ""),
    ] {
        let gate = gate(&[raw(answer).await], plain);
        let seen = get(&gate, "/shop").await;
        assert_eq!(seen.body, expected, "{:?}", String::from_utf8_lossy(answer));
        assert!(!seen.headers.contains_key("link"), "interim answers stay on their hop");
    }
}

#[tokio::test]
async fn the_answer_to_a_head_has_a_length_and_no_body() {
    let gate = gate(&[raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await], plain);
    let answer = gate.client().await.send(request("HEAD", "/shop")).await;
    assert_eq!((answer.headers["content-length"].to_str().unwrap(), answer.body.len()), ("5", 0));
}

#[tokio::test]
async fn fields_of_one_hop_do_not_reach_the_client() {
    let target = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive, x-hop\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\nx-end: 2\r\n\r\n").await;
    let answer = get(&gate(&[target], plain), "/shop").await;
    assert_eq!(answer.headers["x-end"], "2");
    for gone in ["keep-alive", "x-hop"] {
        assert!(!answer.headers.contains_key(gone), "{gone}");
    }
}

#[tokio::test]
async fn a_body_reaches_the_client_before_it_is_complete() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = gate(&[listener.local_addr().unwrap()], plain);
    let mut client = TcpStream::connect(gate.proxy()).await.unwrap();
    client.write_all(b"GET /shop HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut target, _) = listener.accept().await.unwrap();
    read_head(&mut target).await.unwrap();
    target.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").await.unwrap();
    read_head(&mut client).await.unwrap();
    let mut half = [0; 5];
    client.read_exact(&mut half).await.unwrap();
    assert_eq!(&half, b"first");
    target.write_all(b"-last").await.unwrap();
    client.read_exact(&mut half).await.unwrap();
    assert_eq!(&half, b"-last");
}

#[tokio::test]
async fn who_waits_for_a_slow_client_does_not_blame_the_target() {
    // Aim: a client that pauses longer than the Service's timeouts, within a download and within an upload, loses nothing.
    // Method: both timeouts are some ticks long and the client pauses for twice that; bodies are larger than all buffers between.
    const SIZE: usize = 24 * 1024 * 1024;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = gate(&[listener.local_addr().unwrap()], |service, _| {
        service.retries = 0;
        service.read_timeout = Duration::from_millis(500);
        service.write_timeout = Duration::from_millis(500);
    });
    let target = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await.unwrap();
        let mut body = [0; 10];
        stream.read_exact(&mut body).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&vec![b'x'; SIZE]).await.unwrap();
        body
    });
    let pause = || tokio::time::sleep(Duration::from_millis(1100));
    let mut client = TcpStream::connect(gate.proxy()).await.unwrap();
    client.write_all(b"POST /shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst").await.unwrap();
    pause().await;
    client.write_all(b"-last").await.unwrap();
    assert!(read_head(&mut client).await.unwrap().starts_with(b"HTTP/1.1 200"));
    pause().await;
    let mut body = vec![0; SIZE];
    client.read_exact(&mut body).await.unwrap();
    assert_eq!(&target.await.unwrap(), b"first-last");
}

#[tokio::test]
async fn empty_fields_and_odd_names_pass_through() {
    let answer = b"HTTP/1.1 200 OK\r\nx-empty:\r\nx-blank: \r\nX_Odd~Name: v\r\ncontent-length: 0\r\n\r\n";
    let answer = get(&gate(&[raw(answer).await], plain), "/shop").await;
    assert_eq!((answer.headers["x-empty"].len(), answer.headers["x-blank"].len()), (0, 0));
    assert_eq!(answer.headers["x_odd~name"], "v");
}

// === What the client is told when nothing comes back ===

#[tokio::test]
async fn no_route_and_no_target_are_told_in_kongs_words() {
    let gate = gate(&[], plain);
    let answer = get(&gate, "/elsewhere").await;
    assert_eq!(
        (answer.status.as_u16(), message(&answer).as_str()),
        (404, "no Route matched with those values")
    );
    assert_eq!(answer.headers["server"], concat!("gateway-core/", env!("CARGO_PKG_VERSION")));
    assert!(!answer.headers.contains_key("via"), "nobody was behind it");
    let answer = get(&gate, "/shop").await;
    let expected = (503, "failure to get a peer from the ring-balancer");
    assert_eq!((answer.status.as_u16(), message(&answer).as_str()), expected);
}

#[tokio::test]
async fn a_target_that_answers_nonsense_or_nothing_is_a_502() {
    for answer in [
        &b"nonsense\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
    ] {
        let gate = gate(&[raw(answer).await], plain);
        let seen = get(&gate, "/shop").await;
        let expected = (502, "An invalid response was received from the upstream server");
        let text = String::from_utf8_lossy(answer);
        assert_eq!((seen.status.as_u16(), message(&seen).as_str()), expected, "{text}");
    }
    let answer = get(&gate(&[nobody().await], plain), "/shop").await;
    assert_eq!(answer.status, 502);
}

#[tokio::test]
async fn endless_heads_and_interim_answers_end_in_a_502() {
    for endless in
        [&b"x-filler: 0123456789012345678901234567890123456789\r\n"[..], b"\r\nHTTP/1.1 100 Continue\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = gate(&[listener.local_addr().unwrap()], |service, _| service.retries = 0);
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n").await;
            while stream.write_all(endless).await.is_ok() {}
        });
        assert_eq!(get(&gate, "/shop").await.status, 502);
    }
}

#[tokio::test]
async fn a_target_that_takes_too_long_is_a_504() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = gate(&[listener.local_addr().unwrap()], |service, _| {
        service.retries = 0;
        service.read_timeout = Duration::from_millis(100);
    });
    let answer = get(&gate, "/shop").await;
    assert_eq!(
        (answer.status.as_u16(), message(&answer).as_str()),
        (504, "The upstream server is timing out")
    );
}

#[tokio::test]
async fn an_answer_that_is_cut_short_never_looks_complete() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
    ] {
        let gate = gate(&[raw(answer).await], plain);
        let result = gate.client().await.try_send(request("GET", "/shop")).await;
        assert!(result.is_err(), "{:?}", String::from_utf8_lossy(answer));
    }
}

// === Tries ===

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_even_for_a_post() {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    let gate = gate(&[nobody().await, *target.address()], plain);
    let mut client = gate.client().await;
    for _ in 0..4 {
        let post = Request::post("/shop")
            .header("host", "x")
            .body(Full::from(Bytes::from_static(b"order")))
            .unwrap();
        assert_eq!(client.send(post).await.status, 200);
    }
    let seen = target.received_requests().await.unwrap();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|request| request.body == b"order"));
}

#[tokio::test]
async fn a_request_that_may_have_been_done_is_repeated_only_when_that_does_no_harm() {
    let target = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&target).await;
    // The first target takes a request and hangs up.
    let gate = gate(&[raw(b"").await, *target.address()], plain);
    let mut client = gate.client().await;
    assert_eq!(client.send(request("GET", "/shop")).await.status, 200, "a GET goes on");
    let statuses = [client.send(request("POST", "/shop")).await, client.send(request("POST", "/shop")).await]
        .map(|answer| answer.status.as_u16());
    assert!(statuses.contains(&502) && statuses.contains(&200), "a POST does not: {statuses:?}");
}

#[tokio::test]
async fn a_kept_connection_that_its_target_has_closed_is_not_used() {
    // Each connection serves one request although it never said so.
    let gate = gate(&[raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await], plain);
    let mut client = gate.client().await;
    for _ in 0..20 {
        assert_eq!(client.send(request("GET", "/shop")).await.body, "ok");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_never_become_the_next_one() {
    let gate = gate(
        &[raw(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        )
        .await],
        plain,
    );
    let mut client = gate.client().await;
    for _ in 0..5 {
        assert_eq!(client.send(request("GET", "/shop")).await.body, "ok");
    }
}

// === The end ===

#[tokio::test]
async fn a_drain_lets_the_request_under_way_finish_and_ends_idle_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = gate(&[listener.local_addr().unwrap()], plain);
    let idle = gate.client().await;
    let mut client = gate.client().await;
    let answer = tokio::spawn(async move { client.send(request("GET", "/shop")).await });
    let (mut target, _) = listener.accept().await.unwrap();
    read_head(&mut target).await.unwrap();
    let stopping = tokio::spawn(gate.stop());
    tokio::task::yield_now().await;
    target.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(answer.await.unwrap().body, "ok");
    let drained = stopping.await.unwrap();
    assert_eq!((drained.left, drained.failed), (0, 0));
    drop(idle);
}
