//! The mistakes of a scenario as they are found, and which of them can be believed when the text itself is broken.

use std::cell::RefCell;
use std::ops::Range;

use super::diagnostic::{Diagnostic, Place, Text};

/// The mistakes so far. Shared while a scenario is read, so that reading can go on after each.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: RefCell<Vec<Diagnostic>>,
    /// What is no mistake and hardly meant.
    warnings: RefCell<Vec<Diagnostic>>,
    /// Stretches of the file that are not what they look like, each after a mistake of syntax.
    torn: Vec<Range<usize>>,
}

impl Mistakes {
    /// No mistakes but those of syntax, in `file`.
    pub(super) fn beside(syntax: Vec<Diagnostic>, file: &str) -> Self {
        let torn = syntax.iter().map(|mistake| torn_by(mistake, file)).collect();
        Self { found: RefCell::new(syntax), warnings: RefCell::default(), torn }
    }

    /// Notes something that stands where it should not. In a torn stretch it is taken for the tear's doing.
    pub(super) fn note(
        &self,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        let at = place.span.start;
        if place.text == Text::File && self.torn.iter().any(|torn| torn.contains(&at)) {
            return;
        }
        self.found.borrow_mut().push(diagnostic(place, message, label, help));
    }

    /// Notes something that is no mistake and hardly meant.
    pub(super) fn warn(
        &self,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings.borrow_mut().push(diagnostic(place, message, label, help));
    }

    /// Notes something that is missing, or that names what does not exist. In a file with a mistake of syntax it may be
    /// there after all, so nothing is said.
    pub(super) fn absent(
        &self,
        place: &Place,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.torn.is_empty() {
            self.note(place, message, label, help);
        }
    }

    /// Notes one that was made elsewhere.
    pub(super) fn push(&self, mistake: Diagnostic) {
        self.found.borrow_mut().push(mistake);
    }

    /// All of them, and all warnings, in the order of the texts, none twice.
    pub(super) fn in_order(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        (in_order(self.found.into_inner()), in_order(self.warnings.into_inner()))
    }
}

fn in_order(mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    found.sort_by_key(|mistake| match mistake.place.text {
        Text::File => (0, 0, mistake.place.span.start),
        Text::Set(number) => (1, number, mistake.place.span.start),
        Text::Vary(number) => (2, number, mistake.place.span.start),
        Text::Defaults => (3, 0, 0),
    });
    found.dedup();
    found
}

fn diagnostic(
    place: &Place,
    message: impl Into<String>,
    label: impl Into<String>,
    help: impl Into<String>,
) -> Diagnostic {
    let help = Some(help.into()).filter(|help| !help.is_empty());
    Diagnostic { message: message.into(), place: place.clone(), label: label.into(), help }
}

/// From the line of a mistake of syntax to the next header: what the parser made of it is a guess.
fn torn_by(mistake: &Diagnostic, file: &str) -> Range<usize> {
    let at = (0..=mistake.place.span.start.min(file.len())).rev().find(|&at| file.is_char_boundary(at));
    let at = at.unwrap_or(0);
    let start = file[..at].rfind('\n').map_or(0, |end| end + 1);
    let mut end = start;
    for (number, line) in file[start..].split_inclusive('\n').enumerate() {
        if number > 0 && line.trim_start().starts_with('[') {
            return start..end;
        }
        end += line.len();
    }
    start..file.len() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mistakes: &Mistakes) -> Vec<String> {
        mistakes.found.borrow().iter().map(|mistake| mistake.message.clone()).collect()
    }

    #[test]
    fn what_follows_a_tear_is_not_believed_and_what_misses_neither() {
        let file = "a = 1\nb = = 2\nc = 3\n[d]\ne = 4\n";
        let syntax = Diagnostic {
            message: "syntax".into(),
            place: Place::file(10..11),
            label: String::new(),
            help: None,
        };
        let mistakes = Mistakes::beside(vec![syntax], file);
        for (at, name) in [(0, "a"), (14, "c"), (24, "e")] {
            assert_eq!(&file[at..=at], name);
            mistakes.note(&Place::file(at..at + 1), name, "", "");
        }
        mistakes.absent(&Place::file(0..1), "missing", "", "");
        assert_eq!(said(&mistakes), ["syntax", "a", "e"]);
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_text_and_once() {
        let mistakes = Mistakes::default();
        for (place, message) in
            [(Place::set(0, 0..1), "flag"), (Place::file(5..6), "b"), (Place::file(1..2), "a")]
        {
            mistakes.note(&place, message, "", "");
            mistakes.absent(&place, message, "", "");
        }
        let said: Vec<_> = mistakes.in_order().0.into_iter().map(|mistake| mistake.message).collect();
        assert_eq!(said, ["a", "b", "flag"]);
    }
}
