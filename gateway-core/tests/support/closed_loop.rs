//! One client, one target, one request after the other, on blocking sockets of their own threads: traffic for tests that count
//! what the gateway between them costs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use gateway_core::config::Config;
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::shell::{Clock, Hooks, Settings, Shell};
use gateway_core::weight::Weight;

const REQUEST: &[u8] =
    b"GET /anything?x=1 HTTP/1.1\r\nhost: example.com\r\nuser-agent: closed-loop\r\naccept: */*\r\n\r\n";

/// A gateway with one worker in front of `target`.
pub(crate) fn gateway(target: SocketAddr, hooks: Hooks) -> Shell {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).unwrap();
    let address = Address::parse(&target.to_string()).unwrap();
    config.add_target(Target::new(blue, address, Weight::DEFAULT)).unwrap();
    let service = config.add_service(Service::new("example-service", "blue")).unwrap();
    config.add_route(Route { paths: vec!["/anything".into()], ..Route::new("r", service) }).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings { proxy: any, admin: any, ..Settings::default() };
    Shell::start(Arc::new(Gateway::new(config)), settings, Clock::started(), hooks).unwrap()
}

/// Starts a target that answers every head with 100 bytes.
pub(crate) fn target() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer_all(stream));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let date = "date: Mon, 01 Jan 2024 00:00:00 GMT";
    let answer = format!("HTTP/1.1 200 OK\r\n{date}\r\ncontent-length: 100\r\n\r\n{}", "x".repeat(100));
    while read_until(&mut stream, b"\r\n\r\n") {
        stream.write_all(answer.as_bytes()).unwrap();
    }
}

/// Sends `requests` one after the other on one connection.
pub(crate) fn ask(gateway: SocketAddr, requests: usize) {
    let mut stream = TcpStream::connect(gateway).unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..requests {
        stream.write_all(REQUEST).unwrap();
        assert!(read_until(&mut stream, &[b'x'; 100]), "an answer came");
    }
}

/// Reads a message that ends with `end`; `false` when the stream ends before.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> bool {
    let (mut message, mut filled) = ([0; 4096], 0);
    while !message[..filled].ends_with(end) {
        match stream.read(&mut message[filled..]) {
            Ok(n @ 1..) => filled += n,
            _ => return false,
        }
    }
    true
}
