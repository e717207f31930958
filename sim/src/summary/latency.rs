//! Distributions in figures: percentiles of the answered, percentiles of all intended, and the spectrum that charts draw.

use super::{Latency, LatencyAll, Spectrum};
use crate::measure::{Measured, MeasuredPhase, PhaseKind, Timed, Times};
use crate::plan::Plan;
use crate::rollout::judge::Side;
use crate::stats;

/// Points of a spectrum for each factor of ten in rarity.
const POINTS_PER_DECADE: u32 = 20;

/// Percentiles of answered requests.
pub(super) fn answered(times: &Times) -> Latency {
    Latency {
        p50: times.beyond(0.5),
        p90: times.beyond(0.9),
        p99: times.beyond(0.99),
        p999: times.beyond(0.999),
        max: times.max_us(),
        mean: times.mean_us(),
        n: times.n(),
    }
}

/// Percentiles of all intended requests, of which `dropped` are infinitely late.
pub(super) fn intended(times: &Times, dropped: u64) -> LatencyAll {
    let n = times.n() + dropped;
    let beyond = |q| stats::rank(n, q).filter(|&rank| rank < n).and_then(|rank| times.at_rank(rank));
    LatencyAll { p50: beyond(0.5), p90: beyond(0.9), p99: beyond(0.99), p999: beyond(0.999), n }
}

/// Requests dropped outside the warm-up.
pub(super) fn dropped_when_warm(measured: &Measured) -> u64 {
    measured
        .phases
        .iter()
        .filter(|phase| phase.kind != PhaseKind::Warmup)
        .map(|phase| timed(phase).dropped)
        .sum()
}

/// All latencies of a phase.
pub(super) fn timed(phase: &MeasuredPhase) -> Timed {
    let mut sum = Timed::new();
    phase.cells.values().filter_map(|cell| cell.timed.as_ref()).for_each(|timed| sum.add(timed));
    sum
}

/// Response times of a version in a rollout, outside the warm-up.
pub(super) fn of_version(plan: &Plan, measured: &Measured, side: Side) -> Times {
    let mut sum = Times::coarse();
    let sides = plan.rollout.sides.iter().zip(&measured.targets);
    for (_, target) in sides.filter(|(of, _)| **of == Some(side)) {
        target.response.iter().for_each(|times| sum.add(times));
    }
    sum
}

/// One line for `before`, one for all switches together, one for each `after`, and where a rollout switches nothing, one for
/// each version; only those with requests.
pub(super) fn spectra(plan: &Plan, measured: &Measured) -> Vec<Spectrum> {
    if plan.rollout.is_some() && measured.switches_planned == 0 {
        return spectra_of_versions(plan, measured);
    }
    let mut lines = Vec::new();
    let mut switches = Timed::new();
    for phase in &measured.phases {
        match phase.kind {
            PhaseKind::Warmup => {}
            PhaseKind::Switch(_) => switches.add(&timed(phase)),
            PhaseKind::Before | PhaseKind::After(_) => lines.push(Spectrum {
                name: phase.kind.name(measured.switches_planned),
                upstream: super::tables::serving(plan, measured, phase.kind),
                version: None,
                n: 0,
                points: points(&timed(phase).answered.response),
            }),
        }
    }
    let at = usize::from(lines.first().is_some_and(|line| line.name == "before"));
    let points = points(&switches.answered.response);
    lines.insert(at, Spectrum { name: "switch".to_owned(), upstream: None, version: None, n: 0, points });
    for line in &mut lines {
        line.n = match line.name.as_str() {
            "switch" => switches.answered.response.n(),
            name => measured
                .phases
                .iter()
                .filter(|phase| phase.kind.name(measured.switches_planned) == name)
                .map(|phase| timed(phase).answered.response.n())
                .sum(),
        };
    }
    lines.retain(|line| line.n > 0);
    lines
}

fn spectra_of_versions(plan: &Plan, measured: &Measured) -> Vec<Spectrum> {
    let roles = [("stable", Side::Stable), ("canary", Side::Canary), ("baseline", Side::Baseline)];
    let lines = roles.into_iter().filter_map(|(role, side)| {
        let mock = &plan.mocks[plan.rollout.sides.iter().position(|of| *of == Some(side))?];
        let times = of_version(plan, measured, side);
        Some(Spectrum {
            name: format!("{}, {role}", mock.version),
            upstream: Some(mock.upstream_name.clone()),
            version: Some(mock.version.clone()),
            n: times.n(),
            points: points(&times),
        })
    });
    lines.filter(|line| line.n > 0).collect()
}

/// Ranks evenly spread over rarity, each at the middle of its step, so that even the slowest request has a place on an
/// axis of nines.
fn points(times: &Times) -> Vec<(f64, f64)> {
    let n = times.n();
    if n == 0 {
        return Vec::new();
    }
    let steps = ((n as f64).log10() * f64::from(POINTS_PER_DECADE)).ceil() as u32;
    let beyond = |step: u32| 10_f64.powf(-f64::from(step) / f64::from(POINTS_PER_DECADE));
    let mut ranks: Vec<u64> =
        (0..=steps).filter_map(|step| stats::rank(n, 1.0 - beyond(step))).chain([n]).collect();
    ranks.dedup();
    ranks
        .into_iter()
        .filter_map(|rank| Some(((rank as f64 - 0.5) / n as f64, times.at_rank(rank)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(n: u64) -> Times {
        let mut times = Times::precise();
        (1..=n).for_each(|ms| times.record(Duration::from_millis(ms)));
        times
    }

    fn near(seen: Option<f64>, ms: f64) -> bool {
        seen.is_some_and(|us| (us / 1000.0 / ms - 1.0).abs() < 0.002)
    }

    #[test]
    fn drops_push_percentiles_up_and_then_away() {
        // 90 answers of 1 to 90 ms and 10 drops: the median of all is the 50th of 100, p90 the slowest answer, p99 a drop.
        let times = of(90);
        let all = intended(&times, 10);
        assert!(near(all.p50, 50.0) && near(all.p90, 90.0), "{all:?}");
        assert_eq!((all.p99, all.p999, all.n), (None, None, 100));
        assert!(near(answered(&times).p50, 45.0));
    }

    #[test]
    fn a_percentile_beyond_which_nothing_lies_is_unknown() {
        let nine = answered(&of(9));
        assert!(near(nine.p50, 5.0) && near(nine.max, 9.0));
        assert_eq!((nine.p90, nine.p99, nine.p999), (None, None, None));
        assert!(answered(&of(11)).p90.is_some() && answered(&of(100)).p99.is_some());
        assert_eq!(answered(&of(0)), Latency::default());
    }

    #[test]
    fn a_spectrum_rises_and_ends_at_the_slowest_request() {
        let points = points(&of(6000));
        assert!(points.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1));
        let last = points.last().unwrap();
        assert!((last.1 - 6_000_000.0).abs() < 1.0 && last.0 < 1.0, "{last:?}");
        assert!((60..90).contains(&points.len()), "{}", points.len());
        assert_eq!(super::points(&of(1)).len(), 1);
    }
}
