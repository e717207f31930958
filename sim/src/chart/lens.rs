//! One switch under a lens: the requests around it as strands from pick to answer, and one dot for each request farther out.
//! Times count from the request for the switch. Every request that the report has is shown; what is not there is not guessed.
//! Where there are too many for a dot each, `bins` counts all of them.

use std::fmt::Write as _;

use super::palette::{Look, Mark, Palette};
use super::panel::{Figure, Panel};
use super::pen::{WIDTH, points};
use super::scale::{log_ticks, signed_ticks, thinned};
use crate::markup::{Markup, markup};
use crate::summary::{Lens, Strand, Summary, Switch};
use crate::words;

/// Height of a strand.
const PITCH: f64 = 6.0;
/// Height of a moment's label above the strands.
const LABEL: f64 = 15.0;
const DOTS_HEIGHT: u32 = 150;

/// What the charts of a switch share.
pub(super) struct View<'a> {
    switch: &'a Switch,
    pub(super) lens: &'a Lens,
    pub(super) old: Look,
    pub(super) new: Look,
}

/// Most charts of one switch.
pub(crate) const CHARTS: usize = 3;

/// Strands, dots and bins of switch `at`, numbered from `id` on; nothing when nobody was near it.
pub(crate) fn lens(summary: &Summary, at: usize, id: usize) -> Vec<Figure> {
    let palette = Palette::new(summary);
    let Some(switch) = summary.switches.get(at) else { return Vec::new() };
    let Some(lens) = switch.lens.as_ref().filter(|lens| !lens.t_ms.is_empty()) else { return Vec::new() };
    let (old, new) = (palette.look(&switch.from, 0), palette.look(&switch.to, 0));
    let view = View { switch, lens, old, new };
    let bins = lens.bins.as_ref().map(|bins| super::bins::bins(&view, bins, id + 2));
    [strands(&view, id), Some(dots(&view, id + 1)), bins].into_iter().flatten().collect()
}

impl View<'_> {
    pub(super) fn key(&self) -> Vec<(&'static str, bool, String)> {
        let entry = |look: &Look, name: &str| (look.color, look.dashed, words::cut(name, 22));
        vec![entry(&self.old, &self.switch.from), entry(&self.new, &self.switch.to)]
    }

    /// The moment of the request, and who serves before and after it.
    pub(super) fn sides(&self, panel: &mut Panel, at: f64) {
        panel.moment(at, 0.0);
        panel.text(0.01, 12.0, "lab halo", &words::cut(&self.switch.from, 24));
        panel.text(0.99, 12.0, "lab end halo", &words::cut(&self.switch.to, 24));
    }

    /// The moments that came, in the order they came, from the request on.
    fn moments(&self) -> Vec<(&'static str, f64)> {
        let switch = self.switch;
        let mut moments: Vec<_> = [
            ("requested", Some(switch.requested_ms)),
            ("last old pick", switch.last_old_pick_ms),
            ("in force", switch.applied_ms),
            ("first new pick", switch.first_new_pick_ms),
            ("acknowledged", switch.acked_ms),
            ("first new answer", switch.first_new_answer_ms),
            ("last old answer", switch.last_old_answer_ms),
        ]
        .into_iter()
        .filter_map(|(name, at)| Some((name, at? - switch.requested_ms)))
        .collect();
        moments.sort_by(|a, b| a.1.total_cmp(&b.1));
        moments
    }
}

// === Strands ===

fn strands(view: &View<'_>, id: usize) -> Option<Figure> {
    let strands = &view.lens.strands;
    let low = strands.iter().map(|strand| strand.from_ms).reduce(f64::min)?;
    let high = reach(view, strands);
    let moments: Vec<_> = view.moments().into_iter().filter(|(_, at)| (low..=high).contains(at)).collect();
    let head = moments.len() as f64 * LABEL + 6.0;
    let mut panel = Panel::new((head + strands.len() as f64 * PITCH + 8.0) as u32);
    let x = |ms: f64| ((ms - low) / (high - low).max(1e-9)).clamp(0.0, 1.0);
    axis(&mut panel, low, high, x);
    let mixed = mixed(view);
    if let Some((from, to, _)) = mixed {
        panel.band(x(from), x(to), head);
    }
    let place = |row: usize| head + row as f64 * PITCH + 3.0;
    draw(&mut panel, view, place, high, x);
    for (row, (name, at)) in moments.iter().enumerate() {
        let y = row as f64 * LABEL + 10.0;
        panel.moment(x(*at), y + 4.0);
        let text = format!("{name} {}", if *name == "requested" { "0 ms".to_owned() } else { offset(*at) });
        if x(*at) > 0.7 {
            panel.text(x(*at) - 0.006, y, "lab end halo", &text);
        } else {
            panel.text(x(*at) + 0.006, y, "lab halo", &text);
        }
    }
    // After the moments, whose lines would else go through it.
    if let Some((from, to, ms)) = mixed {
        let text = format!("mixed window {}", words::time_in_ms(ms * 1e3));
        panel.text(f64::midpoint(x(from), x(to)), panel.height() - 6.0, "lab mid halo wide", &text);
    }
    for (is_new, name, look) in [(false, &view.switch.from, view.old), (true, &view.switch.to, view.new)] {
        let rows =
            || strands.iter().enumerate().filter(|(_, strand)| strand.new == is_new).map(|(row, _)| row);
        if let (Some(first), Some(last)) = (rows().min(), rows().max()) {
            let y = head + (first + last) as f64 / 2.0 * PITCH;
            panel.label(y, look.text, words::cut(name, 18));
        }
    }
    let old = strands.iter().filter(|strand| !strand.new && strand.to_ms > 0.0).count();
    let finding = format!(
        "{} of the old version were under way when the switch was requested; each strand goes from pick to answer.",
        words::counted(old as u64, "request")
    );
    Some(Figure {
        name: "requests",
        title: "Every request, one strand",
        caption: format!(
            "from the moment its target was picked to its answer; the {} nearest to the switch",
            words::counted(strands.len() as u64, "request")
        ),
        svg: panel.finish(id, "Requests around the switch, from pick to answer", &finding),
        key: view.key(),
        columns: "",
        ticks_below: true,
    })
}

/// Where the chart ends: at the last old answer, or where all but the slowest strands do.
fn reach(view: &View<'_>, strands: &[Strand]) -> f64 {
    let mut ends: Vec<_> = strands.iter().map(|strand| strand.to_ms).collect();
    ends.sort_by(f64::total_cmp);
    let most = ends[(ends.len() * 9 / 10).min(ends.len() - 1)];
    let last_pick = strands.iter().map(|strand| strand.from_ms).fold(f64::MIN, f64::max);
    let old = view.switch.last_old_answer_ms.map_or(0.0, |ms| ms - view.switch.requested_ms);
    most.max(last_pick).max(old.min(3.0 * most)).max(0.001) * 1.02
}

/// Strands of one version are one path, and so are their ends: old ones square, dropped ones red.
fn draw(panel: &mut Panel, view: &View<'_>, y: impl Fn(usize) -> f64, high: f64, x: impl Fn(f64) -> f64) {
    let rows = || view.lens.strands.iter().enumerate();
    for (is_new, look) in [(false, view.old), (true, view.new)] {
        let mut d = String::new();
        for (row, strand) in rows().filter(|(_, strand)| strand.new == is_new) {
            let [from, to] = [strand.from_ms, strand.to_ms].map(|ms| fine(x(ms) * f64::from(WIDTH)));
            let _ = write!(d, "M{from} {}H{to}", fine(y(row)));
        }
        let mut path = Markup::new();
        markup!(path, "<path class=\"" (look.line.class) " strand\" d=\"" (d) "\"/>");
        panel.draw(&path);
    }
    let ends = |wanted: &dyn Fn(&Strand) -> bool| -> Vec<(f64, f64)> {
        let shown = rows().filter(|(_, strand)| strand.to_ms <= high && wanted(strand));
        shown.map(|(row, strand)| (x(strand.to_ms), y(row))).collect()
    };
    let tip = |look: Look| if look.dashed { "tip" } else { "tip sq" };
    panel.draw(&points(view.old.point, tip(view.old), &ends(&|strand| strand.answered && !strand.new)));
    panel.draw(&points(view.new.point, tip(view.new), &ends(&|strand| strand.answered && strand.new)));
    panel.draw(&points(Mark::POINT_FAIL, "tip", &ends(&|strand| !strand.answered)));
}

fn fine(value: f64) -> String {
    words::short_plain(value, 1)
}

/// From when to when both versions answered, after the request for the switch, and for how long.
fn mixed(view: &View<'_>) -> Option<(f64, f64, f64)> {
    let switch = view.switch;
    let after = |ms: f64| ms - switch.requested_ms;
    let length = switch.mixed_ms.filter(|ms| *ms > 0.0)?;
    Some((after(switch.first_new_answer_ms?), after(switch.last_old_answer_ms?), length))
}

// === Dots ===

fn dots(view: &View<'_>, id: usize) -> Figure {
    let lens = view.lens;
    let reach = lens.t_ms.iter().map(|t| t.abs()).fold(1.0, f64::max);
    let known = || lens.response_ms.iter().flatten().copied().filter(|ms| *ms > 0.0);
    let (low, high) = (known().reduce(f64::min).unwrap_or(1.0), known().reduce(f64::max).unwrap_or(10.0));
    let mut panel = Panel::new(DOTS_HEIGHT);
    let y = response_axis(&mut panel, low, high);
    let x = |ms: f64| (ms + reach) / (2.0 * reach);
    axis(&mut panel, -reach, reach, x);
    let places = |wanted: &dyn Fn(usize) -> bool| -> Vec<(f64, f64)> {
        (0..lens.t_ms.len())
            .filter(|&at| wanted(at))
            .map(|at| (x(lens.t_ms[at]), lens.response_ms.get(at).copied().flatten().map_or(0.0, &y).round()))
            .collect()
    };
    let answered = |at: usize| lens.response_ms.get(at).is_some_and(Option::is_some);
    let is_new = |at: usize| lens.new.get(at) == Some(&1);
    panel.draw(&points(view.old.point, "dots", &places(&|at| answered(at) && !is_new(at))));
    panel.draw(&points(view.new.point, "dots", &places(&|at| answered(at) && is_new(at))));
    panel.draw(&points(Mark::POINT_FAIL, "tip", &places(&|at| !answered(at))));
    view.sides(&mut panel, x(0.0));
    if let Some(cost) = view.switch.latency_cost_us {
        let interval =
            format!("95 %: {} to {}", words::signed(cost.low / 1e3, 1), words::signed(cost.high / 1e3, 1));
        panel.label_pair(
            f64::from(DOTS_HEIGHT) / 2.0,
            "fink",
            format!("p50 cost {}", words::difference(cost.p50)),
            interval,
        );
    }
    let dropped = lens.response_ms.iter().filter(|ms| ms.is_none()).count() as u64;
    let finding = format!(
        "{} around the switch, {} of them dropped.",
        words::counted(lens.t_ms.len() as u64, "request"),
        words::count(dropped)
    );
    Figure {
        name: "dots",
        title: "Every request, one dot",
        caption: format!("response time in ms against intended time, {} each side", words::time(reach * 1e3)),
        svg: panel.finish(id, "Response times around the switch", &finding),
        key: view.key(),
        columns: "",
        ticks_below: true,
    }
}

// === Shared ===

/// Response times upwards on a log scale around `low` to `high` ms; how far down a response time lies.
pub(super) fn response_axis(panel: &mut Panel, low: f64, high: f64) -> impl Fn(f64) -> f64 + use<> {
    let ticks = log_ticks(low, high);
    let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
    let height = panel.height();
    let y = move |ms: f64| height * (high / ms.clamp(low, high)).log10() / (high / low).log10();
    for tick in thinned(&ticks, 7) {
        panel.rule(y(tick), &words::short(tick, 2), (tick - low).abs() < 1e-12);
    }
    y
}

pub(super) fn axis(panel: &mut Panel, low: f64, high: f64, x: impl Fn(f64) -> f64) {
    let (ticks, y) = (signed_ticks(low, high, 6), panel.height() + 18.0);
    let last = ticks.len().saturating_sub(1);
    for (at, tick) in ticks.iter().enumerate() {
        let unit = if at == last { " ms" } else { "" };
        panel.text(x(*tick), y, "mid", &format!("{}{unit}", words::signed_short(*tick, 2)));
    }
}

fn offset(ms: f64) -> String {
    format!("{} ms", words::signed(ms, if ms.abs() < 1.0 { 2 } else { 1 }))
}
