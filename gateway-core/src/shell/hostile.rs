//! What hostile targets answer, fed to the pure parsers of answers, however it is split: the table that the tests on sockets
//! read too, and bytes from dice. Tests only.

#[path = "../../tests/support/hostile.rs"]
mod table;

use bytes::BytesMut;
use http::HeaderMap;
use proptest::prelude::*;

use self::table::Fate;
use super::answer_head::{Asked, HeadReader};
use super::chunks::{Chunk, Chunks};
use super::framing::Framing;
use super::settings::AnswerLimits;
use crate::outcome::Failure;

/// The most bytes that the longest line behind a head may need before it is refused.
const LINES_MAX: usize = 16 * 1024;

/// Reads an answer that comes in pieces and then ends; its body and whether the connection may be used again.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<u8>, bool)> {
    let mut reader = Reader::new();
    for piece in pieces {
        reader.input.extend_from_slice(piece);
        reader.step().ok()?;
        let bound = AnswerLimits::default().head_bytes_max.max(LINES_MAX);
        assert!(reader.input.len() < bound || reader.complete, "what is not understood is not hoarded");
    }
    let until_close = matches!(reader.body, Some(Body::UntilClose));
    (reader.complete || until_close).then(|| (reader.taken, reader.reusable && reader.input.is_empty()))
}

/// The parsers in the order in which the shell uses them.
struct Reader {
    input: BytesMut,
    head: HeadReader,
    body: Option<Body>,
    taken: Vec<u8>,
    reusable: bool,
    complete: bool,
}

enum Body {
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

impl Reader {
    fn new() -> Self {
        let head = HeadReader::new(Asked::default(), AnswerLimits::default());
        Self { input: BytesMut::new(), head, body: None, taken: vec![], reusable: false, complete: false }
    }

    /// Reads as far as the input goes.
    fn step(&mut self) -> Result<(), Failure> {
        if self.body.is_none() {
            let mut headers = HeaderMap::new();
            let Some(head) = self.head.next(&mut self.input, &mut headers)? else { return Ok(()) };
            self.reusable = head.reusable;
            self.body = Some(match head.framing {
                Framing::Empty => Body::Length(0),
                Framing::Length(length) => Body::Length(length),
                Framing::Chunked => Body::Chunked(Chunks::keeping_trailers()),
                Framing::UntilClose => Body::UntilClose,
            });
        }
        while let (Some(body), false) = (&mut self.body, self.complete) {
            match body {
                Body::UntilClose => {
                    self.taken.extend_from_slice(&self.input.split());
                    return Ok(());
                }
                Body::Length(left) => {
                    let n = usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len());
                    self.taken.extend_from_slice(&self.input.split_to(n));
                    *left -= n as u64;
                    self.complete = *left == 0;
                    return Ok(());
                }
                Body::Chunked(chunks) => match chunks.next(&mut self.input)? {
                    Chunk::Data(data) => self.taken.extend_from_slice(&data),
                    Chunk::End => self.complete = true,
                    Chunk::More => return Ok(()),
                },
            }
        }
        Ok(())
    }
}

fn fate(fate: Fate) -> Option<(Vec<u8>, bool)> {
    match fate {
        Fate::Kept(body) => Some((body.into(), true)),
        Fate::Ended(body) => Some((body.into(), false)),
        Fate::Bad => None,
    }
}

#[test]
fn a_hostile_answer_has_the_same_fate_however_it_is_split() {
    for (name, bytes, expected) in table::cases() {
        let expected = fate(expected);
        assert_eq!(read([&bytes[..]].into_iter()), expected, "{name} at once");
        for step in [1, 2, 3, 7, 1000] {
            // Behind its end nothing is read, so what lies behind an answer must come with it.
            let seen = read(bytes.chunks(step));
            let end = |read: &Option<(Vec<u8>, bool)>| read.as_ref().map(|(body, _)| body.clone());
            assert_eq!(end(&seen), end(&expected), "{name} in pieces of {step}");
        }
        for at in 0..bytes.len().min(300) {
            let (one, two) = bytes.split_at(at);
            assert_eq!(read([one, two].into_iter()), expected, "{name} split at {at}");
        }
    }
}

#[test]
fn an_answer_that_ends_early_is_never_whole() {
    for answer in table::valid() {
        assert_eq!(read([answer].into_iter()), Some((b"hello".to_vec(), true)));
        for end in 0..answer.len() {
            assert_eq!(read(answer[..end].chunks(5)), None, "{:?}", String::from_utf8_lossy(&answer[..end]));
        }
    }
}

/// One of the table's answers with a few bytes changed, put in or taken out.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let answers: Vec<Vec<u8>> = table::cases()
        .into_iter()
        .map(|(_, bytes, _)| bytes)
        .chain(table::valid().map(<[u8]>::to_vec))
        .filter(|bytes| !bytes.is_empty() && bytes.len() < 1000)
        .collect();
    let changes =
        proptest::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), any::<bool>()), 1..6);
    (proptest::sample::select(answers), changes).prop_map(|(mut bytes, changes)| {
        for (at, byte, put_in) in changes {
            let at = at.index(bytes.len());
            match byte {
                Some(byte) if put_in => bytes.insert(at, byte),
                Some(byte) => bytes[at] = byte,
                None if bytes.len() > 1 => drop(bytes.remove(at)),
                None => {}
            }
        }
        bytes
    })
}

// As many cases as PROPTEST_CASES says.
proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        step in 1_usize..64,
    ) {
        let body = read(bytes.chunks(step)).map_or(0, |(body, _)| body.len());
        prop_assert!(body <= bytes.len());
    }

    #[test]
    fn mutated_answers_have_one_fate(bytes in mutated(), step in 1_usize..64) {
        let body = |read: Option<(Vec<u8>, bool)>| read.map(|(body, _)| body);
        prop_assert_eq!(body(read(bytes.chunks(step))), body(read([&bytes[..]].into_iter())));
    }

    #[test]
    fn mutated_chunks_have_one_fate(bytes in mutated(), step in 1_usize..64) {
        let all = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", &bytes[..]].concat();
        let body = |read: Option<(Vec<u8>, bool)>| read.map(|(body, _)| body);
        prop_assert_eq!(body(read(all.chunks(step))), body(read([&all[..]].into_iter())));
    }
}
