//! Mistakes as a screen shows them: rustc's look, with nothing in it that a terminal would obey.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::renderer::{AnsiColor, DecorStyle, Style};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::Input;
use super::diagnostic::{Diagnostic, Place, Text, line_at};
use crate::words;

/// No screen is wider than this; longer lines are cut around what is wrong in them.
const WIDTH: usize = 92;
/// So many mistakes are shown; whoever has more wants to see the first ones.
const SHOWN_MAX: usize = 50;

/// Mistakes as a screen shows them, each followed by an empty line; beyond the fiftieth only how many more there are.
pub fn render(mistakes: &[Diagnostic], input: &Input, color: bool) -> String {
    all(mistakes, &Level::ERROR, "error", input, color)
}

/// The same for what is no mistake.
pub fn render_warnings(warnings: &[Diagnostic], input: &Input, color: bool) -> String {
    all(warnings, &Level::WARNING, "warning", input, color)
}

fn all(found: &[Diagnostic], level: &Level<'_>, noun: &str, input: &Input, color: bool) -> String {
    let renderer = renderer(color);
    let mut out = String::new();
    for one in found.iter().take(SHOWN_MAX) {
        out.push_str(&self::one(one, level, input, &renderer));
        out.push_str("\n\n");
    }
    let more = found.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        let more = words::counted(more as u64, &format!("more {noun}"));
        let _ = writeln!(out, "{more} not shown\n");
    }
    out
}

fn renderer(color: bool) -> Renderer {
    if !color {
        return Renderer::plain().decor_style(DecorStyle::Ascii).term_width(WIDTH);
    }
    let [red, yellow, blue] = [AnsiColor::Red, AnsiColor::Yellow, AnsiColor::Blue].map(AnsiColor::on_default);
    Renderer::styled()
        .decor_style(DecorStyle::Ascii)
        .term_width(WIDTH)
        .hyperlink(false)
        .error(red.bold())
        .warning(yellow.bold())
        .line_num(blue)
        .context(blue)
        .emphasis(Style::new().bold())
        .help(Style::new().bold())
}

fn one(mistake: &Diagnostic, level: &Level<'_>, input: &Input, renderer: &Renderer) -> String {
    let path = match mistake.place.text {
        Text::Defaults => "the defaults".to_owned(),
        Text::File if input.path == "-" => "standard input".to_owned(),
        Text::File => words::plain(&input.path),
        Text::Set(_) => "--set".to_owned(),
        Text::Vary(_) => "--vary".to_owned(),
    };
    let Line { number, text, span } = Line::of(&mistake.place, input);
    let (message, label) = (words::plain(&mistake.message), words::plain(&mistake.label));
    let help = mistake.help.as_deref().map(|help| wrapped(&words::plain(help)));
    let mut annotation = AnnotationKind::Primary.span(span);
    if !label.is_empty() {
        annotation = annotation.label(label.as_str());
    }
    let snippet =
        Snippet::source(text.as_str()).line_start(number).path(path.as_str()).annotation(annotation);
    let mut group = level.clone().primary_title(message.as_str()).element(snippet);
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    close_gap(&renderer.render(&[group]))
}

/// The line a mistake begins in, fit for a screen.
struct Line {
    number: usize,
    text: String,
    /// What is wrong in it: bytes of `text`, between characters.
    span: Range<usize>,
}

impl Line {
    fn of(place: &Place, input: &Input) -> Self {
        let whole = place.text.of(input);
        let start = floor(whole, place.span.start);
        let begin = whole[..start].rfind('\n').map_or(0, |end| end + 1);
        let line = whole[begin..].split(['\n', '\r']).next().unwrap_or_default();
        let from = (start - begin).min(line.len());
        let to = (floor(whole, place.span.end).max(start) - begin).min(line.len());
        Self { number: line_at(whole, start), text: harmless(line), span: from..to }
    }
}

/// The next place between two characters at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The line with characters that could command a terminal replaced by others of the same length, so that spans still fit.
fn harmless(line: &str) -> String {
    line.chars()
        .map(|c| match c {
            '\t' => c,
            c if c.is_control() && c.len_utf8() == 1 => '?',
            c if c.is_control() => '¿',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The text in lines that fit beside `= help: ` on a screen.
fn wrapped(text: &str) -> String {
    const BESIDE: usize = 16;
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let width = word.chars().count();
        if column > 0 {
            let is_full = column + 1 + width > WIDTH - BESIDE;
            out.push(if is_full { '\n' } else { ' ' });
            column = if is_full { 0 } else { column + 1 };
        }
        out.push_str(word);
        column += width;
    }
    out
}

/// Leaves out the empty line between a mistake and its help: one screen shows more of them.
fn close_gap(shown: &str) -> String {
    let lines: Vec<_> = shown.lines().collect();
    let bare = |line: &str| anstream::adapter::strip_str(line).to_string().trim().to_owned();
    let is_gap = |at: usize| {
        bare(lines[at]) == "|" && lines.get(at + 1).is_some_and(|next| bare(next).starts_with("= help"))
    };
    let kept: Vec<_> = (0..lines.len()).filter(|&at| !is_gap(at)).map(|at| lines[at]).collect();
    kept.join("\n")
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
    }

    #[test]
    fn spans_fall_between_characters_and_within_one_line() {
        let input = Input { text: "äöü\r\nb = [\n1]\n".into(), ..Input::default() };
        for (span, number, within) in [(1..3, 1, 0..2), (9..15, 2, 1..5), (99..100, 4, 0..0)] {
            let line = Line::of(&Place::file(span), &input);
            assert_eq!((line.number, line.span), (number, within));
        }
    }

    #[test]
    fn colour_says_nothing_that_words_do_not_and_many_mistakes_are_cut() {
        let input =
            Input { path: "a\u{1b}b.toml".into(), text: "rate = \u{1b}[2J\n".into(), ..Input::default() };
        let mistake = Diagnostic {
            message: "bad \u{1b}[2J".into(),
            place: Place::file(7..8),
            label: "here\r".into(),
            help: Some("good\u{9b}".into()),
        };
        let many = vec![mistake; SHOWN_MAX + 2];
        let (plain, styled) = (render(&many, &input, false), render(&many, &input, true));
        assert_eq!(anstream::adapter::strip_str(&styled).to_string(), plain);
        assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{plain}");
        assert!(plain.ends_with("2 more errors not shown\n\n"), "{plain}");
    }
}
