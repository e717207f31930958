//! Charts of a [`Summary`](crate::summary::Summary) as SVG: data through plotters and a backend of our own, furniture by hand,
//! colours by the page's style sheet. Knows nothing of the page around them.

mod alone;
mod bins;
mod ledger;
mod lens;
mod palette;
mod panel;
mod pen;
mod scale;
mod spectrum;
mod timeline;

pub(crate) use alone::alone;
pub(crate) use ledger::ledger;
pub(crate) use lens::{CHARTS as LENS_CHARTS, lens};
pub(crate) use panel::Figure;
pub(crate) use spectrum::spectrum;
pub(crate) use timeline::timeline;

use self::palette::{Look, Palette};
use crate::markup::Markup;
use crate::summary::Summary;
use crate::words;

/// Colours, in light, dark and print, and the marks of every chart.
pub(crate) const STYLE: &str = include_str!("chart.css");

/// Stripes, the second cue beside green. Horizontal, because those survive stretching.
const PATTERNS: &str = "<pattern id=\"hg\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect width=\"4\" height=\"4\" class=\"fgreen\" opacity=\".34\"/><rect width=\"4\" height=\"1\" class=\"fgreen\" opacity=\".3\"/></pattern>\
<pattern id=\"hg2\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><rect width=\"4\" height=\"4\" class=\"fgreen\" opacity=\".14\"/><rect width=\"4\" height=\"1\" class=\"fgreen\" opacity=\".26\"/></pattern>\
<pattern id=\"hs\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><rect width=\"5\" height=\"5\" class=\"fgreen\"/><rect y=\"2\" width=\"5\" height=\"1\" class=\"fcard\" opacity=\".55\"/></pattern>\
<pattern id=\"hs2\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><rect width=\"5\" height=\"5\" class=\"fgreen2\"/><rect y=\"2\" width=\"5\" height=\"1\" class=\"fcard\" opacity=\".55\"/></pattern>";

/// The patterns that the marks use, once for each page.
pub(crate) fn patterns() -> Markup {
    let mut out = Markup::new();
    out.tag(PATTERNS);
    out
}

/// Switches that are put under a lens; tables have the others.
pub(crate) const LENSES: usize = 4;

/// Targets of one version that are drawn apart; the others are drawn as one.
const APART_MAX: usize = 5;

/// One target, or those beyond the fifth together.
#[derive(Clone, Debug)]
struct Lane {
    name: String,
    upstream: String,
    version: String,
    /// Indices into the summary's targets.
    targets: Vec<usize>,
    look: Look,
}

/// The lanes of a run, Upstream by Upstream in the order they first serve.
fn lanes(summary: &Summary, palette: &Palette) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (index, target) in summary.targets.iter().enumerate() {
        let is_its = |lane: &Lane| lane.upstream == target.upstream && lane.version == target.version;
        let place = lanes.iter().filter(|lane| is_its(lane)).count();
        if place > APART_MAX
            && let Some(others) = lanes.iter_mut().rfind(|lane| is_its(lane))
        {
            others.targets.push(index);
            continue;
        }
        lanes.push(Lane {
            name: short_name(&target.name),
            upstream: target.upstream.clone(),
            version: target.version.clone(),
            targets: vec![index],
            look: palette.look_of((&target.upstream, &target.version), place),
        });
    }
    for others in lanes.iter_mut().filter(|lane| lane.targets.len() > 1) {
        others.name = format!("{} others", others.targets.len());
    }
    lanes
}

/// A target's name without its port, short enough to stand in a chart.
fn short_name(name: &str) -> String {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    words::cut(host, 22)
}

/// The colour of each target, for tables: a custom property and whether the second cue is round and striped.
pub(crate) fn target_colors(summary: &Summary) -> Vec<(&'static str, bool)> {
    let mut colors = vec![("--c:var(--ink)", false); summary.targets.len()];
    for lane in lanes(summary, &Palette::new(summary)) {
        for target in lane.targets {
            colors[target] = (lane.look.color, lane.look.dashed);
        }
    }
    colors
}
