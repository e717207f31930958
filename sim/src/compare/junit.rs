//! `junit.xml` of a comparison: one case for each value of the first axis under each condition, failed where it is worse than the
//! baseline. Names hold no figures, so that a case keeps its history.

use super::text::change_with_interval;
use super::{Comparison, Condition, Row, Word};
use crate::markup::{Markup, markup};
use crate::words;

/// The file.
pub(super) fn xml(comparison: &Comparison) -> String {
    let cases: Vec<(&Condition, &Row)> = comparison
        .conditions
        .iter()
        .flat_map(|condition| condition.rows.iter().map(move |row| (condition, row)))
        .collect();
    let mut sorted = cases.clone();
    sorted.sort_by(|a, b| (&a.0.name, &a.1.name).cmp(&(&b.0.name, &b.1.name)));
    let failed = cases.iter().filter(|(_, row)| failure(comparison, row).is_some()).count();
    let name = words::plain(&comparison.name);
    let time = format!("{:.3}", comparison.volatile.wall_s);
    let mut out = Markup::new();
    out.tag("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    markup!(out, "<testsuites name=\"sim compare\" tests=\"" (cases.len()) "\" failures=\"" (failed) "\" errors=\"0\" time=\"" (time) "\">\n");
    markup!(out, "  <testsuite name=\"" (name) "\" tests=\"" (cases.len()) "\" failures=\"" (failed) "\" errors=\"0\" skipped=\"0\" time=\"" (time) "\" timestamp=\"" (comparison.volatile.started_at) "\">\n");
    for (condition, row) in sorted {
        let case = if condition.name.is_empty() {
            row.name.clone()
        } else {
            format!("{}, {}", row.name, condition.name)
        };
        markup!(out, "    <testcase classname=\"" (name) "\" name=\"" (words::plain(&case)) "\" time=\"0.000\"");
        match failure(comparison, row) {
            None => out.tag("/>\n"),
            Some(text) => {
                markup!(out, ">\n      <failure type=\"worse\" message=\"" (text) "\">" (text) "</failure>\n    </testcase>\n");
            }
        }
    }
    out.tag("  </testsuite>\n</testsuites>\n");
    out.into_string()
}

/// What is worse about it.
fn failure(comparison: &Comparison, row: &Row) -> Option<String> {
    let by = comparison.ranking();
    let against = row.against.get(by)?.as_ref().filter(|against| against.word == Word::Worse)?;
    let figure = *comparison.known().get(by)?;
    let baseline = words::plain(comparison.baseline());
    Some(format!("{} is worse than {baseline}'s: {}", figure, change_with_interval(figure, against)))
}

#[cfg(test)]
mod tests {
    use super::super::sample::{comparison, hostile};
    use super::*;

    #[test]
    fn what_is_worse_fails_and_nothing_else() {
        let xml = xml(&comparison());
        assert_eq!((xml.matches("<testcase").count(), xml.matches("<failure").count()), (6, 2), "{xml}");
        assert!(xml.contains("name=\"slow, size 30\""), "{xml}");
    }

    #[test]
    fn no_name_leaves_its_attribute() {
        let xml = xml(&hostile());
        assert!(!xml.contains("<script") && !xml.contains('\u{1b}') && !xml.contains("]]>"), "{xml}");
    }
}
