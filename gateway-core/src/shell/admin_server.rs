//! The Admin API on a socket: reads a request, asks `admin`, applies the change it stands for, answers. Loopback by default.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CONTENT_TYPE, HeaderName, SERVER,
};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::task::LocalSet;

use super::answer::NAME;
use super::clock::Clock;
use super::settings::{Hooks, Settings};
use super::timers::Timers;
use super::traffic::{Totals, Traffic};
use crate::admin::{self, Call, Decision, Reply, Status, World};
use crate::gateway::Gateway;
use crate::schema::Stamp;

/// Milliseconds that a call took.
const X_KONG_ADMIN_LATENCY: HeaderName = HeaderName::from_static("x-kong-admin-latency");
/// The longest body of a request, as Kong's.
const BODY_MAX: usize = 10 * 1024 * 1024;
/// Connections served at once.
const CONNECTIONS_MAX: usize = 256;
/// How long a head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// After an accept failed, the next one is tried this much later.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the thread is given.
pub(super) struct Start {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Clock,
    pub(super) hooks: Hooks,
    /// The counts of each worker.
    pub(super) traffic: Vec<Arc<Traffic>>,
    pub(super) settings: Arc<Settings>,
    pub(super) changed: Arc<Notify>,
}

/// What the Admin API works on.
struct Admin {
    gateway: Arc<Gateway>,
    clock: Clock,
    hooks: Hooks,
    traffic: Vec<Arc<Traffic>>,
    /// Ids given to new entities so far.
    created: Cell<u64>,
    /// Tells the timers that something may be due now.
    changed: Arc<Notify>,
}

/// Serves until told to stop.
pub(super) fn run(start: Start, listener: StdListener, stop: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        let Start { gateway, clock, hooks, traffic, settings, changed } = start;
        let timers = Timers {
            gateway: Arc::clone(&gateway),
            clock: clock.clone(),
            hooks: hooks.clone(),
            settings,
            changed: Arc::clone(&changed),
        };
        tokio::task::spawn_local(Rc::new(timers).run());
        let admin = Rc::new(Admin { gateway, clock, hooks, traffic, created: Cell::new(0), changed });
        tokio::select! {
            () = accept(&admin, listener) => {}
            _ = stop => {}
        }
        Ok(())
    })
}

async fn accept(admin: &Rc<Admin>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            pause().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let admin = Rc::clone(admin);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(admin.handle(request).await) });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // How a connection ends is the client's business.
            let _ = connection.await;
            drop(place);
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell owns waiting")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

impl Admin {
    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let began = self.clock.now();
        let mut response = self.respond(request).await;
        let latency = self.clock.now().since(began).as_millis();
        let latency = HeaderValue::from(u64::try_from(latency).unwrap_or(u64::MAX));
        response.headers_mut().insert(X_KONG_ADMIN_LATENCY, latency);
        response
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let reading = Limited::new(body, BODY_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(e)) if e.is::<LengthLimitError>() => {
                return response(Reply::message(413, "Payload too large"));
            }
            Ok(Err(_)) => return response(Reply::message(400, "Bad request")),
            Err(_) => return response(Reply::message(408, "Request timeout")),
        };
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let call = Call {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            content_type,
            body: &body,
            stamp: self.stamp(),
        };
        response(self.answer(&call))
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        if self.gateway.has_turned() {
            // What is shown of health is what requests are picked by.
            self.gateway.handle_timeout(self.clock.now());
            self.changed.notify_one();
        }
        let config = self.gateway.config();
        let world = World { gateway: &self.gateway, config: &config, status: &self.status() };
        match admin::decide(&world, call) {
            Decision::Reply(reply) => reply,
            Decision::Change(change, then) => match self.gateway.apply(*change, self.clock.now()) {
                Ok(applied) => {
                    (self.hooks.on_applied)(&applied);
                    self.changed.notify_one();
                    admin::reply_after(&self.gateway.config(), then)
                }
                Err(error) => admin::refused(&error),
            },
            Decision::SetHealth(targets, is_healthy) => {
                for target in targets {
                    self.gateway.set_health(target, is_healthy, self.clock.now());
                }
                self.changed.notify_one();
                Reply::empty()
            }
        }
    }

    /// What a new entity gets: now, and an id that nobody has.
    fn stamp(&self) -> Stamp {
        let now_ms = unix_millis();
        let count = self.created.get();
        self.created.set(count + 1);
        Stamp::drawn(now_ms ^ u64::from(std::process::id()) << 48, count, now_ms)
    }

    fn status(&self) -> Status {
        let totals = self.traffic.iter().fold(Totals::default(), |totals, traffic| traffic.add_to(totals));
        Status {
            connections_accepted: totals.accepted,
            connections_active: totals.accepted.saturating_sub(totals.closed),
            total_requests: totals.requests,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "entities carry the wall clock, as Kong's do")]
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if reply.status != 204 && reply.status != 304 {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    if let Some(allow) = reply.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
    }
    response
}
