//! One mistake in a scenario: what, where, and what would be right; and how a screen shows it.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Input;
use crate::words;

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

impl Place {
    pub(super) fn file(span: Range<usize>) -> Self {
        Self { text: Text::File, span }
    }

    pub(super) fn set(number: usize, span: Range<usize>) -> Self {
        Self { text: Text::Set(number), span }
    }

    /// The line in the file, from 1; 0 for any other text.
    pub(super) fn line(&self, file: &str) -> usize {
        match self.text {
            Text::File => 1 + file[..self.span.start.min(file.len())].matches('\n').count(),
            _ => 0,
        }
    }
}

/// All mistakes as a screen shows them.
pub fn render(mistakes: &[Diagnostic], input: &Input, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for mistake in mistakes {
        let (path, text) = match mistake.place.text {
            Text::Defaults => ("the defaults".to_owned(), super::DEFAULTS.to_owned()),
            Text::File => (words::plain(&input.path), input.text.clone()),
            Text::Set(number) => ("--set".to_owned(), input.sets.get(number).cloned().unwrap_or_default()),
        };
        let text = harmless(&text);
        let span = on_characters(&text, &mistake.place.span);
        let (message, label) = (words::plain(&mistake.message), words::plain(&mistake.label));
        let help = mistake.help.as_deref().map(words::plain);
        let mut annotation = AnnotationKind::Primary.span(span);
        if !label.is_empty() {
            annotation = annotation.label(label.as_str());
        }
        let snippet = Snippet::source(text.as_str()).path(path.as_str()).annotation(annotation);
        let mut group = Level::ERROR.primary_title(message.as_str()).element(snippet);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// The text with characters that could command a terminal replaced by others of the same length, so that spans still fit.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => c,
            c if c.is_control() && c.len_utf8() == 1 => '?',
            c if c.is_control() => '¿',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The span, within the text and not splitting a character; what is empty shows the place before it.
fn on_characters(text: &str, span: &Range<usize>) -> Range<usize> {
    let down = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let (start, end) = (down(span.start), down(span.end));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_command_a_terminal_is_replaced_and_nothing_moves() {
        let text = "a\u{1b}[31m\u{202e}b\u{85}c";
        let safe = harmless(text);
        assert_eq!(safe.len(), text.len());
        assert_eq!(safe, "a?[31m\u{fffd}b¿c");
        assert_eq!(on_characters("äöü", &(1..3)), 0..2);
        assert_eq!(on_characters("ä", &(7..9)), 2..2);
    }
}
