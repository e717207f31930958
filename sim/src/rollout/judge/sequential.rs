//! The default judge: who caused this bad answer? An always-valid test, so it may look after every request without fooling
//! itself ([`RatioTest`]).

use gateway_core::id::ServiceId;

use super::{Before, Count, Reference, Side, Verdict};
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
    /// What the old version did before, when that is what the new one is held against.
    before: Option<Before>,
    /// How many attempts of the new version would have been bad by that.
    expected: f64,
}

impl Sequential {
    /// `before` is what the old version did until now.
    pub(super) fn new(rule: SequentialRule, reference: Reference, before: &Before) -> Self {
        Self {
            worse: RatioTest::above(rule.tolerated),
            good: RatioTest::below(rule.excluded),
            before: (reference == Reference::Before).then(|| before.clone()),
            expected: 0.0,
            rule,
        }
    }

    /// An attempt of that side for a request of `service`.
    pub(super) fn see(&mut self, (side, service): (Side, ServiceId), share: f64, is_bad: bool) {
        let is_canary = side == Side::Canary;
        match &self.before {
            Some(before) if is_canary => {
                let rate = before.rate(service);
                self.expected += rate;
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
        let before = self.before.as_ref().map(|_| self.expected / canary.n.max(1) as f64);
        let effect = canary.rate() - before.unwrap_or(stable.rate());
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
        let alone = self.before.as_ref().map_or_else(String::new, |Before { count, .. }| {
            let (bad, n) = (words::count(count.bad), words::count(count.n));
            format!("; against {bad} of {n} bad before, which a shared outage fools")
        });
        format!("e-value {evidence}, needed {}{alone}", words::short(1.0 / self.rule.alpha, 0))
    }
}
