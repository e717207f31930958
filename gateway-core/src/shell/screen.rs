//! Reads along with hyper's server and remembers which request could be read in two ways: hyper merges two lengths into one,
//! drops a length beside `Transfer-Encoding`, takes `gzip, chunked` for chunked and a bare line feed for a line end. It may
//! do so as a server; a proxy that did would guess what its neighbours read. A pure machine over the bytes of one
//! connection, in whatever pieces they come; answering and closing is up to whoever serves the request.

/// The longest line that may frame a body when it arrives in pieces: `Content-Length`, `Transfer-Encoding` or a chunk's.
const LINE_KEPT_MAX: usize = 256;

/// What has been read of one connection.
#[derive(Debug)]
pub(super) struct Screen {
    state: State,
    /// The beginning of the line under way, as far as it came before the bytes at hand.
    kept: [u8; LINE_KEPT_MAX],
    /// Its bytes so far, kept or not.
    kept_bytes: usize,
    kept_last: u8,
    /// Heads read to their end.
    heads: u64,
    length: Option<u64>,
    chunked: bool,
    /// The first request (from 0) that is refused, and with it all behind it.
    refused: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a head.
    Between,
    /// Within a head.
    Head,
    /// Within a body, so many bytes left.
    Length(u64),
    /// Before or within the line that opens a chunk.
    ChunkLine,
    /// Within a chunk.
    Chunk(u64),
    /// Before the line end that closes a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
}

/// What the bytes to come belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// No request has begun.
    Between,
    /// A head.
    Head,
    /// A body.
    Body,
}

/// A line or a body that no proxy should pass on.
struct Ambiguous;

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            state: State::Between,
            kept: [0; LINE_KEPT_MAX],
            kept_bytes: 0,
            kept_last: 0,
            heads: 0,
            length: None,
            chunked: false,
            refused: None,
        }
    }

    /// Whether the request with this number (from 0) may be served. One whose head has not been seen whole is not: then
    /// hyper and this screen disagree about where requests begin.
    pub(super) fn admits(&self, request: u64) -> bool {
        request < self.refused.unwrap_or(self.heads)
    }

    /// Heads read to their end.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// What the next byte belongs to.
    pub(super) fn place(&self) -> Place {
        match self.state {
            _ if self.refused.is_some() => Place::Head,
            State::Between if self.kept_bytes == 0 => Place::Between,
            State::Between | State::Head => Place::Head,
            _ => Place::Body,
        }
    }

    /// Reads what has come. Behind a refused request nothing is looked at any more.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.refused.is_none() {
            if self.step(&mut bytes).is_err() {
                self.refused = Some(self.heads);
            }
        }
    }

    fn step(&mut self, bytes: &mut &[u8]) -> Result<(), Ambiguous> {
        match self.state {
            State::Length(left) => {
                self.state = match skip(bytes, left) {
                    0 => State::Between,
                    left => State::Length(left),
                };
            }
            State::Chunk(left) => {
                self.state = match skip(bytes, left) {
                    0 => State::ChunkEnd,
                    left => State::Chunk(left),
                };
            }
            State::Between | State::Head | State::ChunkLine | State::ChunkEnd | State::Trailers => {
                self.step_line(bytes)?;
            }
        }
        Ok(())
    }

    /// Up to the end of the line under way, or of the bytes.
    fn step_line(&mut self, bytes: &mut &[u8]) -> Result<(), Ambiguous> {
        let Some(end) = bytes.iter().position(|&b| b == b'\n') else {
            self.keep(bytes);
            *bytes = &[];
            return Ok(());
        };
        let (line, rest) = bytes.split_at(end + 1);
        *bytes = rest;
        let length = self.kept_bytes + line.len();
        if self.kept_bytes == 0 && length <= LINE_KEPT_MAX {
            return self.line(line);
        }
        let before = if line.len() > 1 { line[line.len() - 2] } else { self.kept_last };
        self.keep(line);
        self.kept_bytes = 0;
        let kept = self.kept;
        if length > LINE_KEPT_MAX {
            self.long_line(&kept, before == b'\r')
        } else {
            self.line(&kept[..length])
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let at = self.kept_bytes.min(LINE_KEPT_MAX);
        let n = piece.len().min(LINE_KEPT_MAX - at);
        self.kept[at..at + n].copy_from_slice(&piece[..n]);
        self.kept_bytes += piece.len();
        self.kept_last = piece.last().copied().unwrap_or(self.kept_last);
    }

    /// A line of which only the beginning was kept: too long for one that frames a body.
    fn long_line(&mut self, begin: &[u8], ends_well: bool) -> Result<(), Ambiguous> {
        match self.state {
            State::Between if ends_well => self.state = State::Head,
            State::Head if ends_well && !frames_body(begin) => {}
            State::Trailers if ends_well => {}
            _ => return Err(Ambiguous),
        }
        Ok(())
    }

    /// A whole line with its end.
    fn line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let line = line.strip_suffix(b"\r\n").ok_or(Ambiguous)?;
        match self.state {
            // Empty lines before a head are skipped, as the standard asks.
            State::Between if line.is_empty() => {}
            State::Between => self.state = State::Head,
            State::Head if line.is_empty() => self.end_head()?,
            State::Head => self.field(line)?,
            State::ChunkLine => {
                self.state = match super::chunks::chunk_size(line).map_err(|_| Ambiguous)? {
                    0 => State::Trailers,
                    size => State::Chunk(size),
                };
            }
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkLine,
            State::Trailers if line.is_empty() => self.state = State::Between,
            State::Trailers => {}
            State::ChunkEnd | State::Length(_) | State::Chunk(_) => return Err(Ambiguous),
        }
        Ok(())
    }

    /// A field of a head; only those that frame the body matter here.
    fn field(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        if !frames_body(line) {
            return Ok(());
        }
        let colon = line.iter().position(|&b| b == b':').ok_or(Ambiguous)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).map_err(|_| Ambiguous)?;
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let length = digits.parse().ok().filter(|_| plain).ok_or(Ambiguous)?;
            return if self.length.replace(length).is_some() { Err(Ambiguous) } else { Ok(()) };
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let only = value.eq_ignore_ascii_case(b"chunked") && !self.chunked;
            self.chunked = true;
            return if only { Ok(()) } else { Err(Ambiguous) };
        }
        // Such a name with something before its colon, or one that only begins alike.
        Ok(())
    }

    fn end_head(&mut self) -> Result<(), Ambiguous> {
        let (length, chunked) = (self.length.take(), std::mem::take(&mut self.chunked));
        self.state = match (chunked, length) {
            (true, Some(_)) => return Err(Ambiguous),
            (true, None) => State::ChunkLine,
            (false, None | Some(0)) => State::Between,
            (false, Some(length)) => State::Length(length),
        };
        self.heads += 1;
        Ok(())
    }
}

/// Whether a line's name begins like one that frames a body. Looked at for every line, so by its first letter first.
fn frames_body(line: &[u8]) -> bool {
    let begins = |name: &[u8]| line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    match line.first() {
        Some(b'c' | b'C') => begins(b"content-length"),
        Some(b't' | b'T') => begins(b"transfer-encoding"),
        _ => false,
    }
}

/// Takes up to `left` bytes; how many are left then.
fn skip(bytes: &mut &[u8], left: u64) -> u64 {
    let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    *bytes = &bytes[n..];
    left - n as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Heads seen and whether something was refused, for `text` in pieces of `step` bytes.
    fn read(text: &[u8], step: usize) -> (u64, bool) {
        let mut screen = Screen::new();
        text.chunks(step).for_each(|piece| screen.read(piece));
        (screen.heads, screen.refused.is_some())
    }

    #[test]
    fn what_frames_a_body_in_two_ways_is_refused_however_it_arrives() {
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(1000));
        let long_length = format!("POST / HTTP/1.1\r\ncontent-length: {}5\r\n\r\nhello", " ".repeat(1000));
        for (text, heads, refused) in [
            ("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", 2, false),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", 1, false),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n", 2, false),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                2,
                false,
            ),
            (long.as_str(), 1, false),
            ("GET / HTTP/1.1\n\n", 0, true),
            ("GET / HTTP/1.1\r\nhost: x\n\r\n", 0, true),
            ("\nGET / HTTP/1.1\r\n\r\n", 0, true),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\nCONTENT-LENGTH: 5\r\n\r\nhello", 0, true),
            ("POST / HTTP/1.1\r\ncontent-length: +5\r\n\r\nhello", 0, true),
            ("POST / HTTP/1.1\r\ncontent-length: 5, 5\r\n\r\nhello", 0, true),
            ("POST / HTTP/1.1\r\ncontent-length:\r\n\r\nhello", 0, true),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 0, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 0, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n", 0, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\nGET / HTTP/1.1\r\n\r\n", 1, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\nhGET / HTTP/1.1\r\n\r\n", 1, true),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nhello\r\n", 1, true),
        ] {
            for step in 1..=text.len() {
                assert_eq!(read(text.as_bytes(), step), (heads, refused), "{text:?} by {step}");
            }
        }
        for step in 1..long_length.len() - 8 {
            assert!(read(long_length.as_bytes(), step).1, "a length that is mostly blank, by {step}");
        }
    }

    #[test]
    fn nothing_behind_a_refused_request_is_admitted() {
        let mut screen = Screen::new();
        screen.read(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\n\nGET / HTTP/1.1\r\n\r\n");
        assert!(screen.admits(0) && !screen.admits(1) && !screen.admits(2));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in bytes(), step in 1_usize..40) {
            prop_assert_eq!(read(&text, step), read(&text, 1));
        }
    }

    /// Bytes that are likely to form lines and fields.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let word = prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"content-length: 3\r\n".to_vec()),
            Just(b"transfer-encoding: chunked\r\n".to_vec()),
            Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"3\r\nabc\r\n".to_vec()),
            Just(b"0\r\n\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..8),
        ];
        proptest::collection::vec(word, 0..24).prop_map(|words| words.concat())
    }
}
