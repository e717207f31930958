//! `report.html`: one self-contained page that answers first and shows its evidence after. Complete without a script, light
//! and dark, narrow and printed. Drawn from the summary alone; markup goes through `Markup`, which escapes.

mod figure;
mod load;
mod mirror;
mod nodes;
mod rollout;
mod table;
mod tables;
mod verdict;

use self::figure::figure;
use crate::chart;
use crate::markup::{Markup, markup};
use crate::report::figures;
use crate::summary::{Summary, Validity};
use crate::words;

/// The look of a page around its charts.
pub(crate) const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page.
pub fn page(summary: &Summary) -> String {
    let mut out = Markup::new();
    out.tag("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.tag("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    markup!(out, (summary.scenario.name) ": " (verdict::word(summary)) "</title><style>");
    out.tag(chart::STYLE);
    out.tag(STYLE);
    out.tag("</style></head>\n<body><main>");
    header(&mut out, summary);
    markup!(out, "<svg class=\"defs\" aria-hidden=\"true\">" [chart::patterns()] "</svg>");
    out.append(&verdict::card(summary, 0));
    if summary.requests.intended > 0 {
        timeline(&mut out, summary);
        spectrum(&mut out, summary);
        rollout::section(&mut out, summary);
        mirror::section(&mut out, summary);
        switches(&mut out, summary);
        markup!(out, "\n<section id=\"tables\"><h2>Tables</h2>" [tables::all(summary)] "</section>");
    }
    again(&mut out, summary);
    out.tag(HOW);
    markup!(out, "\n<footer><span>" (summary.environment.version) "</span><span>scenario " (words::cut(&summary.scenario.sha256, 17)) "</span></footer></main>");
    out.tag("<script>");
    out.tag(SCRIPT);
    out.tag("</script></body></html>\n");
    out.into_string()
}

fn header(out: &mut Markup, summary: &Summary) {
    let scenario = &summary.scenario;
    let time = if scenario.engine == "model" { "virtual time" } else { "real sockets" };
    markup!(out, "<header><p class=\"eyebrow\">sim run · " (scenario.engine) " engine · " (time) "</p><div class=\"top\"><div><h1>" (scenario.name) "</h1>");
    if let Some(text) = &scenario.summary {
        markup!(out, "<p class=\"under\">" (text) "</p>");
    }
    out.tag("</div>\n<dl class=\"meta\">");
    for (name, value) in [
        ("run", summary.volatile.started_at.replace('T', " ").replace('Z', " UTC")),
        ("seed", scenario.seed.to_string()),
        ("load", scenario.load.clone()),
    ] {
        markup!(out, "<dt>" (name) "</dt><dd>" (value) "</dd>");
    }
    out.tag("</dl></div>\n<nav aria-label=\"Sections\">");
    if summary.requests.intended > 0 {
        out.tag("<a href=\"#timeline\">Timeline</a><a href=\"#spectrum\">Percentiles</a>");
        if summary.rollout.is_some() {
            out.tag("<a href=\"#rollout\">The rollout</a>");
        }
        if summary.mirror.is_some() {
            out.tag("<a href=\"#mirror\">The mirror</a>");
        }
        if !summary.switches.is_empty() {
            out.tag("<a href=\"#switch\">The switch</a>");
        }
        out.tag("<a href=\"#tables\">Tables</a>");
    }
    out.tag("<a href=\"#again\">Run it again</a><a href=\"#how\">How to read this</a></nav></header>\n");
}

fn timeline(out: &mut Markup, summary: &Summary) {
    let switches = match summary.switches.len() {
        0 if summary.rollout.is_some() => "A vertical line says where the rollout was decided.".to_owned(),
        0 => "Nothing was switched.".to_owned(),
        1 => "The vertical line is the switch, as applied by the gateway.".to_owned(),
        n => format!(
            "The vertical lines are the {} switches, as applied by the gateway.",
            words::count(n as u64)
        ),
    };
    markup!(out, "\n<section id=\"timeline\"><h2>Timeline</h2><p class=\"lede\">One time axis for all panels. " (switches) "</p><div class=\"timeline\">");
    for panel in chart::timeline(summary, 1) {
        out.append(&figure(&panel));
    }
    let bin = words::short(summary.series.bin_ms as f64 / 1000.0, 3);
    markup!(out, "</div><details><summary>Data behind these charts, bins of " (bin) " s</summary>" [tables::bins(summary)] "</details></section>");
}

/// The number of the spectrum among the charts; the timeline has the ones before it.
const SPECTRUM: usize = 20;
/// The number of the first lens.
const LENS: usize = SPECTRUM + 1;

fn spectrum(out: &mut Markup, summary: &Summary) {
    let Some(chart) = chart::spectrum(summary, SPECTRUM) else { return };
    markup!(out, "\n<section id=\"spectrum\"><h2>" (chart.title) "</h2><p class=\"lede\">Response time in ms (log scale) against percentile; each step to the right is ten times rarer. A curve ends at its slowest request.</p>");
    markup!(out, "<figure class=\"panel\"><div class=\"plot\" style=\"margin-bottom:28px\">" [chart.svg.markup] "</div>" [figure::key(&chart.key)] "</figure></section>");
}

fn switches(out: &mut Markup, summary: &Summary) {
    if summary.switches.is_empty() {
        return;
    }
    let head =
        if summary.switches.len() == 1 { "The switch under a lens" } else { "The switches under a lens" };
    markup!(out, "\n<section id=\"switch\"><h2>" (head) "</h2><p class=\"lede\">");
    for (number, switch) in summary.switches.iter().enumerate().take(3) {
        markup!(out, (words::ringed(number + 1)) " " (switch.from) " → " (switch.to) ": ");
        match (switch.first_new_pick_ms, switch.last_old_answer_ms) {
            (Some(pick), Some(answer)) => {
                let after = |ms: f64| words::time((ms - switch.requested_ms) * 1000.0);
                markup!(out, "the first new pick came " (after(pick)) " after the request for it, the last old answer " (after(answer)) " after it. ");
            }
            _ => out.tag("it was not carried through. "),
        }
        if let Some(n) = switch.connects.as_ref().map(|connects| connects.connect_us.n).filter(|&n| n > 0) {
            let (opened, most) = (words::counted(n, "connection"), figures::opening(switch, |of| of.max));
            markup!(out, "The gateway opened " (opened) " to " (switch.to) " within 1.5 s, none in more than " (most) ". ");
        }
    }
    out.tag("</p>");
    for at in 0..summary.switches.len().min(chart::LENSES) {
        lens(out, summary, at);
    }
    markup!(out, "<h3>Moment by moment</h3>" [tables::switches(summary)] [nodes::nodes(summary)] "</section>");
}

/// The charts of one switch, and the requests behind them.
fn lens(out: &mut Markup, summary: &Summary, at: usize) {
    let figures = chart::lens(summary, at, LENS + chart::LENS_CHARTS * at);
    if figures.is_empty() {
        return;
    }
    let switch = &summary.switches[at];
    let when = words::seconds(switch.requested_ms, 1);
    markup!(out, "<h3>" (words::ringed(at + 1)) " " (switch.from) " → " (switch.to) ", " (when) " s</h3>");
    for chart in &figures {
        out.append(&figure(chart));
    }
    if let Some(lens) = &switch.lens {
        markup!(out, "<details><summary>The requests nearest to it</summary>" [tables::strands(lens)] "</details>");
    }
}

fn again(out: &mut Markup, summary: &Summary) {
    let (scenario, environment) = (&summary.scenario, &summary.environment);
    out.tag("\n<section id=\"again\"><h2>Run it again</h2><p class=\"lede\">The same seed gives the same arrivals, the same kinds of requests and the same answer times.</p>");
    markup!(out, "<pre tabindex=\"0\" aria-label=\"Command\">" (environment.command) "</pre><div class=\"cols\"><div><h3>Scenario</h3>");
    markup!(out, "<pre tabindex=\"0\" aria-label=\"Scenario file\">" (scenario.text) "</pre></div><div><h3>Environment</h3><dl class=\"kv\">");
    let cores = words::counted(environment.cores as u64, "core");
    let workers = format!(
        "{}, balancers {}",
        words::counted(environment.workers as u64, "worker"),
        environment.balancing
    );
    let overrides = scenario.overrides.join("  ");
    let cpu = &summary.cpu_us_per_request;
    let cpu = [("gateway", cpu.gateway), ("generator", cpu.generator), ("targets", cpu.targets)]
        .into_iter()
        .filter_map(|(part, us)| Some(format!("{part} {} µs", words::decimal(us?, 0))))
        .collect::<Vec<_>>()
        .join(", ");
    for (name, value) in [
        ("tool", environment.version.clone()),
        ("file", scenario.file.clone()),
        ("changed by flags", overrides),
        ("system", format!("{}, {cores}, {}", environment.os, summary.volatile.host)),
        ("clock", environment.clock.clone().unwrap_or_default()),
        ("gateway", workers),
        ("client connections", words::count(environment.connections as u64)),
        ("CPU for each request", cpu),
        ("machine", machine(&summary.validity)),
        ("took", format!("{} s", words::decimal(summary.volatile.wall_s, 1))),
    ] {
        if !value.is_empty() {
            markup!(out, "<dt>" (name) "</dt><dd>" (value) "</dd>");
        }
    }
    out.tag("</dl></div></div></section>");
}

/// What the machine did besides, as far as it tells.
fn machine(validity: &Validity) -> String {
    let share = |what: &str, share: Option<f64>| Some(format!("{what} {}", words::percent(share?, 1)));
    let waits = [
        share("other processes", validity.foreign_cpu),
        share("hypervisor", validity.steal),
        share("CPU pressure", validity.cpu_pressure),
        share("generator waiting for a CPU", validity.run_queue_wait),
        validity
            .jitter_us
            .map(|jitter| format!("sleeps of 1 ms late by {} (p99.9)", words::time(jitter.p999))),
    ];
    waits.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

const HOW: &str = include_str!("how.html");

#[cfg(test)]
mod tests;
