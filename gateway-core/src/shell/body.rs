//! The body of an answer on its way to the client: whole when it came with its head, else streamed as fast as the client
//! takes it. When it is complete its connection goes back to the pool and its attempt is finished; when the target cuts it
//! short, so does the client's connection, which never sees a clean end.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::answer_head::AnswerHead;
use super::chunks::{Chunk, Chunks};
use super::connection::Connection;
use super::framing::Framing;
use super::lane::Turn;
use super::mirror::Tap;
use super::ticket::Ticket;
use crate::outcome::{Failure, Outcome};

/// What a client is sent. Holds its request's turn until the last of it has been taken.
#[derive(Debug)]
pub(super) struct AnswerBody {
    content: Content,
    turn: Option<Turn>,
    /// Who compares what passes, if anybody does.
    tap: Option<Box<Tap>>,
}

#[derive(Debug)]
enum Content {
    /// Everything at once; `None` when it has been taken, or there is nothing.
    Whole(Option<Bytes>),
    /// Piece by piece.
    Stream(Box<Stream>),
}

/// A body that is still coming.
#[derive(Debug)]
struct Stream {
    /// `None` once it has been given back or given up.
    connection: Option<Connection>,
    rest: Rest,
    reusable: bool,
    status: u16,
    ticket: Option<Ticket>,
}

/// What is still to come.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// The target cut its answer short.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the target ended its answer before its end")]
pub(super) struct CutShort;

impl AnswerBody {
    /// The body behind `head` on `connection`, its trailers too if they are wanted. Finishes `ticket` when it is complete.
    pub(super) fn new(mut connection: Connection, head: AnswerHead, ticket: Ticket, trailers: bool) -> Self {
        let rest = match head.framing {
            Framing::Empty => Rest::Length(0),
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked if trailers => Rest::Chunked(Chunks::keeping_trailers()),
            Framing::Chunked => Rest::Chunked(Chunks::new()),
            Framing::UntilClose => Rest::UntilClose,
        };
        let at_hand = match &rest {
            Rest::Length(length) if connection.input().len() as u64 >= *length => {
                let whole = connection.input().split_to(*length as usize).freeze();
                Some(Some(whole).filter(|whole| !whole.is_empty()))
            }
            _ => None,
        };
        let mut stream = Stream {
            connection: Some(connection),
            rest,
            reusable: head.reusable,
            status: head.status.as_u16(),
            ticket: Some(ticket),
        };
        let content = match at_hand {
            Some(whole) => {
                stream.complete();
                Content::Whole(whole)
            }
            None => Content::Stream(Box::new(stream)),
        };
        Self { content, turn: None, tap: None }
    }

    /// A body of the gateway's own.
    pub(super) fn whole(text: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(Some(text.into())), turn: None, tap: None }
    }

    /// No body at all.
    pub(super) fn empty() -> Self {
        Self { content: Content::Whole(None), turn: None, tap: None }
    }

    /// Holds the turn of the request it answers.
    pub(super) fn hold(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Lets `tap` see everything that passes from here on.
    pub(super) fn tapped(mut self, tap: Option<Tap>) -> Self {
        self.tap = tap.map(Box::new);
        self.end_tap();
        self
    }

    /// Tells the tap when everything has passed: nobody asks for more then.
    fn end_tap(&mut self) {
        if self.tap.is_some()
            && self.is_end_stream()
            && let Some(tap) = self.tap.take()
        {
            tap.end();
        }
    }
}

impl Stream {
    /// Everything has come.
    fn complete(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            // Bytes behind the end belong to no request: such a connection is not used again.
            if let Some(mut connection) = self.connection.take()
                && self.reusable
                && connection.input().is_empty()
            {
                ticket.give_back(connection);
            }
            ticket.end(Outcome::Answered { status: self.status });
        }
    }

    /// The rest will not come.
    fn cut_short(&mut self, cause: Failure) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        self.connection = None;
        if let Some(ticket) = self.ticket.take() {
            ticket.end(Outcome::Failed { cause, sent: true, replayable: false });
        }
        Poll::Ready(Some(Err(CutShort)))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            let input = connection.input();
            let data = match &mut self.rest {
                Rest::Length(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    *left -= n as u64;
                    let data = input.split_to(n).freeze();
                    if *left == 0 {
                        self.complete();
                    }
                    data
                }
                Rest::Chunked(chunks) => match chunks.next(input) {
                    Ok(Chunk::Data(data)) => data,
                    Ok(Chunk::More) => Bytes::new(),
                    Ok(Chunk::End) => {
                        let trailers = chunks.take_trailers();
                        self.complete();
                        return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                    }
                    Err(cause) => return self.cut_short(cause),
                },
                Rest::UntilClose => input.split().freeze(),
            };
            if !data.is_empty() {
                if let Some(connection) = &self.connection {
                    connection.pause();
                }
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            let (Some(connection), Some(ticket)) = (&mut self.connection, &self.ticket) else {
                return Poll::Ready(None);
            };
            match ready!(connection.poll_more(ticket.read_timeout(), cx)) {
                Some(Ok(1..)) => {}
                Some(Ok(0)) if matches!(self.rest, Rest::UntilClose) => {
                    self.complete();
                    return Poll::Ready(None);
                }
                Some(Ok(0) | Err(_)) => return self.cut_short(Failure::ResetMidBody),
                None => return self.cut_short(Failure::ResponseTimeout),
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        let polled = match &mut self.content {
            Content::Whole(whole) => Poll::Ready(whole.take().map(|whole| Ok(Frame::data(whole)))),
            Content::Stream(stream) => stream.poll_frame(cx),
        };
        if let (Some(tap), Poll::Ready(passed)) = (&mut self.tap, &polled) {
            match passed {
                Some(Ok(frame)) => tap.add(frame.data_ref().map_or(&[], |data| data)),
                // Dropped, it tells that the answer never came.
                Some(Err(_)) => self.tap = None,
                None => {}
            }
            self.end_tap();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(whole) => whole.is_none(),
            Content::Stream(stream) => stream.connection.is_none() && stream.ticket.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(whole) => {
                SizeHint::with_exact(whole.as_ref().map_or(0, |whole| whole.len() as u64))
            }
            Content::Stream(stream) => match &stream.rest {
                Rest::Length(left) => SizeHint::with_exact(*left),
                Rest::Chunked(_) | Rest::UntilClose => SizeHint::default(),
            },
        }
    }
}
