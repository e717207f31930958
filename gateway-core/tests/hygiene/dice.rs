//! Whatever bytes a client sends, its target sees whole requests that can be read in one way only. Requests are made of honest
//! and hostile ones with pieces put in and taken out, and read by a target that is as strict as can be.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::smuggling::{HIDDEN, hostile};
use crate::support::{CLOSING, Gate, OK, gate, listener, plain, rest, status};

/// What is put into requests.
const PIECES: &[&str] = &[
    "\n",
    "\r",
    "\r\n",
    "\r\n\r\n",
    " ",
    "\t",
    "\0",
    ":",
    ",",
    "0",
    "content-length: 3\r\n",
    "Content-Length:3\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: \tchunked \r\n",
    "connection: content-length, transfer-encoding, host\r\n",
    "host: y\r\n",
    "upgrade: websocket\r\nconnection: upgrade\r\n",
    "expect: 100-continue\r\n",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    HIDDEN,
];

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let honest = ["POST /shop HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello", HIDDEN];
    let requests: Vec<String> = hostile().into_iter().chain(honest.map(str::to_owned)).collect();
    let change = (any::<prop::sample::Index>(), proptest::sample::select(PIECES), 0_usize..3);
    (proptest::sample::select(requests), proptest::collection::vec(change, 0..5)).prop_map(
        |(request, changes)| {
            let mut bytes = request.into_bytes();
            for (at, piece, gone) in changes {
                let at = at.index(bytes.len());
                let end = (at + gone).min(bytes.len());
                bytes.splice(at..end, piece.bytes());
            }
            bytes.extend_from_slice(HIDDEN.as_bytes());
            bytes
        },
    )
}

/// What a target complains about.
type Complaints = Arc<Mutex<Vec<String>>>;

/// A gateway in front of a strict target.
async fn strict() -> (Gate, Complaints) {
    let (listener, complaints) = (listener().await, Complaints::default());
    let gate = gate(listener.local_addr().unwrap(), plain);
    let all = Arc::clone(&complaints);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, Arc::clone(&all)));
        }
    });
    (gate, complaints)
}

async fn serve(mut stream: TcpStream, complaints: Complaints) {
    let mut bytes = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut bytes).await {
        loop {
            match first(&bytes) {
                Ok(Some(length)) => {
                    bytes.drain(..length);
                    let _ = stream.write_all(OK).await;
                }
                Ok(None) => break,
                Err(why) => {
                    complaints.lock().unwrap().push(format!("{why}: {}", String::from_utf8_lossy(&bytes)));
                    return;
                }
            }
        }
    }
}

/// The length of the first request, once it is whole.
fn first(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "no text")?;
    if head.split("\r\n").any(|line| line.is_empty() || line.bytes().any(|b| b < b' ' && b != b'\t')) {
        return Err("a line within a line");
    }
    let mut lines = head.split("\r\n");
    let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    if !matches!(words[..], [_, path, "HTTP/1.1"] if path.starts_with('/')) {
        return Err("no request line");
    }
    let fields: Vec<(&str, &str)> =
        lines.map(|line| line.split_once(": ")).collect::<Option<_>>().ok_or("no field")?;
    let named = |name: &str| {
        let mut values =
            fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name)).map(|field| field.1);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err("a field twice"),
            (value, None) => Ok(value),
        }
    };
    named("host")?.ok_or("no host")?;
    let body = &bytes[end + 4..];
    let length = match (named("content-length")?, named("transfer-encoding")?) {
        (None, None) => Some(0),
        (Some(length), None) => Some(length.parse().map_err(|_| "no length")?).filter(|n| *n <= body.len()),
        (None, Some("chunked")) => chunked(body)?,
        _ => return Err("two framings"),
    };
    Ok(length.map(|length| end + 4 + length))
}

/// The length of a chunked body, once it is whole.
fn chunked(body: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    loop {
        let Some(end) = body[at..].windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
        let digits = std::str::from_utf8(&body[at..at + end]).map_err(|_| "no size")?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| "no size")?;
        at += end + 2 + size + 2;
        if body.len() < at {
            return Ok(None);
        }
        if &body[at - 2..at] != b"\r\n" {
            return Err("a chunk without its end");
        }
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

/// Sends `bytes` in two pieces, then ends its side, and waits for the gateway to close.
async fn send(gate: &Gate, bytes: &[u8], split: usize) {
    let mut client = gate.client().await;
    let (one, two) = bytes.split_at(split);
    for piece in [one, two] {
        let _ = client.write_all(piece).await;
        tokio::task::yield_now().await;
    }
    let _ = client.shutdown().await;
    rest(&mut client).await;
}

#[test]
fn whatever_a_client_sends_its_target_sees_whole_requests_only() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (gate, complaints) = runtime.block_on(strict());
    // As many cases as PROPTEST_CASES says.
    TestRunner::default()
        .run(&(streams(), any::<prop::sample::Index>()), |(bytes, split)| {
            runtime.block_on(send(&gate, &bytes, split.index(bytes.len())));
            let complaints = complaints.lock().unwrap().split_off(0);
            prop_assert!(complaints.is_empty(), "{complaints:?}");
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        assert_eq!(status(&gate.until_close(CLOSING).await), 200, "the gateway is well");
        gate.outcomes(1).await;
    });
}
