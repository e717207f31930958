//! A gateway with a target that the test plays itself, and streams that are read and written byte by byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::{Attempt, Finished, Gateway, Slot};
use gateway_core::id::{ServiceId, TargetId};
use gateway_core::outcome::Outcome;
use gateway_core::shell::{Clock, Drained, Hooks, Observer, Settings, Shell};
use gateway_core::weight::Weight;
use http::HeaderMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longer than anything here takes: a test that waits for it has failed, and says so instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway whose only target is `target`.
pub(crate) struct Gate {
    shell: Shell,
    gateway: Arc<Gateway>,
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

/// A gateway in front of `target`, with the settings and the Service that `change` makes.
pub(crate) fn gate(target: SocketAddr, change: impl FnOnce(&mut Settings, &mut Service)) -> Gate {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).unwrap();
    let name = "blue-0:80".to_owned();
    config.add_target(Target::new(blue, Address::parse(&name).unwrap(), Weight::DEFAULT)).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let overrides = BTreeMap::from([(name, target)]);
    let mut settings = Settings { proxy: any, admin: any, overrides, ..Settings::default() };
    let mut service = Service { retries: 0, ..Service::new("shop", "blue") };
    change(&mut settings, &mut service);
    config.add_service(service).unwrap();
    config.add_route(Route { paths: vec!["/shop".into()], ..Route::new("r", ServiceId(0)) }).unwrap();
    let gateway = Arc::new(Gateway::new(config));
    let outcomes = Arc::<Mutex<Vec<Outcome>>>::default();
    let noted = Arc::clone(&outcomes);
    let hooks = Hooks { observer: Arc::new(move |_| Rc::new(Notes(Arc::clone(&noted)))), ..Hooks::default() };
    let shell = Shell::start(Arc::clone(&gateway), settings, Clock::started(), hooks).unwrap();
    Gate { shell, gateway, outcomes }
}

pub(crate) fn plain(_: &mut Settings, _: &mut Service) {}

impl Gate {
    /// A new connection of a client.
    pub(crate) async fn client(&self) -> TcpStream {
        TcpStream::connect(self.shell.proxy_addr()).await.unwrap()
    }

    /// All that comes back for `request` until the gateway closes.
    pub(crate) async fn until_close(&self, request: &[u8]) -> String {
        let mut client = self.client().await;
        // A gateway that refuses may have closed before all was written.
        let _ = client.write_all(request).await;
        rest(&mut client).await
    }

    /// Attempts under way.
    pub(crate) fn in_flight(&self) -> u32 {
        self.gateway.view().slot(TargetId(0)).map_or(0, Slot::in_flight)
    }

    /// How the attempts ended, once there are `count` of them and none is under way.
    pub(crate) async fn outcomes(&self, count: usize) -> Vec<Outcome> {
        until(|| self.outcomes.lock().unwrap().len() >= count && self.in_flight() == 0).await;
        self.outcomes.lock().unwrap().clone()
    }

    /// Stops it, and tells how that went and how the attempts ended.
    pub(crate) fn stop(self) -> JoinHandle<(Drained, Vec<Outcome>)> {
        tokio::task::spawn_blocking(move || {
            let drained = self.shell.stop();
            (drained, self.outcomes.lock().unwrap().clone())
        })
    }
}

/// Writes down how attempts end.
struct Notes(Arc<Mutex<Vec<Outcome>>>);

impl Observer for Notes {
    fn request(&self, _: &HeaderMap) -> u64 {
        0
    }
    fn picked(&self, _: u64, _: &Attempt) {}
    fn finished(&self, _: u64, finished: Finished) {
        self.0.lock().unwrap().push(finished.outcome);
    }
}

/// A target that answers every request head with the same bytes on kept connections, and counts what it saw.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
    connections: Arc<AtomicUsize>,
}

impl Echo {
    /// Answers `answer` to every head.
    pub(crate) async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let (listener, answer) = (listener().await, Arc::new(answer.into()));
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<u8>>>::default(), Arc::<AtomicUsize>::default());
        let (all, count) = (Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                tokio::spawn(async move {
                    let (mut buffer, mut tail) = ([0; 4096], Vec::new());
                    while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                        all.lock().unwrap().extend_from_slice(&buffer[..n]);
                        tail.extend_from_slice(&buffer[..n]);
                        while let Some(end) = find(&tail, b"\r\n\r\n") {
                            tail.drain(..end + 4);
                            stream.write_all(&answer).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, seen, connections }
    }

    /// Everything that reached it.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    /// Connections it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
pub(crate) const GET: &[u8] = b"GET /shop HTTP/1.1\r\nhost: x\r\n\r\n";
/// The same, as the last one of its connection.
pub(crate) const CLOSING: &[u8] = b"GET /shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A piece of something endless.
pub(crate) fn filler() -> Vec<u8> {
    vec![b'x'; 64 * 1024]
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// The next connection to a target that the test plays itself.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    within(listener.accept()).await.unwrap().0
}

/// The future's value; fails the test when it takes for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this should have happened long ago")
}

/// Waits until `holds`.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    within(async {
        while !holds() {
            pause(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[expect(clippy::disallowed_methods, reason = "who plays a slow client or target has to sleep")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Reads a head, with its end.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = within(stream.read_u8()).await else {
            panic!("ended within a head: {:?}", String::from_utf8_lossy(&head));
        };
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Reads so many bytes.
pub(crate) async fn exactly(stream: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    within(stream.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until the other side closes, or resets.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    String::from_utf8_lossy(&all).into_owned()
}

/// The status of the answer at the start of `text`; 0 for none.
pub(crate) fn status(text: &str) -> u16 {
    text.strip_prefix("HTTP/1.1 ")
        .or_else(|| text.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or(0)
}

/// The value of a field in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
