//! The body of an answer on its way out: at once, slowly, or less of it than was announced. Tells its connection when the
//! last byte has been handed over.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use gateway_core::time::Instant;
use hyper::body::{Body, Frame, SizeHint};

use super::line::Line;
use crate::engine::live::alarm::Alarm;
use crate::mock::Pace;

/// A body.
pub(super) struct Said {
    line: Rc<Line>,
    rest: Bytes,
    /// Bytes announced and never sent.
    missing: usize,
    slowly: Option<Slowly>,
    /// What was handed over before the body breaks off has had its chance to be written.
    was_flushed: bool,
}

/// A body in pieces.
struct Slowly {
    pace: Pace,
    began: Instant,
    sent: usize,
    alarm: Rc<Alarm>,
    waiting: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Said {
    /// All of `bytes`.
    pub(super) fn new(line: &Rc<Line>, bytes: impl Into<Bytes>) -> Self {
        Self { line: Rc::clone(line), rest: bytes.into(), missing: 0, slowly: None, was_flushed: false }
    }

    /// Half of it, though all of it is announced.
    pub(super) fn truncated(mut self) -> Self {
        self.missing = self.rest.len().div_ceil(2);
        self.rest.truncate(self.rest.len() - self.missing);
        self
    }

    /// At this pace from `now` on.
    pub(super) fn slowly(mut self, pace: Pace, now: Instant, alarm: &Rc<Alarm>) -> Self {
        self.slowly = Some(Slowly { pace, began: now, sent: 0, alarm: Rc::clone(alarm), waiting: None });
        self
    }
}

impl Slowly {
    /// How much may be sent, once it may.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        let due = self.began + self.pace.due(self.sent);
        let alarm = Rc::clone(&self.alarm);
        let waiting =
            self.waiting.get_or_insert_with(|| Box::pin(async move { alarm.wait_until(due).await }));
        ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(self.pace.piece())
    }
}

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            // What breaks off is not written if it breaks off at once.
            if self.missing > 0 && !self.was_flushed {
                self.was_flushed = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(None);
        }
        let size = match &mut self.slowly {
            Some(slowly) => ready!(slowly.poll_piece(cx)),
            None => usize::MAX,
        };
        let size = size.min(self.rest.len());
        if let Some(slowly) = &mut self.slowly {
            slowly.sent += size;
        }
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.missing == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.rest.len() + self.missing) as u64)
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        self.line.hand_over();
    }
}
