//! The floors of the house: a module may use those below it, never those above or beside it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/floors.rs"]
mod floors;

use std::path::Path;

/// Rooms from the bottom up. The words of floor 0 may use each other.
const FLOORS: &[&[&str]] = &[
    &["time", "id", "weight", "rng", "request", "outcome", "rules"],
    &["entity"],
    &["config"],
    &["router", "balancer", "health", "schema"],
    &["gateway", "deck"],
    &["admin"],
    &["shell"],
];

#[test]
fn imports_point_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let wrong = floors::violations(&root, FLOORS, &[0]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
