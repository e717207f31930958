//! The only way to write HTML, SVG or XML here. `Markup` takes literals of this source as they are and everything else
//! escaped, so a name from a scenario cannot become a tag however it is passed on.

use std::fmt::{Display, Write as _};

/// Finished markup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds markup that stands in this program's source.
    pub(crate) fn tag(&mut self, literal: &'static str) {
        self.0.push_str(literal);
    }

    /// Adds text or a number, escaped for element content and quoted attributes alike.
    pub(crate) fn text(&mut self, text: impl Display) {
        write!(Escaping(&mut self.0), "{text}").expect("a String takes whatever is written");
    }

    /// Adds markup that was made the same way.
    pub(crate) fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// What was written.
    #[cfg(test)]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The finished text.
    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Escapes what is written through it.
struct Escaping<'a>(&'a mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(c),
                // XML 1.0 has no way to write the other control characters, nor these two.
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Writes literals and values in turn: `markup!(page, "<b>" (name) "</b>")`. A value in parentheses is escaped, one in
/// brackets is [`Markup`] and stays as it is.
macro_rules! markup {
    ($out:expr,) => {};
    ($out:expr, $literal:literal $($rest:tt)*) => {
        $out.tag($literal);
        $crate::markup::markup!($out, $($rest)*);
    };
    ($out:expr, ($value:expr) $($rest:tt)*) => {
        $out.text(&$value);
        $crate::markup::markup!($out, $($rest)*);
    };
    ($out:expr, [$other:expr] $($rest:tt)*) => {
        $out.append(&$other);
        $crate::markup::markup!($out, $($rest)*);
    };
}
pub(crate) use markup;

#[cfg(test)]
mod tests {
    use super::*;

    // Aim: no text leaves its place, in content or attribute. Method: every character that could.
    #[test]
    fn text_cannot_become_markup() {
        let mut out = Markup::new();
        markup!(out, "<i t='" ("<script>\"'&]]>\u{1b}\u{0}") "'>");
        assert_eq!(out.as_str(), "<i t='&lt;script&gt;&quot;&#39;&amp;]]&gt;\u{fffd}\u{fffd}'>");
    }

    // Aim: markup is not escaped twice. Method: put one into another.
    #[test]
    fn markup_within_markup_stays() {
        let mut inner = Markup::new();
        markup!(inner, "<b>" (1 + 1) "</b>");
        let mut outer = Markup::new();
        markup!(outer, "<p>" [inner] "</p>");
        assert_eq!(outer.into_string(), "<p><b>2</b></p>");
    }
}
