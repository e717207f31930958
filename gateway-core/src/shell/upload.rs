//! The body of a client's request on its way to a target: piece by piece, framed for the target, and kept as long as it is
//! small enough to be sent again. Its trailers are dropped, as nginx does.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Incoming};

/// A request's body.
#[derive(Debug)]
pub(super) struct Upload {
    /// The client's; `None` when it has been read to its end or there is none.
    body: Option<Incoming>,
    framing: Framing,
    /// What has been read, as long as it may be sent again.
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// How much may be kept.
    kept_bytes_max: usize,
    /// Whether a byte was dropped that another try would need.
    lost: bool,
    /// How many of `kept` this try has taken.
    taken: usize,
    /// Whether this try has everything.
    ended: bool,
}

/// How the target is told where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// There is no body, and none was announced.
    Nothing,
    Length(u64),
    Chunked,
}

/// What was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Some of the body; more may follow.
    Some,
    /// The end of it, and whatever was left before.
    End,
    /// Nothing: the client broke off.
    Broken,
}

impl Upload {
    /// The body of a request; `has_length` is whether the client sent a `Content-Length`. Up to `kept_bytes_max` bytes of it
    /// are kept until its answer has come, so that another try can send it again.
    pub(super) fn new(body: Incoming, has_length: bool, kept_bytes_max: usize) -> Self {
        let empty = body.is_end_stream();
        let framing = match body.size_hint().exact() {
            Some(length) if length > 0 || has_length => Framing::Length(length),
            Some(_) => Framing::Nothing,
            None => Framing::Chunked,
        };
        Self {
            framing,
            body: (!empty).then_some(body),
            kept: Vec::new(),
            kept_bytes: 0,
            kept_bytes_max,
            lost: false,
            taken: 0,
            ended: framing == Framing::Nothing || framing == Framing::Length(0),
        }
    }

    /// No body, for a request of our own.
    pub(super) fn nothing() -> Self {
        Self {
            body: None,
            framing: Framing::Nothing,
            kept: Vec::new(),
            kept_bytes: 0,
            kept_bytes_max: 0,
            lost: false,
            taken: 0,
            ended: true,
        }
    }

    /// Whether there is none, and none was announced.
    pub(super) fn is_nothing(&self) -> bool {
        self.framing == Framing::Nothing
    }

    /// The field that tells the target where the body ends, as a whole line; nothing without a body.
    pub(super) fn write_framing(&self, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Nothing => {}
            Framing::Length(length) => append(out, format_args!("content-length: {length}\r\n")),
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        }
    }

    /// Whether everything is at hand to send the request once more.
    pub(super) fn can_replay(&self) -> bool {
        !self.lost
    }

    /// Starts over for another try.
    pub(super) fn rewind(&mut self) {
        self.taken = 0;
        self.ended = matches!(self.framing, Framing::Nothing | Framing::Length(0));
    }

    /// Appends the next piece to `out`, framed.
    pub(super) fn poll_append(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Poll<Piece> {
        if self.ended {
            return Poll::Ready(Piece::End);
        }
        let piece = match self.kept.get(self.taken) {
            Some(piece) => {
                self.taken += 1;
                Some(piece.clone())
            }
            None => match ready!(self.poll_client(cx)) {
                Ok(piece) => piece,
                Err(()) => return Poll::Ready(Piece::Broken),
            },
        };
        if let Some(piece) = &piece {
            self.frame(piece, out);
        }
        let more =
            self.taken < self.kept.len() || self.body.as_ref().is_some_and(|body| !body.is_end_stream());
        if piece.is_some() && more {
            return Poll::Ready(Piece::Some);
        }
        if self.framing == Framing::Chunked {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        self.ended = true;
        Poll::Ready(Piece::End)
    }

    /// The next bytes from the client, `None` at the end. Trailers are not passed on.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, ()>> {
        loop {
            let Some(body) = &mut self.body else { return Poll::Ready(Ok(None)) };
            match ready!(Pin::new(body).poll_frame(cx)) {
                None => self.body = None,
                Some(Err(_)) => return Poll::Ready(Err(())),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.keep(&data);
                        return Poll::Ready(Ok(Some(data)));
                    }
                    _ => {}
                },
            }
        }
    }

    fn frame(&self, piece: &Bytes, out: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            append(out, format_args!("{:x}\r\n", piece.len()));
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\r\n");
        } else {
            out.extend_from_slice(piece);
        }
    }

    fn keep(&mut self, data: &Bytes) {
        self.kept_bytes += data.len();
        if self.kept_bytes > self.kept_bytes_max {
            self.lost = true;
            self.kept = Vec::new();
            self.taken = 0;
        } else if !self.lost {
            self.kept.push(data.clone());
            self.taken = self.kept.len();
        }
    }
}

/// Appends formatted text; a Vec takes whatever is written.
fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes whatever is written");
}
