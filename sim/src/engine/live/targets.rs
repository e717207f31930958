//! The mock targets on sockets: one listener for each name, one thread for all. What they answer and how long they take is
//! `mock`'s to say; this file waits and writes. Each request goes into the target's book when its head has arrived.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::rng;
use gateway_core::shell::Clock;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

use super::alarm::Alarm;
use super::report::Reporter;
use crate::engine::EngineError;
use crate::load::{RequestIds, ids};
use crate::measure::Observation;
use crate::mock::{self, Behaviour, Seen};
use crate::plan::MockPlan;

/// The header that says which mock answered: its index in the plan.
pub(super) const TARGET: HeaderName = HeaderName::from_static("x-sim-target");
/// The header that says which version it is.
const VERSION: HeaderName = HeaderName::from_static("x-sim-version");
/// The longest body of a request that a mock reads.
const BODY_MAX: usize = 16 * 1024 * 1024;
/// Between two reports of the thread.
const FLUSH: Duration = Duration::from_millis(10);

/// Listeners for all mocks, bound before the run begins so that the gateway can be told where they are.
pub(super) struct Listeners {
    listeners: Vec<StdListener>,
    /// By target name.
    pub(super) addresses: BTreeMap<String, SocketAddr>,
}

/// A listener at `address` for each mock; port 0 gives each a free one.
pub(super) fn listen(mocks: &[MockPlan], address: SocketAddr) -> Result<Listeners, EngineError> {
    let mut all = Listeners { listeners: Vec::with_capacity(mocks.len()), addresses: BTreeMap::new() };
    for mock in mocks {
        let failed = || EngineError::system(format!("listen on {address} for target {}", mock.name));
        let listener = StdListener::bind(address).map_err(failed())?;
        listener.set_nonblocking(true).map_err(failed())?;
        all.addresses.insert(mock.name.clone(), listener.local_addr().map_err(failed())?);
        all.listeners.push(listener);
    }
    Ok(all)
}

/// What the thread is given.
pub(super) struct Start {
    pub(super) listeners: Listeners,
    pub(super) mocks: Vec<MockPlan>,
    pub(super) seed: u64,
    pub(super) ids: RequestIds,
    pub(super) clock: Clock,
    pub(super) reporter: Reporter,
    pub(super) stop: oneshot::Receiver<()>,
    /// How long requests under way may take then.
    pub(super) drain: Duration,
}

/// Serves until told to stop, then for `drain` those who are connected.
pub(super) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async move {
        let alarm = Alarm::new(&start.clock)?;
        let reporter = Rc::new(start.reporter);
        // Each listener and connection holds a receiver: when all are gone, all have ended.
        let (draining, stopped) = watch::channel(false);
        for (number, (listener, mock)) in start.listeners.listeners.into_iter().zip(start.mocks).enumerate() {
            let target = Rc::new(Target {
                number: number as u32,
                stream: format!("mock/{}", mock.name),
                number_value: HeaderValue::from(number),
                version: HeaderValue::from_str(&mock.version)
                    .unwrap_or_else(|_| HeaderValue::from_static("?")),
                behaviour: mock.behaviour,
                seed: start.seed,
                ids: start.ids.clone(),
                clock: start.clock.clone(),
                alarm: Rc::clone(&alarm),
                reporter: Rc::clone(&reporter),
            });
            tokio::task::spawn_local(accept(target, TcpListener::from_std(listener)?, stopped.clone()));
        }
        drop(stopped);
        let flushing = async {
            let mut ticks = tokio::time::interval(FLUSH);
            loop {
                ticks.tick().await;
                reporter.flush();
            }
        };
        let stopping = async {
            let _ = start.stop.await;
            let _ = draining.send(true);
            // Who has not ended by then is cut off.
            let _ = tokio::time::timeout(start.drain, draining.closed()).await;
        };
        tokio::select! {
            rang = alarm.run() => rang,
            () = flushing => Ok(()),
            () = stopping => Ok(()),
        }
    })
}

/// One mock target.
struct Target {
    number: u32,
    /// The name of its stream of draws.
    stream: String,
    number_value: HeaderValue,
    version: HeaderValue,
    behaviour: Behaviour,
    seed: u64,
    ids: RequestIds,
    clock: Clock,
    alarm: Rc<Alarm>,
    reporter: Rc<Reporter>,
}

async fn accept(target: Rc<Target>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => return,
        };
        // A connection that went away again, or no free descriptor: the client sees it, so it is observed.
        let Ok((stream, _)) = accepted else {
            tokio::task::yield_now().await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(serve(Rc::clone(&target), stream, stopped.clone()));
    }
}

/// Serves one connection to its end; told to stop, to the end of the request under way.
async fn serve(target: Rc<Target>, stream: TcpStream, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(target.serve(request).await) });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    // How a connection ends is the client's business.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

impl Target {
    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let at = self.clock.now();
        let id = request.headers().get(ids::HEADER).cloned();
        let index = id.as_ref().and_then(|id| self.ids.index(id.as_bytes()));
        if let Some(request) = index {
            self.reporter.report(Observation::Served { request, mock: self.number, at });
        }
        // The same request takes the same time at the same target, whenever and in whatever order it arrives.
        let mut draws = rng::stream(self.seed, &self.stream, index.unwrap_or(u64::MAX));
        let until = at + self.behaviour.latency.draw(&mut draws);
        let (parts, body) = request.into_parts();
        let body = match Limited::new(body, BODY_MAX).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return self.signed(status(StatusCode::PAYLOAD_TOO_LARGE), id),
        };
        let answer = self.answer(&parts, &body);
        self.alarm.wait_until(until).await;
        self.signed(answer, id)
    }

    fn answer(&self, parts: &hyper::http::request::Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or(""))).collect();
        let seen = Seen {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &headers,
            body,
        };
        let answer = mock::answer(self.behaviour.respond, &seen);
        let mut response = Response::new(Full::from(answer.body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        response
    }

    fn signed(&self, mut response: Response<Full<Bytes>>, id: Option<HeaderValue>) -> Response<Full<Bytes>> {
        let headers = response.headers_mut();
        headers.insert(TARGET, self.number_value.clone());
        headers.insert(VERSION, self.version.clone());
        if let Some(id) = id {
            headers.insert(ids::HEADER, id);
        }
        response
    }
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
