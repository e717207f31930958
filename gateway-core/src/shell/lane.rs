//! One client connection as its parts see it: what has been read, whether a request is being served, how long the client may
//! still take, whether the worker drains. The parts are hyper's server above, `Wire` below it, and the answer on its way.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::screen::{Place, Screen};
use super::settings::ClientLimits;
use super::tunnel::Tunnel;
use super::watch::{Watch, Watches};

/// What the parts of one client connection share.
pub(super) struct Lane {
    screen: RefCell<Screen>,
    limits: ClientLimits,
    watches: Rc<Watches>,
    reading: Rc<Watch>,
    writing: Rc<Watch>,
    /// Requests begun.
    requests: Cell<u64>,
    busy: Cell<bool>,
    late: Cell<bool>,
    tunnel: Cell<Option<Box<Tunnel>>>,
    sleeper: RefCell<Option<Waker>>,
}

/// A request that is being served, until its answer has been taken.
#[derive(Debug)]
pub(super) struct Turn(Rc<Lane>);

/// The client's stream. hyper reads through it, so that the lane sees every byte.
pub(super) struct Wire {
    stream: TcpStream,
    lane: Rc<Lane>,
}

// === impl Lane ===

impl Lane {
    /// The lane of a connection that was just accepted.
    pub(super) fn new(limits: ClientLimits, watches: &Rc<Watches>) -> Rc<Self> {
        let (reading, writing) = (watches.add(), watches.add());
        reading.arm(watches, limits.head_timeout);
        Rc::new(Self {
            screen: RefCell::new(Screen::new()),
            limits,
            watches: Rc::clone(watches),
            reading,
            writing,
            requests: Cell::new(0),
            busy: Cell::new(false),
            late: Cell::new(false),
            tunnel: Cell::default(),
            sleeper: RefCell::default(),
        })
    }

    /// A request has been parsed and is being served from now on; whether it may be.
    pub(super) fn begin(self: &Rc<Self>) -> (Turn, bool) {
        let number = self.requests.get();
        self.requests.set(number + 1);
        self.busy.set(true);
        self.reading.disarm();
        (Turn(Rc::clone(self)), self.screen.borrow().admits(number))
    }

    /// What follows the answers on this connection, if anything does.
    pub(super) fn take_tunnel(&self) -> Option<Box<Tunnel>> {
        self.tunnel.take()
    }

    /// Whether some of a request has not come yet, or was refused.
    pub(super) fn is_within_request(&self) -> bool {
        self.screen.borrow().place() != Place::Between
    }

    /// Makes the connection look whether the worker is draining.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.sleeper.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Will be woken by `wake`.
    pub(super) fn sleep(&self, cx: &Context<'_>) {
        let mut sleeper = self.sleeper.borrow_mut();
        if !sleeper.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *sleeper = Some(cx.waker().clone());
        }
    }

    /// Bytes have come: whoever waited for them waits no longer, and a head that has begun has its own time. So has, until
    /// it is served, a request that came whole.
    fn arrived(&self, bytes: &[u8]) {
        let mut screen = self.screen.borrow_mut();
        let before = (screen.place(), screen.heads());
        screen.read(bytes);
        let place = screen.place();
        if self.busy.get() {
            // The time of a head behind the request that is being served begins when that has been answered.
            if place != Place::Head {
                self.reading.disarm();
            }
        } else if before != (place, screen.heads()) {
            self.reading.arm(&self.watches, self.limits.head_timeout);
        }
    }

    /// Whether the client, of whom nothing has come, is late.
    fn poll_late(&self, cx: &Context<'_>) -> bool {
        if self.busy.get() && self.screen.borrow().place() == Place::Body {
            self.reading.arm_once(&self.watches, self.limits.body_timeout);
        }
        let late = self.reading.poll_expired(cx);
        self.late.set(late);
        late
    }

    fn end_turn(&self) {
        self.busy.set(false);
        let timeout = match self.screen.borrow().place() {
            Place::Head => self.limits.head_timeout,
            Place::Between | Place::Body => self.limits.idle_timeout,
        };
        self.reading.arm(&self.watches, timeout);
    }
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("requests", &self.requests).finish_non_exhaustive()
    }
}

// === impl Turn ===

impl Turn {
    /// Whether this request is the last one that its connection may carry.
    pub(super) fn is_last(&self) -> bool {
        self.0.requests.get() >= self.0.limits.requests_max
    }

    /// Whether the client took too long over the body that was waited for.
    pub(super) fn is_late(&self) -> bool {
        self.0.late.get()
    }

    /// What follows this turn's answer on the connection.
    pub(super) fn dig(&self, tunnel: Tunnel) {
        self.0.tunnel.set(Some(Box::new(tunnel)));
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.end_turn();
    }
}

// === impl Wire ===

impl Wire {
    pub(super) fn new(stream: TcpStream, lane: Rc<Lane>) -> Self {
        Self { stream, lane }
    }

    /// The stream by itself.
    pub(super) fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// What a write came to; `TimedOut` when the client has taken nothing for too long.
    fn written<T>(&self, result: Poll<io::Result<T>>, cx: &Context<'_>) -> Poll<io::Result<T>> {
        let Lane { writing, watches, limits, .. } = &*self.lane;
        if result.is_ready() {
            writing.disarm();
            return result;
        }
        writing.arm_once(watches, limits.write_timeout);
        if writing.poll_expired(cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { result }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match result {
            Poll::Ready(Ok(())) => self.lane.arrived(&buffer.filled()[before..]),
            Poll::Pending if self.lane.poll_late(cx) => {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            _ => {}
        }
        result
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(result, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
