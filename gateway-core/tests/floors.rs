//! The floors of the house: a module may use those below it, never those above or beside it. Reads every `crate::` path
//! in the sources, so a wrong import fails here and not in review.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, from the bottom up. Rooms on one floor may not see each other, except on floor 0.
const FLOORS: &[&[&str]] = &[
    &["time", "id", "weight", "rng", "request", "outcome"],
    &["entity"],
    &["config"],
    &["router", "balancer", "health"],
    &["gateway", "admin"],
    &["shell"],
];

fn may_use(room: &str, other: &str) -> bool {
    let floor = |name: &str| FLOORS.iter().position(|rooms| rooms.contains(&name));
    let (Some(from), Some(to)) = (floor(room), floor(other)) else { return false };
    room == other || to < from || (from == 0 && to == 0)
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The rooms that `text` names after `crate::`, outside comments.
fn named(text: &str) -> Vec<String> {
    let code =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => {
                group.split('}').next().unwrap_or("").split(',').map(first_word).collect::<Vec<_>>()
            }
            None => vec![first_word(rest)],
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

#[test]
fn imports_point_down_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        for other in named(&fs::read_to_string(&file).unwrap()) {
            if !may_use(room, &other) {
                wrong.push(format!("{} uses {other}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_imports_sees_what_it_must() {
    let text = "use crate::gateway::Gateway;\n// crate::shell\nuse crate::{id, time::Instant};";
    assert_eq!(named(text), ["gateway", "id", "time"]);
    assert!(may_use("gateway", "balancer"));
    assert!(!may_use("balancer", "gateway"));
    assert!(!may_use("router", "balancer"));
}
