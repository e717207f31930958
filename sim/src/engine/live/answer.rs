//! Reads one answer of the gateway after the other from a connection's bytes: the status line and the fields that matter, then
//! the body, which is compared with what its target says of it and thrown away. No I/O, no clock.

use bytes::{Buf as _, BytesMut};
use gateway_core::shell::{Chunk, Chunks};

use super::seal::{BODY, Seal, Sealing};
use super::targets::TARGET;

/// The most header fields of an answer.
const HEADERS_MAX: usize = 64;
/// The longest head.
const HEAD_MAX: usize = 64 * 1024;

/// A reader of answers.
#[derive(Debug)]
pub(super) struct AnswerReader {
    state: State,
    head: AnswerHead,
    /// The `Set-Cookie`s of the last head, one after the other, each with a line end.
    set_cookies: Vec<u8>,
    /// What the target says of the body, and what came.
    sent: Option<Seal>,
    came: Sealing,
}

#[derive(Debug)]
enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// What matters of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) status: u16,
    /// Index of the mock that answered; `None` for an answer of the gateway's own.
    pub(super) target: Option<u32>,
    /// Whether another request may follow.
    pub(super) keep_alive: bool,
    /// Whether the body is another than its target sent.
    pub(super) is_damaged: bool,
}

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// More must be read first.
    More,
    /// A whole answer.
    Answer(AnswerHead),
    /// Something that is not HTTP.
    Nonsense,
}

impl AnswerReader {
    /// Before an answer.
    pub(super) fn new() -> Self {
        Self {
            state: State::Head,
            head: AnswerHead::default(),
            set_cookies: Vec::new(),
            sent: None,
            came: Sealing::default(),
        }
    }

    /// Reads on in `input`. `to_head` is whether the request was a HEAD.
    pub(super) fn read(&mut self, input: &mut BytesMut, to_head: bool) -> Found {
        loop {
            match &mut self.state {
                State::Head => match self.read_head(input, to_head) {
                    Ok(true) => {}
                    Ok(false) => return Found::More,
                    Err(()) => return Found::Nonsense,
                },
                State::Length(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    self.came.add(&input[..n]);
                    input.advance(n);
                    *left -= n as u64;
                    return if *left == 0 { self.end() } else { Found::More };
                }
                State::Chunked(chunks) => match chunks.next(input) {
                    Ok(Chunk::Data(data)) => self.came.add(&data),
                    Ok(Chunk::More) => return Found::More,
                    Ok(Chunk::End) => return self.end(),
                    Err(_) => return Found::Nonsense,
                },
                State::UntilClose => {
                    self.came.add(input);
                    input.clear();
                    return Found::More;
                }
            }
        }
    }

    /// The connection has ended: the answer that was complete with that, if one was.
    pub(super) fn close(&mut self) -> Option<AnswerHead> {
        matches!(self.state, State::UntilClose).then(|| AnswerHead { keep_alive: false, ..self.whole() })
    }

    /// The `Set-Cookie`s of the last answer.
    pub(super) fn set_cookies(&self) -> impl Iterator<Item = &[u8]> {
        self.set_cookies.split(|&byte| byte == b'\n').filter(|cookie| !cookie.is_empty())
    }

    /// Whether the head of an answer has been read and its body has not.
    pub(super) fn is_within_body(&self) -> bool {
        !matches!(self.state, State::Head)
    }

    fn end(&mut self) -> Found {
        self.state = State::Head;
        Found::Answer(self.whole())
    }

    /// The head, now that its body is known.
    fn whole(&self) -> AnswerHead {
        AnswerHead { is_damaged: self.sent.is_some_and(|sent| sent != self.came.seal()), ..self.head }
    }

    /// Whether a head was complete.
    fn read_head(&mut self, input: &mut BytesMut, to_head: bool) -> Result<bool, ()> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut fields);
        let length = match answer.parse(input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if input.len() < HEAD_MAX => return Ok(false),
            _ => return Err(()),
        };
        let status = answer.code.ok_or(())?;
        let mut head =
            AnswerHead { status, target: None, keep_alive: answer.version == Some(1), is_damaged: false };
        (self.sent, self.came) = (None, Sealing::default());
        let (mut body, mut chunked) = (None, false);
        self.set_cookies.clear();
        for field in answer.headers.iter() {
            let name = field.name;
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(number(field.value).ok_or(())?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = true;
            } else if name.eq_ignore_ascii_case("connection") {
                head.keep_alive &= !field.value.eq_ignore_ascii_case(b"close");
            } else if name.eq_ignore_ascii_case("set-cookie") {
                self.set_cookies.extend_from_slice(field.value);
                self.set_cookies.push(b'\n');
            } else if name.eq_ignore_ascii_case(BODY) {
                self.sent = Seal::read(field.value);
            } else if name.eq_ignore_ascii_case(TARGET.as_str()) {
                head.target = number(field.value).and_then(|n| u32::try_from(n).ok());
            }
        }
        input.advance(length);
        if status < 200 {
            return Ok(true);
        }
        self.head = head;
        let is_bare = to_head || status == 204 || status == 304;
        self.sent = self.sent.filter(|_| !is_bare);
        self.state = match (is_bare, chunked, body) {
            (true, ..) => State::Length(0),
            (_, true, _) => State::Chunked(Chunks::new()),
            (_, _, Some(length)) => State::Length(length),
            _ => State::UntilClose,
        };
        Ok(true)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` in pieces of `step` bytes; what was found at the end.
    fn read(text: &[u8], step: usize) -> Vec<Found> {
        let (mut reader, mut input, mut found) = (AnswerReader::new(), BytesMut::new(), Vec::new());
        for piece in text.chunks(step) {
            input.extend_from_slice(piece);
            loop {
                match reader.read(&mut input, false) {
                    Found::More => break,
                    Found::Nonsense => {
                        found.push(Found::Nonsense);
                        return found;
                    }
                    answer @ Found::Answer(_) => found.push(answer),
                }
                if input.is_empty() {
                    break;
                }
            }
        }
        found
    }

    #[test]
    fn answers_are_found_however_their_bytes_arrive() {
        let text = b"HTTP/1.1 200 OK\r\nX-Sim-Target: 3\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 100 Continue\r\n\r\n\
            HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n\
            HTTP/1.1 200 OK\r\nx-sim-target: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let expected = [
            Found::Answer(AnswerHead { status: 200, target: Some(3), keep_alive: true, is_damaged: false }),
            Found::Answer(AnswerHead { status: 503, target: None, keep_alive: false, is_damaged: false }),
            Found::Answer(AnswerHead { status: 200, target: Some(1), keep_alive: true, is_damaged: false }),
        ];
        for step in 1..text.len() {
            assert_eq!(read(text, step), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn a_body_that_is_not_what_was_sent_is_damaged_however_it_arrives() {
        // Aim: one wrong byte, one too many and one too few, in a body of a length and in chunks. Method: what was sent says
        // "5-3610a686", the seal of `hello`.
        let framed = |body: &str, chunked: bool| {
            let sealed = "HTTP/1.1 200 OK\r\nX-Sim-Target: 3\r\nX-Sim-Body: 5-3610a686\r\n";
            let length = body.len();
            if chunked {
                format!("{sealed}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
            } else {
                format!("{sealed}content-length: {length}\r\n\r\n{body}")
            }
        };
        for (body, expected) in [("hello", false), ("hellp", true), ("hello!", true), ("hell", true)] {
            for (chunked, step) in [(false, 1), (false, 500), (true, 1), (true, 500)] {
                let found = read(framed(body, chunked).as_bytes(), step);
                let is_damaged = |found: &Found| matches!(found, Found::Answer(head) if head.is_damaged);
                assert_eq!(found.iter().map(is_damaged).collect::<Vec<_>>(), [expected], "{body}");
            }
        }
    }

    #[test]
    fn cookies_of_an_answer_are_there_until_the_next_one() {
        let (mut reader, mut input) = (AnswerReader::new(), BytesMut::new());
        let mut cookies = |text: &[u8]| {
            input.extend_from_slice(text);
            assert!(matches!(reader.read(&mut input, false), Found::Answer(_)));
            reader.set_cookies().map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        let two =
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(cookies(two), [&b"a=1"[..], b"b=2; Path=/"]);
        assert!(cookies(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_empty());
    }

    #[test]
    fn nonsense_is_named_and_an_answer_may_end_with_its_connection() {
        assert_eq!(read(b"SSH-2.0-OpenSSH\r\n\r\n", 5), [Found::Nonsense]);
        assert_eq!(read(&vec![b'a'; 70_000], 1000), [Found::Nonsense]);
        let mut reader = AnswerReader::new();
        let mut input = BytesMut::from(&b"HTTP/1.1 200 OK\r\n\r\nabc"[..]);
        assert_eq!(reader.read(&mut input, false), Found::More);
        assert_eq!(reader.close().map(|head| head.status), Some(200));
        let mut reader = AnswerReader::new();
        let mut input = BytesMut::from(&b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"[..]);
        assert_eq!(reader.read(&mut input, false), Found::More);
        assert!(reader.is_within_body() && reader.close().is_none());
    }
}
