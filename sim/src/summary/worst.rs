//! The worst second of a run: the 99th percentile of whatever second had the highest one, the warm-up left out. An average over
//! a run hides the second after a switch in which every cache was cold; this does not. And the same of all that came before some
//! moment: the steady state that it is held against.

use std::ops::Range;

use hdrhistogram::Histogram;

use super::Summary;
use crate::hdr;
use crate::stats;

/// What is looked at together.
const SECOND_MS: u64 = 1000;
/// Which percentile.
const PERCENTILE: f64 = 0.99;

/// Microseconds; infinite where more than a hundredth of a second's requests was dropped, `None` where nothing was asked. A
/// second begins with each bin of the time series; where bins are longer than a second, it is the worst bin.
pub fn second(summary: &Summary) -> Option<f64> {
    let bins = Bins::of(summary);
    let width = (SECOND_MS / summary.series.bin_ms.max(1)).max(1) as usize;
    let starts = bins.warm..bins.answered.len().saturating_sub(width - 1);
    starts.filter_map(|start| bins.percentile(start..start + width)).reduce(f64::max)
}

/// The same of all that was asked after the warm-up and before `until`, milliseconds, to the last whole bin.
pub(super) fn before(summary: &Summary, until: f64) -> Option<f64> {
    let series = &summary.series;
    let end = series.t_ms.partition_point(|&t| t + series.bin_ms as f64 <= until);
    let bins = Bins::of(summary);
    bins.percentile(bins.warm..end.min(bins.answered.len()))
}

/// The time series as far as percentiles go.
struct Bins<'a> {
    summary: &'a Summary,
    /// The first one after the warm-up.
    warm: usize,
    answered: Vec<Option<Histogram<u64>>>,
}

impl<'a> Bins<'a> {
    fn of(summary: &'a Summary) -> Self {
        let warmup = summary.phases.iter().find(|phase| phase.name == "warmup");
        let warm = summary.series.t_ms.partition_point(|&t| t < warmup.map_or(0.0, |warmup| warmup.to_ms));
        let decode = |bin: &Option<String>| hdr::decode(bin.as_deref()?).ok();
        Self { summary, warm, answered: summary.histograms.bins.iter().map(decode).collect() }
    }

    /// Of some of them together.
    fn percentile(&self, bins: Range<usize>) -> Option<f64> {
        let series = &self.summary.series;
        let dropped = |bin: usize| series.dropped.values().filter_map(|bins| bins.get(bin)).sum::<u64>();
        percentile(self.answered.get(bins.clone())?.iter().flatten(), bins.map(dropped).sum())
    }
}

/// Of what these hold and of drops together.
fn percentile<'a>(answered: impl Iterator<Item = &'a Histogram<u64>>, dropped: u64) -> Option<f64> {
    let mut whole = Histogram::<u64>::new(2).ok()?;
    for bin in answered {
        whole.add(bin).ok()?;
    }
    let all = whole.len() + dropped;
    let rank = stats::rank(all, PERCENTILE)?;
    if rank > whole.len() {
        return Some(f64::INFINITY);
    }
    // The middle of a rank's step, which no rounding moves to another one.
    Some(whole.value_at_quantile((rank as f64 - 0.5) / whole.len() as f64) as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[u64]) -> Histogram<u64> {
        let mut bin = Histogram::new(2).unwrap();
        for ms in values {
            bin.record(ms * 1_000_000).unwrap();
        }
        bin
    }

    #[test]
    fn drops_are_infinitely_late_and_nothing_is_nothing() {
        let bins = [of(&[4; 60]), of(&[4; 38]), of(&[90, 90])];
        let said = percentile(bins.iter(), 0).unwrap();
        assert!((said / 90e3 - 1.0).abs() < 0.01, "{said}");
        let said = percentile(bins[..2].iter(), 0).unwrap();
        assert!((said / 4e3 - 1.0).abs() < 0.01, "{said}");
        assert_eq!(percentile(bins[..2].iter(), 2), Some(f64::INFINITY));
        assert_eq!(percentile([].iter(), 0), None);
        assert_eq!(percentile([].iter(), 5), Some(f64::INFINITY));
    }
}
