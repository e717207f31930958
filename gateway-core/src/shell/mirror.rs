//! Copies of requests for another host, carried beside them: nobody waits for a copy, and whatever becomes of it changes
//! nothing for the client. Whether there is one, and what both answers differ in, the gateway says.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use hyper::body::Body as _;
use tokio::time::timeout;

use super::answer_head::Asked;
use super::body::AnswerBody;
use super::connection::ExchangeError;
use super::forward::{Forwarding, forward};
use super::settings::CopyNews;
use super::ticket::Ticket;
use super::upload::Upload;
use super::worker::Worker;
use crate::entity::Mirror;
use crate::gateway::{Compared, Fingerprint, Mirrored, Pair, RouteMatch};
use crate::outcome::{Failure, Outcome};
use crate::request::Head;

/// Sees one of the two answers to a request pass. Let go of before its end, it tells that there was none.
pub(super) struct Tap {
    shared: Rc<Shared>,
    is_copy: bool,
    print: Option<Fingerprint>,
    has_ended: bool,
}

/// What the taps of both answers share.
struct Shared {
    worker: Rc<Worker>,
    request: u64,
    /// The header fields that are compared.
    headers: Vec<String>,
    pair: RefCell<Pair>,
}

/// A request that outlives its client's.
struct Copy {
    ticket: Ticket,
    method: Method,
    uri: Uri,
    path: String,
    headers: HeaderMap,
    host: String,
    client: String,
    matched: RouteMatch,
    id: Bytes,
    asked: Asked,
    /// How long it may take.
    timeout: Option<Duration>,
}

/// Sends a copy on its way, if there is to be one; what is to see the client's answer pass.
pub(super) fn copy(
    worker: &Rc<Worker>,
    head: &Head<'_>,
    request: &Forwarding<'_>,
    own: &Ticket,
    upload: &Upload,
) -> Option<Tap> {
    if !upload.is_nothing() || request.asked.upgrade {
        return None;
    }
    let (attempt, now) = (own.attempt(), own.attempt().began);
    let mirrored = worker.gateway.mirror(&request.matched, head, attempt, now, &mut worker.rng.borrow_mut());
    let news = match mirrored {
        Mirrored::No => return None,
        Mirrored::To(copy) => {
            let ticket = Ticket::new(worker, own.request(), *copy);
            return Some(send(worker, ticket, request));
        }
        Mirrored::Overflow => CopyNews::Overflow,
        Mirrored::NoTarget => CopyNews::NoTarget,
    };
    worker.observer.copied(own.request(), news);
    None
}

fn send(worker: &Rc<Worker>, ticket: Ticket, request: &Forwarding<'_>) -> Tap {
    let view = worker.gateway.view_of(worker.number);
    let mirror = view.service(ticket.attempt().service).and_then(|service| service.mirror.as_ref());
    // Only where a change has just taken it away.
    let gone = Mirror::new("");
    let shared = Rc::new(Shared {
        worker: Rc::clone(worker),
        request: ticket.request(),
        headers: mirror.map(|mirror| mirror.compare_headers.clone()).unwrap_or_default(),
        pair: RefCell::new(Pair::new(mirror.unwrap_or(&gone))),
    });
    let copy = Copy {
        ticket,
        method: request.method.clone(),
        uri: request.uri.clone(),
        path: request.path.to_owned(),
        headers: request.headers.clone(),
        host: request.host.to_owned(),
        client: request.client.to_owned(),
        matched: request.matched,
        id: Bytes::copy_from_slice(request.id),
        asked: Asked { trailers: false, ..request.asked },
        timeout: mirror.and_then(|mirror| mirror.timeout),
    };
    let tap = |is_copy| Tap { shared: Rc::clone(&shared), is_copy, print: None, has_ended: false };
    tokio::task::spawn_local(carry(Rc::clone(worker), copy, tap(true)));
    tap(false)
}

/// Carries a copy there and reads its answer to the end, for as long as that may take.
async fn carry(worker: Rc<Worker>, mut copy: Copy, tap: Tap) {
    let Some(limit) = copy.timeout else { return carry_whole(worker, copy, tap).await };
    let outcome = Outcome::Failed { cause: Failure::ResponseTimeout, sent: true, replayable: false };
    copy.ticket.let_go_as(outcome);
    // Whatever is let go of tells its own.
    let _ = timeout(limit, carry_whole(worker, copy, tap)).await;
}

async fn carry_whole(worker: Rc<Worker>, copy: Copy, mut tap: Tap) {
    let (mut ticket, mut upload, mut headers) = (copy.ticket, Upload::nothing(), worker.spare_headers());
    let request = Forwarding {
        method: &copy.method,
        uri: &copy.uri,
        path: &copy.path,
        headers: &copy.headers,
        host: &copy.host,
        client: &copy.client,
        matched: copy.matched,
        id: &copy.id,
        asked: copy.asked,
    };
    match forward(&worker, &mut ticket, &request, &mut upload, &mut headers).await {
        Ok((connection, head)) => {
            ticket.answered(worker.clock.now());
            tap.head(head.status, &headers);
            let mut body = AnswerBody::new(connection, head, ticket, false).tapped(Some(tap));
            while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
        }
        Err(ExchangeError::Target { cause, sent }) => {
            // A copy is tried once.
            drop(ticket.end(Outcome::Failed { cause, sent, replayable: false }));
        }
        // It has no client that could break off.
        Err(ExchangeError::Client) => {}
    }
    worker.keep_headers(headers);
}

// === impl Tap ===

impl Tap {
    /// The head of the answer, as the target sent it.
    pub(super) fn head(&mut self, status: StatusCode, headers: &HeaderMap) {
        let value = |name: &String| {
            let values: Vec<_> = headers
                .get_all(name.as_str())
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (name.clone(), (!values.is_empty()).then(|| values.join(", ")))
        };
        let named = self.shared.headers.iter().map(value).collect();
        self.print = Some(Fingerprint::new(status.as_u16(), named));
    }

    /// More of the body.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if let Some(print) = &mut self.print {
            print.add(bytes);
        }
    }

    /// Everything has come.
    pub(super) fn end(mut self) {
        let print = self.print.take();
        self.tell(print);
    }

    fn tell(&mut self, print: Option<Fingerprint>) {
        self.has_ended = true;
        let mut pair = self.shared.pair.borrow_mut();
        let compared: Option<Compared> = if self.is_copy { pair.copy(print) } else { pair.own(print) };
        if let Some(compared) = compared {
            self.shared.worker.observer.copied(self.shared.request, CopyNews::Compared(compared));
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if !self.has_ended {
            self.tell(None);
        }
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("is_copy", &self.is_copy).finish_non_exhaustive()
    }
}
