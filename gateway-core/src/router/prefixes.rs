//! Rows by the literal that begins their path: a plain path itself, or what every match of a regex begins with. All literals
//! that begin a given path are found by one binary search and a walk up; whether a row matches is the row's business.
//!
//! Literals are sorted, and each knows the longest other one that it begins with. A literal that begins the path sorts before
//! the path, and whatever sorts between the two begins with it as well; so the last literal before the path has all that begin
//! the path among itself and its forebears.

use std::collections::BTreeMap;

use super::inner::Inner;

/// Fewer rows than this are asked one by one, whatever else is known of them.
const INNER_MIN: usize = 8;

/// A row that may match: its host and the literal that begins its path do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place among all rows, best first.
    pub(super) rank: u32,
    /// The only port it is for.
    pub(super) port: Option<u16>,
}

/// Candidates by literal while they are collected, each with another literal that the path must contain.
pub(super) type Filed = BTreeMap<Vec<u8>, Vec<(Candidate, Option<Vec<u8>>)>>;

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
    /// More of them, when there are many that can be told apart.
    inner: Option<Inner>,
}

impl Prefixes {
    pub(super) fn new(filed: Filed) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(filed.len());
        let mut best = u32::MAX;
        // The literals that begin the one at hand, shortest first.
        let mut open: Vec<u32> = Vec::new();
        for (literal, mut rows) in filed {
            rows.sort_unstable_by_key(|(candidate, _)| candidate.rank);
            best = rows.first().map_or(best, |(first, _)| best.min(first.rank));
            while open.last().is_some_and(|&last| !literal.starts_with(&nodes[last as usize].literal)) {
                open.pop();
            }
            let parent = open.last().copied();
            open.push(nodes.len() as u32);
            nodes.push(Node::new(literal, parent, &rows));
        }
        Self { nodes: nodes.into(), best }
    }

    /// The rank of the best row in here.
    pub(super) fn best(&self) -> u32 {
        self.best
    }

    /// The candidates of each literal that begins `path`, the longest literal first. What begins a literal that begins `path`
    /// begins `path` too.
    pub(super) fn of<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = &'a [Candidate]> {
        let before = self.nodes.partition_point(|node| *node.literal <= *path);
        let last = before.checked_sub(1).map(|last| &self.nodes[last]);
        std::iter::successors(last, |node| node.parent.map(|parent| &self.nodes[parent as usize]))
            .skip_while(|node| !path.starts_with(&node.literal))
            .flat_map(|node| node.of(path))
    }
}

impl Node {
    fn new(literal: Vec<u8>, parent: Option<u32>, rows: &[(Candidate, Option<Vec<u8>>)]) -> Self {
        let told_apart: Vec<(Candidate, &[u8])> =
            rows.iter().filter_map(|(row, inner)| Some((*row, inner.as_deref()?))).collect();
        let inner = if told_apart.len() < INNER_MIN { None } else { Inner::new(&told_apart) };
        let others = rows.iter().filter(|(_, literal)| inner.is_none() || literal.is_none());
        let candidates = others.map(|(candidate, _)| *candidate).collect();
        Self { literal: literal.into(), parent, candidates, inner }
    }

    fn of<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = &'a [Candidate]> {
        let further_in = self.inner.iter().flat_map(|inner| inner.of(path));
        std::iter::once(&*self.candidates).chain(further_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_literals_that_begin_a_path_are_found_longest_first() {
        let literals = ["", "/", "/a", "/a/b", "/ab", "/b", "/b/c/d"];
        let one = |rank| vec![(Candidate { rank, port: None }, None)];
        let table: Filed =
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
