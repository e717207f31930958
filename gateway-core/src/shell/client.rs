//! One client connection: hyper's server on a lane that is stricter still, an end that waits for the request under way when
//! the worker drains, and the tunnel that follows a change of protocol. A client that ends its side while it waits for an
//! answer is gone, as nginx sees it.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::lane::{Lane, Wire};
use super::proxy::{self, Peer};
use super::settings::ClientLimits;
use super::worker::{Connected, Worker};

/// The least buffer that hyper takes.
const BUFFER_MIN: usize = 8 * 1024;

/// Serves requests until the client or the drain ends the connection.
pub(super) async fn serve(connected: Connected, stream: TcpStream, peer: SocketAddr) {
    let worker = &connected.0;
    let lane = Lane::new(worker.settings.client, &worker.watches);
    worker.lanes.borrow_mut().push(Rc::downgrade(&lane));
    let peer = Peer { ip: peer.ip(), text: peer.ip().to_string() };
    let service = service_fn(|request| async {
        let (turn, admitted) = lane.begin();
        Ok::<_, Infallible>(proxy::handle(worker, &peer, turn, admitted, request).await)
    });
    let wire = TokioIo::new(Wire::new(stream, Rc::clone(&lane)));
    let mut connection = server(&worker.settings.client).serve_connection(wire, service);
    let mut told = false;
    let ended = poll_fn(|cx| {
        if worker.draining.get() && !told {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        lane.sleep(cx);
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    // How a connection ends is the client's business: what its requests came to is known already.
    let (failed, unread) = match ended {
        Ok(()) => (false, lane.is_within_request()),
        Err(error) => (true, error.is_parse()),
    };
    let tunnel = lane.take_tunnel().filter(|_| !failed);
    let parts = connection.into_parts();
    let stream = parts.io.into_inner().into_inner();
    if let Some(tunnel) = tunnel {
        tunnel.run(stream, parts.read_buf).await;
    } else if unread && !worker.draining.get() {
        linger(worker, &lane, stream).await;
    }
}

/// Throws away what the client sends until it has read the answer and closes, the time is over, or the worker drains.
async fn linger(worker: &Worker, lane: &Lane, mut stream: TcpStream) {
    let mut nowhere = tokio::io::sink();
    let unwanted = timeout(worker.settings.client.linger_timeout, tokio::io::copy(&mut stream, &mut nowhere));
    let draining = poll_fn(|cx| {
        lane.sleep(cx);
        if worker.draining.get() { Poll::Ready(()) } else { Poll::Pending }
    });
    tokio::select! {
        biased;
        () = draining => {}
        _ = unwanted => {}
    }
}

fn server(limits: &ClientLimits) -> http1::Builder {
    let mut server = http1::Builder::new();
    server
        .half_close(false)
        .keep_alive(true)
        .max_buf_size(limits.head_bytes_max.max(BUFFER_MIN))
        .max_header_size(limits.head_bytes_max)
        // Head and body as one buffer: for small answers one copy is cheaper than a vector of two.
        .writev(false);
    if limits.fields_max != ClientLimits::default().fields_max {
        server.max_headers(limits.fields_max);
    }
    server
}
