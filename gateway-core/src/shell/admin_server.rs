//! The Admin API on a socket: reads a request, asks `admin`, applies the change it stands for, answers. Loopback by default.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, SERVER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::LocalSet;

use super::answer::NAME;
use super::clock::Clock;
use super::settings::Hooks;
use super::traffic::{Totals, Traffic};
use crate::admin::{self, Call, Decision, Reply, Status};
use crate::gateway::Gateway;

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

/// What the Admin API works on.
pub(super) struct Admin {
    pub(super) gateway: Arc<Gateway>,
    pub(super) clock: Clock,
    pub(super) hooks: Hooks,
    /// The counts of each worker.
    pub(super) traffic: Vec<Arc<Traffic>>,
}

/// Serves until told to stop.
pub(super) fn run(admin: Admin, listener: StdListener, stop: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = TcpListener::from_std(listener)?;
        let admin = Arc::new(admin);
        tokio::select! {
            () = accept(&admin, listener) => {}
            _ = stop => {}
        }
        Ok(())
    })
}

async fn accept(admin: &Arc<Admin>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            pause().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let admin = Arc::clone(admin);
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
            content_type,
            body: &body,
            now_s: unix_seconds(),
        };
        response(self.answer(&call))
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        let decision = admin::decide(self.gateway.view().config(), &self.status(), call);
        match decision {
            Decision::Reply(reply) => reply,
            Decision::Change(change, then) => match self.gateway.apply(change, self.clock.now()) {
                Ok(applied) => {
                    (self.hooks.on_applied)(applied);
                    admin::reply_after(self.gateway.view().config(), then)
                }
                Err(error) => admin::refused(&error),
            },
        }
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
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Some(allow) = reply.allow {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}
