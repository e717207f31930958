//! A table: heads, rows, numbers to the right. Scrolls by itself where the page is narrow.

use crate::markup::{Markup, markup};

/// A table that is being filled.
#[derive(Debug, Default)]
pub(super) struct Table {
    head: Markup,
    body: Markup,
    /// For each column, whether it holds numbers.
    numeric: Vec<bool>,
    label: &'static str,
}

/// One cell.
pub(super) enum Cell {
    Text(String),
    /// Text in a fixed-width face.
    Code(String),
    Markup(Markup),
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Table {
    /// A table called `label` with these heads; a head that starts with `#` is of numbers.
    pub(super) fn new(label: &'static str, heads: &[&str]) -> Self {
        let mut table = Self { label, ..Self::default() };
        for head in heads {
            let numeric = head.starts_with('#');
            table.head.tag(if numeric { "<th scope=\"col\" class=\"n\">" } else { "<th scope=\"col\">" });
            markup!(table.head, (head.trim_start_matches('#')) "</th>");
            table.numeric.push(numeric);
        }
        table
    }

    /// Adds a row; its first cell is its head.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.body.tag("<tr>");
        for (at, cell) in cells.into_iter().enumerate() {
            let numeric = self.numeric.get(at).copied().unwrap_or(false);
            self.body.tag(match (at == 0, numeric) {
                (true, true) => "<th scope=\"row\" class=\"n\">",
                (true, false) => "<th scope=\"row\">",
                (false, true) => "<td class=\"n\">",
                (false, false) => "<td>",
            });
            match cell {
                Cell::Text(text) => self.body.text(text),
                Cell::Code(text) => {
                    markup!(self.body, "<code>" (text) "</code>");
                }
                Cell::Markup(markup) => self.body.append(&markup),
            }
            self.body.tag(if at == 0 { "</th>" } else { "</td>" });
        }
        self.body.tag("</tr>");
    }

    /// The finished table.
    pub(super) fn finish(self) -> Markup {
        let mut out = Markup::new();
        markup!(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" (self.label) "\"><table><thead><tr>" [self.head]);
        markup!(out, "</tr></thead><tbody>" [self.body] "</tbody></table></div>");
        out
    }
}
