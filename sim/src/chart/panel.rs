//! One chart as SVG in two layers: the data, which stretches with the page, and the furniture (text, rules, moments), which
//! keeps its size because its places are per cent of the width. Complete without a script, readable by a screen reader.

use super::pen::WIDTH;
use super::scale;
use crate::markup::{Markup, markup};

/// Between two labels at the right, in pixels.
const LABEL_GAP: f64 = 15.0;

/// A chart that is being drawn.
#[derive(Debug)]
pub(super) struct Panel {
    height: u32,
    /// Behind the data.
    back: Markup,
    data: Markup,
    /// In front of it.
    front: Markup,
    /// Labels at the right.
    labels: Vec<Label>,
}

/// A label at the right end, perhaps with a second line.
#[derive(Debug)]
struct Label {
    y: f64,
    class: &'static str,
    text: String,
    below: Option<String>,
}

/// A finished chart.
#[derive(Debug)]
pub(crate) struct Drawing {
    /// As an element of a page.
    pub(crate) markup: Markup,
    /// In pixels, without what hangs below it.
    pub(super) height: u32,
}

/// A finished chart with what stands around it.
#[derive(Debug)]
pub(crate) struct Figure {
    /// What a file of it is called.
    pub(crate) name: &'static str,
    /// What it is called.
    pub(crate) title: &'static str,
    /// Quantity and unit.
    pub(crate) caption: String,
    /// The chart.
    pub(crate) svg: Drawing,
    /// The legend for narrow screens: colour, whether dashed, text.
    pub(crate) key: Vec<(&'static str, bool, String)>,
    /// Columns of the data table that a hover shows.
    pub(crate) columns: &'static str,
    /// Whether tick labels hang below it.
    pub(crate) ticks_below: bool,
}

impl Panel {
    /// An empty chart of `height` pixels.
    pub(super) fn new(height: u32) -> Self {
        Self { height, back: Markup::new(), data: Markup::new(), front: Markup::new(), labels: Vec::new() }
    }

    /// How high it is.
    pub(super) fn height(&self) -> f64 {
        f64::from(self.height)
    }

    /// Adds data that a pen has drawn.
    pub(super) fn draw(&mut self, data: &Markup) {
        self.data.append(data);
    }

    /// A horizontal rule behind the data with its label at the left; the base line is darker.
    pub(super) fn rule(&mut self, y: f64, label: &str, base: bool) {
        let class = if base { "base" } else { "grid" };
        markup!(self.back, "<line class=\"" (class) "\" x1=\"0\" x2=\"100%\" y1=\"" (px(y)) "\" y2=\"" (px(y)) "\"/>");
        self.tick(y, label);
    }

    /// A label at the left.
    pub(super) fn tick(&mut self, y: f64, label: &str) {
        if !label.is_empty() {
            markup!(self.front, "<text x=\"0%\" y=\"" (px(y + 4.0)) "\" dx=\"-8\" class=\"end\">" (label) "</text>");
        }
    }

    /// A vertical rule behind the data.
    pub(super) fn upright(&mut self, x: f64) {
        markup!(self.back, "<line class=\"grid\" x1=\"" (pc(x)) "%\" x2=\"" (pc(x)) "%\" y1=\"0\" y2=\"" (self.height) "\"/>");
    }

    /// A moment: a full-height line in front, from `top` down.
    pub(super) fn moment(&mut self, x: f64, top: f64) {
        markup!(self.front, "<line class=\"mark\" x1=\"" (pc(x)) "%\" x2=\"" (pc(x)) "%\" y1=\"" (px(top)) "\" y2=\"" (self.height) "\"/>");
    }

    /// A stretch of the width behind the data, from `top` down.
    pub(super) fn band(&mut self, from: f64, to: f64, top: f64) {
        let height = self.height() - top;
        markup!(self.back, "<rect class=\"fband\" x=\"" (pc(from)) "%\" width=\"" (pc((to - from).max(0.0))) "%\" y=\"" (px(top)) "\" height=\"" (px(height)) "\"/>");
    }

    /// A limit: a dashed line in front, labelled on the line.
    pub(super) fn limit(&mut self, y: f64, label: &str) {
        markup!(self.front, "<line class=\"thr\" x1=\"0\" x2=\"100%\" y1=\"" (px(y)) "\" y2=\"" (px(y)) "\"/>");
        markup!(self.front, "<text x=\"0.83%\" y=\"" (px(y - 5.0)) "\" class=\"ffail halo\">" (label) "</text>");
    }

    /// Text in front at `x` (a share of the width) and `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, class: &'static str, text: &str) {
        markup!(self.front, "<text x=\"" (pc(x)) "%\" y=\"" (px(y)) "\" class=\"" (class) "\">" (text) "</text>");
    }

    /// A label at the right end, pushed apart from the others.
    pub(super) fn label(&mut self, y: f64, class: &'static str, text: impl Into<String>) {
        self.labels.push(Label { y: y + 4.0, class, text: text.into(), below: None });
    }

    /// The same with a second line below it.
    pub(super) fn label_pair(&mut self, y: f64, class: &'static str, text: String, below: String) {
        self.labels.push(Label { y: y - 3.0, class, text, below: Some(below) });
    }

    /// The chart. `id` is its number on the page, `title` what it shows, `finding` what there is to see.
    pub(super) fn finish(mut self, id: usize, title: &str, finding: &str) -> Drawing {
        let lines = if self.labels.iter().any(|label| label.below.is_some()) { 2.0 } else { 1.0 };
        let mut places: Vec<f64> = self.labels.iter().map(|label| label.y).collect();
        scale::spread(&mut places, lines * LABEL_GAP, self.height() + 4.0);
        for (label, y) in self.labels.iter().zip(places) {
            markup!(self.front, "<text x=\"100%\" y=\"" (px(y)) "\" dx=\"10\" class=\"dl " (label.class) "\">" (label.text) "</text>");
            if let Some(below) = &label.below {
                markup!(self.front, "<text x=\"100%\" y=\"" (px(y + 14.0)) "\" dx=\"10\" class=\"dl fink2\">" (below) "</text>");
            }
        }
        let mut svg = Markup::new();
        let height = self.height;
        markup!(svg, "<svg width=\"100%\" height=\"" (height) "\" role=\"img\" aria-labelledby=\"t" (id) " d" (id) "\">");
        markup!(svg, "<title id=\"t" (id) "\">" (title) "</title><desc id=\"d" (id) "\">" (finding) "</desc>");
        svg.append(&self.back);
        markup!(svg, "<svg class=\"d\" viewBox=\"0 0 " (WIDTH) " " (height) "\" preserveAspectRatio=\"none\" width=\"100%\" height=\"" (height) "\" overflow=\"visible\">");
        svg.append(&self.data);
        markup!(svg, "</svg>" [self.front] "</svg>");
        Drawing { markup: svg, height }
    }
}

/// Pixels with at most one decimal.
fn px(y: f64) -> String {
    crate::words::short_plain(y, 1)
}

/// A share of the width in per cent.
fn pc(x: f64) -> String {
    crate::words::short_plain(x * 100.0, 2)
}
