//! Copies of requests over real sockets: they reach the other host, marked; the client's answer is the one it would have got
//! without them; and both answers are compared.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with the tests of the proxy")]
mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::config::Config;
use gateway_core::entity::{Address, Mirror, Route, Service, Target, Upstream};
use gateway_core::gateway::{Attempt, Compared, Finished, Gateway};
use gateway_core::shell::{Clock, CopyNews, Hooks, Observer, Settings, Shell};
use gateway_core::weight::Weight;
use http::{HeaderMap, Request};
use http_body_util::Full;
use support::{client, request};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Tells the test what became of each copy.
struct Told(Sender<CopyNews>);

impl Observer for Told {
    fn request(&self, _: &HeaderMap) -> u64 {
        0
    }
    fn picked(&self, _: u64, _: &Attempt) {}
    fn finished(&self, _: u64, _: Finished) {}
    fn copied(&self, _: u64, news: CopyNews) {
        let _ = self.0.send(news);
    }
}

/// A gateway whose Service goes to `blue`, with copies to `green`.
fn gate(blue: SocketAddr, green: SocketAddr, mirror: Mirror) -> (Shell, Receiver<CopyNews>) {
    let (mut config, mut overrides) = (Config::default(), BTreeMap::new());
    for (name, address) in [("blue", blue), ("green", green)] {
        let upstream = config.add_upstream(Upstream::new(name)).unwrap();
        let target = format!("{name}-1:80");
        config.add_target(Target::new(upstream, Address::parse(&target).unwrap(), Weight::DEFAULT)).unwrap();
        overrides.insert(target, address);
    }
    let service = Service { mirror: Some(mirror), ..Service::new("shop", "blue") };
    let service = config.add_service(service).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    let (told, news) = channel();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { proxy: any, admin: any, workers: 1, overrides, ..Settings::default() };
    let observer = Arc::new(move |_| -> Rc<dyn Observer> { Rc::new(Told(told.clone())) });
    let hooks = Hooks { observer, ..Hooks::default() };
    let shell = Shell::start(Arc::new(Gateway::new(config)), settings, Clock::started(), hooks).unwrap();
    (shell, news)
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// What became of the next copy, whoever has to wait for it.
async fn next(news: Receiver<CopyNews>) -> (CopyNews, Receiver<CopyNews>) {
    let wait = move || (news.recv_timeout(Duration::from_secs(20)).unwrap(), news);
    tokio::task::spawn_blocking(wait).await.unwrap()
}

async fn stop(shell: Shell) {
    tokio::task::spawn_blocking(|| shell.stop()).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_marked_and_the_client_gets_its_own_answer() {
    let blue =
        server(ResponseTemplate::new(200).insert_header("x-v", "1").set_body_string("from blue")).await;
    let green =
        server(ResponseTemplate::new(500).insert_header("x-v", "2").set_body_string("from green")).await;
    let mirror = Mirror { compare_headers: vec!["x-v".into()], ..Mirror::new("green") };
    let (shell, news) = gate(*blue.address(), *green.address(), mirror);
    let mut asked = request("GET", "/a?b=c");
    // What a client says of copies is its own word.
    asked.headers_mut().insert("x-mirror", "forged".parse().unwrap());
    let answer = client(shell.proxy_addr()).await.send(asked).await;
    assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"from blue"[..]));
    let (CopyNews::Compared(Compared::Different { parts, own, copy }), _) = next(news).await else {
        panic!()
    };
    assert_eq!(parts, ["status", "body", "x-v"]);
    assert_eq!((own.status, copy.status, own.body_bytes), (200, 500, 9));
    let [own, copy] = [blue, green].map(|server| async move { server.received_requests().await.unwrap() });
    let (own, copy) = (own.await, copy.await);
    assert_eq!((own.len(), copy.len()), (1, 1));
    assert_eq!((own[0].url.query(), copy[0].url.query()), (Some("b=c"), Some("b=c")));
    assert!(own[0].headers.get("x-mirror").is_none());
    assert_eq!(copy[0].headers["x-mirror"], "1");
    stop(shell).await;
}

#[tokio::test]
async fn a_host_that_never_answers_its_copies_delays_nobody() {
    let blue = server(ResponseTemplate::new(200).set_body_string("from blue")).await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (shell, news) = gate(*blue.address(), hanging.local_addr().unwrap(), Mirror::new("green"));
    let mut client = client(shell.proxy_addr()).await;
    for _ in 0..50 {
        // One connection: each answer must be whole before the next request, and no copy ever ends.
        assert_eq!(client.send(request("GET", "/")).await.body, "from blue");
    }
    assert!(news.try_recv().is_err());
    drop(client);
    stop(shell).await;
    assert_eq!(news.iter().filter(|news| *news == CopyNews::Compared(Compared::NoCopy)).count(), 50);
}

#[tokio::test]
async fn a_refused_copy_is_told_and_what_has_a_body_is_not_copied() {
    let blue = server(ResponseTemplate::new(200)).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mirror = Mirror { methods: vec!["GET".into(), "POST".into()], ..Mirror::new("green") };
    let (shell, news) = gate(*blue.address(), gone, mirror);
    let mut client = client(shell.proxy_addr()).await;
    let post = Request::builder().method("POST").uri("/").header("host", "x");
    let post = post.body(Full::from(Bytes::from_static(b"order"))).unwrap();
    assert_eq!(client.send(post).await.status, 200);
    assert_eq!(client.send(request("GET", "/")).await.status, 200);
    let (first, news) = next(news).await;
    assert_eq!(first, CopyNews::Compared(Compared::NoCopy));
    drop(client);
    stop(shell).await;
    assert_eq!(news.iter().count(), 0);
}

#[tokio::test]
async fn answers_that_are_alike_are_told_so_whatever_their_framing() {
    // Aim: the same body in chunks and at once, an empty one, and the answer to a HEAD.
    let body = "x".repeat(100_000);
    let blue = server(ResponseTemplate::new(200).set_body_string(body.clone())).await;
    let green = server(
        ResponseTemplate::new(200).set_body_string(body).insert_header("transfer-encoding", "chunked"),
    )
    .await;
    let (shell, mut news) = gate(*blue.address(), *green.address(), Mirror::new("green"));
    let mut client = client(shell.proxy_addr()).await;
    for method in ["GET", "HEAD"] {
        client.send(request(method, "/")).await;
        let told;
        (told, news) = next(news).await;
        assert_eq!(told, CopyNews::Compared(Compared::Alike), "{method}");
    }
    stop(shell).await;
}

#[tokio::test]
async fn a_copy_that_takes_longer_than_it_may_has_failed() {
    let blue = server(ResponseTemplate::new(200).set_body_string("from blue")).await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mirror = Mirror { timeout: Some(Duration::from_millis(20)), ..Mirror::new("green") };
    let (shell, news) = gate(*blue.address(), hanging.local_addr().unwrap(), mirror);
    assert_eq!(client(shell.proxy_addr()).await.send(request("GET", "/")).await.body, "from blue");
    // Told while the shell still runs, though the host never says anything.
    let (first, news) = next(news).await;
    assert_eq!(first, CopyNews::Compared(Compared::NoCopy));
    stop(shell).await;
    assert_eq!(news.iter().count(), 0);
}
