//! Rows whose paths all begin alike, told apart by a literal further in: one pass over a path finds which of the literals it
//! contains, however many rows there are.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;

use super::prefixes::Candidate;

/// A path that contains more literals than this has all rows asked: a bound on how often one row is looked at.
const HITS_MAX: usize = 64;

/// Candidates by a literal that the path must contain.
#[derive(Debug)]
pub(super) struct Inner {
    literals: AhoCorasick,
    /// In the order of the literals; each best first.
    candidates: Box<[Box<[Candidate]>]>,
    /// All of them, best first.
    all: Box<[Candidate]>,
}

impl Inner {
    /// `None` when there are more literals than can be searched for at once. `rows` come best first.
    pub(super) fn new(rows: &[(Candidate, &[u8])]) -> Option<Self> {
        let mut by_literal: BTreeMap<&[u8], Vec<Candidate>> = BTreeMap::new();
        for &(candidate, literal) in rows {
            by_literal.entry(literal).or_default().push(candidate);
        }
        let literals = AhoCorasick::new(by_literal.keys()).ok()?;
        Some(Self {
            literals,
            candidates: by_literal.into_values().map(Vec::into_boxed_slice).collect(),
            all: rows.iter().map(|&(candidate, _)| candidate).collect(),
        })
    }

    /// The candidates of each literal that `path` contains.
    pub(super) fn of<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = &'a [Candidate]> {
        let hits = self.literals.find_overlapping_iter(path).take(HITS_MAX + 1).enumerate();
        hits.map(|(number, hit)| {
            if number == HITS_MAX {
                &*self.all
            } else if contains(&path[..hit.end() - 1], &path[hit.range()]) {
                // The same literal once more: its rows have had their turn.
                &[]
            } else {
                &*self.candidates[hit.pattern()]
            }
        })
    }
}

fn contains(path: &[u8], literal: &[u8]) -> bool {
    path.windows(literal.len()).any(|window| window == literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_literal_of_a_path_counts_once_and_too_many_count_as_all() {
        let literals = ["/a", "/ab", "b/", "zz"];
        let rows: Vec<_> =
            (0..).zip(literals).map(|(rank, l)| (Candidate { rank, port: None }, l.as_bytes())).collect();
        let inner = Inner::new(&rows).unwrap();
        let ranks = |path: &str| {
            let mut ranks: Vec<_> =
                inner.of(path.as_bytes()).flatten().map(|candidate| candidate.rank).collect();
            ranks.sort_unstable();
            ranks
        };
        assert_eq!(ranks("/ab/ab/a"), [0, 1, 2]);
        assert_eq!(ranks("/zzz"), [3]);
        assert_eq!(ranks("/x"), [0; 0]);
        assert_eq!(ranks(&"/a".repeat(64)), [0]);
        assert_eq!(ranks(&"/a".repeat(65)), [0, 0, 1, 2, 3]);
    }
}
