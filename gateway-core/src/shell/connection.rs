//! One kept-alive HTTP/1.1 connection to a target: writes a request from one reused buffer, waits for the head of the answer
//! and leaves the body to `body`. What the bytes say is `answer_head`'s to read; which connection is used, and what a failure
//! means, is decided elsewhere.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::answer_head::{AnswerHead, HeadReader};
use super::upload::{Piece, Upload};
use super::watch::{Watch, Watches};
use crate::outcome::Failure;

/// Room for one read. Heads and small bodies fit, so that most answers take one.
const READ: usize = 8 * 1024;
/// A write buffer that has grown beyond this is not kept.
const OUT_KEEP: usize = 64 * 1024;

/// A connection to a target.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    /// Whether any byte of the current request was written.
    sent: bool,
    input: BytesMut,
    watch: Rc<Watch>,
    watches: Rc<Watches>,
    /// The tick at which it became idle.
    pub(super) idle_since: u64,
}

/// The limits of one exchange.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Between two writes.
    pub(super) write: Duration,
    /// Between two reads.
    pub(super) read: Duration,
}

/// How an exchange failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum ExchangeError {
    /// The target's doing.
    Target {
        /// Why.
        cause: Failure,
        /// Whether any byte of the request was written.
        sent: bool,
    },
    /// The client's request broke off.
    Client,
}

impl Connection {
    /// A connection on a stream that is connected.
    pub(super) fn new(stream: TcpStream, watches: &Rc<Watches>) -> Self {
        Self {
            stream,
            out: Vec::with_capacity(1024),
            written: 0,
            sent: false,
            input: BytesMut::with_capacity(READ),
            watch: watches.add(),
            watches: Rc::clone(watches),
            idle_since: 0,
        }
    }

    /// The buffer that the next request's head is written into.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Whether the target has left an idle connection alone. No system call as long as nothing has come.
    pub(super) fn is_quiet(&self) -> bool {
        let nothing =
            matches!(self.stream.try_read(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        nothing && self.input.is_empty()
    }

    /// Ready for the next request.
    pub(super) fn reset(&mut self) {
        self.watch.disarm();
        self.out.clear();
        self.out.shrink_to(OUT_KEEP);
        self.written = 0;
        self.sent = false;
    }

    /// Sends what is in `out` and then `upload`, and waits for the head of the answer, which `reader` reads. `headers` gets
    /// its fields and must be empty.
    pub(super) async fn exchange(
        &mut self,
        upload: &mut Upload,
        limits: Limits,
        reader: HeadReader,
        headers: &mut HeaderMap,
    ) -> Result<AnswerHead, ExchangeError> {
        let mut turn = Turn { limits, reader, complete: false, sending: true };
        let head = poll_fn(|cx| self.poll_exchange(&mut turn, upload, headers, cx)).await?;
        Ok(AnswerHead { reusable: head.reusable && !turn.sending, ..head })
    }

    fn poll_exchange(
        &mut self,
        turn: &mut Turn,
        upload: &mut Upload,
        headers: &mut HeaderMap,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, ExchangeError>> {
        let mut write_failed = None;
        if turn.sending {
            match self.poll_send(turn, upload, cx) {
                Poll::Ready(Ok(())) => {
                    turn.sending = false;
                    self.watch.arm(&self.watches, turn.limits.read);
                }
                Poll::Ready(Err(ExchangeError::Client)) => return Poll::Ready(Err(ExchangeError::Client)),
                // The target may have answered before it stopped reading.
                Poll::Ready(Err(failed)) => write_failed = Some(failed),
                Poll::Pending => {}
            }
        }
        match (self.poll_head(turn, headers, cx), write_failed) {
            (Poll::Ready(result), _) => Poll::Ready(result.map_err(|cause| self.failed(cause))),
            (Poll::Pending, Some(failed)) => Poll::Ready(Err(failed)),
            (Poll::Pending, None) if self.watch.poll_expired(cx) => {
                let cause = if turn.sending { Failure::WriteTimeout } else { Failure::ResponseTimeout };
                Poll::Ready(Err(self.failed(cause)))
            }
            (Poll::Pending, None) => Poll::Pending,
        }
    }

    /// Writes until the request is out. Takes the next piece of the body when the last one is written; what is at hand at
    /// the start goes out with the head, in one write.
    fn poll_send(
        &mut self,
        turn: &mut Turn,
        upload: &mut Upload,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ExchangeError>> {
        loop {
            if self.written == self.out.len() && self.written > 0 {
                self.out.clear();
                self.written = 0;
            }
            if !turn.complete && self.written == 0 && self.out.len() < OUT_KEEP {
                match upload.poll_append(&mut self.out, cx) {
                    Poll::Ready(Piece::End) => turn.complete = true,
                    Poll::Ready(Piece::Broken) => return Poll::Ready(Err(ExchangeError::Client)),
                    // Who waits for the client does not wait for the target.
                    Poll::Pending if self.out.is_empty() => {
                        self.watch.disarm();
                        return Poll::Pending;
                    }
                    Poll::Ready(Piece::Some) | Poll::Pending => {}
                }
            }
            if self.out.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.watch.arm_once(&self.watches, turn.limits.write);
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out[self.written..])) {
                Ok(0) | Err(_) => return Poll::Ready(Err(self.failed(Failure::ResetBeforeResponse))),
                Ok(n) => self.written += n,
            }
            self.sent = true;
            self.watch.arm(&self.watches, turn.limits.write);
        }
    }

    fn failed(&self, cause: Failure) -> ExchangeError {
        ExchangeError::Target { cause, sent: self.sent }
    }

    fn poll_head(
        &mut self,
        turn: &mut Turn,
        headers: &mut HeaderMap,
        cx: &mut Context<'_>,
    ) -> Poll<Result<AnswerHead, Failure>> {
        loop {
            match turn.reader.next(&mut self.input, headers)? {
                // Who changes the protocol before the request is out has not read it.
                Some(head) if head.status == StatusCode::SWITCHING_PROTOCOLS && turn.sending => {
                    return Poll::Ready(Err(Failure::BadResponse));
                }
                Some(head) => return Poll::Ready(Ok(head)),
                None => {}
            }
            match ready!(self.poll_fill(turn.limits.read, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::ResetBeforeResponse)),
                Ok(_) => {}
            }
        }
    }

    /// One read into the buffer; 0 at the end of the stream.
    fn poll_fill(&mut self, timeout: Duration, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(READ);
        let n = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        self.watch.arm(&self.watches, timeout);
        Poll::Ready(Ok(n))
    }

    /// What has been read and not yet taken.
    pub(super) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
    }

    /// The stream, what has been read behind the head, and how long the other side is waited for.
    pub(super) fn into_tunnel(self) -> (TcpStream, BytesMut, Patience) {
        (self.stream, self.input, Patience { watch: self.watch, watches: self.watches })
    }

    /// Nobody waits for the target while the client takes what it has been sent.
    pub(super) fn pause(&self) {
        self.watch.disarm();
    }

    /// More of the body; 0 at the end of the stream. `None` in time's place: the target took too long.
    pub(super) fn poll_more(
        &mut self,
        timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<usize>>> {
        self.watch.arm_once(&self.watches, timeout);
        match self.poll_fill(timeout, cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if self.watch.poll_expired(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// How long both sides of a tunnel may be silent.
#[derive(Debug)]
pub(super) struct Patience {
    watch: Rc<Watch>,
    watches: Rc<Watches>,
}

impl Patience {
    /// Somebody has sent something.
    pub(super) fn renew(&self, timeout: Duration) {
        self.watch.arm(&self.watches, timeout);
    }

    /// Whether nobody has for too long.
    pub(super) fn poll_over(&self, cx: &Context<'_>) -> bool {
        self.watch.poll_expired(cx)
    }
}

/// The state of one exchange.
struct Turn {
    limits: Limits,
    reader: HeadReader,
    /// Whether all of the request is in the write buffer.
    complete: bool,
    /// Whether some of the request is not written yet.
    sending: bool,
}
