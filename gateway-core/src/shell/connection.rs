//! One kept-alive HTTP/1.1 connection to a target: writes a request from one reused buffer, reads the head of the answer
//! into the client's header map, and leaves the body to `body`. Strict with answers: what could be read in two ways is
//! refused. Which connection is used, and what a failure means, is decided elsewhere.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::TcpStream;

use super::framing::{Framing, framing_of};
use super::upload::{Piece, Upload};
use super::watch::{Watch, Watches};
use crate::outcome::Failure;

/// Room for one read. Heads and small bodies fit, so that most answers take one.
const READ: usize = 8 * 1024;
/// The longest head of an answer.
const HEAD_MAX: usize = 64 * 1024;
/// The most header fields of an answer.
const HEADERS_MAX: usize = 100;
/// How many 1xx answers may come before the real one.
const INTERIM_MAX: usize = 16;
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

/// The head of an answer, its fields apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    /// Whether the connection may be used again once the body has been read.
    pub(super) reusable: bool,
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

    /// Sends what is in `out` and then `upload`, and waits for the head of the answer. `headers` gets its fields and must be
    /// empty. `to_head` is whether the request was a HEAD.
    pub(super) async fn exchange(
        &mut self,
        upload: &mut Upload,
        limits: Limits,
        to_head: bool,
        headers: &mut HeaderMap,
    ) -> Result<AnswerHead, ExchangeError> {
        let mut turn = Turn { limits, to_head, interim: 0, complete: false, sending: true };
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
            if !self.input.is_empty() {
                match self.parse_head(turn.to_head, headers)? {
                    Some(head) if head.status.is_informational() => {
                        turn.interim += 1;
                        headers.clear();
                        if turn.interim > INTERIM_MAX || head.status == StatusCode::SWITCHING_PROTOCOLS {
                            return Poll::Ready(Err(Failure::BadResponse));
                        }
                        continue;
                    }
                    Some(head) => return Poll::Ready(Ok(head)),
                    None if self.input.len() >= HEAD_MAX => return Poll::Ready(Err(Failure::BadResponse)),
                    None => {}
                }
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

    /// The head at the start of the buffer, when it is complete. Header values are slices of the buffer.
    fn parse_head(&mut self, to_head: bool, headers: &mut HeaderMap) -> Result<Option<AnswerHead>, Failure> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(&self.input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::BadResponse),
        };
        let http_11 = answer.version == Some(1);
        let status =
            answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Failure::BadResponse)?;
        let start = self.input.as_ptr() as usize;
        let mut places = [(0, 0, 0, 0); HEADERS_MAX];
        let count = answer.headers.len();
        for (place, field) in places.iter_mut().zip(answer.headers.iter()) {
            let name = field.name.as_ptr() as usize - start;
            let value = field.value.as_ptr() as usize - start;
            *place = (name, field.name.len(), value, field.value.len());
        }
        let head = self.input.split_to(length).freeze();
        fill(headers, &head, &places[..count])?;
        let framing = framing_of(headers, status, to_head)?;
        let reusable = http_11 && framing != Framing::UntilClose && !says_close(headers);
        Ok(Some(AnswerHead { status, framing, reusable }))
    }

    /// What has been read and not yet taken.
    pub(super) fn input(&mut self) -> &mut BytesMut {
        &mut self.input
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

/// The state of one exchange.
struct Turn {
    limits: Limits,
    to_head: bool,
    /// 1xx answers so far.
    interim: usize,
    /// Whether all of the request is in the write buffer.
    complete: bool,
    /// Whether some of the request is not written yet.
    sending: bool,
}

/// Puts the fields at `places` of `head` into `headers`, without copying values.
fn fill(
    headers: &mut HeaderMap,
    head: &Bytes,
    places: &[(usize, usize, usize, usize)],
) -> Result<(), Failure> {
    for &(name, name_length, value, value_length) in places {
        let name = http::HeaderName::from_bytes(&head[name..name + name_length])
            .map_err(|_| Failure::BadResponse)?;
        let value = http::HeaderValue::from_maybe_shared(head.slice(value..value + value_length))
            .map_err(|_| Failure::BadResponse)?;
        headers.append(name, value);
    }
    Ok(())
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get_all(http::header::CONNECTION).iter().any(|value| {
        value.as_bytes().split(|&b| b == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}
