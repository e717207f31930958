//! What can be told of a path before a regex is run: the literal that all its matches begin with, and one that they all
//! contain. For a plain path the first is the whole of it. Rows are filed by both.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind};

use super::row::regex_of;

/// Shorter literals are in almost every path.
const INNER_MIN: usize = 2;

/// The literals of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Literals {
    /// Every path that the row matches begins with it.
    pub(super) lead: Vec<u8>,
    /// Every path that the row matches contains it, if there is one beside the lead.
    pub(super) inner: Option<Vec<u8>>,
}

impl Literals {
    /// Those of one of a Route's paths.
    pub(super) fn of(path: Option<&str>) -> Self {
        let Some(path) = path else { return Self::default() };
        let Some(regex) = regex_of(path) else { return Self { lead: path.as_bytes().to_vec(), inner: None } };
        // The same settings as those it is compiled with.
        let Ok(hir) = ParserBuilder::new().unicode(false).utf8(false).build().parse(regex) else {
            return Self::default();
        };
        let mut lead = Vec::new();
        append_lead(&hir, &mut lead);
        let inner = match hir.kind() {
            HirKind::Concat(parts) => parts.iter().skip(1).map(longest).max_by_key(|literal| literal.len()),
            _ => None,
        };
        Self { lead, inner: inner.filter(|inner| inner.len() >= INNER_MIN).map(<[u8]>::to_vec) }
    }
}

/// Appends what every match of `hir` begins with, and says whether that is all there is to a match.
fn append_lead(hir: &Hir, lead: &mut Vec<u8>) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => true,
        HirKind::Literal(bytes) => {
            lead.extend_from_slice(&bytes.0);
            true
        }
        HirKind::Capture(capture) => append_lead(&capture.sub, lead),
        HirKind::Concat(parts) => parts.iter().all(|part| append_lead(part, lead)),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            append_lead(&repetition.sub, lead);
            false
        }
        HirKind::Repetition(_) | HirKind::Class(_) | HirKind::Alternation(_) => false,
    }
}

/// The longest literal that stands in every match of `hir`.
fn longest(hir: &Hir) -> &[u8] {
    match hir.kind() {
        HirKind::Literal(bytes) => &bytes.0,
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => longest(&repetition.sub),
        HirKind::Concat(parts) => {
            parts.iter().map(longest).max_by_key(|literal| literal.len()).unwrap_or_default()
        }
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literals_of_a_regex_are_in_all_its_matches() {
        for (path, lead, inner) in [
            ("/a.b", "/a.b", None),
            ("~/a.b", "/a", None),
            (r"~/a\.b\d+", "/a.b", None),
            ("~/a/(?<id>[0-9]+)/x", "/a/", Some("/x")),
            ("~/a/[^/]+/(orders)/([0-9]+/)?long-but-optional-no", "/a/", Some("long-but-optional-no")),
            ("~/a/.*(/ab(cd)?)+x", "/a/", Some("/ab")),
            ("~/a/.*(/ab)*x", "/a/", None),
            ("~/(ab)+c", "/ab", Some("ab")),
            ("~/ab?c", "/a", None),
            ("~/ab*", "/a", None),
            ("~/ab{2}", "/ab", None),
            ("~/(a|b)/c", "/", Some("/c")),
            ("~/a|b", "", None),
            ("~/(foo|bar)/c", "/", Some("/c")),
            ("~/(?i)a", "/", None),
            ("~/a$", "/a", None),
            ("~/a^/b", "/a/b", Some("/b")),
            ("~/\u{e9}x", "/\u{e9}x", None),
        ] {
            let literals = Literals::of(Some(path));
            let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
            assert_eq!(
                (text(&literals.lead).as_str(), literals.inner.as_ref().map(text).as_deref()),
                (lead, inner),
                "{path}"
            );
        }
        assert_eq!(Literals::of(None), Literals::default());
    }
}
