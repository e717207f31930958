//! `sim target` alone, asked by raw sockets: its limits and its errors come from flags.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/server.rs"]
#[expect(dead_code, reason = "shared with the tests that stop servers")]
mod server;
#[expect(dead_code, reason = "shared with the tests that run scenarios")]
mod support;

use std::thread;

use server::{Server, call};

/// What `count` requests at once are told, sorted.
fn statuses(flags: &[&str], count: usize) -> Vec<u16> {
    let target = Server::start(&[&["target", "--listen", "127.0.0.1:0"], flags].concat());
    let address = target.addresses[0];
    let calls: Vec<_> =
        (0..count).map(|_| thread::spawn(move || call(address, "GET", "/", None).status)).collect();
    let mut statuses: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    statuses.sort_unstable();
    statuses
}

#[test]
fn live_a_target_alone_has_the_limits_of_its_flags() {
    let limits = ["--latency", "1s", "--capacity", "1", "--queue", "1"];
    assert_eq!(statuses(&limits, 5), [200, 200, 503, 503, 503]);
}

#[test]
fn live_a_target_alone_has_the_errors_of_its_flags() {
    assert_eq!(statuses(&["--errors", "share=1,status=429"], 3), [429; 3]);
    // A fair coin for each: one in 2^29 runs would see one side only.
    let mixed = statuses(&["--errors", "0.5"], 30);
    assert!(mixed.contains(&200) && mixed.contains(&500), "{mixed:?}");
}
