//! Where the body of an answer ends (RFC 9112, section 6), and the reader of chunks. Strict: an answer that could be read in
//! two ways is refused, since somebody behind us might read it the other way.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::outcome::Failure;

/// The longest line that opens a chunk, extensions included.
const CHUNK_LINE_MAX: usize = 1024;
/// The most bytes of trailers.
const TRAILERS_MAX: usize = 8 * 1024;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With a chunk of length zero.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The framing of an answer.
pub(super) fn framing_of(headers: &HeaderMap, status: StatusCode, to_head: bool) -> Result<Framing, Failure> {
    let length = content_length(headers)?;
    let chunked = is_chunked(headers)?;
    if length.is_some() && chunked {
        return Err(Failure::BadResponse);
    }
    let no_body = to_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    Ok(match (no_body, chunked, length) {
        (true, ..) | (_, _, Some(0)) => Framing::Empty,
        (_, true, _) => Framing::Chunked,
        (_, _, Some(length)) => Framing::Length(length),
        _ => Framing::UntilClose,
    })
}

/// One `Content-Length` of digits only. Two of them, or a list, are refused even when they agree.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().map_err(|_| Failure::BadResponse)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if values.next().is_some() || !plain {
        return Err(Failure::BadResponse);
    }
    digits.parse().map(Some).map_err(|_| Failure::BadResponse)
}

/// `Transfer-Encoding: chunked` and nothing else.
fn is_chunked(headers: &HeaderMap) -> Result<bool, Failure> {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Failure::BadResponse),
    }
}

/// Reads a chunked body (RFC 9112, section 7.1), one chunk after the other. Used by whoever reads answers.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    trailers: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the line that opens a chunk.
    Line,
    /// Within a chunk, so many bytes left.
    Data(u64),
    /// Before the line end that closes a chunk.
    DataEnd,
    /// After the last chunk.
    Trailers,
}

/// What a reader of chunks found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Some bytes of the body.
    Data(Bytes),
    /// The body is complete.
    End,
    /// More must be read first.
    More,
}

impl Default for Chunks {
    fn default() -> Self {
        Self::new()
    }
}

impl Chunks {
    /// Before the first chunk.
    pub fn new() -> Self {
        Self { state: State::Line, trailers: 0 }
    }

    /// Takes the next part of the body from `input`.
    ///
    /// # Errors
    /// [`Failure::BadResponse`] when it is not what the standard says, or a line or the trailers have no end.
    pub fn next(&mut self, input: &mut BytesMut) -> Result<Chunk, Failure> {
        loop {
            match self.state {
                State::Line => {
                    let Some(line) = line(input, CHUNK_LINE_MAX)? else { return Ok(Chunk::More) };
                    let size = chunk_size(&line)?;
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                }
                State::Data(left) => {
                    if input.is_empty() {
                        return Ok(Chunk::More);
                    }
                    let n = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let left = left - n as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Chunk::Data(input.split_to(n).freeze()));
                }
                State::DataEnd => {
                    if input.len() < 2 {
                        return Ok(Chunk::More);
                    }
                    if !input.starts_with(b"\r\n") {
                        return Err(Failure::BadResponse);
                    }
                    input.advance(2);
                    self.state = State::Line;
                }
                State::Trailers => {
                    let Some(line) = line(input, TRAILERS_MAX)? else { return Ok(Chunk::More) };
                    if line.is_empty() {
                        return Ok(Chunk::End);
                    }
                    self.trailers += line.len();
                    if self.trailers > TRAILERS_MAX {
                        return Err(Failure::BadResponse);
                    }
                }
            }
        }
    }
}

/// The next line without its end, of `most` bytes at most. Only CR LF ends a line.
fn line(input: &mut BytesMut, most: usize) -> Result<Option<BytesMut>, Failure> {
    match input.iter().take(most + 2).position(|&b| b == b'\n') {
        Some(end) if end > 0 && input[end - 1] == b'\r' => {
            let line = input.split_to(end - 1);
            input.advance(2);
            Ok(Some(line))
        }
        None if input.len() < most + 2 => Ok(None),
        _ => Err(Failure::BadResponse),
    }
}

/// Hexadecimal digits, at most sixteen, then nothing or an extension.
fn chunk_size(line: &[u8]) -> Result<u64, Failure> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || digits > 16 || !(rest.is_empty() || rest.starts_with(b";")) {
        return Err(Failure::BadResponse);
    }
    let digits = std::str::from_utf8(&line[..digits]).map_err(|_| Failure::BadResponse)?;
    u64::from_str_radix(digits, 16).map_err(|_| Failure::BadResponse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(fields: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn an_answer_that_could_be_read_in_two_ways_is_refused() {
        let ok = StatusCode::OK;
        for (fields, expected) in [
            (vec![], Some(Framing::UntilClose)),
            (vec![(CONTENT_LENGTH, "5")], Some(Framing::Length(5))),
            (vec![(CONTENT_LENGTH, "0")], Some(Framing::Empty)),
            (vec![(TRANSFER_ENCODING, "chunked")], Some(Framing::Chunked)),
            (vec![(TRANSFER_ENCODING, "Chunked")], Some(Framing::Chunked)),
            (vec![(TRANSFER_ENCODING, "gzip, chunked")], None),
            (vec![(CONTENT_LENGTH, "5"), (TRANSFER_ENCODING, "chunked")], None),
            (vec![(CONTENT_LENGTH, "5"), (CONTENT_LENGTH, "5")], None),
            (vec![(CONTENT_LENGTH, "5, 5")], None),
            (vec![(CONTENT_LENGTH, "+5")], None),
            (vec![(CONTENT_LENGTH, "99999999999999999999")], None),
        ] {
            let headers: HeaderMap = {
                let mut map = HeaderMap::new();
                for (name, value) in &fields {
                    map.append(name.clone(), HeaderValue::from_static(value));
                }
                map
            };
            assert_eq!(framing_of(&headers, ok, false).ok(), expected, "{fields:?}");
        }
        let five = headers(&[(CONTENT_LENGTH, "5")]);
        assert_eq!(framing_of(&five, ok, true), Ok(Framing::Empty));
        assert_eq!(framing_of(&five, StatusCode::NOT_MODIFIED, false), Ok(Framing::Empty));
    }

    /// Feeds `text` in pieces of `step` bytes; the body, or `None` when it is refused or unfinished.
    fn read(text: &[u8], step: usize) -> Option<Vec<u8>> {
        let (mut chunks, mut input, mut body) = (Chunks::new(), BytesMut::new(), Vec::new());
        for piece in text.chunks(step) {
            input.extend_from_slice(piece);
            loop {
                match chunks.next(&mut input).ok()? {
                    Chunk::Data(data) => body.extend_from_slice(&data),
                    Chunk::More => break,
                    Chunk::End => return Some(body),
                }
            }
        }
        None
    }

    #[test]
    fn chunks_come_out_whole_however_they_arrive() {
        let text = b"5\r\nhello\r\n1;name=value\r\n \r\nA\r\n0123456789\r\n0\r\nExpires: never\r\n\r\n";
        for step in 1..text.len() {
            assert_eq!(read(text, step).as_deref(), Some(&b"hello 0123456789"[..]), "{step} bytes at a time");
        }
    }

    #[test]
    fn hostile_chunks_are_refused() {
        for bad in [
            &b"5\nhello\n0\n\n"[..],
            b"\r\nhello",
            b"x\r\nhello\r\n0\r\n\r\n",
            b"5 5\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"5\r\nhelloworld\r\n0\r\n\r\n",
            b"11111111111111111\r\n",
            b"5\r\nhello\r\n0\r\n",
        ] {
            assert_eq!(read(bad, 3), None, "{:?}", String::from_utf8_lossy(bad));
        }
        assert_eq!(read(&vec![b'0'; 4096], 512), None, "an endless line");
        let mut trailers = b"0\r\n".to_vec();
        trailers.extend(b"a: b\r\n".repeat(4096));
        assert_eq!(read(&trailers, 512), None, "endless trailers");
    }
}
