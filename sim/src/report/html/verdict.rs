//! The card at the top: the verdict, one sentence, the ledger, six figures, and what had to hold.

use super::figure;
use super::table::{Cell, Table};
use crate::chart;
use crate::markup::{Markup, markup};
use crate::summary::rollout::RolloutSummary;
use crate::summary::{Outcome, Summary, ThresholdResult, Trust};
use crate::words;

/// The whole card; the ledger is chart number `id`.
pub(super) fn card(summary: &Summary, id: usize) -> Markup {
    let mut out = Markup::new();
    out.tag("<section class=\"card\" aria-labelledby=\"verdict\"><div class=\"verdict\">");
    out.append(&badge(summary));
    markup!(out, "<p class=\"say\">" (summary.verdict.sentence) "</p>");
    trust(&mut out, summary);
    out.tag("</div>");
    if summary.requests.intended > 0 {
        ledger(&mut out, summary, id);
        facts(&mut out, summary);
    }
    thresholds(&mut out, summary);
    out.tag("</section>");
    out
}

/// The verdict in one word.
pub(super) fn word(summary: &Summary) -> &'static str {
    match summary.verdict.result {
        Outcome::Invalid => "INVALID",
        _ if summary.verdict.aborted => "ABORTED",
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
    }
}

fn badge(summary: &Summary) -> Markup {
    let (class, sign) = match word(summary) {
        "PASS" => ("badge", "✓"),
        "FAIL" => ("badge fail", "✗"),
        "INVALID" => ("badge warn", "!"),
        _ => ("badge out", "■"),
    };
    let mut out = Markup::new();
    markup!(out, "<span class=\"" (class) "\" id=\"verdict\"><span aria-hidden=\"true\">" (sign) "</span>" (word(summary)) "</span>");
    out
}

fn trust(out: &mut Markup, summary: &Summary) {
    let validity = &summary.validity;
    let result = match validity.result {
        Trust::Valid => "VALID",
        Trust::Degraded => "DEGRADED",
        Trust::Invalid => "INVALID",
    };
    markup!(out, "<p class=\"sub\">Measurement <b>" (result) "</b>: ");
    markup!(out, (words::decimal(validity.achieved_rate, 1)) " of " (words::short(validity.intended_rate, 1)) " requests per second released, ");
    markup!(out, "generator lag p50 " (words::time(validity.lag_us.p50)) ", p99 " (words::time(validity.lag_us.p99)) ".</p>");
    if !validity.reasons.is_empty() {
        out.tag("<ul class=\"reasons\">");
        for reason in &validity.reasons {
            markup!(out, "<li>" (reason) "</li>");
        }
        out.tag("</ul>");
    }
}

fn ledger(out: &mut Markup, summary: &Summary, id: usize) {
    let requests = &summary.requests;
    let bar = chart::ledger(summary, id);
    let count = |n: u64| words::count(n);
    out.tag("<figure class=\"panel gap\"><figcaption class=\"big\"><b>");
    markup!(out, (count(requests.intended)) " intended = " (count(requests.answered)) " answered + " (count(requests.dropped)) " dropped</b><span>");
    markup!(out, "and " (count(requests.duplicates)) " answered twice, " (count(requests.wrong_version)) " by the wrong version, ");
    markup!(out, (count(requests.lost)) " lost; ids matched against the books of " (words::counted(summary.targets.len() as u64, "target")) "</span></figcaption>");
    markup!(out, "<div class=\"plot\" style=\"margin:4px 0 0\">" [bar.svg.markup] "</div>" [figure::key(&bar.key)] "</figure>");
}

/// One figure: name, value, unit, what stands below.
struct Fact {
    name: &'static str,
    value: String,
    unit: &'static str,
    below: String,
}

fn facts(out: &mut Markup, summary: &Summary) {
    let invalid = summary.verdict.result == Outcome::Invalid;
    out.tag(if invalid { "<dl class=\"facts struck\">" } else { "<dl class=\"facts\">" });
    for fact in six(summary) {
        markup!(out, "<div><dt>" (fact.name) "</dt><dd>" (fact.value) "<small> " (fact.unit) "</small></dd><dd class=\"s\">" (fact.below) "</dd></div>");
    }
    out.tag("</dl>");
}

fn six(summary: &Summary) -> [Fact; 6] {
    let latency = &summary.latency_us;
    let slowest =
        latency.max.map_or_else(|| "no answers".to_owned(), |max| format!("max {} ms", words::ms(max)));
    let largest = summary.weights.iter().map(|row| row.max_prefix_deviation_requests).fold(0.0, f64::max);
    let weights = Fact {
        name: "weight error",
        value: words::decimal(largest, 2),
        unit: "",
        below: "requests, largest".to_owned(),
    };
    let [first, last] = match &summary.rollout {
        Some(rollout) if summary.switches.is_empty() => of_a_rollout(rollout),
        _ => of_switches(summary),
    };
    [
        time("p50", latency.p50, "response time".to_owned()),
        time("p99", latency.p99, format!("of {}", words::counted(latency.n, "request"))),
        time("p99.9", latency.p999, slowest),
        first,
        weights,
        last,
    ]
}

fn time(name: &'static str, us: Option<f64>, below: String) -> Fact {
    Fact { name, value: words::ms_or_nothing(us), unit: if us.is_some() { "ms" } else { "" }, below }
}

/// How long both versions answered, and what that cost.
fn of_switches(summary: &Summary) -> [Fact; 2] {
    // A rollout may have let both answer long before.
    let whole = summary.rollout.as_ref().and_then(|rollout| rollout.mixed_answers_ms).unwrap_or(0.0);
    let mixed = summary.switches.iter().filter_map(|switch| switch.mixed_ms).reduce(f64::max);
    let mixed = mixed.map(|longest| longest.max(whole));
    let cost = summary
        .switches
        .iter()
        .filter_map(|switch| switch.latency_cost_us)
        .max_by(|a, b| a.p50.total_cmp(&b.p50));
    let cost = Fact {
        name: "switch cost",
        value: cost.map_or_else(|| words::NOTHING.to_owned(), |cost| words::signed(cost.p50 / 1000.0, 1)),
        unit: if cost.is_some() { "ms" } else { "" },
        below: cost.map_or_else(
            || "no switch".to_owned(),
            |cost| format!("p50, first {} ms", words::count(cost.window_ms)),
        ),
    };
    let longest = if mixed.is_some() { "longest" } else { "no switch" };
    [time("mixed window", mixed.map(|ms| ms * 1000.0), longest.to_owned()), cost]
}

/// Whom it reached, where nothing was switched at once.
fn of_a_rollout(rollout: &RolloutSummary) -> [Fact; 2] {
    let exposure = Fact {
        name: "exposure",
        value: words::count(rollout.exposure),
        unit: "",
        below: "answers of the new version".to_owned(),
    };
    let below = if rollout.users > 1 {
        format!("of {}", words::count(rollout.users))
    } else {
        "users are not told apart".to_owned()
    };
    let hurt = if rollout.users > 1 { words::count(rollout.users_hurt) } else { words::NOTHING.to_owned() };
    [exposure, Fact { name: "users hurt", value: hurt, unit: "", below }]
}

fn thresholds(out: &mut Markup, summary: &Summary) {
    if summary.verdict.thresholds.is_empty() {
        out.tag("<p class=\"note gap\">No thresholds: nothing was judged.</p>");
        return;
    }
    let heads = ["Threshold", "Limit", "#Observed", "Used of the limit", "Margin"];
    let mut table = Table::new("Thresholds", &heads);
    for threshold in &summary.verdict.thresholds {
        let mut name = Markup::new();
        let class = if threshold.ok { "ok" } else { "no" };
        let said = if threshold.ok { "met" } else { "failed" };
        markup!(name, "<span class=\"" (class) "\" role=\"img\" aria-label=\"" (said) "\"></span><code>" (threshold.metric) "</code>");
        let mut observed = Markup::new();
        markup!(observed, "<span class=\"long\">" (threshold.observed) "</span>");
        table.row([
            Cell::Markup(name),
            Cell::Code(threshold.expression.clone()),
            Cell::Markup(observed),
            Cell::Markup(used(threshold)),
            threshold.margin.as_str().into(),
        ]);
    }
    markup!(out, "<div class=\"gap\">" [table.finish()] "</div>");
}

/// How much of the limit was used, as a bar with the limit at its end.
fn used(threshold: &ThresholdResult) -> Markup {
    let mut out = Markup::new();
    let Some(used) = threshold.used else { return out };
    let width = words::short_plain((used * 118.0).clamp(2.0, 120.0), 1);
    let class = if threshold.ok { "fink" } else { "ffail" };
    out.tag("<svg width=\"120\" height=\"12\" aria-hidden=\"true\"><rect y=\"4\" width=\"120\" height=\"4\" rx=\"2\" style=\"fill:var(--rule)\"/>");
    markup!(out, "<rect y=\"4\" width=\"" (width) "\" height=\"4\" rx=\"2\" class=\"" (class) "\"/>");
    out.tag("<rect x=\"118\" y=\"0\" width=\"2\" height=\"12\" class=\"ffail\"/></svg>");
    out
}
