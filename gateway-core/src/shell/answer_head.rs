//! The head of an answer, read from bytes however they arrive; a pure machine without a socket. Interim answers (1xx) are
//! read over. Strict: what could be read in two ways is refused. Header values are slices of the input, not copies.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, StatusCode};

use super::framing::{Framing, framing_of};
use super::settings::AnswerLimits;
use crate::outcome::Failure;

/// The most header fields that the settings may allow: places for them are on the stack.
const FIELDS_MAX: usize = 128;

/// What the request asked for, as far as it bears on how its answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// A head without its body: the request was a HEAD.
    pub(super) head_only: bool,
    /// Another protocol: the request was a WebSocket handshake.
    pub(super) upgrade: bool,
    /// The fields behind the body: the client said `TE: trailers`.
    pub(super) trailers: bool,
}

/// The head of an answer, its fields apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    /// Whether the connection may be used again once the body has been read.
    pub(super) reusable: bool,
}

/// Reads one head, and whatever interim ones come before it.
#[derive(Debug)]
pub(super) struct HeadReader {
    asked: Asked,
    limits: AnswerLimits,
    /// Interim answers so far.
    interim: usize,
    /// Bytes of the input that have been looked at and are no whole head.
    seen: usize,
}

/// Where a field is: name and value, each as start and length.
type Field = [u32; 4];

impl HeadReader {
    pub(super) fn new(asked: Asked, limits: AnswerLimits) -> Self {
        Self { asked, limits, interim: 0, seen: 0 }
    }

    /// The head at the start of `input`, when it is complete; its fields go into `headers`, which must be empty.
    pub(super) fn next(
        &mut self,
        input: &mut BytesMut,
        headers: &mut HeaderMap,
    ) -> Result<Option<AnswerHead>, Failure> {
        while self.may_be_whole(input) {
            let Some((head, length)) = self.parse(input, headers)? else { break };
            if length > self.limits.head_bytes_max {
                return Err(Failure::BadResponse);
            }
            self.seen = 0;
            let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
            if switching && !self.may_switch(headers) {
                return Err(Failure::BadResponse);
            }
            if switching || !head.status.is_informational() {
                return Ok(Some(head));
            }
            self.interim += 1;
            headers.clear();
            if self.interim > self.limits.interim_max {
                return Err(Failure::BadResponse);
            }
        }
        self.seen = input.len();
        if input.len() >= self.limits.head_bytes_max { Err(Failure::BadResponse) } else { Ok(None) }
    }

    /// Whether it is worth parsing: a head that comes byte by byte would otherwise be parsed as often as it has bytes.
    fn may_be_whole(&self, input: &[u8]) -> bool {
        let fresh = &input[self.seen.saturating_sub(3).min(input.len())..];
        !input.is_empty()
            && (self.seen == 0
                || fresh.windows(2).any(|two| two == b"\n\n")
                || fresh.windows(3).any(|three| three == b"\n\r\n"))
    }

    /// Whether a change of protocol is the one that was asked for.
    fn may_switch(&self, headers: &HeaderMap) -> bool {
        let websocket = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
        self.asked.upgrade && headers.get(UPGRADE).is_some_and(websocket)
    }

    fn parse(
        &self,
        input: &mut BytesMut,
        headers: &mut HeaderMap,
    ) -> Result<Option<(AnswerHead, usize)>, Failure> {
        let mut room = [const { MaybeUninit::uninit() }; FIELDS_MAX];
        let room = &mut room[..self.limits.fields_max.min(FIELDS_MAX)];
        let mut answer = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut answer,
            input.as_ref(),
            room,
        );
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::BadResponse),
        };
        let http_11 = answer.version == Some(1);
        let status =
            answer.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Failure::BadResponse)?;
        let mut fields: [Field; FIELDS_MAX] = [[0; 4]; FIELDS_MAX];
        let count = answer.headers.len();
        let start = input.as_ptr() as usize;
        for (field, found) in fields.iter_mut().zip(answer.headers.iter()) {
            let name = (found.name.as_ptr() as usize - start) as u32;
            let value = (found.value.as_ptr() as usize - start) as u32;
            *field = [name, found.name.len() as u32, value, found.value.len() as u32];
        }
        let head = input.split_to(length).freeze();
        fill(headers, &head, &fields[..count])?;
        let framing = framing_of(headers, status, self.asked.head_only)?;
        let reusable = http_11 && framing != Framing::UntilClose && !says_close(headers);
        Ok(Some((AnswerHead { status, framing, reusable }, length)))
    }
}

/// Puts `fields` of `head` into `headers`, without copying values.
fn fill(headers: &mut HeaderMap, head: &Bytes, fields: &[Field]) -> Result<(), Failure> {
    let slice = |start: u32, length: u32| head.slice(start as usize..(start + length) as usize);
    for &[name, name_length, value, value_length] in fields {
        let name = &head[name as usize..(name + name_length) as usize];
        let name = http::HeaderName::from_bytes(name).map_err(|_| Failure::BadResponse)?;
        let value = http::HeaderValue::from_maybe_shared(slice(value, value_length))
            .map_err(|_| Failure::BadResponse)?;
        headers.append(name, value);
    }
    Ok(())
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        value.as_bytes().split(|&b| b == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}
