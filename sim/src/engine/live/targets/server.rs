//! One mock target on sockets: each request's way to its answer. `mock` decides; this file waits and writes.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use gateway_core::shell::{Clock, MIRROR_HEADER};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request;
use hyper::{Request, Response, StatusCode};
use tokio::sync::watch;

use super::counter::Counter;
use super::line::{Cut, Line};
use super::said::Said;
use super::{Shared, TARGET};
use crate::engine::live::alarm::Alarm;
use crate::engine::live::seal::{BODY, Seal};
use crate::load::ids;
use crate::measure::Observation;
use crate::mock::{Fate, Full, Manner, Seen, Target};
use crate::plan::MockPlan;

/// The header that says which version it is.
const VERSION: HeaderName = HeaderName::from_static("x-sim-version");
/// The longest body of a request that a mock reads.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// One mock target on sockets.
pub(super) struct Server {
    pub(super) target: Target,
    number: HeaderValue,
    version: HeaderValue,
    /// Requests that are none of the run's.
    strangers: Cell<u64>,
    counter: Rc<Counter>,
    shared: Rc<Shared>,
    pub(super) clock: Clock,
    pub(super) alarm: Rc<Alarm>,
    /// Whether its connections are cut.
    pub(super) cut: Rc<Cut>,
    /// Told to all its connections when the process dies.
    pub(super) killed: watch::Sender<()>,
}

/// A connection is reset instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("reset by a fault")]
pub(super) struct WasReset;

impl Server {
    /// Number `number` of the plan.
    pub(super) fn new(
        number: usize,
        mock: MockPlan,
        shared: &Rc<Shared>,
        clock: &Clock,
        alarm: &Rc<Alarm>,
    ) -> Self {
        Self {
            number: HeaderValue::from(number),
            version: HeaderValue::from_str(&mock.version).unwrap_or_else(|_| HeaderValue::from_static("?")),
            strangers: Cell::new(u64::MAX),
            counter: Rc::new(Counter::new(mock.behaviour.places, clock, alarm)),
            target: Target::new(number, &mock.name, mock.behaviour, &shared.faults, shared.seed),
            shared: Rc::clone(shared),
            clock: clock.clone(),
            alarm: Rc::clone(alarm),
            cut: Rc::default(),
            killed: watch::Sender::default(),
        }
    }

    /// Where its requests are served.
    pub(super) fn counter(&self) -> Rc<Counter> {
        Rc::clone(&self.counter)
    }

    /// The answer to one request of `line`, when there is one.
    pub(super) async fn serve(
        &self,
        line: &Rc<Line>,
        request: Request<Incoming>,
    ) -> Result<Response<Said>, WasReset> {
        let at = self.clock.now();
        let id = request.headers().get(ids::HEADER).cloned();
        let index = id.as_ref().and_then(|id| self.shared.ids.index(id.as_bytes()));
        let is_copy = request.headers().contains_key(MIRROR_HEADER);
        if let Some(request) = index {
            let mock = self.target.number() as u32;
            self.shared.reporter.report(Observation::served(request, mock, is_copy, at));
        }
        let number = match index {
            // A copy demands what its request does, whichever comes first.
            Some(request) => (request, is_copy || self.shared.visits.borrow_mut().is_new(request)),
            None => (self.strangers.replace(self.strangers.get() - 1), true),
        };
        let (parts, body) = request.into_parts();
        let mut response = match Limited::new(body, BODY_MAX).collect().await {
            Ok(body) => self.decide(line, number, &parts, &body.to_bytes()).await?,
            Err(_) => bare(line, StatusCode::PAYLOAD_TOO_LARGE),
        };
        let headers = response.headers_mut();
        headers.insert(TARGET, self.number.clone());
        headers.insert(VERSION, self.version.clone());
        if let Some(id) = id {
            headers.insert(ids::HEADER, id);
        }
        Ok(response)
    }

    /// From the moment it is read to its answer.
    async fn decide(
        &self,
        line: &Rc<Line>,
        (request, is_new): (u64, bool),
        parts: &request::Parts,
        body: &Bytes,
    ) -> Result<Response<Said>, WasReset> {
        self.thaw().await;
        let (demand, error) = match self.target.fate(request, is_new, self.clock.now()) {
            Fate::Reset => {
                line.reset();
                return Err(WasReset);
            }
            Fate::Silence => return std::future::pending().await,
            Fate::Service { demand, error } => (demand, error),
        };
        let served = self.counter.serve(demand).await;
        self.thaw().await;
        let response = match (served, error.map(StatusCode::from_u16)) {
            (Err(Full), _) => bare(line, StatusCode::SERVICE_UNAVAILABLE),
            (Ok(()), Some(Ok(status))) => bare(line, status),
            (Ok(()), _) => self.answer(line, request, parts, body),
        };
        Ok(self.in_manner(line, response))
    }

    /// Waits as long as it hangs.
    async fn thaw(&self) {
        let now = self.clock.now();
        let thawed = self.target.thawed(now);
        if thawed > now {
            self.alarm.wait_until(thawed).await;
        }
    }

    fn answer(&self, line: &Rc<Line>, request: u64, parts: &request::Parts, body: &[u8]) -> Response<Said> {
        let headers: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or(""))).collect();
        let seen = Seen {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &headers,
            body,
        };
        let answer = self.target.answer(request, &seen);
        let seal = Seal::of(&answer.body);
        let mut response = Response::new(Said::new(line, answer.body));
        if let Ok(seal) = HeaderValue::try_from(seal.written()) {
            response.headers_mut().insert(BODY, seal);
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        response
    }

    /// The answer as it goes out now.
    fn in_manner(&self, line: &Rc<Line>, response: Response<Said>) -> Response<Said> {
        let now = self.clock.now();
        let Manner { closes, truncates, pace } = self.target.manner(line.count_answer(), now);
        if closes {
            line.close_after_answer();
        }
        response.map(|said| {
            let said = if truncates { said.truncated() } else { said };
            match pace {
                Some(pace) => said.slowly(pace, now, &self.alarm),
                None => said,
            }
        })
    }
}

/// An answer that says its status and nothing else.
fn bare(line: &Rc<Line>, status: StatusCode) -> Response<Said> {
    let mut response = Response::new(Said::new(line, Bytes::new()));
    *response.status_mut() = status;
    response
}
