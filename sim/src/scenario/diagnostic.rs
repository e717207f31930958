//! One mistake in a scenario: what, where, and what would be right. How a screen shows it is `render`'s.

use std::fmt;
use std::ops::Range;

use super::{DEFAULTS, Input};

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In which text.
    pub text: Text,
    /// Bytes of it.
    pub span: Range<usize>,
}

/// The texts a scenario is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The defaults that come with the program.
    Defaults,
    /// The file.
    File,
    /// A `--set` flag, by its number.
    Set(usize),
    /// A `--vary` flag, by its number.
    Vary(usize),
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What stands there; may be empty.
    pub label: String,
    /// What would be right.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    /// In one line, for where there is no text to point into.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, label, help, .. } = self;
        write!(f, "{message}")?;
        if !label.is_empty() {
            write!(f, " ({label})")?;
        }
        help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

impl Place {
    pub(super) fn file(span: Range<usize>) -> Self {
        Self { text: Text::File, span }
    }

    pub(super) fn defaults(span: Range<usize>) -> Self {
        Self { text: Text::Defaults, span }
    }

    pub(super) fn set(number: usize, span: Range<usize>) -> Self {
        Self { text: Text::Set(number), span }
    }

    pub(super) fn vary(number: usize, span: Range<usize>) -> Self {
        Self { text: Text::Vary(number), span }
    }

    /// The line in the file, from 1; 0 for any other text.
    pub(super) fn line(&self, file: &str) -> usize {
        match self.text {
            Text::File => line_at(file, self.span.start),
            _ => 0,
        }
    }
}

impl Text {
    /// The text itself.
    pub(super) fn of(self, input: &Input) -> &str {
        match self {
            Self::Defaults => DEFAULTS,
            Self::File => &input.text,
            Self::Set(number) => input.sets.get(number).map_or("", String::as_str),
            Self::Vary(number) => input.vary.get(number).map_or("", String::as_str),
        }
    }
}

/// The line, from 1, in which byte `at` of `text` stands.
pub(super) fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].split(|&byte| byte == b'\n').count()
}
