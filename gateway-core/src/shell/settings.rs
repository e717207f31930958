//! What a gateway needs to know before it starts, and who is told what it does.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::gateway::{Applied, Attempt, Compared, Finished};

/// The settings of a gateway that do not change while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients connect; port 0 picks a free one.
    pub proxy: SocketAddr,
    /// Where the Admin API listens; port 0 picks a free one. Loopback unless somebody says otherwise.
    pub admin: SocketAddr,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// Kept-alive connections to targets.
    pub pool: PoolSettings,
    /// Client connections each worker serves at once; further ones wait to be accepted.
    pub connections_max: usize,
    /// What a client may send and how long it may take.
    pub client: ClientLimits,
    /// What a target may answer.
    pub answer: AnswerLimits,
    /// Bytes of a request's body that are kept until the answer has come, so that another try can send it again; a longer
    /// body is sent once.
    pub replay_bytes_max: usize,
    /// Whether a request that says `Kong-Debug: 1` is told its Route and Service. Off by default, as Kong's.
    pub allow_debug_header: bool,
    /// How long `stop` waits for requests under way.
    pub drain: Duration,
    /// What each worker's random choices come from.
    pub seed: u64,
    /// Where targets really listen, by name and port (`httpbin.org:80`); others are looked up.
    pub overrides: BTreeMap<String, SocketAddr>,
}

/// Kept-alive connections to targets, of each worker.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Idle connections kept for each target; with 0 each request opens its own.
    pub idle_max: usize,
    /// How long one is kept.
    pub idle_timeout: Duration,
}

/// What a client may send and how long it may take. Times are late by up to 200 ms, never early.
#[derive(Clone, Copy, Debug)]
pub struct ClientLimits {
    /// Bytes of a request's head; a longer one is answered 431. (Kong says 400 `Request header or cookie too large`; the
    /// number of its own was standardised since.) Also bounds what is buffered for a client, where less than 8 KiB is
    /// taken as 8 KiB.
    pub head_bytes_max: usize,
    /// Header fields of a request; more are answered 431. Any number but the default costs an allocation per request.
    pub fields_max: usize,
    /// From a head's first byte to its last, and from a connection's beginning to the first byte of all. Then the connection
    /// is closed.
    pub head_timeout: Duration,
    /// Between two reads of a body that somebody waits for. Then the answer is 408.
    pub body_timeout: Duration,
    /// Between two writes to a client that does not take its answer. Then the connection is closed.
    pub write_timeout: Duration,
    /// Between an answer and the next request's first byte. Then the connection is closed.
    pub idle_timeout: Duration,
    /// For how long what a client still sends is thrown away, after an answer that did not wait for the end of its request:
    /// closed at once, the connection would be reset and the answer lost. Then it is closed.
    pub linger_timeout: Duration,
    /// Requests served on one connection; the last one's answer says `Connection: close`. At least 1.
    pub requests_max: u64,
}

/// What a target may answer; whoever goes beyond it has given a bad answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// Bytes of an answer's head.
    pub head_bytes_max: usize,
    /// Header fields of an answer, at most 128.
    pub fields_max: usize,
    /// Interim answers (1xx) before the real one.
    pub interim_max: usize,
}

impl Default for ClientLimits {
    /// nginx's and Kong's: 75 s of idleness, 10,000 requests, 5 s of lingering, 60 s for everything else.
    fn default() -> Self {
        Self {
            head_bytes_max: 64 * 1024,
            fields_max: 100,
            head_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(75),
            linger_timeout: Duration::from_secs(5),
            requests_max: 10_000,
        }
    }
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { head_bytes_max: 64 * 1024, fields_max: 100, interim_max: 16 }
    }
}

impl Default for Settings {
    /// Kong's ports on loopback, one worker.
    fn default() -> Self {
        Self {
            proxy: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 8001)),
            workers: 1,
            pool: PoolSettings { idle_max: 512, idle_timeout: Duration::from_secs(60) },
            connections_max: 16_384,
            client: ClientLimits::default(),
            answer: AnswerLimits::default(),
            replay_bytes_max: 64 * 1024,
            allow_debug_header: false,
            drain: Duration::from_secs(10),
            seed: 0,
            overrides: BTreeMap::new(),
        }
    }
}

/// Is told of each attempt and each copy, on the worker's own thread.
pub trait Observer {
    /// The observer's own number for the request with these headers.
    fn request(&self, headers: &HeaderMap) -> u64;
    /// A target was picked.
    fn picked(&self, request: u64, attempt: &Attempt);
    /// A connection was opened for an attempt, which began when its target was picked; those that are kept from before are not told.
    fn connected(&self, _request: u64, _attempt: &Attempt) {}
    /// An attempt has ended, and it is known whether another one follows.
    fn finished(&self, request: u64, finished: Finished);
    /// Something became of the copy of a request. Its attempt is told like any other; it says that it is a copy.
    fn copied(&self, _request: u64, _news: CopyNews) {}
}

/// What became of the copy of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyNews {
    /// It was not made: too many are under way.
    Overflow,
    /// It was not made: there is no target.
    NoTarget,
    /// The answers to both were compared.
    Compared(Compared),
}

/// Nobody is told.
#[derive(Clone, Copy, Debug)]
struct Unobserved;

impl Observer for Unobserved {
    fn request(&self, _: &HeaderMap) -> u64 {
        0
    }
    fn picked(&self, _: u64, _: &Attempt) {}
    fn finished(&self, _: u64, _: Finished) {}
}

/// Who is told what a gateway does.
#[derive(Clone)]
pub struct Hooks {
    /// Makes the observer of one worker, by its number, on its thread.
    pub observer: Arc<dyn Fn(usize) -> Rc<dyn Observer> + Send + Sync>,
    /// Is told of each change that is in force: before the Admin API answers; on its thread too
    /// of what happens by itself, as when a target turns.
    pub on_applied: Arc<dyn Fn(&Applied) + Send + Sync>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { observer: Arc::new(|_| Rc::new(Unobserved)), on_applied: Arc::new(|_: &Applied| ()) }
    }
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hooks")
    }
}
