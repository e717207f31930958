//! One request: route, begin, forward, finish, answer. Decides nothing: the gateway says where, `forward` carries it there,
//! `answer` has the words when there is no answer to pass on.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;

use super::answer::{self, Occasion};
use super::answer_head::AnswerHead;
use super::body::AnswerBody;
use super::connection::{Connection, ExchangeError};
use super::forward::{Forwarding, forward};
use super::headers::{add_cookie, add_debug, add_ours, add_upgrade, asked, asks_debug, strip_hop};
use super::lane::Turn;
use super::mirror;
use super::refusal::{BAD_REQUEST, REQUEST_TIMEOUT, Refusal, refusal};
use super::ticket::Ticket;
use super::tunnel::Tunnel;
use super::upload::Upload;
use super::worker::Worker;
use crate::entity::{normalise, split_port};
use crate::gateway::{Rejection, RouteMatch};
use crate::outcome::Outcome;
use crate::request::{Head, HeaderLookup, Headers};
use crate::time::Instant;

/// Who asks, written out once for each connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) ip: IpAddr,
    pub(super) text: String,
}

/// What is known of a request besides its head.
struct Story {
    began: Instant,
    id: Bytes,
    /// Where it goes, once that is known.
    matched: Option<RouteMatch>,
}

/// Why a request gets an answer of the gateway's own.
struct Refused {
    refusal: Refusal,
    /// Whether nothing more is read from its client.
    close: bool,
    /// Whether the answer points to https.
    https: bool,
}

/// Answers one request. Whatever is not `admitted` is refused unseen.
pub(super) async fn handle(
    worker: &Rc<Worker>,
    peer: &Peer,
    turn: Turn,
    admitted: bool,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    worker.traffic.request();
    let mut story = Story { began: worker.clock.now(), id: worker.next_id(), matched: None };
    let (mut parts, body) = request.into_parts();
    let debug = worker.settings.allow_debug_header && asks_debug(&parts.headers);
    let refusal = if admitted { refusal(&parts) } else { Some(BAD_REQUEST) };
    let answered = match refusal {
        Some(refusal) => Err(Refused { refusal, close: true, https: false }),
        None => serve(worker, peer, &turn, &mut story, &mut parts, body).await,
    };
    let mut close = turn.is_last();
    let mut response = answered.unwrap_or_else(|refused| {
        close |= refused.close;
        let latency = worker.latency(worker.clock.now().since(story.began));
        let occasion = Occasion { headers: &parts.headers, request_id: story.id.clone(), latency };
        let mut response = answer::answer(refused.refusal, occasion);
        if refused.https {
            answer::point_to_https(&mut response, &host_of(&parts.uri, &parts.headers).0, &parts.uri);
        }
        response
    });
    if let (true, Some(matched)) = (debug, &story.matched) {
        add_debug(response.headers_mut(), &worker.gateway.config(), matched);
    }
    if close && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.body_mut().hold(turn);
    response
}

/// Routes one request, forwards it, and passes the answer on.
async fn serve(
    worker: &Rc<Worker>,
    peer: &Peer,
    turn: &Turn,
    story: &mut Story,
    parts: &mut Parts,
    body: Incoming,
) -> Result<Response<AnswerBody>, Refused> {
    let (host, port) = host_of(&parts.uri, &parts.headers);
    let path = normalise(parts.uri.path());
    let lookup = Lookup(&parts.headers);
    let head = Head {
        method: parts.method.as_str(),
        host: &host,
        port,
        path: &path,
        query: parts.uri.query(),
        headers: Headers::new(&lookup),
        client: Some(peer.ip),
    };
    let (ticket, matched) = begin(worker, &head, &parts.headers, story)?;
    let asked = asked(parts);
    let has_length = parts.headers.contains_key(CONTENT_LENGTH);
    let mut upload = Upload::new(body, has_length, worker.settings.replay_bytes_max);
    let mut headers = worker.spare_headers();
    let forwarding = Forwarding {
        method: &parts.method,
        uri: &parts.uri,
        path: &path,
        headers: &parts.headers,
        host: &host,
        client: &peer.text,
        matched,
        id: &story.id,
        asked,
    };
    let mut tap = mirror::copy(worker, &head, &forwarding, &ticket, &upload);
    let (connection, head, mut ticket) =
        try_until_done(worker, turn, ticket, &forwarding, &mut upload, &mut headers).await?;
    let waited = worker.clock.now();
    ticket.answered(waited);
    let upstream = ticket.attempt().began;
    if let Some(tap) = &mut tap {
        tap.head(head.status, &headers);
    }
    drop((host, path));
    worker.keep_headers(std::mem::take(&mut parts.headers));
    strip_hop(&mut headers, asked.trailers);
    add_ours(
        &mut headers,
        HeaderValue::from_maybe_shared(story.id.clone()).unwrap_or_else(|_| HeaderValue::from_static("")),
        worker.latency(waited.since(upstream)),
        worker.latency(upstream.since(story.began)),
    );
    ticket.attempt().set_cookies().for_each(|cookie| add_cookie(&mut headers, cookie));
    let body = if head.status == StatusCode::SWITCHING_PROTOCOLS {
        add_upgrade(&mut headers);
        turn.dig(Tunnel::new(connection, ticket));
        AnswerBody::empty()
    } else {
        AnswerBody::new(connection, head, ticket, asked.trailers).tapped(tap)
    };
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Asks the gateway for a route and a target.
fn begin(
    worker: &Rc<Worker>,
    head: &Head<'_>,
    headers: &HeaderMap,
    story: &mut Story,
) -> Result<(Ticket, RouteMatch), Rejection> {
    let matched = worker.gateway.route(worker.number, head)?;
    story.matched = Some(matched);
    let number = worker.observer.request(headers);
    let attempt = worker.gateway.begin(&matched, head, story.began, &mut worker.rng.borrow_mut())?;
    Ok((Ticket::new(worker, number, attempt), matched))
}

type Answered = (Connection, AnswerHead, Ticket);

/// Tries until there is an answer to pass on or the gateway says that it is enough; each try is an attempt of its own.
async fn try_until_done(
    worker: &Rc<Worker>,
    turn: &Turn,
    mut ticket: Ticket,
    forwarding: &Forwarding<'_>,
    upload: &mut Upload,
    headers: &mut HeaderMap,
) -> Result<Answered, Refused> {
    // Bounded by the Service's retries: the gateway counts them.
    loop {
        let (cause, sent) = match forward(worker, &mut ticket, forwarding, upload, headers).await {
            Ok((connection, head)) => return Ok((connection, head, ticket)),
            Err(ExchangeError::Client) => {
                // Either nobody is left to answer, or the body was no body, or it did not come.
                let refusal = if turn.is_late() { REQUEST_TIMEOUT } else { BAD_REQUEST };
                return Err(Refused { refusal, close: true, https: false });
            }
            Err(ExchangeError::Target { cause, sent }) => (cause, sent),
        };
        headers.clear();
        match ticket.end(Outcome::Failed { cause, sent, replayable: upload.can_replay() }) {
            Some(next) => ticket = next,
            None => return Err(Refused { refusal: answer::failed(cause), close: false, https: false }),
        }
        upload.rewind();
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        let https = matches!(rejection, Rejection::NeedsHttps(_));
        Self { refusal: answer::rejected(rejection), close: false, https }
    }
}

/// The host a client asked for, in lower case, and the port it names.
fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> (Cow<'a, str>, Option<u16>) {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let (host, port) = if let Some(host) = uri.host() {
        (host, uri.port_u16())
    } else {
        let (host, port) = split_port(named.unwrap_or_default());
        (host, port.and_then(|port| port.parse().ok()))
    };
    let is_lower = !host.bytes().any(|b| b.is_ascii_uppercase());
    (if is_lower { host.into() } else { host.to_ascii_lowercase().into() }, port)
}

struct Lookup<'a>(&'a HeaderMap);

impl HeaderLookup for Lookup<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.get_all(name).iter().any(|value| wanted(value.as_bytes()))
    }
}
