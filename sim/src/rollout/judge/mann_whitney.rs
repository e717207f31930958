//! Kayenta's judge: both versions' rates of bad attempts, one point for each interval, compared by the test of Mann and Whitney
//! once there are so many points. It looks once, since looking again and again would fool it: until then nothing is known. Points
//! of an interval in which either version was asked nothing are left out; without enough that are whole there are no data.
//!
//! As `NetflixACAJudge-v1.0` at spinnaker/kayenta a69573b: the new version is worse when the lower end of the shift's interval is
//! above a quarter of its estimate and the mean rate is not lower. Ours leaves outliers in, and asks for a smallest effect.

use std::time::Duration;

use gateway_core::time::Instant;

use super::{Count, Points, Side, Verdict};
use crate::stats;
use crate::words;

/// When a new version is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct MannWhitneyRule {
    /// What one point covers.
    pub interval: Duration,
    /// It is judged after so many intervals.
    pub count: u32,
    /// Confidence of the interval of the shift, two-sided, 0 to 1.
    pub confidence: f64,
    /// Smaller differences of the mean rates matter to nobody, 0 to 1.
    pub effect_min: f64,
}

/// The lower end of the interval must be above so much of the estimate.
const FRACTION: f64 = 0.25;
/// So much of all intervals must have data of both.
const WHOLE_MIN: f64 = 0.5;

/// The points so far.
#[derive(Clone, Debug)]
pub(super) struct MannWhitney {
    rule: MannWhitneyRule,
    from: Instant,
    canary: Points,
    stable: Points,
    /// What the old version did before, when that is what the new one is held against.
    before: Option<Points>,
    verdict: Option<Verdict>,
    text: String,
}

impl MannWhitney {
    /// `before` is what the old version did until now, when the new one is to be held against that.
    pub(super) fn new(rule: MannWhitneyRule, before: Option<Points>, now: Instant) -> Self {
        let points = || Points::new(now, rule.interval, rule.count);
        let (canary, stable) = (points(), points());
        Self { rule, from: now, canary, stable, before, verdict: None, text: String::new() }
    }

    pub(super) fn see(&mut self, side: Side, at: Instant, is_bad: bool) {
        if at < self.end() {
            match side {
                Side::Canary => self.canary.add(at, is_bad),
                Side::Stable | Side::Baseline => self.stable.add(at, is_bad),
            }
        }
    }

    fn end(&self) -> Instant {
        self.from + self.rule.interval * self.rule.count
    }

    pub(super) fn next_time(&self) -> Instant {
        if self.verdict.is_some() { Instant::MAX } else { self.end() }
    }

    pub(super) fn verdict(&mut self, now: Instant) -> Option<Verdict> {
        if self.verdict.is_none() && now >= self.end() {
            self.verdict = Some(self.judge());
        }
        self.verdict
    }

    fn judge(&mut self) -> Verdict {
        let (canary, reference) = self.points();
        let needed = f64::from(self.rule.count) * WHOLE_MIN;
        let fewest = canary.len().min(reference.len());
        if (fewest as f64) < needed {
            self.text =
                format!("{} of {} have data", fewest, words::counted(self.rule.count.into(), "point"));
            return Verdict::NoData;
        }
        let Some(shift) = stats::shift(&canary, &reference, self.rule.confidence) else {
            self.text = format!("{} are too few for an interval", words::counted(fewest as u64, "point"));
            return Verdict::Unclear;
        };
        let effect = stats::mean(&canary).value - stats::mean(&reference).value;
        let percent = |share: f64| words::percent(share, 3);
        self.text = format!(
            "{} against {}, shifted by {} ({} to {})",
            words::counted(canary.len() as u64, "point"),
            reference.len(),
            percent(shift.value),
            percent(shift.low),
            percent(shift.high),
        );
        let is_worse = shift.low > FRACTION * shift.value.abs() && effect >= self.rule.effect_min;
        if is_worse { Verdict::Fail } else { Verdict::Pass }
    }

    /// The rates of both in the intervals that count.
    fn points(&self) -> (Vec<f64>, Vec<f64>) {
        let rates = |points: &Points| points.all().filter(|count| count.n > 0).map(Count::rate).collect();
        if let Some(before) = &self.before {
            return (rates(&self.canary), rates(before));
        }
        let both = self.canary.all().zip(self.stable.all());
        let whole = both.filter(|(canary, stable)| canary.n > 0 && stable.n > 0);
        whole.map(|(canary, stable)| (canary.rate(), stable.rate())).unzip()
    }

    pub(super) fn in_words(&self) -> String {
        let text = if self.text.is_empty() {
            format!("judged after {}", words::counted(self.rule.count.into(), "point"))
        } else {
            self.text.clone()
        };
        let alone =
            if self.before.is_some() { "; against the time before, which a shared outage fools" } else { "" };
        format!("{text}{alone}")
    }
}
