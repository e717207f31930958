//! How a run is modelled: which engine, and what the model takes for what the live engine finds.

use std::time::Duration;

use crate::mock::Latency;

/// Which engine runs a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Real sockets, real time.
    #[default]
    Live,
    /// Virtual time.
    Model,
}

impl Engine {
    /// As scenarios and reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Model => "model",
        }
    }
}

/// What the model engine is told of the world.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// How long a message takes from client to gateway, from gateway to target, and back: one way each.
    pub network: Latency,
    /// What a request costs a worker of the gateway; meanwhile its other requests wait.
    pub gateway_cost: Duration,
    /// Requests that the gateway works on at once, whoever came first first, at least 1; `None` is one for each of its
    /// workers, which serves its own connections only.
    pub workers: Option<usize>,
    /// How many times the run is repeated with draws of its own, at least 1.
    pub replications: u32,
}

impl Default for Model {
    /// 50 us on the way, a gateway that costs nothing, one run.
    fn default() -> Self {
        Self {
            network: Latency::Constant(Duration::from_micros(50)),
            gateway_cost: Duration::ZERO,
            workers: None,
            replications: 1,
        }
    }
}
