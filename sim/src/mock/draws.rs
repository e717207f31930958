//! What the dice say of one request at one target, whenever and in whatever order it arrives; each fault has draws of its own,
//! so that one more shifts nobody else's.
//!
//! What a request demands belongs to the request: the first target that sees it draws the same as any other would, so that two
//! balancers are compared on the very same demands. Whoever sees it again (a retry, a hedge) draws anew.

use std::time::Duration;

use gateway_core::rng::{draw, fnv1a};

use super::sampler::unit;
use super::{Active, Behaviour, Sampler};

/// The dice of one target.
#[derive(Clone, Debug)]
pub struct Draws {
    seed: u64,
    /// The name of the target's own stream.
    target: u64,
    sampler: Sampler,
}

/// No target is slower, whatever is multiplied.
const DEMAND_MAX: f64 = 3600.0;

impl Draws {
    /// Those of the target called `name` that behaves like this.
    pub fn new(seed: u64, name: &str, behaviour: &Behaviour) -> Self {
        Self::with(seed, name, Sampler::new(&behaviour.latency))
    }

    /// Those of the target called `name` whose service times `sampler` draws.
    pub(super) fn with(seed: u64, name: &str, sampler: Sampler) -> Self {
        Self { seed, target: fnv1a("mock/").wrapping_add(fnv1a(name)), sampler }
    }

    /// The seed.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// What service times are drawn from.
    pub(super) fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The service that `request` demands of a target that has been up for `age`; `is_new` when no target has seen it before.
    pub fn demand(
        &self,
        behaviour: &Behaviour,
        (request, is_new): (u64, bool),
        age: Duration,
        active: &Active<'_>,
    ) -> Duration {
        let drawn = self.plain_demand((request, is_new));
        let warmup = behaviour.warmup.map_or(1.0, |warmup| warmup.latency_x(age));
        match warmup * active.latency_x() {
            1.0 => drawn,
            times => Duration::from_secs_f64((drawn.as_secs_f64() * times).min(DEMAND_MAX)),
        }
    }

    /// The service that a request demands of a target that is as fast as ever.
    pub fn plain_demand(&self, (request, is_new): (u64, bool)) -> Duration {
        let stream = if is_new { const { fnv1a("mock/demand") } } else { self.target };
        self.sampler.at(draw(self.seed, stream, request))
    }

    /// Whether the body of the answer to `request` is another than it should be.
    pub fn differs(&self, behaviour: &Behaviour, request: u64) -> bool {
        let stream = self.target ^ const { fnv1a("mock/differs") }.rotate_left(32);
        behaviour.differs > 0.0 && unit(draw(self.seed, stream, request)) < behaviour.differs
    }

    /// The status of the answer to `request` when it is an error.
    pub fn error(&self, behaviour: &Behaviour, request: u64, active: &Active<'_>) -> Option<u16> {
        let own = behaviour.errors.map(|errors| (const { fnv1a("mock/errors") }, errors));
        own.into_iter().chain(active.errors()).find_map(|(stream, errors)| {
            errors.at(draw(self.seed, self.target ^ stream.rotate_left(32), request))
        })
    }
}
