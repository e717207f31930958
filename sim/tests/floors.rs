//! The floors of the house: a module may use those below it, never those above or beside it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../gateway-core/tests/support/floors.rs"]
mod floors;

use std::path::Path;

/// Rooms from the bottom up.
const FLOORS: &[&[&str]] = &[
    &["words", "stats", "markup", "hdr"],
    &["mock"],
    &["load", "rollout"],
    &["plan"],
    &["measure"],
    &["scenario", "engine"],
    &["summary"],
    &["chart"],
    &["report"],
    &["compare"],
    &["artefacts", "signals", "baseline"],
    &["replicate", "calibrate"],
    &["run"],
    &["matrix"],
    &["cli"],
];

#[test]
fn imports_point_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let wrong = floors::violations(&root, FLOORS, &[]);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
