//! The worst second of a run: the 99th percentile of whatever second had the highest one, the warm-up left out. An average over
//! a run hides the second after a switch in which every cache was cold; this does not.

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
    let (series, warmup) = (&summary.series, summary.phases.iter().find(|phase| phase.name == "warmup"));
    let from = series.t_ms.partition_point(|&t| t < warmup.map_or(0.0, |warmup| warmup.to_ms));
    let width = (SECOND_MS / series.bin_ms.max(1)).max(1) as usize;
    let bins: Vec<Option<Histogram<u64>>> =
        summary.histograms.bins.iter().map(|bin| hdr::decode(bin.as_deref()?).ok()).collect();
    let dropped = |bin: usize| series.dropped.values().filter_map(|bins| bins.get(bin)).sum::<u64>();
    (from..bins.len().saturating_sub(width - 1))
        .filter_map(|start| {
            let dropped = (start..start + width).map(dropped).sum();
            percentile(bins[start..start + width].iter().flatten(), dropped)
        })
        .reduce(f64::max)
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
