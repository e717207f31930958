//! A limit on the new version's own rate, measured once each interval: as Argo counts (`failure_limit` may be passed by one)
//! and Flagger (the count never starts anew). No statistics: a small window is as good as a large one.

use std::time::Duration;

use gateway_core::time::Instant;

use super::{Count, Side, Verdict};
use crate::words;

/// When a measurement has failed, and how many may.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdRule {
    /// The highest rate of bad answers that is fine, 0 to 1.
    pub rate_max: f64,
    /// Between two measurements.
    pub interval: Duration,
    /// Before the first interval begins.
    pub initial_delay: Duration,
    /// It has passed after so many measurements; `None` goes on for ever.
    pub count: Option<u32>,
    /// More failed ones than that are too many.
    pub failure_limit: u32,
}

/// The measurements so far.
#[derive(Clone, Debug)]
pub(super) struct Threshold {
    rule: ThresholdRule,
    next: Instant,
    window: Count,
    measured: u32,
    failed: u32,
    verdict: Option<Verdict>,
}

impl Threshold {
    pub(super) fn new(rule: ThresholdRule, now: Instant) -> Self {
        let next = now + rule.initial_delay + rule.interval;
        Self { rule, next, window: Count::default(), measured: 0, failed: 0, verdict: None }
    }

    pub(super) fn see(&mut self, side: Side, is_bad: bool) {
        if side == Side::Canary {
            self.window.add(is_bad);
        }
    }

    pub(super) fn next_time(&self) -> Instant {
        if self.verdict.is_some() { Instant::MAX } else { self.next }
    }

    pub(super) fn verdict(&mut self, now: Instant) -> Option<Verdict> {
        while self.verdict.is_none() && now >= self.next {
            self.next = self.next + self.rule.interval;
            let window = std::mem::take(&mut self.window);
            if window.n == 0 {
                // Nothing was measured.
                continue;
            }
            self.measured += 1;
            self.failed += u32::from(window.rate() > self.rule.rate_max);
            if self.failed > self.rule.failure_limit {
                self.verdict = Some(Verdict::Fail);
            } else if self.rule.count.is_some_and(|count| self.measured >= count) {
                self.verdict = Some(Verdict::Pass);
            }
        }
        self.verdict
    }

    pub(super) fn in_words(&self) -> String {
        let measured = words::counted(self.measured.into(), "measurement");
        format!(
            "{} of {measured} above {}, {} allowed",
            self.failed,
            words::percent(self.rule.rate_max, 2),
            self.rule.failure_limit
        )
    }
}
