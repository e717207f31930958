//! A chart on the page: caption, plot, and the legend for narrow screens.

use crate::chart::Figure;
use crate::markup::{Markup, markup};

/// A chart with what stands around it.
pub(super) fn figure(figure: &Figure) -> Markup {
    let mut out = Markup::new();
    markup!(out, "<figure class=\"panel\"><figcaption><b>" (figure.title) "</b><span>" (figure.caption) "</span><output></output></figcaption>");
    let below = if figure.ticks_below { " style=\"margin-bottom:28px\"" } else { "" };
    out.tag("<div class=\"plot\"");
    out.tag(below);
    markup!(out, " data-columns=\"" (figure.columns) "\">" [figure.svg.markup] "</div>" [key(&figure.key)] "</figure>");
    out
}

/// The legend: colour, whether dashed, text.
pub(super) fn key(entries: &[(&'static str, bool, String)]) -> Markup {
    let mut out = Markup::new();
    if entries.is_empty() {
        return out;
    }
    out.tag("<div class=\"key\">");
    for (color, dashed, text) in entries {
        let class = if *dashed { "g" } else { "" };
        markup!(out, "<span style=\"" (color) "\"><i class=\"" (class) "\"></i>" (text) "</span>");
    }
    out.tag("</div>");
    out
}
