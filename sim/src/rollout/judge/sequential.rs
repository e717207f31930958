//! The default judge: who caused this bad answer? An always-valid test, so it may look after every request without fooling
//! itself ([`RatioTest`]).

use super::{Count, Reference, Side, Verdict};
use crate::stats::RatioTest;
use crate::words;

/// When a new version is worse.
#[derive(Clone, Debug, PartialEq)]
pub struct SequentialRule {
    /// The new version may be bad so many times as often as the old one.
    pub tolerated: f64,
    /// It is good when it is surely not so many times as bad.
    pub excluded: f64,
    /// The chance to give up a version that is no worse than tolerated.
    pub alpha: f64,
    /// The chance to let one pass that is as bad as excluded.
    pub beta: f64,
    /// Fewer bad answers of the new version convince nobody.
    pub bad_min: u64,
    /// Smaller differences of the rates matter to nobody, 0 to 1.
    pub effect_min: f64,
}

/// The test under way.
#[derive(Clone, Debug)]
pub(super) struct Sequential {
    rule: SequentialRule,
    worse: RatioTest,
    good: RatioTest,
    /// The rate of the old version before, when that is what the new one is held against.
    before: Option<f64>,
    /// In words.
    before_text: String,
}

impl Sequential {
    /// `before` is what the old version did until now.
    pub(super) fn new(rule: SequentialRule, reference: Reference, before: Count) -> Self {
        // One more bad one than was seen, so that none seen does not mean never.
        let rate = (before.bad + 1) as f64 / (before.n + 1) as f64;
        Self {
            worse: RatioTest::above(rule.tolerated),
            good: RatioTest::below(rule.excluded),
            before: (reference == Reference::Before).then_some(rate),
            before_text: format!("{} of {}", words::count(before.bad), words::count(before.n)),
            rule,
        }
    }

    pub(super) fn see(&mut self, side: Side, share: f64, is_bad: bool) {
        let is_canary = side == Side::Canary;
        match self.before {
            Some(rate) if is_canary => {
                self.worse.trial(is_bad, rate);
                self.good.trial(is_bad, rate);
            }
            None if is_bad => {
                self.worse.event(is_canary, share);
                self.good.event(is_canary, share);
            }
            _ => {}
        }
    }

    pub(super) fn verdict(&self, canary: Count, stable: Count) -> Option<Verdict> {
        let rule = &self.rule;
        let effect = canary.rate() - self.before.unwrap_or(stable.rate());
        let is_worse = self.worse.evidence() >= 1.0 / rule.alpha;
        if is_worse && canary.bad >= rule.bad_min && effect >= rule.effect_min {
            return Some(Verdict::Fail);
        }
        // So many without a bad one, when one in so many that matter would be bad, are no accident.
        let is_spotless = canary.bad == 0 && canary.n as f64 * rule.effect_min >= (1.0 / rule.beta).ln();
        let is_good = self.good.evidence() >= 1.0 / rule.beta || is_spotless;
        (is_good && !is_worse).then_some(Verdict::Pass)
    }

    pub(super) fn in_words(&self) -> String {
        let evidence = self.worse.evidence();
        let evidence = if evidence < 1e6 { words::short(evidence, 1) } else { "over a million".to_owned() };
        let alone = self.before.map_or_else(String::new, |_| {
            format!("; against {} bad before, which a shared outage fools", self.before_text)
        });
        format!("e-value {evidence}, needed {}{alone}", words::short(1.0 / self.rule.alpha, 0))
    }
}
