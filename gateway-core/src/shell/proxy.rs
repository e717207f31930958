//! One request: route, begin, forward, finish, answer. Decides nothing: the gateway says where, `forward` carries it there,
//! `answer` has the words when there is no answer to pass on.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;

use super::answer;
use super::answer_head::AnswerHead;
use super::body::AnswerBody;
use super::connection::{Connection, ExchangeError};
use super::forward::{Forwarding, forward};
use super::headers::{add_ours, asked, strip_hop};
use super::ticket::Ticket;
use super::upload::Upload;
use super::worker::Worker;
use crate::gateway::{Rejection, RouteMatch};
use crate::outcome::{Failure, Outcome};
use crate::request::{Head, HeaderLookup, Headers};
use crate::time::Instant;

/// Who asks, written out once for each connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) text: String,
}

/// Answers one request.
pub(super) async fn handle(
    worker: &Rc<Worker>,
    peer: &Peer,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let began = worker.clock.now();
    worker.traffic.request();
    let id = worker.next_id();
    let (mut parts, body) = request.into_parts();
    let host = host_of(&parts.uri, &parts.headers);
    let (ticket, matched) = match begin(worker, peer, &parts, &host, began) {
        Ok(begun) => begun,
        Err(rejection) => return answer::answer(answer::rejected(rejection), id),
    };
    let asked = asked(&parts);
    let has_length = parts.headers.contains_key(CONTENT_LENGTH);
    let mut upload = Upload::new(body, has_length, worker.settings.replay_bytes_max);
    let mut headers = worker.spare_headers();
    let forwarding = Forwarding {
        method: &parts.method,
        uri: &parts.uri,
        headers: &parts.headers,
        host: &host,
        client: &peer.text,
        matched,
        id: &id,
        asked,
    };
    let result = try_until_done(worker, ticket, &forwarding, &mut upload, &mut headers).await;
    match result {
        Ok((connection, head, ticket)) => {
            let waited = worker.clock.now();
            let upstream = ticket.attempt().began;
            worker.keep_headers(std::mem::take(&mut parts.headers));
            strip_hop(&mut headers, asked.trailers);
            add_ours(
                &mut headers,
                HeaderValue::from_maybe_shared(id).unwrap_or_else(|_| HeaderValue::from_static("")),
                worker.latency(waited.since(upstream)),
                worker.latency(upstream.since(began)),
            );
            let mut response = Response::new(AnswerBody::new(connection, head, ticket, asked.trailers));
            *response.status_mut() = head.status;
            *response.headers_mut() = headers;
            response
        }
        Err(cause) => answer::answer(answer::failed(cause), id),
    }
}

/// Asks the gateway for a route and a target.
fn begin(
    worker: &Rc<Worker>,
    peer: &Peer,
    parts: &http::request::Parts,
    host: &str,
    now: Instant,
) -> Result<(Ticket, RouteMatch), Rejection> {
    let lookup = Lookup(&parts.headers);
    let head = Head {
        method: parts.method.as_str(),
        host,
        path: parts.uri.path(),
        headers: Headers::new(&lookup),
        client: Some(peer.ip),
    };
    let matched = worker.gateway.route(worker.number, &head)?;
    let number = worker.observer.request(&parts.headers);
    let attempt = worker.gateway.begin(&matched, &head, now)?;
    Ok((Ticket::new(worker, number, attempt), matched))
}

type Answered = (Connection, AnswerHead, Ticket);

/// Tries until there is an answer to pass on or the gateway says that it is enough; each try is an attempt of its own.
async fn try_until_done(
    worker: &Rc<Worker>,
    mut ticket: Ticket,
    forwarding: &Forwarding<'_>,
    upload: &mut Upload,
    headers: &mut HeaderMap,
) -> Result<Answered, Failure> {
    // Bounded by the Service's retries: the gateway counts them.
    loop {
        let (cause, sent) = match forward(worker, &mut ticket, forwarding, upload, headers).await {
            Ok((connection, head)) => return Ok((connection, head, ticket)),
            Err(ExchangeError::Client) => {
                // Nobody is left to answer; what is said here goes nowhere.
                drop(ticket);
                return Err(Failure::ResetBeforeResponse);
            }
            Err(ExchangeError::Target { cause, sent }) => (cause, sent),
        };
        headers.clear();
        match ticket.end(Outcome::Failed { cause, sent, replayable: upload.can_replay() }) {
            Some(next) => ticket = next,
            None => return Err(cause),
        }
        upload.rewind();
    }
}

/// The host a client asked for: without its port, in lower case.
fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Cow<'a, str> {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = uri.host().or(named).unwrap_or_default();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    if host.bytes().any(|b| b.is_ascii_uppercase()) { host.to_ascii_lowercase().into() } else { host.into() }
}

struct Lookup<'a>(&'a HeaderMap);

impl HeaderLookup for Lookup<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }
}
