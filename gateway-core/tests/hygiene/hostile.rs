//! The table of hostile answers over real sockets: what becomes of them at the client, and of their connection.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use gateway_core::shell::{Chunk, Chunks};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{CLOSING, Gate, field, gate, head, listener, plain, rest, status};
use crate::table::{self, Fate};

/// A gateway in front of a target that reads a head, writes what it holds then, and ends its side; and what it holds.
async fn target() -> (Gate, Arc<Mutex<Vec<u8>>>) {
    let (listener, answer) = (listener().await, Arc::<Mutex<Vec<u8>>>::default());
    let gate = gate(listener.local_addr().unwrap(), plain);
    let held = Arc::clone(&answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(answered(stream, held.lock().unwrap().clone()));
        }
    });
    (gate, answer)
}

async fn answered(mut stream: TcpStream, answer: Vec<u8>) {
    head(&mut stream).await;
    // A gateway that has read enough may have closed before all was written.
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
    rest(&mut stream).await;
}

/// The body of an answer that is whole as far as its reader can tell, and is none of the gateway's own.
fn whole(answer: &str) -> Option<String> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    field(head, "via")?;
    match (field(head, "content-length"), field(head, "transfer-encoding")) {
        (Some(length), None) => (length == body.len().to_string()).then(|| body.to_owned()),
        (None, Some("chunked")) => unchunked(body),
        _ => None,
    }
}

fn unchunked(body: &str) -> Option<String> {
    let (mut chunks, mut input, mut text) = (Chunks::new(), BytesMut::from(body), Vec::new());
    loop {
        match chunks.next(&mut input).ok()? {
            Chunk::Data(data) => text.extend_from_slice(&data),
            Chunk::End => return String::from_utf8(text).ok(),
            Chunk::More => return None,
        }
    }
}

#[tokio::test]
async fn hostile_answers_reach_a_client_whole_or_not_at_all() {
    let (gate, answer) = target().await;
    for (name, bytes, fate) in table::cases() {
        *answer.lock().unwrap() = bytes;
        let seen = gate.until_close(CLOSING).await;
        let expected = match fate {
            Fate::Kept(body) | Fate::Ended(body) => Some(body),
            Fate::Bad => None,
        };
        assert_eq!(whole(&seen).as_deref(), expected, "{name}: {seen}");
        // 0: what is cut short before its head has left ends without a word.
        assert!(matches!(status(&seen), 0 | 200 | 502 | 999), "{name}: {seen}");
    }
    let outcomes = gate.outcomes(table::cases().len()).await;
    assert_eq!(outcomes.len(), table::cases().len(), "each attempt has ended once");
}

#[tokio::test]
async fn an_answer_that_ends_at_any_byte_is_never_whole() {
    let (gate, answer) = target().await;
    for valid in table::valid() {
        for end in 0..valid.len() {
            *answer.lock().unwrap() = valid[..end].to_vec();
            let seen = gate.until_close(CLOSING).await;
            assert_eq!(whole(&seen), None, "cut at {end} of {}: {seen}", valid.len());
        }
        *answer.lock().unwrap() = valid.to_vec();
        assert_eq!(whole(&gate.until_close(CLOSING).await).as_deref(), Some("hello"));
    }
}
