//! Clients that hesitate, half-close, vanish or read slowly, and the gateway that ends.

use gateway_core::outcome::Outcome;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{
    CLOSING, Echo, GET, OK, accept, exactly, field, filler, gate, head, listener, plain, rest, status, until,
    within,
};

const EXPECTING: &[u8] =
    b"POST /shop HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";

// === Expect ===

#[tokio::test]
async fn the_gateway_itself_tells_a_hesitant_client_to_go_on() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    client.write_all(EXPECTING).await.unwrap();
    assert_eq!(head(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    let mut target = accept(&listener).await;
    assert_eq!(field(&head(&mut target).await, "expect"), None, "it was answered on its hop");
    assert_eq!(exactly(&mut target, 5).await, "hello");
    target.write_all(OK).await.unwrap();
    assert_eq!(status(&head(&mut client).await), 200);
}

#[tokio::test]
async fn nobody_is_told_to_go_on_when_nobody_will_read() {
    // No Route, no target that accepts: the answer is there before the body is wanted.
    let nobody = listener().await.local_addr().unwrap();
    let gate = gate(nobody, plain);
    for (path, expected) in [("/elsewhere", 404), ("/shop", 502)] {
        let request = String::from_utf8_lossy(EXPECTING).replace("/shop", path);
        let answer = gate.until_close(request.as_bytes()).await;
        assert_eq!((status(&answer), answer.contains("100 Continue")), (expected, false), "{answer}");
    }
}

#[tokio::test]
async fn another_expectation_fails() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    let request = String::from_utf8_lossy(EXPECTING).replace("100-continue", "200-ok");
    let answer = gate.until_close(format!("{request}hello").as_bytes()).await;
    assert_eq!(status(&answer), 417);
    assert!(answer.contains("\"message\":\"Expectation failed\"") && !answer.contains("100 Continue"));
    assert_eq!(target.seen(), "");
}

// === Gone ===

#[tokio::test]
async fn a_client_that_is_gone_leaves_nothing_behind() {
    // Aim: whether it vanishes or half-closes, before the answer or within it, the attempt ends as ClientGone and the
    // target's connection is closed, not pooled.
    for half in [false, true] {
        for begun in [false, true] {
            let listener = listener().await;
            let gate = gate(listener.local_addr().unwrap(), plain);
            let mut client = gate.client().await;
            client.write_all(GET).await.unwrap();
            let mut target = accept(&listener).await;
            head(&mut target).await;
            if begun {
                target.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst").await.unwrap();
                head(&mut client).await;
                exactly(&mut client, 5).await;
            }
            assert_eq!(gate.in_flight(), 1);
            let kept = half_close(client, half).await;
            assert_eq!(gate.outcomes(1).await, [Outcome::ClientGone], "half: {half}, begun: {begun}");
            assert_eq!(rest(&mut target).await, "", "the target's connection ends");
            drop(kept);
        }
    }
}

async fn half_close(mut client: TcpStream, half: bool) -> Option<TcpStream> {
    if !half {
        return None;
    }
    client.shutdown().await.unwrap();
    Some(client)
}

#[tokio::test]
async fn a_client_that_vanishes_within_its_upload_is_nobodys_failure() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    client
        .write_all(b"POST /shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .await
        .unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    assert_eq!(exactly(&mut target, 10).await, "5\r\nhello\r\n");
    drop(client);
    assert_eq!(gate.outcomes(1).await, [Outcome::ClientGone]);
    assert_eq!(rest(&mut target).await, "", "no end of a body that never ended");
}

// === Back-pressure ===

/// More than all socket buffers between two sides hold, by far.
const ENDLESS: usize = 256 * 1024 * 1024;
/// The most that system and gateway may hold of what nobody takes: buffers of two connections, both ways.
const HELD_MAX: usize = 32 * 1024 * 1024;

/// Writes until nothing more is taken for several ticks; how much was taken.
async fn fill(stream: &mut TcpStream, piece: &[u8]) -> usize {
    let mut taken = 0;
    while taken < ENDLESS {
        match tokio::time::timeout(std::time::Duration::from_millis(500), stream.write(piece)).await {
            Ok(n) => taken += n.unwrap(),
            Err(_) => break,
        }
    }
    taken
}

#[tokio::test]
async fn a_slow_client_slows_its_target_down() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    client.write_all(CLOSING).await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    target.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let taken = fill(&mut target, &filler()).await;
    assert!(taken < HELD_MAX, "the target could write {taken} bytes that nobody read");
    // And all of it is still there for a client that takes its time.
    target.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await.split_once("\r\n\r\n").unwrap().1.matches('x').count(), taken);
}

#[tokio::test]
async fn a_slow_target_slows_its_client_down() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    let request = format!("PUT /shop HTTP/1.1\r\nhost: x\r\ncontent-length: {ENDLESS}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    let taken = fill(&mut client, &filler()).await;
    assert!(taken < HELD_MAX, "the client could write {taken} bytes that nobody read");
    exactly(&mut target, taken).await;
}

// === The end ===

#[tokio::test]
async fn a_draining_gateway_says_close() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let (mut idle, mut client) = (gate.client().await, gate.client().await);
    client.write_all(GET).await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    let stopping = gate.stop();
    assert_eq!(rest(&mut idle).await, "", "an idle connection ends at once: the drain has begun");
    target.write_all(OK).await.unwrap();
    assert_eq!(field(&head(&mut client).await, "connection"), Some("close"));
    assert_eq!(rest(&mut client).await, "ok");
    let (drained, outcomes) = stopping.await.unwrap();
    assert_eq!((drained.left, drained.failed), (0, 0));
    assert_eq!(outcomes, [Outcome::Answered { status: 200 }]);
}

#[tokio::test]
async fn a_target_that_answers_early_is_believed_and_not_used_again() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    client.write_all(b"POST /shop HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst").await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    target.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    assert_eq!(status(&head(&mut client).await), 413);
    assert_eq!(rest(&mut client).await, "no", "what is left of the body is no request");
    assert_eq!(gate.outcomes(1).await, [Outcome::Answered { status: 413 }]);
    rest(&mut target).await;
    until(|| gate.in_flight() == 0).await;
}

#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    // Aim: bytes that nobody wants any more do not reset the connection under the answer. Method: the client writes on, more
    // than all buffers hold, before it reads.
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    for path in ["/elsewhere", "/shop"] {
        let mut client = gate.client().await;
        let request = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {ENDLESS}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut target = None;
        if path == "/shop" {
            let mut stream = accept(&listener).await;
            head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            target = Some(stream);
        }
        within(client.write_all(&filler().repeat(512))).await.unwrap();
        assert_eq!(status(&head(&mut client).await), if target.is_some() { 413 } else { 404 });
    }
}

#[tokio::test]
async fn who_goes_on_sending_after_the_last_answer_is_closed_at_last() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, |settings, _| {
        settings.client.linger_timeout = std::time::Duration::from_millis(100);
    });
    let mut client = gate.client().await;
    let request = format!("POST /elsewhere HTTP/1.1\r\nhost: x\r\ncontent-length: {ENDLESS}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let piece = filler();
    within(async { while client.write_all(&piece).await.is_ok() {} }).await;
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_who_goes_on_sending() {
    let hour = std::time::Duration::from_secs(3600);
    let gate = gate(Echo::start(OK).await.address, |settings, _| {
        settings.client.linger_timeout = hour;
        settings.drain = hour;
    });
    let mut client = gate.client().await;
    client
        .write_all(b"POST /elsewhere HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nfirst")
        .await
        .unwrap();
    let answer = rest(&mut client).await;
    assert_eq!((status(&answer), field(&answer, "content-type").is_some()), (404, true));
    let (drained, _) = within(gate.stop()).await.unwrap();
    assert_eq!((drained.left, drained.failed), (0, 0));
}
