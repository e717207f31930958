//! HTTP/1.1 as a careful proxy speaks it, byte by byte over real sockets: what is refused, what is bounded, what is passed on.
//! Tests assert on bytes, statuses and counts, never on how long something took.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;
#[path = "../support/hostile.rs"]
mod table;

mod smuggling;

mod dice;

mod limits;

mod clients;

mod answers;

mod hostile;

mod words;

mod tunnels;
