//! `latency.hgrm`: the percentiles of the whole run outside the warm-up, as HdrHistogram prints them, in milliseconds; five
//! steps for each halving of what lies beyond.

use std::fmt::Write as _;

use crate::hdr::HdrError;
use crate::summary::Summary;

/// Steps for each halving.
const TICKS: u32 = 5;
const NS_PER_MS: f64 = 1e6;

/// The file.
///
/// # Errors
/// When a histogram of the report cannot be read.
pub(super) fn text(summary: &Summary) -> Result<String, HdrError> {
    let times = summary.histograms.of(|phase| phase != "warmup")?;
    let ms = |ns: u64| ns as f64 / NS_PER_MS;
    let mut out =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0;
    for step in times.iter_quantiles(TICKS) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (ms(step.value_iterated_to()), step.quantile_iterated_to());
        let _ = write!(out, "{value:12.3} {quantile:2.12} {total:10}");
        // Beyond the last there is nothing, which is no number.
        if quantile < 1.0 {
            let _ = write!(out, " {:14.2}", 1.0 / (1.0 - quantile));
        }
        out.push('\n');
    }
    let halves = times.distinct_values() / (usize::from(times.buckets()) + 1);
    let (mean, deviation) = (times.mean() / NS_PER_MS, times.stdev() / NS_PER_MS);
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {:12.3}, Total count    = {:12}]", ms(times.max()), times.len());
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", times.buckets(), 2 * halves);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::super::sample::summary;
    use super::*;

    #[test]
    fn the_text_ends_at_the_slowest_request_and_counts_each_once() {
        let summary = summary();
        let text = text(&summary).unwrap();
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        assert!(rows.windows(2).all(|w| w[0][0] <= w[1][0] && w[0][1] <= w[1][1] && w[0][2] <= w[1][2]));
        let last = rows.last().unwrap();
        assert_eq!((last.len(), last[2] as u64), (3, summary.latency_us.n));
        assert!((last[0] * 1000.0 / summary.latency_us.max.unwrap() - 1.0).abs() < 0.002, "{last:?}");
        assert!(rows[..rows.len() - 1].iter().all(|row| row.len() == 4));
        assert!(
            text.contains("#[Mean    = ") && text.ends_with("SubBuckets     =         2048]\n"),
            "{text}"
        );
    }

    #[test]
    fn a_run_without_answers_is_a_text_without_rows() {
        let mut summary = summary();
        summary.histograms.phases.clear();
        assert!(text(&summary).unwrap().contains("Total count    =            0]"));
    }
}
