//! Charts as files: the same drawings in a fixed width, with theme, title and axis of their own, for READMEs and wikis.

use super::panel::Figure;
use super::{LENSES, PATTERNS, STYLE, ledger, lens, spectrum, timeline};
use crate::markup::{Markup, markup};
use crate::summary::Summary;

/// The width of a file, and what of it the plot leaves at each side for labels, in pixels.
const WIDTH: u32 = 960;
const LEFT: u32 = 52;
const RIGHT: u32 = 160;
/// Where the plot begins: title and caption stand above it.
const TOP: u32 = 58;
/// Below it, with tick labels and without.
const BELOW_WITH_TICKS: u32 = 32;
const BELOW: u32 = 12;

/// What the page's own style says elsewhere.
const FACE: &str = "svg{font-family:Inter,system-ui,-apple-system,\"Segoe UI\",Roboto,Arial,sans-serif;\
font-variant-numeric:tabular-nums lining-nums}.bg{fill:var(--bg)}.head{font-size:15px;font-weight:620;fill:var(--ink)}\
.under{font-size:12.5px;fill:var(--ink3)}";

/// Every chart of a run that has requests: its name and the file.
pub(crate) fn alone(summary: &Summary) -> Vec<(String, String)> {
    if summary.requests.intended == 0 {
        return Vec::new();
    }
    let mut figures = vec![ledger(summary, 1)];
    figures.extend(timeline::panels_alone(summary));
    figures.extend(spectrum(summary, 1));
    let mut files: Vec<_> =
        figures.iter().map(|figure| (figure.name.to_owned(), file(summary, figure))).collect();
    for at in 0..summary.switches.len().min(LENSES) {
        let of_switch =
            |figure: &Figure| (format!("switch-{}-{}", at + 1, figure.name), file(summary, figure));
        files.extend(lens(summary, at, 1).iter().map(of_switch));
    }
    files
}

fn file(summary: &Summary, figure: &Figure) -> String {
    let height = TOP + figure.svg.height + if figure.ticks_below { BELOW_WITH_TICKS } else { BELOW };
    let plot = WIDTH - LEFT - RIGHT;
    let mut out = Markup::new();
    markup!(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" (WIDTH) "\" height=\"" (height) "\" viewBox=\"0 0 " (WIDTH) " " (height) "\"><style>");
    out.tag(STYLE);
    out.tag(FACE);
    out.tag("</style>");
    out.tag(PATTERNS);
    markup!(out, "<rect class=\"bg\" width=\"100%\" height=\"100%\"/>");
    markup!(out, "<text x=\"16\" y=\"24\" class=\"head\">" (summary.scenario.name) ": " (figure.title) "</text>");
    markup!(out, "<text x=\"16\" y=\"42\" class=\"under\">" (figure.caption) "</text>");
    markup!(out, "<svg class=\"plot\" x=\"" (LEFT) "\" y=\"" (TOP) "\" width=\"" (plot) "\" height=\"" (figure.svg.height) "\" overflow=\"visible\">");
    markup!(out, [figure.svg.markup] "</svg></svg>\n");
    out.into_string()
}
