//! Requests that two readers could read differently. Each is sent with another request hidden behind it; the gateway answers
//! once, closes, and its target sees not a byte.

use crate::support::{Echo, OK, field, gate, plain, status};

/// What would be smuggled.
pub(crate) const HIDDEN: &str = "GET /shop/hidden HTTP/1.1\r\nhost: x\r\n\r\n";

/// A request, and whose refusal it meets.
struct Case {
    name: &'static str,
    bytes: String,
    by: By,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// hyper's parser, with an empty 400.
    Hyper,
    /// The gateway, where hyper would have let it pass.
    Gateway,
}

fn cases() -> Vec<Case> {
    let post =
        |fields: &str| format!("POST /shop HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    let get = |rest: &str| format!("GET /shop HTTP/1.1\r\n{rest}");
    let table = [
        ("length then chunked", post("content-length: 15\r\ntransfer-encoding: chunked"), By::Gateway),
        ("chunked then length", post("transfer-encoding: chunked\r\ncontent-length: 15"), By::Gateway),
        ("two lengths that differ", post("content-length: 5\r\ncontent-length: 6"), By::Hyper),
        ("two lengths that agree", post("content-length: 15\r\ncontent-length: 15"), By::Gateway),
        ("a signed length", post("content-length: +5"), By::Hyper),
        ("a negative length", post("content-length: -5"), By::Hyper),
        ("a list of lengths", post("content-length: 5, 5"), By::Hyper),
        ("a hexadecimal length", post("content-length: 0xf"), By::Hyper),
        ("an empty length", post("content-length:"), By::Hyper),
        ("a length beyond all numbers", post("content-length: 99999999999999999999"), By::Hyper),
        ("gzip, chunked", post("transfer-encoding: gzip, chunked"), By::Gateway),
        ("chunked, chunked", post("transfer-encoding: chunked, chunked"), By::Gateway),
        ("chunked twice", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked"), By::Gateway),
        (
            "identity then chunked",
            post("transfer-encoding: identity\r\ntransfer-encoding: chunked"),
            By::Gateway,
        ),
        ("xchunked", post("transfer-encoding: xchunked"), By::Hyper),
        ("chunked, gzip", post("transfer-encoding: chunked, gzip"), By::Hyper),
        ("identity", post("transfer-encoding: identity"), By::Hyper),
        ("chunked with a parameter", post("transfer-encoding: chunked;q=1"), By::Hyper),
        ("a quoted chunked", post("transfer-encoding: \"chunked\""), By::Hyper),
        (
            "chunked on HTTP/1.0",
            post("transfer-encoding: chunked").replace("HTTP/1.1", "HTTP/1.0"),
            By::Hyper,
        ),
        ("bare line feeds", get("host: x\r\n\r\n").replace("\r\n", "\n"), By::Gateway),
        ("one bare line feed", get("host: x\nx-a: b\r\n\r\n"), By::Gateway),
        (
            "a bare line feed behind the request line",
            "GET /shop HTTP/1.1\nhost: x\r\n\r\n".into(),
            By::Gateway,
        ),
        ("a bare line feed at the head's end", get("host: x\r\n\n"), By::Gateway),
        ("a bare line feed before all", format!("\n{}", get("host: x\r\n\r\n")), By::Gateway),
        ("a bare carriage return", get("host: x\r\nx-a: b\rc\r\n\r\n"), By::Hyper),
        ("a folded field", get("host: x\r\nx-a: b\r\n c\r\n\r\n"), By::Hyper),
        ("a folded first field", get(" x: y\r\nhost: x\r\n\r\n"), By::Hyper),
        ("a space before the colon", post("content-length : 5"), By::Hyper),
        ("a tab before the colon", post("transfer-encoding\t: chunked"), By::Hyper),
        ("a field without a colon", get("host: x\r\nnonsense\r\n\r\n"), By::Hyper),
        ("a field without a name", get("host: x\r\n: y\r\n\r\n"), By::Hyper),
        ("NUL in a value", get("host: x\r\nx-a: b\0c\r\n\r\n"), By::Hyper),
        ("NUL in a name", get("host: x\r\nx\0a: b\r\n\r\n"), By::Hyper),
        ("a control character in a value", get("host: x\r\nx-a: b\x01c\r\n\r\n"), By::Hyper),
        ("DEL in a value", get("host: x\r\nx-a: b\x7fc\r\n\r\n"), By::Hyper),
        ("a control character in the path", "GET /shop\x01 HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Hyper),
        ("two spaces in the request line", "GET  /shop HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Hyper),
        ("a path with a space", "GET /shop /x HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Hyper),
        ("another version", "GET /shop HTTP/1.2\r\nhost: x\r\n\r\n".into(), By::Hyper),
        ("no version", "GET /shop\r\nhost: x\r\n\r\n".into(), By::Hyper),
        ("no host", get("x-a: b\r\n\r\n"), By::Gateway),
        ("two hosts", get("host: x\r\nhost: y\r\n\r\n"), By::Gateway),
        ("a host with a path", get("host: x/y\r\n\r\n"), By::Gateway),
        ("a host with a user", get("host: me@x\r\n\r\n"), By::Gateway),
        (
            "an absolute target with a user",
            "GET http://me@x/shop HTTP/1.1\r\nhost: x\r\n\r\n".into(),
            By::Gateway,
        ),
        ("an absolute target without a host", "GET http://x/shop HTTP/1.1\r\n\r\n".into(), By::Gateway),
        ("a target of another scheme", "GET ftp://x/shop HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Gateway),
        ("an asterisk", "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Gateway),
        ("a tunnel through us", "CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n".into(), By::Gateway),
    ];
    table.map(|(name, bytes, by)| Case { name, bytes, by }).into()
}

/// The requests of all cases.
pub(crate) fn hostile() -> Vec<String> {
    cases().into_iter().map(|case| case.bytes).collect()
}

#[tokio::test]
async fn what_two_readers_could_read_differently_is_refused_and_nothing_behind_it_served() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    for case in cases() {
        let answer = gate.until_close(format!("{}{HIDDEN}", case.bytes).as_bytes()).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.").count()), (400, 1), "{}: {answer}", case.name);
        assert_eq!(field(&answer, "connection"), Some("close"), "{}", case.name);
        let by = if answer.contains("{\"message\":\"Bad request\",") { By::Gateway } else { By::Hyper };
        assert_eq!(by, case.by, "{}: {answer}", case.name);
    }
    assert_eq!((target.seen().as_str(), target.connections()), ("", 0));
}

#[tokio::test]
async fn a_refusal_comes_in_its_turn() {
    // Aim: an honest request in the same write is served; the refused one behind it ends the connection.
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    let text = format!(
        "{HIDDEN}POST /shop/two HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok{HIDDEN}"
    );
    let answer = gate.until_close(text.as_bytes()).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), (200, 2), "{answer}");
    assert!(answer.contains("\r\n\r\nokHTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert_eq!(target.seen().matches("GET /hidden").count(), 1);
    assert!(!target.seen().contains("/two"));
}

#[tokio::test]
async fn a_body_that_is_no_body_ends_in_400_and_nothing_behind_it_is_served() {
    for chunks in [
        "x\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "3\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
    ] {
        let target = Echo::start("").await;
        let gate = gate(target.address, plain);
        let head = "POST /shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        let answer = gate.until_close(format!("{head}{chunks}{HIDDEN}").as_bytes()).await;
        assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), (400, 1), "{chunks:?}: {answer}");
        let seen = target.seen();
        // The head may end in the same bytes as a last chunk: the request's id is a number drawn anew for each.
        let (_, body) = seen.split_once("\r\n\r\n").unwrap_or_default();
        assert!(!seen.contains("/hidden") && !body.contains("0\r\n\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn what_can_be_read_in_one_way_only_is_served() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    for request in [
        "GET /shop HTTP/1.0\r\n\r\n",
        "GET /shop HTTP/1.0\r\nhost: x\r\n\r\n",
        "\r\nGET /shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /shop HTTP/1.1\r\nHost:x:80 \r\nCoNNection:\tclose\r\n\r\n",
        "GET http://x/shop HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "POST /shop HTTP/1.1\r\nhost: x\r\nContent-Length: 02\r\nconnection: close\r\n\r\nok",
        "POST /shop HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\nconnection: close\r\n\r\n2;a=b\r\nok\r\n0\r\nx: y\r\n\r\n",
    ] {
        let answer = gate.until_close(request.as_bytes()).await;
        assert_eq!(status(&answer), 200, "{request:?}: {answer}");
    }
    assert!(!target.seen().contains("x: y"), "a request's trailers stay here");
}

#[tokio::test]
async fn the_host_of_an_absolute_target_counts_more_than_the_field() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    let request = "GET http://Real.example:81/shop HTTP/1.1\r\nhost: other\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&gate.until_close(request.as_bytes()).await), 200);
    assert_eq!(field(&target.seen(), "x-forwarded-host"), Some("real.example"));
    assert!(target.seen().starts_with("GET / HTTP/1.1\r\n"), "{}", target.seen());
}

#[tokio::test]
async fn a_client_cannot_have_the_gateways_own_fields_removed() {
    let target = Echo::start(OK).await;
    let gate = gate(target.address, plain);
    let request = "POST /shop HTTP/1.1\r\nhost: x\r\nx-mine: 1\r\ncontent-length: 2\r\nconnection: close, host, content-length, \
                   x-forwarded-for, x-real-ip, via, x-mine\r\n\r\nok";
    assert_eq!(status(&gate.until_close(request.as_bytes()).await), 200);
    for name in ["host", "content-length", "x-forwarded-for", "x-real-ip", "via"] {
        assert!(field(&target.seen(), name).is_some(), "{name}: {}", target.seen());
    }
    assert_eq!(field(&target.seen(), "x-mine"), None);
}
