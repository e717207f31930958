//! Rows by the literal that begins their path: a plain path itself, or what every match of a regex begins with. All literals
//! that begin a given path are found by one binary search and a walk up; whether a row matches is the row's business.
//!
//! Literals are sorted, and each knows the longest other one that it begins with. A literal that begins the path sorts before
//! the path, and whatever sorts between the two begins with it as well; so the last literal before the path has all that begin
//! the path among itself and its forebears.

use std::collections::BTreeMap;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::row::regex_of;

/// A row that may match: its host and the literal that begins its path do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place among all rows, best first.
    pub(super) rank: u32,
    /// The only port it is for.
    pub(super) port: Option<u16>,
}

/// Candidates by literal, while they are collected.
pub(super) type Literals = BTreeMap<Vec<u8>, Vec<Candidate>>;

/// Candidates by literal.
#[derive(Debug)]
pub(super) struct Prefixes {
    nodes: Box<[Node]>,
    best: u32,
}

#[derive(Debug)]
struct Node {
    literal: Box<[u8]>,
    /// The longest other literal that begins this one.
    parent: Option<u32>,
    /// Best first.
    candidates: Box<[Candidate]>,
}

impl Prefixes {
    pub(super) fn new(mut literals: Literals) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(literals.len());
        let mut best = u32::MAX;
        // The literals that begin the one at hand, shortest first.
        let mut open: Vec<u32> = Vec::new();
        while let Some((literal, mut candidates)) = literals.pop_first() {
            candidates.sort_unstable_by_key(|candidate| candidate.rank);
            best = candidates.first().map_or(best, |first| best.min(first.rank));
            while open.last().is_some_and(|&last| !literal.starts_with(&nodes[last as usize].literal)) {
                open.pop();
            }
            let parent = open.last().copied();
            open.push(nodes.len() as u32);
            nodes.push(Node { literal: literal.into(), parent, candidates: candidates.into() });
        }
        Self { nodes: nodes.into(), best }
    }

    /// The rank of the best row in here.
    pub(super) fn best(&self) -> u32 {
        self.best
    }

    /// The candidates of each literal that begins `path`, the longest literal first. What begins a literal that begins `path` begins
    /// `path` too.
    pub(super) fn of(&self, path: &[u8]) -> impl Iterator<Item = &[Candidate]> {
        let before = self.nodes.partition_point(|node| *node.literal <= *path);
        let last = before.checked_sub(1).map(|last| &self.nodes[last]);
        std::iter::successors(last, |node| node.parent.map(|parent| &self.nodes[parent as usize]))
            .skip_while(|node| !path.starts_with(&node.literal))
            .map(|node| &*node.candidates)
    }
}

/// What every path that a row matches begins with.
pub(super) fn literal_of(path: Option<&str>) -> Vec<u8> {
    let Some(path) = path else { return Vec::new() };
    let Some(regex) = regex_of(path) else { return path.as_bytes().to_vec() };
    let mut literal = Vec::new();
    // The same settings as those it is compiled with.
    if let Ok(hir) = ParserBuilder::new().unicode(false).utf8(false).build().parse(regex) {
        append_lead(&hir, &mut literal);
    }
    literal
}

/// Appends what every match of `hir` begins with, and says whether that is all there is to a match.
fn append_lead(hir: &Hir, literal: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(bytes) => {
            literal.extend_from_slice(&bytes.0);
            true
        }
        HirKind::Capture(capture) => append_lead(&capture.sub, literal),
        HirKind::Concat(parts) => parts.iter().all(|part| append_lead(part, literal)),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            append_lead(&repetition.sub, literal);
            false
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Alternation(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_of_a_regex_begins_all_its_matches() {
        for (path, literal) in [
            ("/a.b", "/a.b"),
            ("~/a.b", "/a"),
            (r"~/a\.b\d+", "/a.b"),
            ("~/a/(?<id>[0-9]+)/x", "/a/"),
            ("~/(ab)+c", "/ab"),
            ("~/ab?c", "/a"),
            ("~/ab*", "/a"),
            ("~/ab{2}", "/ab"),
            ("~/(a|b)/c", "/"),
            ("~/a|b", ""),
            ("~/(foo|bar)/c", "/"),
            ("~/(?i)a", "/"),
            ("~/a$", "/a"),
            ("~/a^/b", "/a/b"),
            ("~/\u{e9}x", "/\u{e9}x"),
        ] {
            assert_eq!(String::from_utf8(literal_of(Some(path))).unwrap(), literal, "{path}");
        }
        assert_eq!(literal_of(None), b"");
    }

    #[test]
    fn all_literals_that_begin_a_path_are_found_longest_first() {
        let literals = ["", "/", "/a", "/a/b", "/ab", "/b", "/b/c/d"];
        let one = |rank| vec![Candidate { rank, port: None }];
        let table: Literals =
            literals.iter().zip(0..).map(|(l, rank)| (l.as_bytes().to_vec(), one(rank))).collect();
        let prefixes = Prefixes::new(table);
        for path in ["", "/", "/a", "/a/b", "/a/bc", "/a/c", "/abc", "/b/c", "/b/c/d/e", "/c", "x", "*"] {
            let seen: Vec<&str> =
                prefixes.of(path.as_bytes()).map(|found| literals[found[0].rank as usize]).collect();
            let expected: Vec<&str> = literals.into_iter().rev().filter(|l| path.starts_with(l)).collect();
            assert_eq!(seen, expected, "{path}");
        }
        assert_eq!(prefixes.best(), 0);
    }
}
