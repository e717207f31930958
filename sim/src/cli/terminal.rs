//! Standard output and error as this program uses them: colours only where they are wanted, plain ASCII where the locale
//! is not UTF-8, a closed pipe that ends quietly. Leaves what is said to others.

#![expect(clippy::disallowed_methods, reason = "the locale and CI are settings of the terminal")]

use std::io::{self, IsTerminal, Write};

use anstyle::AnsiColor;

use crate::words;

/// Columns assumed where the system does not tell.
const WIDTH: usize = 92;
/// Narrower than this nothing can be shown.
const WIDTH_MIN: usize = 40;

/// Sets when colours are used, for both streams.
pub(super) fn choose_color(choice: anstream::ColorChoice) {
    choice.write_global();
}

/// Prints to stdout. A reader that has gone away is no error; a disk that is full is.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(in_locale(text).as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Prints to stderr; there is nowhere to tell that it failed.
pub(super) fn tell(text: &str) {
    let mut err = anstream::stderr().lock();
    let _ = err.write_all(in_locale(text).as_bytes()).and_then(|()| err.flush());
}

/// `error: ...` on stderr.
pub(super) fn error(message: &str) {
    labelled("error", AnsiColor::Red, message);
}

/// `warning: ...` on stderr.
pub(super) fn warning(message: &str) {
    labelled("warning", AnsiColor::Yellow, message);
}

fn labelled(label: &str, color: AnsiColor, message: &str) {
    let style = color.on_default().bold();
    let lines: Vec<_> = message.lines().map(words::plain).collect();
    tell(&format!("{style}{label}{style:#}: {}\n", lines.join("\n")));
}

/// Whether stderr is a terminal on which lines may be redrawn.
pub(super) fn can_redraw() -> bool {
    io::stderr().is_terminal()
        && !is_set("CI")
        && !is_set("NO_COLOR")
        && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Whether rendered diagnostics should be coloured.
pub(super) fn wants_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Columns of the terminal behind stdout, or behind stderr.
pub(super) fn width() -> usize {
    let columns = |size: rustix::io::Result<rustix::termios::Winsize>| {
        size.ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
    };
    columns(rustix::termios::tcgetwinsize(io::stdout()))
        .or_else(|| columns(rustix::termios::tcgetwinsize(io::stderr())))
        .map_or(WIDTH, |columns| columns.max(WIDTH_MIN))
}

/// The text as the locale can show it.
fn in_locale(text: &str) -> String {
    if is_utf8() { text.to_owned() } else { ascii(text) }
}

fn is_utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        // A locale that is not set at all is what containers and CI have; their logs are UTF-8.
        .is_none_or(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.is_empty())
}

/// The signs this program uses, in ASCII; other letters as `?`.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '✓' => plain.push_str("ok"),
            '✗' => plain.push_str("FAIL"),
            '→' => plain.push_str("->"),
            '–' | '−' | '─' => plain.push('-'),
            '█' => plain.push('#'),
            '▒' => plain.push('='),
            'µ' => plain.push('u'),
            '…' => plain.push_str("..."),
            c if c.is_ascii() => plain.push(c),
            _ => plain.push('?'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_has_an_ascii_form() {
        assert_eq!(ascii("✓ ✗ → – −0.4 93 µs █▒─ a… ü"), "ok FAIL -> - -0.4 93 us #=- a... ?");
    }
}
