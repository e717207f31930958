//! The reader of chunked bodies (RFC 9112, section 7.1) and of the trailers behind them. Strict: only CR LF ends a line, every
//! line has an end within bounds, and what is no chunk is an error.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::outcome::Failure;

/// The longest line that opens a chunk, extensions included.
const CHUNK_LINE_MAX: usize = 1024;
/// The most bytes of trailers.
const TRAILERS_MAX: usize = 8 * 1024;

/// Reads a chunked body (RFC 9112, section 7.1), one chunk after the other. Used by whoever reads answers.
#[derive(Debug)]
pub struct Chunks {
    state: State,
    trailer_bytes: usize,
    /// The trailers so far; `None` when nobody wants them.
    trailers: Option<HeaderMap>,
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
    /// Before the first chunk. Trailers are read over.
    pub fn new() -> Self {
        Self { state: State::Line, trailer_bytes: 0, trailers: None }
    }

    /// Before the first chunk. Trailers are kept; that allocates nothing as long as none come.
    pub fn keeping_trailers() -> Self {
        Self { trailers: Some(HeaderMap::new()), ..Self::new() }
    }

    /// The trailers that were kept, once the end has come; `None` when there are none. Fields that mean something only in
    /// a head are not among them.
    pub fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take().filter(|trailers| !trailers.is_empty())
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
                    self.trailer_bytes += line.len();
                    if self.trailer_bytes > TRAILERS_MAX {
                        return Err(Failure::BadResponse);
                    }
                    self.trailer(&line.freeze())?;
                }
            }
        }
    }

    /// One line behind the last chunk. Must be a field, wanted or not.
    fn trailer(&mut self, line: &Bytes) -> Result<(), Failure> {
        let colon = line.iter().position(|&b| b == b':').ok_or(Failure::BadResponse)?;
        let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Failure::BadResponse)?;
        let value = line.slice_ref(line[colon + 1..].trim_ascii());
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Failure::BadResponse)?;
        if let Some(trailers) = &mut self.trailers
            && !NO_TRAILERS.contains(&name)
        {
            trailers.append(name, value);
        }
        Ok(())
    }
}

/// Fields that a recipient acts upon before the body, or that frame, route or authorise a message (RFC 9110, section 6.5.1):
/// whoever merged them from behind the body would be fooled.
const NO_TRAILERS: [HeaderName; 30] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::RETRY_AFTER,
    header::SERVER,
    header::SET_COOKIE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::VARY,
    header::VIA,
    header::WWW_AUTHENTICATE,
];

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
pub(super) fn chunk_size(line: &[u8]) -> Result<u64, Failure> {
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
            b"0\r\nno colon\r\n\r\n",
            b"0\r\nno token : x\r\n\r\n",
            b"0\r\nx: \0\r\n\r\n",
        ] {
            assert_eq!(read(bad, 3), None, "{:?}", String::from_utf8_lossy(bad));
        }
        assert_eq!(read(&vec![b'0'; 4096], 512), None, "an endless line");
        let mut trailers = b"0\r\n".to_vec();
        trailers.extend(b"a: b\r\n".repeat(4096));
        assert_eq!(read(&trailers, 512), None, "endless trailers");
    }

    #[test]
    fn trailers_are_handed_out_to_those_who_want_them_and_harmful_ones_to_nobody() {
        let text =
            &b"0\r\nx-sum:  1 \r\nContent-Length: 5\r\nhost: evil\r\nAuthorization: me\r\nx-sum: 2\r\n\r\n"[..];
        let trailers = |mut chunks: Chunks| {
            assert_eq!(chunks.next(&mut BytesMut::from(text)), Ok(Chunk::End));
            chunks.take_trailers()
        };
        assert_eq!(trailers(Chunks::new()), None);
        let kept = trailers(Chunks::keeping_trailers()).unwrap();
        assert_eq!(kept.keys_len(), 1);
        assert!(kept.get_all("x-sum").iter().eq(["1", "2"]));
        let mut none = Chunks::keeping_trailers();
        assert_eq!(none.next(&mut BytesMut::from(&b"0\r\n\r\n"[..])), Ok(Chunk::End));
        assert_eq!(none.take_trailers(), None);
    }
}
