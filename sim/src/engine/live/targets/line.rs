//! One connection of a target: bytes in and out as long as the target's wire is not cut, and an end without warning when
//! there should be one. Knows nothing of requests but when an answer has been handed over.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use gateway_core::shell::Clock;
use gateway_core::time::Instant;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::engine::live::alarm::Alarm;

/// Whether bytes go through at all, for all connections of a target.
#[derive(Default)]
pub(super) struct Cut {
    is_cut: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Cut {
    /// Cuts or mends it.
    pub(super) fn set(&self, is_cut: bool) {
        self.is_cut.set(is_cut);
        if !is_cut {
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when bytes go through.
    fn poll_mended(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_cut.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// One connection, shared by whoever reads, writes and answers.
pub(super) struct Line {
    stream: TcpStream,
    cut: Rc<Cut>,
    clock: Clock,
    /// Since when it has been without a request.
    idle_since: Cell<Option<Instant>>,
    answers: Cell<u64>,
    /// Close it once what has been handed over is written.
    closing: Cell<bool>,
    handed_over: Cell<bool>,
    closed: Cell<bool>,
}

impl Line {
    /// A connection that was just accepted.
    pub(super) fn new(stream: TcpStream, cut: &Rc<Cut>, clock: &Clock) -> Rc<Self> {
        Rc::new(Self {
            stream,
            cut: Rc::clone(cut),
            clock: clock.clone(),
            idle_since: Cell::new(Some(clock.now())),
            answers: Cell::new(0),
            closing: Cell::new(false),
            handed_over: Cell::new(false),
            closed: Cell::new(false),
        })
    }

    /// Whoever is at the other end gets a reset once this is dropped.
    pub(super) fn reset(&self) {
        // A connection that is gone already needs none.
        let _ = self.stream.set_zero_linger();
    }

    /// Counts an answer: how many there were, with this one.
    pub(super) fn count_answer(&self) -> u64 {
        self.answers.set(self.answers.get() + 1);
        self.answers.get()
    }

    /// To be closed after this answer, without a word.
    pub(super) fn close_after_answer(&self) {
        self.closing.set(true);
    }

    /// The last byte of an answer has been handed over to be written.
    pub(super) fn hand_over(&self) {
        self.handed_over.set(true);
    }

    /// Waits until it has been without a request for so long.
    pub(super) async fn idle_for(&self, idle: Duration, alarm: &Alarm) {
        loop {
            let now = self.clock.now();
            let until = self.idle_since.get().unwrap_or(now) + idle;
            if until <= now {
                // Nor does word of an end get through a wire that is cut.
                return poll_fn(|cx| self.cut.poll_mended(cx)).await;
            }
            alarm.wait_until(until).await;
        }
    }

    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.cut.poll_mended(cx));
        if self.closed.get() {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    self.idle_since.set(None);
                    return Poll::Ready(Ok(()));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.cut.poll_mended(cx));
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    /// Everything handed over so far is written.
    fn flushed(&self, cx: &Context<'_>) {
        if self.handed_over.replace(false) {
            self.idle_since.set(Some(self.clock.now()));
            if self.closing.get() {
                self.closed.set(true);
                // Whoever waits for the next request finds the end.
                cx.waker().wake_by_ref();
            }
        }
    }
}

/// A connection's bytes, for hyper.
pub(super) struct Wire(pub(super) Rc<Line>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.flushed(cx);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.stream).shutdown(Shutdown::Write))
    }
}
