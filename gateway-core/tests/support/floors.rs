//! Reads every `crate::` path in a crate's sources and says which point upward. Shared by the floor tests of both crates.

use std::fs;
use std::path::{Path, PathBuf};

/// All imports below `root` that break the rule: a room may use rooms of lower floors, never those above or beside it.
/// `floors` lists rooms from the bottom up; `free` names floors whose rooms may see each other.
pub(crate) fn violations(root: &Path, floors: &[&[&str]], free: &[usize]) -> Vec<String> {
    let mut files = Vec::new();
    sources(root, &mut files);
    assert!(files.len() > 20, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if matches!(room, "lib" | "main") {
            continue;
        }
        for other in named(&fs::read_to_string(&file).unwrap()) {
            if !may_use(floors, free, room, &other) {
                wrong.push(format!("{} uses {other}", inside.display()));
            }
        }
    }
    wrong
}

fn may_use(floors: &[&[&str]], free: &[usize], room: &str, other: &str) -> bool {
    let floor = |name: &str| floors.iter().position(|rooms| rooms.contains(&name));
    let (Some(from), Some(to)) = (floor(room), floor(other)) else { return false };
    room == other || to < from || (from == to && free.contains(&from))
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
fn the_reader_of_imports_sees_what_it_must() {
    let text = "use crate::gateway::Gateway;\n// crate::shell\nuse crate::{id, time::Instant};";
    assert_eq!(named(text), ["gateway", "id", "time"]);
    let floors: &[&[&str]] = &[&["id", "time"], &["router", "balancer"], &["gateway"]];
    assert!(may_use(floors, &[0], "gateway", "balancer") && may_use(floors, &[0], "id", "time"));
    assert!(!may_use(floors, &[0], "balancer", "gateway") && !may_use(floors, &[0], "router", "balancer"));
    assert!(!may_use(floors, &[0], "router", "nowhere"));
}
