//! The run over time, in the names of the report.

use super::tables::{ms, upstream_name};
use super::{CpuPerRequest, Series};
use crate::measure::{Bin, Cause, Measured, TargetBin, Times};
use crate::plan::Plan;
use crate::stats;

pub(super) fn series(plan: &Plan, measured: &Measured) -> Series {
    let bins = &measured.bins;
    let of_targets = |value: fn(&TargetBin) -> u64| -> Vec<Vec<u64>> {
        bins.targets.iter().map(|target| target.iter().map(value).collect()).collect()
    };
    let times = |value: &dyn Fn(&Bin) -> Option<f64>| bins.bins.iter().map(value).collect();
    Series {
        bin_ms: bins.grid.width_ms(),
        t_ms: (0..bins.grid.bins()).map(|bin| ms(bins.grid.from(bin))).collect(),
        intended: bins.bins.iter().map(|bin| bin.intended).collect(),
        answered: of_targets(|bin| bin.answered),
        p50_us: times(&|bin| near(&bin.response, 0.5)),
        p90_us: times(&|bin| near(&bin.response, 0.9)),
        p99_us: times(&|bin| near(&bin.response, 0.99)),
        max_us: times(&|bin| bin.response.max_us()),
        dropped: Cause::ALL
            .into_iter()
            .map(|cause| (cause, bins.bins.iter().map(|bin| bin.dropped[cause as usize]).collect::<Vec<_>>()))
            .filter(|(_, bins)| bins.iter().any(|&n| n > 0))
            .map(|(cause, bins)| (cause.as_str().to_owned(), bins))
            .collect(),
        picks: of_targets(|bin| bin.picks),
        lag_range: measured
            .lag_ranges
            .iter()
            .map(|(upstream, range)| (upstream_name(plan, *upstream), range.clone()))
            .collect(),
        in_flight: bins
            .targets
            .iter()
            .map(|target| target.iter().map(|bin| thousandth(bin.in_flight)).collect())
            .collect(),
        in_flight_max: bins.bins.iter().map(|bin| bin.in_flight_max).collect(),
        lag_p99_us: times(&|bin| near(&bin.lag, 0.99)),
        cpu: bins
            .bins
            .iter()
            .map(|bin| bin.cpu.map(|cores| cores.map(thousandth)))
            .map(|[gateway, generator, targets]| CpuPerRequest { gateway, generator, targets })
            .collect(),
    }
}

/// As fine as a chart can show; keeps files short.
fn thousandth(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A quantile of the few requests of a bin: at best the largest but one, so that a line never shows one request.
fn near(times: &Times, q: f64) -> Option<f64> {
    let rank = stats::rank(times.n(), q)?.min(times.n() - 1);
    times.at_rank(rank)
}

/// CPU time of each part over the requests answered, microseconds.
pub(super) fn cpu_per_request(measured: &Measured) -> CpuPerRequest {
    let answered: u64 = measured.phases.iter().map(|phase| phase.tally().answered).sum();
    let each = |used: Option<u64>| used.filter(|_| answered > 0).map(|ns| ns as f64 / answered as f64 / 1e3);
    measured.bins.cpu_total().map_or_else(CpuPerRequest::default, |total| CpuPerRequest {
        gateway: each(total.gateway),
        generator: each(total.generator),
        targets: each(total.targets),
    })
}
