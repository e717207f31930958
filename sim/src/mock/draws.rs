//! What the dice say of one request at one target. The same request gets the same draws at the same target, whenever and in
//! whatever order it arrives; each fault has draws of its own, so that one more shifts nobody else's.

use std::time::Duration;

use gateway_core::rng::stream;

use super::{Active, Behaviour};

/// The dice of one target.
#[derive(Clone, Debug)]
pub struct Draws {
    seed: u64,
    /// The name of the target's stream.
    target: String,
}

/// No target is slower, whatever is multiplied.
const DEMAND_MAX: f64 = 3600.0;

impl Draws {
    /// Those of the target called `name`.
    pub fn new(seed: u64, name: &str) -> Self {
        Self { seed, target: format!("mock/{name}") }
    }

    /// The service that `request` demands of a target that has been up for `age`.
    pub fn demand(
        &self,
        behaviour: &Behaviour,
        request: u64,
        age: Duration,
        active: &Active<'_>,
    ) -> Duration {
        let drawn = behaviour.latency.draw(&mut stream(self.seed, &self.target, request));
        let warmup = behaviour.warmup.map_or(1.0, |warmup| warmup.latency_x(age));
        match warmup * active.latency_x() {
            1.0 => drawn,
            times => Duration::from_secs_f64((drawn.as_secs_f64() * times).min(DEMAND_MAX)),
        }
    }

    /// The status of the answer to `request` when it is an error.
    pub fn error(&self, behaviour: &Behaviour, request: u64, active: &Active<'_>) -> Option<u16> {
        let own = behaviour.errors.map(|errors| ("errors", errors));
        own.into_iter().chain(active.errors()).find_map(|(name, errors)| {
            errors.draw(&mut stream(self.seed, &format!("{}/{name}", self.target), request))
        })
    }
}
