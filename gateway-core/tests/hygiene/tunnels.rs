//! WebSocket handshakes and the tunnels behind them.

use std::time::Duration;

use gateway_core::outcome::Outcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    Echo, Gate, accept, exactly, field, filler, gate, head, listener, plain, rest, status, within,
};

const HANDSHAKE: &[u8] = b"GET /shop HTTP/1.1\r\nhost: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nsec-websocket-key: abc\r\n\r\n";
const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nsec-websocket-accept: def\r\n\r\n";

/// Both ends of a tunnel; `first` and `last` are sent in the same write as handshake and switch.
async fn tunnel(gate: &Gate, listener: &TcpListener, first: &[u8], last: &[u8]) -> (TcpStream, TcpStream) {
    let mut client = gate.client().await;
    client.write_all(&[HANDSHAKE, first].concat()).await.unwrap();
    let mut target = accept(listener).await;
    let seen = head(&mut target).await;
    assert_eq!(field(&seen, "connection"), Some("keep-alive, Upgrade"));
    assert_eq!(field(&seen, "upgrade"), Some("websocket"));
    assert_eq!(field(&seen, "sec-websocket-key"), Some("abc"));
    target.write_all(&[SWITCH, last].concat()).await.unwrap();
    let answer = head(&mut client).await;
    assert_eq!((status(&answer), field(&answer, "upgrade")), (101, Some("websocket")));
    assert_eq!(field(&answer, "connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(field(&answer, "sec-websocket-accept"), Some("def"));
    assert_eq!(field(&answer, "content-length"), None);
    (client, target)
}

#[tokio::test]
async fn bytes_go_both_ways_and_so_do_their_ends() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    // Both sides were quick: bytes behind the heads are part of the tunnel.
    let (mut client, mut target) = tunnel(&gate, &listener, b"early client", b"early target").await;
    assert_eq!(exactly(&mut target, 12).await, "early client");
    assert_eq!(exactly(&mut client, 12).await, "early target");
    client.write_all(b"\x01\x05hello").await.unwrap();
    assert_eq!(exactly(&mut target, 7).await, "\x01\x05hello");
    assert_eq!(gate.in_flight(), 1, "as long as the tunnel lives");
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut target).await, "", "one way has ended");
    target.write_all(b"the other goes on").await.unwrap();
    assert_eq!(exactly(&mut client, 17).await, "the other goes on");
    assert_eq!(gate.in_flight(), 1);
    target.shutdown().await.unwrap();
    assert_eq!(rest(&mut client).await, "");
    assert_eq!(gate.outcomes(1).await, [Outcome::Answered { status: 101 }]);
}

#[tokio::test]
async fn who_vanishes_takes_the_tunnel_along() {
    for client_first in [true, false] {
        let listener = listener().await;
        let gate = gate(listener.local_addr().unwrap(), plain);
        let (client, target) = tunnel(&gate, &listener, b"", b"").await;
        let (gone, mut left) = if client_first { (client, target) } else { (target, client) };
        drop(gone);
        assert_eq!(rest(&mut left).await, "");
        drop(left);
        assert_eq!(gate.outcomes(1).await, [Outcome::Answered { status: 101 }]);
    }
}

#[tokio::test]
async fn a_tunnel_that_nobody_reads_holds_little() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let (mut client, mut target) = tunnel(&gate, &listener, b"", b"").await;
    let (mut taken, piece) = (0, filler());
    while let Ok(n) = tokio::time::timeout(Duration::from_millis(500), target.write(&piece)).await {
        taken += n.unwrap();
        assert!(taken < 32 * 1024 * 1024, "the target could write {taken} bytes that nobody read");
    }
    // The other way is not held up, and nothing is lost.
    client.write_all(b"ping").await.unwrap();
    assert_eq!(exactly(&mut target, 4).await, "ping");
    exactly(&mut client, taken).await;
}

#[tokio::test]
async fn a_silent_tunnel_ends_after_the_services_read_timeout() {
    let listener = listener().await;
    let gate =
        gate(listener.local_addr().unwrap(), |_, service| service.read_timeout = Duration::from_secs(1));
    let (mut client, mut target) = tunnel(&gate, &listener, b"", b"").await;
    assert_eq!((rest(&mut client).await, rest(&mut target).await), (String::new(), String::new()));
    assert_eq!(gate.outcomes(1).await, [Outcome::Answered { status: 101 }]);
}

#[tokio::test]
async fn a_drain_ends_tunnels_when_its_time_is_over() {
    let listener = listener().await;
    let gate =
        gate(listener.local_addr().unwrap(), |settings, _| settings.drain = Duration::from_millis(200));
    let (mut client, mut target) = tunnel(&gate, &listener, b"", b"").await;
    let stopping = gate.stop();
    client.write_all(b"still here").await.unwrap();
    assert_eq!(exactly(&mut target, 10).await, "still here");
    assert_eq!((rest(&mut client).await, rest(&mut target).await), (String::new(), String::new()));
    let (drained, outcomes) = stopping.await.unwrap();
    assert_eq!((drained.left, outcomes), (1, vec![Outcome::Answered { status: 101 }]));
}

#[tokio::test]
async fn a_handshake_that_is_declined_is_an_ordinary_request() {
    let target = Echo::start(
        "HTTP/1.1 426 Upgrade Required\r\nupgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nno",
    )
    .await;
    let gate = gate(target.address, plain);
    let mut client = gate.client().await;
    for _ in 0..3 {
        client.write_all(HANDSHAKE).await.unwrap();
        let answer = head(&mut client).await;
        assert_eq!((status(&answer), field(&answer, "upgrade")), (426, None));
        assert_eq!(exactly(&mut client, 2).await, "no");
    }
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn only_websockets_are_passed_on() {
    for (version, fields) in [
        ("1.1", "connection: upgrade\r\nupgrade: h2c\r\nhttp2-settings: x\r\n"),
        ("1.1", "upgrade: websocket\r\n"),
        ("1.0", "connection: upgrade\r\nupgrade: websocket\r\n"),
    ] {
        let target = Echo::start(SWITCH).await;
        let gate = gate(target.address, plain);
        let answer = gate
            .until_close(
                format!("GET /shop HTTP/{version}\r\nhost: x\r\n{fields}connection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        assert_eq!(field(&target.seen(), "upgrade"), None, "{fields}");
        assert_eq!(status(&answer), 502, "a switch that nobody asked for: {answer}");
    }
}

#[tokio::test]
async fn a_switch_to_something_else_or_too_early_is_a_bad_answer() {
    let other =
        Echo::start("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n").await;
    let early = Echo::start(SWITCH).await;
    let unfinished =
        String::from_utf8_lossy(HANDSHAKE).replace("sec-websocket-key: abc", "content-length: 5");
    for (target, request) in [(&other, String::from_utf8_lossy(HANDSHAKE).into_owned()), (&early, unfinished)]
    {
        let gate = gate(target.address, plain);
        let mut client = gate.client().await;
        client.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(status(&head(&mut client).await), 502, "{request}");
    }
}

#[tokio::test]
async fn behind_a_tunnel_nothing_is_a_request() {
    // Aim: what follows a handshake is the tunnel's, even when it looks like a request.
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let request = b"GET /shop/hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    let (client, mut target) = tunnel(&gate, &listener, request, b"").await;
    assert_eq!(exactly(&mut target, request.len()).await.as_bytes(), request);
    drop(client);
    let mut nothing = Vec::new();
    within(target.read_to_end(&mut nothing)).await.unwrap();
    assert!(nothing.is_empty());
}
