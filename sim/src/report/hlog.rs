//! `latency.hlog`: HdrHistogram's interval log. Untagged lines follow one another through the run, one for each bin of the
//! report; `PHASE/UPSTREAM` is one line for each phase and Upstream, `target/NAME` one for each target. The format is the
//! crate's own writer's.

use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::hdr::{self, HdrError};
use crate::summary::Summary;
use crate::words;

/// Nanoseconds in the milliseconds that the log shows as each interval's maximum.
const NS_PER_MS: f64 = 1e6;

/// One line: a histogram, from when, for how long, and its tag.
struct Interval<'a> {
    histogram: &'a str,
    from_ms: f64,
    length_ms: f64,
    tag: Option<String>,
}

/// The file.
///
/// # Errors
/// When a histogram of the report cannot be read.
pub(super) fn log(summary: &Summary) -> Result<Vec<u8>, HdrError> {
    let mut file = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    let bin = words::short_plain(summary.series.bin_ms as f64 / 1000.0, 3);
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(" Response times in nanoseconds, by intended time; the maximum of each line in milliseconds.")
        .add_comment(&format!(
            " Untagged: the whole run, an interval each {bin} s. Tags: phase/upstream, warm-up included, and target/name, without it."
        ))
        .with_max_value_divisor(NS_PER_MS);
    if let Ok(started) = humantime::parse_rfc3339(&summary.volatile.started_at) {
        builder.with_start_time(started).with_base_time(started);
    }
    let mut log =
        builder.begin_log_with(&mut file, &mut serializer).expect("a Vec takes whatever is written");
    for interval in intervals(summary) {
        let histogram = hdr::decode(interval.histogram)?;
        let (from, length) = (duration(interval.from_ms), duration(interval.length_ms));
        let tag = interval.tag.as_deref().and_then(Tag::new);
        log.write_histogram(&histogram, from, length, tag).map_err(|e| HdrError::Encoding(e.to_string()))?;
    }
    Ok(file)
}

fn intervals(summary: &Summary) -> impl Iterator<Item = Interval<'_>> {
    let (series, histograms) = (&summary.series, &summary.histograms);
    let whole_ms = summary.scenario.duration_s * 1000.0;
    let bins = series.t_ms.iter().zip(&histograms.bins).filter_map(move |(&from_ms, histogram)| {
        let length_ms = (series.bin_ms as f64).min(whole_ms - from_ms);
        Some(Interval { histogram: histogram.as_deref()?, from_ms, length_ms, tag: None })
    });
    let phases = histograms.phases.iter().filter_map(|row| {
        let phase = summary.phases.iter().find(|phase| phase.name == row.phase)?;
        let tag = format!("{}/{}", row.phase, row.upstream.as_deref().unwrap_or("none"));
        Some(Interval {
            histogram: &row.response_time,
            from_ms: phase.from_ms,
            length_ms: phase.to_ms - phase.from_ms,
            tag: Some(tagged(&tag)),
        })
    });
    let targets = summary.targets.iter().zip(&histograms.targets).filter_map(move |(target, histogram)| {
        let tag = Some(tagged(&format!("target/{}", target.name)));
        Some(Interval { histogram: histogram.as_deref()?, from_ms: 0.0, length_ms: whole_ms, tag })
    });
    bins.chain(phases).chain(targets)
}

/// A tag may hold no comma, space or line end; what stands in its way becomes `_`.
fn tagged(name: &str) -> String {
    name.chars().map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '_' } else { c }).collect()
}

fn duration(ms: f64) -> Duration {
    Duration::from_secs_f64((ms / 1000.0).max(0.0))
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::super::sample::summary;
    use super::*;

    /// Tag, start, length and count of each line.
    fn lines(log: &[u8]) -> Vec<(String, f64, f64, u64)> {
        IntervalLogIterator::new(log)
            .filter_map(|entry| match entry.unwrap() {
                LogEntry::Interval(line) => Some((
                    line.tag().map(|tag| tag.as_str().to_owned()).unwrap_or_default(),
                    line.start_timestamp().as_secs_f64(),
                    line.duration().as_secs_f64(),
                    hdr::decode(line.encoded_histogram()).unwrap().len(),
                )),
                _ => None,
            })
            .collect()
    }

    // Aim: each answer is once in the untagged lines, once in the phases. Method: read the log, add up, compare with the ledger.
    #[test]
    fn lines_add_up_to_the_ledger_and_follow_one_another() {
        let summary = summary();
        let log = log(&summary).unwrap();
        assert!(log.starts_with(b"#[Histogram log format version 1.3]\n"));
        let lines = lines(&log);
        let sum = |is: &dyn Fn(&str) -> bool| {
            lines.iter().filter(|line| is(&line.0)).map(|line| line.3).sum::<u64>()
        };
        assert_eq!(sum(&|tag| tag.is_empty()), summary.requests.answered);
        assert_eq!(sum(&|tag| !tag.is_empty() && !tag.starts_with("target/")), summary.requests.answered);
        let warm: u64 =
            summary.phases.iter().filter(|p| p.name != "warmup").map(|p| p.requests.answered).sum();
        assert_eq!(sum(&|tag| tag.starts_with("target/")), warm);
        let untagged: Vec<_> = lines.iter().filter(|line| line.0.is_empty()).collect();
        assert!(untagged.windows(2).all(|w| (w[0].1 + w[0].2 - w[1].1).abs() < 1e-9), "no gaps");
        assert!(
            lines.iter().any(|line| line.0 == "before/blue")
                && lines.iter().any(|line| line.0 == "after-1/green")
        );
    }

    #[test]
    fn no_name_can_break_a_line() {
        let mut summary = summary();
        summary.targets[0].name = "a,b c\n#[StartTime: 1]".to_owned();
        let log = log(&summary).unwrap();
        assert!(lines(&log).iter().any(|line| line.0 == "target/a_b_c_#[StartTime:_1]"));
    }

    #[test]
    fn a_damaged_histogram_is_an_error() {
        let mut summary = summary();
        summary.histograms.bins[3] = Some("HISTFAAA".to_owned());
        assert!(log(&summary).is_err());
    }
}
