//! The generator against small servers of the test's own, which see each byte and each connection.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::{self, JoinHandle};

use super::super::report::channel;
use super::*;
use crate::load::{RequestMix, RequestTemplate, Stream, Users};

/// The head of a request; empty at the end of a connection.
fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    head
}

/// How many bytes of a connection, behind the head of its one request, are none of that request's body.
fn answer_early(mut stream: TcpStream) -> usize {
    head(&mut stream);
    stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").unwrap();
    let (mut strange, mut bytes) = (0, vec![0; 64 * 1024]);
    while let Ok(n @ 1..) = stream.read(&mut bytes) {
        strange += bytes[..n].iter().filter(|&&byte| byte != b'x').count();
    }
    strange
}

/// A server that answers everything, and gives the cookie `of` to users that have none. What it heard on each connection.
fn listen() -> (SocketAddr, JoinHandle<Vec<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut connections = Vec::new();
        // The last connection says nothing.
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heads = Vec::new();
            loop {
                let head = String::from_utf8(head(&mut stream)).unwrap();
                if head.is_empty() {
                    break;
                }
                let user = head.split("x-user: ").nth(1).map_or("", |rest| &rest[..1]);
                let cookie = if head.contains("cookie: ") {
                    String::new()
                } else {
                    format!("set-cookie: of={user}\r\n")
                };
                let answer =
                    format!("HTTP/1.1 200 OK\r\nx-sim-target: 0\r\n{cookie}content-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
                heads.push(head);
            }
            if heads.is_empty() {
                return connections;
            }
            connections.push(heads);
        }
    });
    (address, server)
}

/// Sends `load` to `gateway`; how each request ended.
fn send(load: Load, gateway: SocketAddr) -> Vec<Ending> {
    let stream = TcpStream::connect(gateway).unwrap();
    stream.set_nonblocking(true).unwrap();
    let clock = Clock::stopped();
    let (mut reporters, mut collector) = channel(1, &clock);
    let ids = RequestIds::new(1, load.total());
    run(Start {
        load,
        seed: 1,
        ids,
        key: None,
        nodes: vec![gateway],
        streams: vec![stream],
        clock,
        reporter: reporters.pop().unwrap(),
        stop: Arc::default(),
    })
    .unwrap();
    while collector.collect(Duration::ZERO) {}
    let ending = |seen: &Observation| match seen {
        Observation::Ended(record) => record.ending,
        other => panic!("{other:?}"),
    };
    collector.ready().iter().map(ending).collect()
}

/// `requests` requests in 30 ms, all on one connection at a time.
fn load(requests: u32, request: RequestTemplate) -> Load {
    let mix = RequestMix::new(vec![request]).unwrap();
    let rate = f64::from(requests) / 0.03;
    let stream =
        Stream { timeout: Duration::from_secs(20), ..Stream::constant(rate, Duration::from_millis(30), mix) };
    Load { max_in_flight: 1000, ..Load::of(vec![stream]) }
}

#[test]
fn an_answer_before_a_request_is_out_ends_its_connection() {
    // Aim: what is left of an unfinished request is never followed by the next one. Method: a server that answers each
    // head at once and keeps the connection; bodies are larger than all buffers between.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let gateway = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let connections: Vec<_> = (0..3)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                thread::spawn(move || answer_early(stream))
            })
            .collect();
        connections.into_iter().map(|connection| connection.join().unwrap()).sum::<usize>()
    });
    let post = RequestTemplate {
        method: "POST".into(),
        body: vec![b'x'; 32_000_000].into(),
        ..RequestTemplate::get("/")
    };
    assert_eq!(send(load(3, post), gateway), [Ending::Dropped(Cause::NoRoute); 3]);
    assert_eq!(server.join().unwrap(), 0, "bytes of another request within a body");
}

#[test]
fn each_user_sends_its_key_and_the_cookies_it_was_given() {
    let (gateway, server) = listen();
    let mut load = load(60, RequestTemplate::get("/"));
    let users = &mut load.streams[0].users;
    *users = Users::new(3, None);
    (users.header, users.cookies) = (Some("x-user".into()), true);
    assert_eq!(send(load, gateway), [Ending::Answered(200); 60]);
    TcpStream::connect(gateway).unwrap();
    let connections = server.join().unwrap();
    assert_eq!(connections.len(), 1);
    for user in ["0", "1", "2"] {
        let of_user: Vec<_> =
            connections[0].iter().filter(|head| head.contains(&format!("x-user: {user}\r\n"))).collect();
        assert!(!of_user[0].contains("cookie: "), "{}", of_user[0]);
        assert!(of_user[1..].iter().all(|head| head.contains(&format!("\r\ncookie: of={user}\r\n\r\n"))));
    }
}

#[test]
fn a_connection_carries_as_many_requests_as_it_may() {
    for (most, connections, says_so) in [(1, 9, true), (4, 3, false)] {
        let (gateway, server) = listen();
        let load = Load { requests_per_connection: Some(most), ..load(9, RequestTemplate::get("/")) };
        assert_eq!(send(load, gateway), [Ending::Answered(200); 9]);
        TcpStream::connect(gateway).unwrap();
        let heard = server.join().unwrap();
        assert_eq!(heard.len(), connections);
        assert!(heard.iter().all(|heads| heads.len() as u64 <= most));
        assert!(heard.iter().flatten().all(|head| head.contains("connection: close") == says_so));
    }
}

#[test]
fn an_answer_of_200_with_another_body_than_was_sent_is_no_answer() {
    // Aim: what a proxy does to a body is caught though status and framing are right. Method: a server in the place of the
    // gateway; of three bodies one is as its seal says, one is altered, one shortened, its length with it.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let gateway = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for body in ["hello", "hallo", "hell"] {
            head(&mut stream);
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nx-sim-target: 0\r\nx-sim-body: 5-3610a686\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let damaged = Ending::Dropped(Cause::DamagedBody);
    assert_eq!(send(load(3, RequestTemplate::get("/")), gateway), [Ending::Answered(200), damaged, damaged]);
    server.join().unwrap();
}
