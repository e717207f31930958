//! One worker: a thread with a runtime of its own, its listener, its connections to targets. Accepts, serves, ticks, drains.
//! Shares nothing with other workers but the gateway.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::clock::Clock;
use super::lane::Lane;
use super::pool::Pool;
use super::settings::{Hooks, Observer, Settings};
use super::traffic::Traffic;
use super::watch::{TICK, Watches};
use super::{client, request_id};
use crate::gateway::Gateway;
use crate::rng::{self, Rng};

/// Latencies in whole milliseconds up to this are header values made in advance.
const LATENCIES: usize = 256;
/// Empty header maps kept.
const SPARE_MAX: usize = 256;
/// After an accept failed (no descriptor is left), the next one is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the requests of one worker share.
pub(super) struct Worker {
    pub(super) number: usize,
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Clock,
    pub(super) observer: Rc<dyn Observer>,
    /// Tells the timers that something may be due now.
    changed: Arc<Notify>,
    pub(super) pool: Pool,
    pub(super) watches: Rc<Watches>,
    pub(super) settings: Arc<Settings>,
    /// The port that clients connect to, written out.
    pub(super) port: String,
    pub(super) traffic: Arc<Traffic>,
    pub(super) draining: Cell<bool>,
    /// Client connections now.
    connections: Cell<usize>,
    /// A connection has ended.
    ended: Notify,
    /// One for each client connection, so that idle ones can be told to end.
    pub(super) lanes: RefCell<Vec<Weak<Lane>>>,
    latencies: Box<[HeaderValue]>,
    /// What algorithms that draw draw from.
    pub(super) rng: RefCell<Rng>,
    ids: RefCell<request_id::Ids>,
    id_buffer: RefCell<BytesMut>,
    /// Empty header maps. hyper keeps the map of the message it writes for the next one it parses; we keep the one it
    /// parsed for the next answer. So maps go round and none is allocated.
    spare_headers: RefCell<Vec<HeaderMap>>,
}

/// What a worker's thread is given.
pub(super) struct Start {
    pub(super) number: usize,
    pub(super) listener: StdListener,
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Clock,
    pub(super) hooks: Hooks,
    pub(super) settings: Arc<Settings>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) changed: Arc<Notify>,
    pub(super) stop: oneshot::Receiver<()>,
}

/// Runs a worker until it is told to stop; the number of client connections that were left when its time was over.
pub(super) fn run(start: Start) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let left = local.block_on(&runtime, async move {
        let port = start.listener.local_addr()?.port().to_string();
        let listener = TcpListener::from_std(start.listener)?;
        let (watches, seed) = (Rc::new(Watches::default()), start.settings.seed);
        let worker = Rc::new(Worker {
            number: start.number,
            gateway: start.gateway,
            clock: start.clock,
            observer: (start.hooks.observer)(start.number),
            changed: start.changed,
            pool: Pool::new(start.settings.pool, &watches),
            watches,
            settings: start.settings,
            port,
            traffic: start.traffic,
            draining: Cell::new(false),
            connections: Cell::new(0),
            ended: Notify::new(),
            lanes: RefCell::default(),
            latencies: (0..LATENCIES).map(HeaderValue::from).collect(),
            rng: RefCell::new(rng::stream(seed, "worker", start.number as u64)),
            ids: RefCell::new(request_id::Ids::new(start.number)),
            id_buffer: RefCell::default(),
            spare_headers: RefCell::default(),
        });
        let ticks = tokio::task::spawn_local(tick(Rc::clone(&worker)));
        tokio::select! {
            () = accept(&worker, listener) => {}
            _ = start.stop => {}
        }
        let left = worker.drain().await;
        ticks.abort();
        io::Result::Ok(left)
    })?;
    Ok(left)
}

async fn tick(worker: Rc<Worker>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        worker.watches.tick();
        worker.pool.tick();
        worker.lanes.borrow_mut().retain(|lane| lane.strong_count() > 0);
    }
}

/// Accepts until it is dropped. At the bound it waits: clients then wait in the system's queue.
async fn accept(worker: &Rc<Worker>, listener: TcpListener) {
    loop {
        while worker.connections.get() >= worker.settings.connections_max {
            worker.ended.notified().await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without it an answer of two writes may wait for an acknowledgement; with it nothing is lost.
                let _ = stream.set_nodelay(true);
                worker.connections.set(worker.connections.get() + 1);
                worker.traffic.accepted();
                tokio::task::spawn_local(client::serve(Connected(Rc::clone(worker)), stream, peer));
            }
            Err(_) => pause().await,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell owns waiting")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// A client connection, counted while it lives.
pub(super) struct Connected(pub(super) Rc<Worker>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.traffic.closed();
        self.0.ended.notify_one();
    }
}

impl Worker {
    /// Wakes the timers when an attempt's end has turned a target: what follows from that is made there, and requests go on.
    pub(super) fn tell_turns(&self) {
        if self.gateway.has_turned() {
            self.changed.notify_one();
        }
    }

    /// The next request's id: 32 hexadecimal digits.
    pub(super) fn next_id(&self) -> Bytes {
        let mut buffer = self.id_buffer.borrow_mut();
        self.ids.borrow_mut().write_next(&mut buffer);
        buffer.split().freeze()
    }

    /// An empty map for the header fields of an answer.
    pub(super) fn spare_headers(&self) -> HeaderMap {
        self.spare_headers.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a map that is not needed any more.
    pub(super) fn keep_headers(&self, mut headers: HeaderMap) {
        let mut spare = self.spare_headers.borrow_mut();
        if spare.len() < SPARE_MAX {
            headers.clear();
            spare.push(headers);
        }
    }

    /// A duration in whole milliseconds as a header value.
    pub(super) fn latency(&self, duration: Duration) -> HeaderValue {
        let ms = usize::try_from(duration.as_millis()).unwrap_or(usize::MAX);
        self.latencies.get(ms).cloned().unwrap_or_else(|| HeaderValue::from(ms))
    }

    /// Lets requests under way finish, idle connections end. The number of connections left when the time was over.
    async fn drain(&self) -> usize {
        self.draining.set(true);
        self.lanes.borrow().iter().filter_map(Weak::upgrade).for_each(|lane| lane.wake());
        let all_ended = async {
            while self.connections.get() > 0 {
                self.ended.notified().await;
            }
        };
        let _ = timeout(self.settings.drain, all_ended).await;
        self.pool.clear();
        self.connections.get()
    }
}
