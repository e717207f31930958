//! What targets answer: interim answers, bodies that are none, trailers, chunks both ways.

use tokio::io::AsyncWriteExt as _;

use crate::support::{CLOSING, Echo, GET, accept, exactly, field, gate, head, listener, plain, rest, status};

#[tokio::test]
async fn interim_answers_stay_on_their_hop() {
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n\
                  HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let target = Echo::start(answer).await;
    let answer = gate(target.address, plain).until_close(CLOSING).await;
    assert_eq!((status(&answer), answer.matches("HTTP/1.1").count()), (200, 1));
    assert!(answer.ends_with("\r\n\r\nok") && field(&answer, "link").is_none(), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_their_connection_goes_on() {
    for (method, answer, length) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Some("5")),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n", None),
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some("0")),
    ] {
        let target = Echo::start(answer).await;
        let gate = gate(target.address, plain);
        let mut client = gate.client().await;
        for _ in 0..3 {
            let request = format!("{method} /shop HTTP/1.1\r\nhost: x\r\n\r\n");
            client.write_all(request.as_bytes()).await.unwrap();
            let head = head(&mut client).await;
            assert_eq!(status(&head), status(answer), "{method} {answer}");
            assert_eq!(field(&head, "content-length"), length, "{method} {answer}");
        }
        assert_eq!(target.connections(), 1, "{method} {answer}");
    }
}

#[tokio::test]
async fn chunks_go_both_ways_as_they_come() {
    let listener = listener().await;
    let gate = gate(listener.local_addr().unwrap(), plain);
    let mut client = gate.client().await;
    client.write_all(b"POST /shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let mut target = accept(&listener).await;
    assert_eq!(field(&head(&mut target).await, "transfer-encoding"), Some("chunked"));
    target.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let answer = head(&mut client).await;
    assert_eq!((status(&answer), field(&answer, "transfer-encoding")), (200, Some("chunked")));
    // An answer that has begun does not end the upload's connection for the answer.
    target.write_all(b"3;x=y\r\none\r\n").await.unwrap();
    assert_eq!(exactly(&mut client, 8).await, "3\r\none\r\n");
    target.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    assert_eq!(exactly(&mut client, 13).await, "3\r\ntwo\r\n0\r\n\r\n");
}

const TRAILERS: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, content-length, host, authorization\r\n\r\n\
    2\r\nok\r\n0\r\nx-sum: 1\r\ncontent-length: 9\r\nhost: evil\r\nauthorization: evil\r\nx-unnamed: 2\r\n\r\n";

#[tokio::test]
async fn trailers_reach_those_who_take_them() {
    let target = Echo::start(TRAILERS).await;
    let gate = gate(target.address, plain);
    let request = b"GET /shop HTTP/1.1\r\nhost: x\r\nTE: deflate, trailers\r\nconnection: close, te\r\n\r\n";
    let answer = gate.until_close(request).await;
    assert!(answer.ends_with("2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"), "{answer}");
    assert!(field(&answer, "trailer").is_some());
    assert_eq!(field(&target.seen(), "te"), Some("trailers"));
}

#[tokio::test]
async fn trailers_are_dropped_for_everybody_else_and_the_connection_goes_on() {
    let target = Echo::start(TRAILERS).await;
    let gate = gate(target.address, plain);
    let mut client = gate.client().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        assert_eq!(field(&head(&mut client).await, "trailer"), None);
        assert_eq!(exactly(&mut client, 12).await, "2\r\nok\r\n0\r\n\r\n");
    }
    assert_eq!(target.connections(), 1);
    assert_eq!(field(&target.seen(), "te"), None);
}

#[tokio::test]
async fn bytes_behind_an_answer_end_its_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok!",
        "HTTP/1.1 204 No Content\r\n\r\n!",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n!",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        let target = Echo::start(answer).await;
        let gate = gate(target.address, plain);
        for number in 1..=3 {
            let seen = gate.until_close(CLOSING).await;
            assert_eq!((status(&seen), seen.contains('!')), (status(answer), false), "{answer}");
            assert_eq!(target.connections(), number, "{answer}");
        }
    }
}

#[tokio::test]
async fn an_old_client_gets_an_answer_that_it_understands() {
    let target =
        Echo::start("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let gate = gate(target.address, plain);
    let mut client = gate.client().await;
    client.write_all(b"GET /shop HTTP/1.0\r\n\r\n").await.unwrap();
    let answer = rest(&mut client).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(field(&answer, "transfer-encoding"), None);
}
