//! Globs over target names.

use globset::{GlobBuilder, GlobMatcher};

use super::reader::Section;

/// What `match` of this table matches. Host names know no capitals, so neither do patterns.
pub(super) fn matcher(section: &Section<'_>) -> Option<GlobMatcher> {
    let pattern = section.required_text("match", "*")?;
    match GlobBuilder::new(pattern).case_insensitive(true).build() {
        Ok(glob) => Some(glob.compile_matcher()),
        Err(e) => {
            let (place, help) = (section.place_of("match"), "`*` and `?` stand for other characters");
            section.mistakes.note(place, "a pattern cannot be read", e.kind().to_string(), help);
            None
        }
    }
}
