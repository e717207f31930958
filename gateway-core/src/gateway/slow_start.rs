//! Targets that have just joined, or come back to health, get their weight in sixteen steps: each step is a new epoch that
//! carries over what is owed, so a ramp costs sixteen epochs and not one for each request. The formula is Envoy's
//! (`slow_start_config`).

use std::collections::BTreeMap;

use crate::config::Config;
use crate::entity::SlowStart;
use crate::id::TargetId;
use crate::time::{Instant, nanos};

/// Steps of a ramp, and what a full weight is counted as while somebody is starting.
pub(super) const STEPS: u32 = 16;

/// Who is starting, and since when.
#[derive(Debug, Default)]
pub(super) struct Starters(BTreeMap<TargetId, Instant>);

impl Starters {
    /// A target has joined or come back.
    pub(super) fn start(&mut self, target: TargetId, now: Instant) {
        self.0.insert(target, now);
    }

    /// Targets that `next` has and `before` had not begin; those that are gone are forgotten.
    pub(super) fn follow(&mut self, before: &Config, next: &Config, now: Instant) {
        self.0.retain(|target, _| settings(next, *target).is_some());
        let joined = next.targets().filter(|(id, _)| before.target(*id).is_none());
        for (target, _) in joined.filter(|(id, _)| settings(next, *id).is_some()) {
            self.start(target, now);
        }
    }

    /// How many sixteenths of its weight a target gets at `now`; `None` for the whole.
    pub(super) fn sixteenths(&self, config: &Config, target: TargetId, now: Instant) -> Option<u32> {
        let since = *self.0.get(&target)?;
        let settings = settings(config, target)?;
        let step = step(settings, since, now);
        if step >= STEPS {
            return None;
        }
        let elapsed = f64::from(step) / f64::from(STEPS);
        let least = f64::from(settings.min_weight_percent) / 100.0;
        let share = elapsed.powf(settings.aggression.recip()).max(least);
        Some(((share * f64::from(STEPS)).round() as u32).clamp(1, STEPS))
    }

    /// When somebody gets another step.
    pub(super) fn next_timeout(&self, config: &Config, now: Instant) -> Option<Instant> {
        let next = |(target, since): (&TargetId, &Instant)| {
            let settings = settings(config, *target)?;
            let after = u128::from(step(settings, *since, now)) + 1;
            let nanos = u128::from(nanos(settings.window)) * after / u128::from(STEPS);
            Some(Instant::from_nanos(
                since.as_nanos().saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX)),
            ))
        };
        self.0.iter().filter_map(next).min()
    }

    /// Forgets those whose time is over.
    pub(super) fn retire(&mut self, config: &Config, now: Instant) {
        self.0
            .retain(|target, since| settings(config, *target).is_some_and(|s| step(s, *since, now) < STEPS));
    }
}

fn settings(config: &Config, target: TargetId) -> Option<&SlowStart> {
    let upstream = config.upstream(config.target(target)?.upstream)?;
    upstream.balancer.as_ref()?.slow_start.as_ref()
}

/// Steps that are over.
fn step(settings: &SlowStart, since: Instant, now: Instant) -> u32 {
    let elapsed = now.since(since).as_nanos() * u128::from(STEPS);
    u32::try_from(elapsed / settings.window.as_nanos().max(1)).unwrap_or(u32::MAX)
}
