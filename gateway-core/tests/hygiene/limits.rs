//! The bounds of a client: how much it may send, how long it may take, how often it may ask. Times are short here; no
//! test cares how long one really lasts, only what happens when it is over.

use std::time::Duration;

use gateway_core::outcome::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    self, CLOSING, Echo, GET, OK, accept, exactly, field, filler, gate, head, listener, pause, plain, rest,
    status, within,
};

/// Some ticks of the gateway: long enough for whoever does not hesitate.
const SOON: Duration = Duration::from_millis(500);

#[tokio::test]
async fn a_head_up_to_its_limit_is_served_and_a_longer_one_is_a_431() {
    let target = Echo::start(OK).await;
    // 1 KiB is less than hyper's smallest buffer, 16 KiB is more.
    for limit in [1024, 16 * 1024] {
        let gate = gate(target.address, |settings, _| settings.client.head_bytes_max = limit);
        let with_length = |length: usize| {
            let bare = "GET /shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: \r\n\r\n".len();
            format!(
                "GET /shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n",
                "y".repeat(length - bare)
            )
        };
        assert_eq!(status(&gate.until_close(with_length(limit).as_bytes()).await), 200, "{limit}");
        let before = target.seen().len();
        for length in [limit + 1, 3 * limit] {
            let answer = gate.until_close(with_length(length).as_bytes()).await;
            assert_eq!(status(&answer), 431, "{length} of {limit}");
            assert_eq!(field(&answer, "connection"), Some("close"));
        }
        assert_eq!(target.seen().len(), before, "the target saw none of it");
    }
}

#[tokio::test]
async fn fields_up_to_their_limit_are_served_and_more_are_a_431() {
    let target = Echo::start(OK).await;
    let with_fields =
        |count: usize| format!("GET /shop HTTP/1.0\r\n{}\r\n", "x: y\r\n".repeat(count)).into_bytes();
    for limit in [10, 100, 150] {
        let gate = gate(target.address, |settings, _| settings.client.fields_max = limit);
        assert_eq!(status(&gate.until_close(&with_fields(limit)).await), 200, "{limit}");
        assert_eq!(status(&gate.until_close(&with_fields(limit + 1)).await), 431, "{limit}");
    }
}

#[tokio::test]
async fn a_target_path_without_end_is_a_414() {
    let gate = gate(Echo::start(OK).await.address, |settings, _| settings.client.head_bytes_max = 256 * 1024);
    let request = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000));
    assert_eq!(status(&gate.until_close(request.as_bytes()).await), 414);
}

#[tokio::test]
async fn who_does_not_finish_a_head_is_closed_without_a_word() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, |settings, _| settings.client.head_timeout = SOON);
    for piece in ["", "G", "GET /shop HTTP/1.1\r\n", "GET /shop HTTP/1.1\r\nhost: x\r\n"] {
        assert_eq!(gate.until_close(piece.as_bytes()).await, "", "{piece:?}");
    }
    // The second head has its own time; the idle one is far longer.
    let mut client = gate.client().await;
    client.write_all(GET).await.unwrap();
    head(&mut client).await;
    client.write_all(b"GET").await.unwrap();
    assert_eq!(rest(&mut client).await, "ok");
    assert_eq!(target.seen().matches("GET").count(), 1);
}

#[tokio::test]
async fn a_trickle_does_not_make_a_head_last_longer() {
    // Aim: the time of a head, or until one, is not begun anew by each byte. Method: bytes for ever, until the gateway closes.
    let gate = gate(Echo::start(OK).await.address, |settings, _| settings.client.head_timeout = SOON);
    for (begin, piece) in
        [("GET /shop HTTP/1.1\r\nx: ", "y"), ("GET /shop HTTP/1.1\r\n", "x: y\r\n"), ("", "\r\n")]
    {
        let mut client = gate.client().await;
        client.write_all(begin.as_bytes()).await.unwrap();
        let (mut read, mut write) = client.split();
        let trickle = async {
            while write.write_all(piece.as_bytes()).await.is_ok() {
                pause(Duration::from_millis(5)).await;
            }
        };
        let end = async {
            let mut nothing = Vec::new();
            let _ = read.read_to_end(&mut nothing).await;
            nothing
        };
        let (end, ()) = within(async { tokio::join!(end, trickle) }).await;
        assert!(end.is_empty(), "{piece:?}");
    }
}

#[tokio::test]
async fn who_asks_nothing_more_is_closed() {
    let gate = gate(Echo::start(OK).await.address, |settings, _| settings.client.idle_timeout = SOON);
    let mut client = gate.client().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        head(&mut client).await;
        assert_eq!(exactly(&mut client, 2).await, "ok");
    }
    assert_eq!(rest(&mut client).await, "");
}

#[tokio::test]
async fn a_slow_target_is_nobodys_idleness() {
    // Aim: neither the idle nor the head time runs while an answer is waited for. Method: both are a tick, the target takes
    // several.
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), |settings, _| {
        settings.client.idle_timeout = SOON;
        settings.client.head_timeout = SOON;
        settings.client.body_timeout = SOON;
    });
    let mut client = gate.client().await;
    // With the beginning of another head behind it, whose time does not run yet either.
    client.write_all(&[GET, b"GET /shop"].concat()).await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    pause(4 * SOON).await;
    target.write_all(OK).await.unwrap();
    assert_eq!(status(&head(&mut client).await), 200);
    assert_eq!(rest(&mut client).await, "ok");
}

#[tokio::test]
async fn who_does_not_finish_a_body_is_told_408() {
    for (framing, part) in [
        ("content-length: 10", ""),
        ("content-length: 10", "hello"),
        ("transfer-encoding: chunked", "5\r\nhe"),
    ] {
        let listener = listener().await;
        let gate = gate(listener.local_addr().unwrap(), |settings, _| settings.client.body_timeout = SOON);
        let request = format!("POST /shop HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n{part}");
        let answer = gate.until_close(request.as_bytes()).await;
        assert_eq!(status(&answer), 408, "{framing} {part}: {answer}");
        assert!(answer.contains("\"message\":\"Request timeout\""), "{answer}");
        assert_eq!(field(&answer, "connection"), Some("close"));
        assert_eq!(gate.outcomes(1).await, [Outcome::ClientGone], "the target is not to blame");
        rest(&mut accept(&listener).await).await;
    }
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_closed() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), |settings, _| settings.client.write_timeout = SOON);
    let mut client = gate.client().await;
    client.write_all(GET).await.unwrap();
    let mut target = accept(&listener).await;
    head(&mut target).await;
    target.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    // Endless, until the gateway gives up and closes this side too.
    let piece = filler();
    within(async { while target.write_all(&piece).await.is_ok() {} }).await;
    assert_eq!(gate.outcomes(1).await, [Outcome::ClientGone]);
    drop(client);
}

#[tokio::test]
async fn the_last_request_of_a_connection_says_so() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, |settings, _| settings.client.requests_max = 3);
    let answers = gate.until_close(&GET.repeat(5)).await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 3);
    assert_eq!(answers.matches("connection: close").count(), 1);
    assert_eq!(target.seen().matches("GET").count(), 3);
}

#[tokio::test]
async fn a_body_is_kept_for_another_try_up_to_its_limit() {
    // Aim: the limit decides whether a body can be sent again. Method: the first target hangs up on an idempotent request.
    for (limit, expected) in [(5, true), (4, false)] {
        let listener = listener().await;
        let gate = gate(listener.local_addr().unwrap(), |settings, service| {
            settings.replay_bytes_max = limit;
            service.retries = 1;
        });
        let mut client = gate.client().await;
        client.write_all(b"PUT /shop HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
        let mut target = accept(&listener).await;
        head(&mut target).await;
        exactly(&mut target, 5).await;
        drop(target);
        if expected {
            let mut target = accept(&listener).await;
            head(&mut target).await;
            assert_eq!(exactly(&mut target, 5).await, "hello");
            target.write_all(OK).await.unwrap();
        }
        let answer = head(&mut client).await;
        assert_eq!(status(&answer), if expected { 200 } else { 502 });
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let gate = gate(Echo::start(OK).await.address, |settings, _| settings.connections_max = 1);
    let (mut first, mut second) = (gate.client().await, gate.client().await);
    first.write_all(GET).await.unwrap();
    head(&mut first).await;
    second.write_all(GET).await.unwrap();
    assert!(
        tokio::time::timeout(SOON, second.read_u8()).await.is_err(),
        "nobody serves it while the first is there"
    );
    drop(first);
    assert_eq!(status(&head(&mut second).await), 200);
}

#[tokio::test]
async fn an_answer_beyond_its_limits_is_a_502() {
    let answer = |fields: usize, interim: usize| {
        let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".repeat(interim);
        format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{}\r\n", "x: y\r\n".repeat(fields))
    };
    for (fields, interim, head_bytes, expected) in
        [(9, 2, 1024, 200), (10, 0, 1024, 502), (0, 3, 1024, 502), (9, 0, 92, 200), (9, 0, 91, 502)]
    {
        let target = Echo::start(answer(fields, interim)).await;
        let gate = gate(target.address, |settings, _| {
            settings.answer.fields_max = 10;
            settings.answer.interim_max = 2;
            settings.answer.head_bytes_max = head_bytes;
        });
        let seen = gate.until_close(CLOSING).await;
        assert_eq!(status(&seen), expected, "{fields} fields, {interim} interim, {head_bytes} bytes");
    }
}

#[tokio::test]
async fn idle_connections_to_a_target_are_kept_up_to_their_number() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    let mut client = gate.client().await;
    for _ in 0..10 {
        client.write_all(GET).await.unwrap();
        head(&mut client).await;
        exactly(&mut client, 2).await;
    }
    assert_eq!(target.connections(), 1);
    let none = support::gate(target.address, |settings, _| settings.pool.idle_max = 0);
    let mut client = none.client().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        head(&mut client).await;
        exactly(&mut client, 2).await;
    }
    assert_eq!(target.connections(), 4);
}
