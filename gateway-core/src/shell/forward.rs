//! One attempt over the network: a kept-alive connection or a new one, the request out, the head of the answer in, every
//! failure by its name. Whether another attempt follows is the gateway's business.

use std::rc::Rc;

use http::header::HOST;
use http::{HeaderMap, Method, Uri};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::answer_head::{AnswerHead, Asked, HeadReader};
use super::connection::{Connection, ExchangeError, Limits};
use super::headers::{Outgoing, write_head};
use super::resolve::resolve;
use super::ticket::Ticket;
use super::upload::Upload;
use super::worker::Worker;
use crate::entity::Service;
use crate::gateway::RouteMatch;
use crate::outcome::Failure;

/// A request as it came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarding<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    /// The path in its normal form.
    pub(super) path: &'a str,
    pub(super) headers: &'a HeaderMap,
    /// The host it asks for, without port.
    pub(super) host: &'a str,
    /// Who asks, written out.
    pub(super) client: &'a str,
    pub(super) matched: RouteMatch,
    /// The gateway's id of it.
    pub(super) id: &'a [u8],
    pub(super) asked: Asked,
}

/// Carries `request` to the target of `ticket`'s attempt and waits for the head of the answer.
pub(super) async fn forward(
    worker: &Rc<Worker>,
    ticket: &mut Ticket,
    request: &Forwarding<'_>,
    upload: &mut Upload,
    headers: &mut HeaderMap,
) -> Result<(Connection, AnswerHead), ExchangeError> {
    let mut connection = match worker.pool.take(ticket.attempt().target) {
        Some(connection) => connection,
        None => {
            connect(worker, ticket).await.map_err(|cause| ExchangeError::Target { cause, sent: false })?
        }
    };
    let limits = write_request(worker, ticket, request, upload, connection.out());
    ticket.set_read_timeout(limits.read);
    let reader = HeadReader::new(request.asked, worker.settings.answer);
    let head = connection.exchange(upload, limits, reader, headers).await?;
    Ok((connection, head))
}

/// Writes the head for the attempt's target, under the configuration in force; the Service's time limits.
fn write_request(
    worker: &Worker,
    ticket: &Ticket,
    request: &Forwarding<'_>,
    upload: &Upload,
    out: &mut Vec<u8>,
) -> Limits {
    let view = worker.gateway.view_of(worker.number);
    let attempt = ticket.attempt();
    let service = view.service(attempt.service);
    // An address with a host counts more than a field with one (RFC 9112, section 3.2.2).
    let named = request.headers.get(HOST).map(http::HeaderValue::as_bytes);
    let clients = request.uri.authority().map(|authority| authority.as_str().as_bytes()).or(named);
    let host = match clients {
        Some(host) if request.matched.preserve_host => host,
        _ => view.host_header(attempt).unwrap_or(request.host).as_bytes(),
    };
    let outgoing = Outgoing {
        method: request.method.as_str(),
        service_path: service.and_then(|service| service.path.as_deref()),
        path: request.path,
        raw_path: request.uri.path(),
        query: request.uri.query(),
        matched: &request.matched,
        host,
        client_host: request.host,
        client: request.client,
        port: &worker.port,
        request_id: request.id,
        is_copy: attempt.is_copy,
        asked: request.asked,
    };
    write_head(out, &outgoing, request.headers, upload);
    service.map_or(DEFAULT_LIMITS, limits)
}

/// For a Service that was deleted while its request was under way.
const DEFAULT_LIMITS: Limits =
    Limits { write: std::time::Duration::from_secs(60), read: std::time::Duration::from_secs(60) };

fn limits(service: &Service) -> Limits {
    Limits { write: service.write_timeout, read: service.read_timeout }
}

/// A new connection to the attempt's target; the observer is told.
async fn connect(worker: &Rc<Worker>, ticket: &Ticket) -> Result<Connection, Failure> {
    let (target, limit) = {
        let view = worker.gateway.view_of(worker.number);
        let attempt = ticket.attempt();
        let target = view.address(attempt.target).cloned().ok_or(Failure::Refused)?;
        let limit =
            view.service(attempt.service).map_or(DEFAULT_LIMITS.write, |service| service.connect_timeout);
        (target, limit)
    };
    let connecting = async {
        let address = resolve(&target, &worker.settings.overrides).await.ok_or(Failure::Refused)?;
        TcpStream::connect(address).await.map_err(|_| Failure::Refused)
    };
    let stream = timeout(limit, connecting).await.map_err(|_| Failure::ConnectTimeout)??;
    // A connection that cannot be told is only slower.
    let _ = stream.set_nodelay(true);
    worker.observer.connected(ticket.request(), ticket.attempt());
    Ok(Connection::new(stream, &worker.watches))
}
