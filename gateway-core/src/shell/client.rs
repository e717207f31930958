//! One client connection: hyper's server, which is strict where input is not trusted, and an end that waits for the request
//! under way when the worker drains.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::proxy::{self, Peer};
use super::worker::Connected;

/// The longest head of a request, in bytes; a longer one is answered 431.
const HEAD_MAX: usize = 64 * 1024;

/// A connection that may have to be told to end while it waits for its next request.
#[derive(Debug, Default)]
pub(super) struct Sleeper(RefCell<Option<Waker>>);

impl Sleeper {
    /// Makes it look whether the worker is draining.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.0.borrow_mut().take() {
            waker.wake();
        }
    }

    fn sleep(&self, cx: &Context<'_>) {
        let mut waker = self.0.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

/// Serves requests until the client or the drain ends the connection.
pub(super) async fn serve(connected: Connected, stream: TcpStream, peer: SocketAddr) {
    let worker = &connected.0;
    let sleeper = Rc::new(Sleeper::default());
    worker.idle.borrow_mut().push(Rc::downgrade(&sleeper));
    let peer = Peer { ip: peer.ip(), text: peer.ip().to_string() };
    let service =
        service_fn(|request| async { Ok::<_, Infallible>(proxy::handle(worker, &peer, request).await) });
    let connection = http1::Builder::new()
        .half_close(false)
        .keep_alive(true)
        .max_buf_size(HEAD_MAX)
        // Head and body as one buffer: for small answers one copy is cheaper than a vector of two.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut told = false;
    poll_fn(|cx| {
        if worker.draining.get() && !told {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        sleeper.sleep(cx);
        // How a connection ends is the client's business: what its requests came to is known already.
        connection.as_mut().poll(cx).map(|_| ())
    })
    .await;
}
