//! What a gateway needs to know before it starts, and who is told what it does.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::gateway::{Applied, Attempt};
use crate::outcome::Outcome;
use crate::time::Instant;

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
    /// What a target may answer.
    pub answer: AnswerLimits,
    /// Bytes of a request's body that are kept until the answer has come, so that another try can send it again; a longer
    /// body is sent once.
    pub replay_bytes_max: usize,
    /// How long `stop` waits for requests under way.
    pub drain: Duration,
    /// Where targets really listen, by name and port (`httpbin.org:80`); others are looked up.
    pub overrides: BTreeMap<String, SocketAddr>,
}

/// Kept-alive connections to targets, of each worker.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Idle connections kept for each target.
    pub idle_max: usize,
    /// How long one is kept.
    pub idle_timeout: Duration,
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
            answer: AnswerLimits::default(),
            replay_bytes_max: 64 * 1024,
            drain: Duration::from_secs(10),
            overrides: BTreeMap::new(),
        }
    }
}

/// Is told of each attempt, on the worker's own thread.
pub trait Observer {
    /// The observer's own number for the request with these headers.
    fn request(&self, headers: &HeaderMap) -> u64;
    /// A target was picked.
    fn picked(&self, request: u64, attempt: &Attempt);
    /// An attempt has ended.
    fn finished(&self, request: u64, attempt: &Attempt, outcome: Outcome, at: Instant);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug)]
struct Unobserved;

impl Observer for Unobserved {
    fn request(&self, _: &HeaderMap) -> u64 {
        0
    }
    fn picked(&self, _: u64, _: &Attempt) {}
    fn finished(&self, _: u64, _: &Attempt, _: Outcome, _: Instant) {}
}

/// Who is told what a gateway does.
#[derive(Clone)]
pub struct Hooks {
    /// Makes the observer of one worker, by its number, on its thread.
    pub observer: Arc<dyn Fn(usize) -> Rc<dyn Observer> + Send + Sync>,
    /// Is told of each change that is in force: before the Admin API answers, and whatever thread a target turned on.
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
