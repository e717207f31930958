//! Whole distributions, so that nothing has to be measured again to draw another file from a report; and what is read out of
//! them again: quantiles with their intervals.

use hdrhistogram::Histogram;

use super::tables::upstream_name;
use super::{Histograms, PhaseHistogram};
use crate::hdr::{self, HdrError};
use crate::measure::{Measured, MeasuredPhase, Times};
use crate::plan::Plan;
use crate::stats::{self, Estimate};

/// Everything that was counted.
pub(super) fn histograms(plan: &Plan, measured: &Measured) -> Histograms {
    let phase = |phase: &MeasuredPhase| {
        let name = phase.kind.name(measured.switches_planned);
        let cells = phase.cells.iter().filter_map(|(upstream, cell)| Some((upstream, cell.timed.as_ref()?)));
        cells
            .filter(|(_, timed)| timed.answered.response.n() > 0)
            .map(|(upstream, timed)| PhaseHistogram {
                phase: name.clone(),
                upstream: upstream.map(|id| upstream_name(plan, id)),
                response_time: timed.answered.response.encoded(),
            })
            .collect::<Vec<_>>()
    };
    Histograms {
        bins: measured.bins.bins.iter().map(|bin| text(&bin.response)).collect(),
        phases: measured.phases.iter().flat_map(phase).collect(),
        targets: measured.targets.iter().map(|target| target.response.as_deref().and_then(text)).collect(),
    }
}

fn text(times: &Times) -> Option<String> {
    (times.n() > 0).then(|| times.encoded())
}

impl Histograms {
    /// All answered requests of the phases that `wanted` names, together.
    ///
    /// # Errors
    /// When one is no histogram, or of another kind.
    pub fn of(&self, wanted: impl Fn(&str) -> bool) -> Result<Histogram<u64>, HdrError> {
        let failed = |e: &dyn std::fmt::Display| HdrError::Encoding(e.to_string());
        let mut whole = Histogram::new(3).map_err(|e| failed(&e))?;
        for row in self.phases.iter().filter(|row| wanted(&row.phase)) {
            whole.add(hdr::decode(&row.response_time)?).map_err(|e| failed(&e))?;
        }
        Ok(whole)
    }
}

/// The quantile `q` of a histogram with its 95 % interval, microseconds; `None` when there are too few values.
pub fn quantile(times: &Histogram<u64>, q: f64) -> Option<Estimate> {
    let (low, high) = stats::ranks(times.len(), q)?;
    let at = |rank: u64| at_rank(times, rank) as f64 / 1e3;
    Some(Estimate { value: at(stats::rank(times.len(), q)?), low: at(low), high: at(high) })
}

/// The value of a rank, from 1.
fn at_rank(times: &Histogram<u64>, rank: u64) -> u64 {
    let mut below = 0;
    let found = times.iter_recorded().find(|bin| {
        below += bin.count_since_last_iteration();
        below >= rank
    });
    found.map_or(times.max(), |bin| times.highest_equivalent(bin.value_iterated_to()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::{how_to, measure, play};

    #[test]
    fn what_is_read_again_is_what_was_measured() {
        let plan = how_to(200.0, 10, &[(5_000, "green")]);
        let measured = measure(&plan, &play(&plan));
        let whole = histograms(&plan, &measured).of(|phase| phase != "warmup").unwrap();
        assert_eq!(whole.len(), measured.response.n());
        let p99 = quantile(&whole, 0.99).unwrap();
        let seen = measured.response.quantile(0.99).unwrap();
        assert!((p99.value / seen - 1.0).abs() < 0.002 && p99.low <= p99.value && p99.value <= p99.high);
        assert_eq!(quantile(&Histogram::new(3).unwrap(), 0.5), None);
    }
}
