//! Thresholds against what was seen: the value, whether it holds, and how much room is left, in words. Latencies are
//! judged over all intended requests, a drop being infinitely late. What has no samples fails and says so.

use std::cmp::Ordering;

use super::mirror;
use super::rollout::RolloutSummary;
use super::selection::{Selection, is_called, select, tag};
use super::{Switch, ThresholdResult, WeightRow, WeightTest};
use crate::measure::{Cause, Measured, Times};
use crate::plan::{Aggregation, Comparison, End, Expression, Limit, Metric, Plan, Threshold};
use crate::rollout::Action;
use crate::{stats, words};

/// More targets than this are counted rather than listed.
const LISTED_MAX: usize = 8;
const NO_SAMPLES: &str = "no samples";

/// All thresholds, failed ones first, otherwise in file order.
pub(super) fn evaluate(plan: &Plan, measured: &Measured, rows: &Rows<'_>) -> Vec<ThresholdResult> {
    let Rows { switches, weights, rollout } = *rows;
    let run = Run { plan, measured, switches, weights, rollout };
    let mut results: Vec<ThresholdResult> =
        plan.thresholds.iter().map(|threshold| run.evaluate(threshold)).collect();
    results.sort_by_key(|result| result.ok);
    results
}

/// What has been summed up already.
pub(super) struct Rows<'a> {
    pub(super) switches: &'a [Switch],
    pub(super) weights: &'a [WeightRow],
    pub(super) rollout: Option<&'a RolloutSummary>,
}

struct Run<'a> {
    plan: &'a Plan,
    measured: &'a Measured,
    switches: &'a [Switch],
    weights: &'a [WeightRow],
    rollout: Option<&'a RolloutSummary>,
}

/// A value that was seen.
struct Seen {
    /// Infinite when it is a drop.
    value: f64,
    /// In words.
    text: String,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    Number,
    Share,
    /// Microseconds.
    Time,
}

impl Unit {
    fn say(self, value: f64) -> String {
        match self {
            Self::Number => words::number(value),
            Self::Share => words::percent(value, 2),
            Self::Time => words::time(value),
        }
    }
}

/// What became of one threshold.
struct Judged {
    ok: bool,
    observed: String,
    used: Option<f64>,
    margin: String,
}

impl Judged {
    fn failed(observed: impl Into<String>) -> Self {
        Self { ok: false, observed: observed.into(), used: None, margin: words::NOTHING.to_owned() }
    }
}

impl Run<'_> {
    fn evaluate(&self, threshold: &Threshold) -> ThresholdResult {
        let judged = match threshold.expression {
            Expression::Exact => self.exact(threshold),
            Expression::Ends(end) => self.ends(end),
            Expression::Compare { aggregation, comparison, limit } => {
                match self.see(threshold, aggregation, comparison) {
                    Ok(seen) => compare(&seen, comparison, limit),
                    Err(why) => Judged::failed(why),
                }
            }
        };
        ThresholdResult {
            metric: threshold.metric_text.clone(),
            expression: threshold.expression_text.clone(),
            observed: judged.observed,
            ok: judged.ok,
            used: judged.used,
            margin: judged.margin,
            line: threshold.line,
        }
    }

    fn see(
        &self,
        threshold: &Threshold,
        aggregation: Aggregation,
        comparison: Comparison,
    ) -> Result<Seen, String> {
        match threshold.metric {
            Metric::Switch => return self.switch(threshold, aggregation, comparison),
            Metric::Rate => return self.rate(),
            Metric::Detect => return self.time_of("nothing was decided", |rollout| rollout.detect_ms),
            Metric::Rollback => return self.time_of("there was no way back", |rollout| rollout.rollback_ms),
            Metric::Mirror => return self.mirror(aggregation),
            Metric::Weights => return Err("weights are judged by `exact` only".to_owned()),
            _ => {}
        }
        let selection = select(self.plan, self.measured, threshold)?;
        if selection.tally.ended() == 0 {
            return Err(NO_SAMPLES.to_owned());
        }
        match threshold.metric {
            Metric::Latency => time(&selection.timed.answered.response, selection.timed.dropped, aggregation),
            Metric::ServiceTime => {
                time(selection.timed.answered.service(), selection.timed.dropped, aggregation)
            }
            metric => Ok(count(metric, &selection, aggregation, tag(threshold, "cause"))),
        }
    }

    fn rate(&self) -> Result<Seen, String> {
        if self.measured.lag.n() == 0 {
            return Err(NO_SAMPLES.to_owned());
        }
        let value = self.measured.released_in_time as f64 / self.plan.load.duration().as_secs_f64();
        Ok(Seen { value, text: format!("{} /s", words::decimal(value, 1)), unit: Unit::Number })
    }

    // === Rollout ===

    fn mirror(&self, aggregation: Aggregation) -> Result<Seen, String> {
        let n = mirror::asked(&self.measured.copies, aggregation).ok_or_else(|| NO_SAMPLES.to_owned())?;
        Ok(Seen { value: n as f64, text: words::count(n), unit: Unit::Number })
    }

    fn ends(&self, end: End) -> Judged {
        let Some(rollout) = self.rollout else { return Judged::failed("there was no rollout") };
        let why = rollout.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        let observed = format!("{}{why}", rollout.ended);
        let ok = rollout.ended == end.as_str();
        Judged { ok, observed, used: None, margin: words::NOTHING.to_owned() }
    }

    fn time_of(&self, without: &str, of: impl Fn(&RolloutSummary) -> Option<f64>) -> Result<Seen, String> {
        let value = self.rollout.and_then(of).ok_or_else(|| without.to_owned())? * 1000.0;
        Ok(Seen { value, text: words::time(value), unit: Unit::Time })
    }

    // === Switches ===

    /// The worst of all switches, each of which must have happened.
    fn switch(
        &self,
        threshold: &Threshold,
        aggregation: Aggregation,
        comparison: Comparison,
    ) -> Result<Seen, String> {
        let phase = tag(threshold, "phase");
        let is_meant = |at: usize| {
            phase.is_none_or(|name| {
                name == "switch" || name == crate::measure::PhaseKind::Switch(at).name(usize::MAX)
            })
        };
        let planned =
            self.plan.steps.iter().filter(|step| matches!(step.action, Action::SetHost { .. })).count();
        let meant: Vec<usize> = (0..planned.max(self.switches.len())).filter(|&at| is_meant(at)).collect();
        let mut worst: Option<f64> = None;
        let mut sum = 0.0;
        for &at in &meant {
            let name = if meant.len() > 1 { format!("switch {}", at + 1) } else { "the switch".to_owned() };
            let switch = self.switches.get(at).ok_or_else(|| format!("{name} never happened"))?;
            if switch.acked_ms.is_none() {
                return Err(format!("{name} failed"));
            }
            let value = of_switch(switch, aggregation).ok_or_else(|| format!("{NO_SAMPLES} at {name}"))?;
            sum += value;
            let wants_more = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
            worst = Some(worst.map_or(value, |w| if wants_more { w.min(value) } else { w.max(value) }));
        }
        let worst = worst.ok_or_else(|| NO_SAMPLES.to_owned())?;
        Ok(match aggregation {
            Aggregation::StalePicks => Seen { value: sum, text: words::number(sum), unit: Unit::Number },
            Aggregation::Cost => Seen { value: worst, text: words::difference(worst), unit: Unit::Time },
            _ => Seen { value: worst, text: words::time(worst), unit: Unit::Time },
        })
    }

    // === Weights ===

    fn exact(&self, threshold: &Threshold) -> Judged {
        let upstream = tag(threshold, "upstream");
        let phase = tag(threshold, "phase");
        let is_meant = |row: &&WeightRow| {
            let called = |name: &str| {
                let phases = &self.measured.phases;
                row.phase == name
                    || phases.iter().any(|phase| {
                        is_called(phase, name) && phase.kind.name(self.measured.switches_planned) == row.phase
                    })
            };
            upstream.is_none_or(|name| name == row.upstream) && phase.is_none_or(called)
        };
        let rows: Vec<&WeightRow> = self.weights.iter().filter(is_meant).collect();
        if rows.iter().all(|row| row.requests == 0) {
            return Judged::failed(NO_SAMPLES);
        }
        // The row that comes nearest to its limit, or is furthest beyond, speaks for all.
        let Some(worst) = rows.iter().filter(|row| row.test.name != "none").max_by(|a, b| {
            (!a.test.ok, used(&a.test)).partial_cmp(&(!b.test.ok, used(&b.test))).unwrap_or(Ordering::Equal)
        }) else {
            return Judged::failed(format!("{} promises no shares", rows[0].algorithm));
        };
        let ok = rows.iter().all(|row| row.test.ok);
        let (accuracy, margin) = accuracy(worst);
        Judged {
            ok,
            observed: format!("{}, {accuracy}", ratios(&rows)),
            used: Some(used(&worst.test)),
            margin,
        }
    }
}

/// How much of its limit a test has used.
fn used(test: &WeightTest) -> f64 {
    match test.p_value {
        Some(p) => test.limit / p.max(f64::MIN_POSITIVE),
        None if test.limit > 0.0 => test.statistic / test.limit,
        None => 0.0,
    }
}

/// What a test has shown, and by how much.
fn accuracy(row: &WeightRow) -> (String, String) {
    let WeightTest { statistic, limit, p_value, ok, .. } = &row.test;
    let off = words::decimal(*statistic, 2);
    let is_plain = row.test.name == "prefix-bound" && (limit - 1.0).abs() < f64::EPSILON;
    match (p_value, ok) {
        (Some(p), true) => ("as chance has it".to_owned(), format!("p = {}", words::decimal(*p, 3))),
        (Some(p), false) => ("not as chance has it".to_owned(), format!("p = {p:.1e}")),
        (None, true) if row.test.name == "not-enough-picks" => {
            ("too few to tell".to_owned(), "not proved".to_owned())
        }
        (None, true) if is_plain => ("never 1 request off".to_owned(), format!("within {off} of a request")),
        (None, true) => {
            let limit = words::decimal(*limit, 1);
            (format!("never {off} requests off"), format!("{} allows {limit}", row.algorithm))
        }
        (None, false) if statistic < limit => ("picks are missing".to_owned(), "not proved".to_owned()),
        (None, false) => (format!("up to {off} requests off"), format!("{off} requests off")),
    }
}

/// The picks of each Upstream's targets: `8,000 : 4,000`. Who was out for a stretch counts in the others.
fn ratios(rows: &[&WeightRow]) -> String {
    let mut upstreams: Vec<(&str, Vec<(&str, u64)>)> = Vec::new();
    for row in rows {
        let at = upstreams.iter().position(|(name, _)| *name == row.upstream).unwrap_or_else(|| {
            upstreams.push((&row.upstream, Vec::new()));
            upstreams.len() - 1
        });
        let sums = &mut upstreams[at].1;
        for target in &row.targets {
            match sums.iter_mut().find(|(name, _)| *name == target.target) {
                Some((_, sum)) => *sum += target.picks,
                None => sums.push((&target.target, target.picks)),
            }
        }
    }
    let one = |sums: &[(&str, u64)]| {
        if sums.len() > LISTED_MAX {
            return words::counted(sums.len() as u64, "target");
        }
        sums.iter().map(|&(_, n)| words::count(n)).collect::<Vec<_>>().join(" : ")
    };
    upstreams.iter().map(|(_, sums)| one(sums)).collect::<Vec<_>>().join("; ")
}

fn of_switch(switch: &Switch, aggregation: Aggregation) -> Option<f64> {
    let us = |ms: Option<f64>| ms.map(|ms| ms * 1e3);
    match aggregation {
        Aggregation::Mixed => us(switch.mixed_ms),
        Aggregation::MixedPicks => us(switch.mixed_picks_ms),
        Aggregation::Drain => us(switch.drain_ms),
        Aggregation::Applied => us(switch.applied_ms.map(|at| at - switch.requested_ms)),
        Aggregation::StalePicks => Some(switch.stale_picks as f64),
        Aggregation::Cost => switch.latency_cost_us.map(|cost| cost.p50),
        _ => None,
    }
}

fn count(metric: Metric, selection: &Selection, aggregation: Aggregation, cause: Option<&str>) -> Seen {
    let n = match metric {
        Metric::Dropped => match cause {
            None => selection.tally.dropped(),
            Some(name) => Cause::ALL
                .into_iter()
                .find(|cause| cause.as_str() == name)
                .map_or(0, |cause| selection.tally.dropped_by(cause)),
        },
        Metric::Errors => selection.tally.target_5xx,
        _ => selection.duplicates,
    };
    let of = selection.tally.ended();
    if aggregation == Aggregation::Rate {
        let value = n as f64 / of as f64;
        let text = format!("{} ({} of {})", words::percent(value, 2), words::count(n), words::count(of));
        return Seen { value, text, unit: Unit::Share };
    }
    Seen { value: n as f64, text: words::count(n), unit: Unit::Number }
}

/// An aggregate of durations; infinite when it is a drop. A percentile beyond which nothing lies is judged by the
/// slowest request.
fn time(times: &Times, dropped: u64, aggregation: Aggregation) -> Result<Seen, String> {
    let n = times.n() + dropped;
    let none = || NO_SAMPLES.to_owned();
    if n == 0 {
        return Err(none());
    }
    let quantile = |q: f64| {
        let rank = stats::rank(n, q)?;
        if rank > times.n() { Some(f64::INFINITY) } else { times.at_rank(rank) }
    };
    let of_all = |value: Option<f64>| if dropped > 0 { Some(f64::INFINITY) } else { value };
    let value = match aggregation {
        Aggregation::Percentile(percent) => quantile(percent / 100.0),
        Aggregation::Med => quantile(0.5),
        Aggregation::Avg => of_all(times.mean_us()),
        Aggregation::Max => of_all(times.max_us()),
        Aggregation::Min => times.min_us().or(Some(f64::INFINITY)),
        Aggregation::Count => {
            return Ok(Seen { value: n as f64, text: words::count(n), unit: Unit::Number });
        }
        _ => None,
    }
    .ok_or_else(none)?;
    let requests = words::counted(n, "request");
    let text = if value.is_finite() {
        format!("{} ({requests})", words::time(value))
    } else {
        format!("never: {} dropped ({requests})", words::count(dropped))
    };
    Ok(Seen { value, text, unit: Unit::Time })
}

fn compare(seen: &Seen, comparison: Comparison, limit: Limit) -> Judged {
    let limit = match limit {
        Limit::Time(limit) => limit.as_nanos() as f64 / 1e3,
        // A bare number beside a time means milliseconds, as in k6.
        Limit::Number(limit) if seen.unit == Unit::Time => limit * 1e3,
        Limit::Number(limit) => limit,
    };
    let value = seen.value;
    let is_equal = (value - limit).abs() < f64::EPSILON * limit.abs().max(1.0);
    let ok = match comparison {
        Comparison::Less => value < limit,
        Comparison::LessOrEqual => value <= limit,
        Comparison::Greater => value > limit,
        Comparison::GreaterOrEqual => value >= limit,
        Comparison::Equal => is_equal,
        Comparison::NotEqual => !is_equal,
    };
    let distance = (value - limit).abs();
    let say = |words: &str| format!("{} {words}", seen.unit.say(distance));
    let margin = match (comparison, ok) {
        _ if value.is_infinite() => "no end in sight".to_owned(),
        (Comparison::Less | Comparison::LessOrEqual, true) => say("to spare"),
        (Comparison::Less | Comparison::LessOrEqual, false) => say("over"),
        (Comparison::Greater | Comparison::GreaterOrEqual, true) => say("above"),
        (Comparison::Greater | Comparison::GreaterOrEqual, false) => say("short"),
        (Comparison::Equal, true) => "exact".to_owned(),
        (Comparison::Equal, false) => say(if value > limit { "too many" } else { "too few" }),
        (Comparison::NotEqual, true) => say("apart"),
        (Comparison::NotEqual, false) => "equal".to_owned(),
    };
    let is_ceiling = matches!(comparison, Comparison::Less | Comparison::LessOrEqual);
    let used = (is_ceiling && limit > 0.0 && value.is_finite()).then(|| (value / limit).max(0.0));
    Judged { ok, observed: seen.text.clone(), used, margin }
}

#[cfg(test)]
mod tests;
