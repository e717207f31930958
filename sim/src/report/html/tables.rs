//! The tables: targets, phases, weights, switches, drops, slowest requests, and the data behind the timeline.

use super::super::figures;
use super::load;
use super::table::{Cell, Table};
use crate::chart;
use crate::markup::{Markup, markup};
use crate::summary::{Latency, LatencyAll, Lens, Replications, Summary, Switch, WeightTarget};
use crate::words;

/// The data behind the timeline, one row for each bin.
pub(super) fn bins(summary: &Summary) -> Markup {
    let series = &summary.series;
    let heads = [
        "#t, s",
        "#answered/s",
        "#p50",
        "#p90",
        "#p99",
        "#max, ms",
        "#in flight",
        "#peak",
        "#lag p99, µs",
        "#dropped",
    ];
    let mut table = Table::new("Data behind the timeline", &heads);
    let at = |values: &[Option<f64>], bin: usize| values.get(bin).copied().flatten();
    for (bin, t_ms) in series.t_ms.iter().enumerate() {
        let sum = |rows: &[Vec<u64>]| rows.iter().filter_map(|row| row.get(bin)).sum::<u64>();
        let in_flight: f64 = series.in_flight.iter().filter_map(|row| row.get(bin)).sum();
        let dropped: u64 = series.dropped.values().filter_map(|row| row.get(bin)).sum();
        let rate = sum(&series.answered) as f64 * 1000.0 / series.bin_ms.max(1) as f64;
        let lag =
            at(&series.lag_p99_us, bin).map_or_else(|| words::NOTHING.to_owned(), |us| words::decimal(us, 0));
        table.row([
            words::seconds(*t_ms, 1).into(),
            words::decimal(rate, 0).into(),
            words::ms_or_nothing(at(&series.p50_us, bin)).into(),
            words::ms_or_nothing(at(&series.p90_us, bin)).into(),
            words::ms_or_nothing(at(&series.p99_us, bin)).into(),
            words::ms_or_nothing(at(&series.max_us, bin)).into(),
            words::decimal(in_flight, 1).into(),
            words::count(series.in_flight_max.get(bin).copied().unwrap_or(0)).into(),
            lag.into(),
            words::count(dropped).into(),
        ] as [Cell; 10]);
    }
    table.finish()
}

/// The requests nearest to a switch.
pub(super) fn strands(lens: &Lens) -> Markup {
    let heads = ["Request", "#picked, ms", "#ended, ms", "Version", "Answered"];
    let mut table = Table::new("The requests nearest to the switch", &heads);
    for strand in &lens.strands {
        table.row([
            Cell::Code(strand.id.clone()),
            words::signed(strand.from_ms, 1).into(),
            words::signed(strand.to_ms, 1).into(),
            if strand.new { "new" } else { "old" }.into(),
            if strand.answered { "yes" } else { "no" }.into(),
        ]);
    }
    table.finish()
}

/// Each moment of each switch: at, and after it was asked for.
pub(super) fn switches(summary: &Summary) -> Markup {
    let mut heads = vec!["Moment".to_owned()];
    for number in 1..=summary.switches.len() {
        heads.extend([format!("#{} at, s", words::ringed(number)), "#offset, ms".to_owned()]);
    }
    let heads: Vec<_> = heads.iter().map(String::as_str).collect();
    let mut table = Table::new("Moments of each switch", &heads);
    for (name, moment) in MOMENTS {
        let cells = summary.switches.iter().flat_map(|switch| {
            let at = moment(switch);
            let nothing = || words::NOTHING.to_owned();
            [
                at.map_or_else(nothing, |ms| words::seconds(ms, 4)).into(),
                at.map_or_else(nothing, |ms| words::signed(ms - switch.requested_ms, 1)).into(),
            ]
        });
        table.row(std::iter::once(Cell::from(name)).chain(cells));
    }
    for (name, value) in AMOUNTS {
        let cells = summary.switches.iter().flat_map(|switch| [Cell::from(""), value(switch).into()]);
        table.row(std::iter::once(Cell::from(name)).chain(cells));
    }
    table.finish()
}

type Moment = fn(&Switch) -> Option<f64>;

const MOMENTS: [(&str, Moment); 7] = [
    ("Requested", |switch| Some(switch.requested_ms)),
    ("In force", |switch| switch.applied_ms),
    ("Last old pick", |switch| switch.last_old_pick_ms),
    ("First new pick", |switch| switch.first_new_pick_ms),
    ("Acknowledged", |switch| switch.acked_ms),
    ("First new answer", |switch| switch.first_new_answer_ms),
    ("Last old answer", |switch| switch.last_old_answer_ms),
];

type Amount = fn(&Switch) -> String;

const AMOUNTS: [(&str, Amount); 10] = [
    ("Mixed window of answers, ms", |switch| ms(switch.mixed_ms)),
    ("Mixed window of picks, ms", |switch| ms(switch.mixed_picks_ms)),
    ("Drain, ms", |switch| ms(switch.drain_ms)),
    ("Old picks after the acknowledgement", |switch| words::count(switch.stale_picks)),
    ("Old requests in flight when it came into force", |switch| words::count(switch.in_flight_at_switch)),
    ("Connections opened to the new Upstream, within 1.5 s", |switch| {
        let n = switch.connects.as_ref().map(|connects| words::count(connects.connect_us.n));
        n.unwrap_or_else(|| words::NOTHING.to_owned())
    }),
    ("Opening one, median", |switch| figures::opening(switch, |of| of.p50)),
    ("Opening one, at most", |switch| figures::opening(switch, |of| of.max)),
    ("Dropped", |switch| words::count(switch.dropped)),
    ("Median after minus before, ms (95 %)", |switch| {
        switch.latency_cost_us.map_or_else(
            || words::NOTHING.to_owned(),
            |cost| {
                let [p50, low, high] =
                    [cost.p50, cost.low, cost.high].map(|us| words::signed(us / 1000.0, 1));
                format!("{p50} ({low} to {high}, n {})", words::count(cost.n))
            },
        )
    }),
];

fn ms(ms: Option<f64>) -> String {
    ms.map_or_else(|| words::NOTHING.to_owned(), |ms| words::decimal(ms, 1))
}

pub(super) fn times(latency: &Latency) -> [Cell; 4] {
    [latency.p50, latency.p90, latency.p99, latency.max].map(|us| words::ms_or_nothing(us).into())
}

/// All tables of the section.
pub(super) fn all(summary: &Summary) -> Markup {
    let mut out = Markup::new();
    if let Some(replications) = &summary.replications {
        markup!(
            out,
            "<h3>All runs together</h3><p class=\"note\">Everything else on this page is of the first run.</p>"
                [runs(replications)]
        );
    }
    markup!(out, "<h3>Targets</h3>" [targets(summary)] "<h3>Phases</h3>" [phases(summary)]);
    markup!(out, "<h3>Where the time went, phase by phase</h3>"[durations(summary)]);
    out.tag("<p class=\"note\">– : no request lies beyond that percentile. p99 of all: with drops as infinitely late; ∞ is a drop.</p>");
    markup!(out, [load::all(summary)]);
    if !summary.weights.is_empty() {
        markup!(out, "<h3>Weights, between two changes that bear on them</h3>"[weights(summary)]);
    }
    if summary.requests.dropped > 0 {
        markup!(out, "<h3>Dropped, by cause</h3>"[drops(summary)]);
    }
    if !summary.slowest.is_empty() {
        markup!(out, "<h3>The slowest requests, taken apart</h3>"[slowest(summary)]);
    }
    if !summary.events.is_empty() {
        markup!(out, "<h3>Events</h3>"[events(summary)]);
    }
    out
}

/// More targets than this have no row each.
const TARGETS_MAX: usize = 300;

fn targets(summary: &Summary) -> Markup {
    let heads = [
        "Target",
        "Upstream",
        "Version",
        "#Weight",
        "#Served",
        "#Answered",
        "#Errors",
        "#p50",
        "#p90",
        "#p99",
        "#max, ms",
    ];
    let mut table = Table::new("Targets", &heads);
    let colors = chart::target_colors(summary);
    for &index in &shown(summary) {
        let target = &summary.targets[index];
        let (color, striped) = colors[index];
        let mut name = Markup::new();
        let class = if striped { "dot g" } else { "dot" };
        markup!(name, "<span class=\"" (class) "\" style=\"" (color) "\"></span>" (target.name));
        let head: [Cell; 7] = [
            Cell::Markup(name),
            target.upstream.as_str().into(),
            target.version.as_str().into(),
            words::count(target.weight.into()).into(),
            words::count(target.requests).into(),
            words::count(target.answered).into(),
            words::count(target.errors).into(),
        ];
        table.row(head.into_iter().chain(times(&target.latency_us)));
    }
    let mut out = table.finish();
    if let Some(others) = summary.targets.len().checked_sub(TARGETS_MAX).filter(|&others| others > 0) {
        let others = words::count(others as u64);
        markup!(out, "<p class=\"note\">Those with the most errors and the longest p99; the other " (others) " are in report.json.</p>");
    }
    out
}

/// Targets that have a row, in file order: all, or those that stand out.
fn shown(summary: &Summary) -> Vec<usize> {
    let mut all: Vec<usize> = (0..summary.targets.len()).collect();
    if all.len() > TARGETS_MAX {
        let p99 = |at: usize| summary.targets[at].latency_us.p99.unwrap_or(0.0);
        all.sort_by(|&a, &b| {
            let errors = summary.targets[b].errors.cmp(&summary.targets[a].errors);
            errors.then(p99(b).total_cmp(&p99(a))).then(a.cmp(&b))
        });
        all.truncate(TARGETS_MAX);
        all.sort_unstable();
    }
    all
}

fn phases(summary: &Summary) -> Markup {
    let repeats = summary.phases.iter().any(|phase| figures::repeats(phase.attempts));
    let mut heads = vec![
        "Phase",
        "#From, s",
        "#To, s",
        "#Intended",
        "#Answered",
        "#Dropped",
        "#p50",
        "#p90",
        "#p99",
        "#p99.9",
        "#max, ms",
        "#p99 of all",
    ];
    if repeats {
        heads.insert(6, "#Attempts each");
    }
    let mut table = Table::new("Phases", &heads);
    for phase in &summary.phases {
        let latency = &phase.latency_us;
        let name = if phase.name == "warmup" { "warm-up" } else { &phase.name };
        let head: [Cell; 6] = [
            name.into(),
            words::seconds(phase.from_ms, 3).into(),
            words::seconds(phase.to_ms, 3).into(),
            words::count(phase.requests.intended).into(),
            words::count(phase.requests.answered).into(),
            words::count(phase.requests.dropped).into(),
        ];
        let attempts = repeats.then(|| figures::per_request(phase.attempts).into());
        let figures = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        let of_all = of_all(&phase.latency_all_us).into();
        let figures = figures.map(|us| words::ms_or_nothing(us).into());
        table.row(head.into_iter().chain(attempts).chain(figures).chain([of_all]));
    }
    table.finish()
}

/// The 99th percentile of all intended requests.
pub(super) fn of_all(latency: &LatencyAll) -> String {
    let is_drop = latency.p99.is_none() && latency.n > 99;
    if is_drop { "∞".to_owned() } else { words::ms_or_nothing(latency.p99) }
}

/// What several modelled runs say together.
fn runs(replications: &Replications) -> Markup {
    let heads = ["Figure", "#Mean of the runs", "#95 % sure from", "#to", "#Least", "#Median", "#Most"];
    let mut table = Table::new("All runs together", &heads);
    for figure in &replications.figures {
        let values = [figure.mean, figure.low, figure.high, figure.min, figure.median, figure.max];
        let head: Cell = figure.name.as_str().into();
        table.row(std::iter::once(head).chain(values.map(|value| figure.in_words(value).into())));
    }
    table.finish()
}

/// The four durations of each phase, and the time to the first byte: what was the generator's, what the gateway's.
fn durations(summary: &Summary) -> Markup {
    let heads = ["Duration", "Phase", "#Requests", "#p50", "#p90", "#p99", "#max, ms"];
    let mut table = Table::new("Durations", &heads);
    for phase in summary.phases.iter().filter(|phase| phase.requests.intended > 0) {
        for (name, latency) in [
            ("Generator lag", &phase.lag_us),
            ("Client wait", &phase.client_wait_us),
            ("Time to first byte", &phase.ttfb_us),
            ("Service time", &phase.service_time_us),
            ("Response time", &phase.latency_us),
        ] {
            let head: [Cell; 3] = [name.into(), phase.name.as_str().into(), words::count(latency.n).into()];
            table.row(head.into_iter().chain(times(latency)));
        }
    }
    table.finish()
}

fn weights(summary: &Summary) -> Markup {
    let heads = [
        "Upstream",
        "Phase",
        "#From, s",
        "Target",
        "#Weight",
        "#Picks",
        "#Share",
        "#Expected",
        "#Off at the end",
        "#Off at most",
    ];
    let mut table = Table::new("Weights", &heads);
    let all: usize = summary.weights.iter().map(|row| row.targets.len()).sum();
    // Of each stretch those that were farthest off, in their order.
    let each = if all > TARGETS_MAX { (TARGETS_MAX / summary.weights.len()).max(1) } else { all };
    for row in &summary.weights {
        for target in farthest_off(&row.targets, each) {
            table.row([
                row.place().into(),
                row.phase.as_str().into(),
                words::seconds(row.from_ms, 3).into(),
                target.target.as_str().into(),
                words::count(target.weight.into()).into(),
                words::count(target.picks).into(),
                words::percent(target.share, 2).into(),
                words::percent(target.expected_share, 2).into(),
                words::signed(target.deviation_requests, 2).into(),
                words::decimal(row.max_prefix_deviation_requests, 2).into(),
            ] as [Cell; 10]);
        }
    }
    let mut out = table.finish();
    if all > TARGETS_MAX {
        markup!(out, "<p class=\"note\">Those farthest off at the end; all " (words::count(all as u64)) " are in report.json.</p>");
    }
    out
}

/// So many targets that were farthest off, in file order.
fn farthest_off(targets: &[WeightTarget], most: usize) -> Vec<&WeightTarget> {
    let mut all: Vec<usize> = (0..targets.len()).collect();
    let off = |at: usize| targets[at].deviation_requests.abs();
    all.sort_by(|&a, &b| off(b).total_cmp(&off(a)).then(a.cmp(&b)));
    all.truncate(most);
    all.sort_unstable();
    all.into_iter().map(|at| &targets[at]).collect()
}

fn drops(summary: &Summary) -> Markup {
    let mut table = Table::new("Dropped requests", &["Cause", "#Requests", "For example"]);
    let mut causes: Vec<_> = summary.requests.dropped_by_cause.iter().collect();
    causes.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    for (cause, n) in causes {
        let ids = summary.samples.get(cause).map(|ids| ids.join("  ")).unwrap_or_default();
        table.row([Cell::Code(cause.clone()), words::count(*n).into(), Cell::Code(ids)]);
    }
    table.finish()
}

fn slowest(summary: &Summary) -> Markup {
    let heads = [
        "Request",
        "Phase",
        "Target",
        "#Intended, s",
        "#Lag",
        "#Client wait",
        "#Service time",
        "#Response, ms",
    ];
    let mut table = Table::new("Slowest requests", &heads);
    for request in &summary.slowest {
        table.row([
            Cell::Code(request.id.clone()),
            request.phase.as_str().into(),
            request.target.as_deref().unwrap_or(words::NOTHING).into(),
            words::seconds(request.intended_ms, 3).into(),
            words::ms(request.lag_us).into(),
            words::ms(request.client_wait_us).into(),
            words::ms(request.service_time_us).into(),
            words::ms(request.response_time_us).into(),
        ]);
    }
    table.finish()
}

fn events(summary: &Summary) -> Markup {
    let mut table = Table::new("Events", &["#At, s", "Kind", "What"]);
    for event in &summary.events {
        table.row([
            words::seconds(event.t_ms, 3).into(),
            event.kind.as_str().into(),
            event.text.as_str().into(),
        ]);
    }
    table.finish()
}
