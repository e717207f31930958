//! The checked scenario: everything an engine needs, nothing optional that is not optional in the run, no TOML, no text
//! to parse. `scenario` builds it, both engines read it. Leaves phases and thresholds to their files.

mod duration;
mod figure;
mod matrix;
mod model;
pub mod threshold;

pub use duration::{DurationError, parse_duration};

pub use figure::{Figure, Percentile, Scale};
pub use matrix::{Axis, Cell, Matrix};
pub use model::{Engine, Model};
pub use threshold::{Aggregation, Comparison, End, Expression, Limit, Metric, Threshold, ThresholdError};

use std::net::SocketAddr;

use gateway_core::config::Config;
use gateway_core::gateway::Options;
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::rng;
use rustc_hash::FxHashMap;

use crate::load::Load;
use crate::mock::{Behaviour, Fault, Faults};
use crate::rollout::{Action, Machine, Registry, Rollout, Step};

/// One run, ready to go.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario's name: letters, digits, `-`, `_` and `.`, so that it can be a folder.
    pub name: String,
    /// One line about it.
    pub summary: Option<String>,
    /// What every draw comes from.
    pub seed: u64,
    /// The file it came from.
    pub source: Source,
    /// What arrives, and when.
    pub load: Load,
    /// Which engine runs it.
    pub engine: Engine,
    /// What the model engine is told of the world.
    pub model: Model,
    /// The gateway to drive.
    pub gateway: GatewayPlan,
    /// One mock for each target name, in the order the file names them. Reports list targets in this order.
    pub mocks: Vec<MockPlan>,
    /// What happens during the run, one after the other.
    pub steps: Vec<Step>,
    /// What is known of the rollout they make up.
    pub rollout: Rollout,
    /// What goes wrong meanwhile, as the file lists it.
    pub faults: Vec<Fault>,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
}

impl Plan {
    /// The faults with their targets, as the seed picks them.
    pub fn picked_faults(&self) -> Faults {
        let names: Vec<_> = self.mocks.iter().map(|mock| mock.name.as_str()).collect();
        Faults::new(&self.faults, &names, self.seed)
    }

    /// Who leaves its Upstreams and comes back, as the faults say.
    pub fn registry(&self) -> Registry {
        let names: Vec<_> = self.mocks.iter().map(|mock| mock.name.as_str()).collect();
        Registry::new(&self.picked_faults(), &names, &self.gateway.config)
    }

    /// The same with the seed of replication `number`; number 0 is the plan itself.
    #[must_use]
    pub fn replication(&self, number: u32) -> Self {
        let mut plan = self.clone();
        if number > 0 {
            // A seed fits into TOML, so that each replication can be run alone.
            plan.seed = rng::draw(self.seed, const { rng::fnv1a("replication") }, number.into()) >> 1;
            plan.gateway.options.seed = plan.seed;
        }
        plan
    }

    /// What leads through the steps.
    pub fn machine(&self) -> Machine {
        Machine::new(&self.steps, &self.rollout, self.mocks_of_targets(), self.mocks.len())
    }

    /// The action of a step: those of the way back follow the plan's.
    pub fn action(&self, step: usize) -> Option<&Action> {
        self.rollout.action(&self.steps, step)
    }

    /// How many switches of a Service's host there may be: with several, their phases are numbered.
    pub fn switches_max(&self) -> usize {
        self.rollout.switches_max(&self.steps)
    }

    /// Whether each mock's process runs from the start: not if the first thing that happens to it is that a step starts it.
    pub fn there_at_start(&self) -> Vec<bool> {
        let begins = |mock: u32| {
            self.steps.iter().find_map(|step| match &step.action {
                Action::Start(mocks) if mocks.contains(&mock) => Some(false),
                Action::Stop(mocks) if mocks.contains(&mock) => Some(true),
                _ => None,
            })
        };
        (0..).zip(&self.mocks).map(|(mock, _)| begins(mock).unwrap_or(true)).collect()
    }

    /// The mock behind each target.
    pub fn mocks_of_targets(&self) -> FxHashMap<TargetId, u32> {
        let mock = |name: &str| self.mocks.iter().position(|mock| mock.name == name);
        let targets = self.gateway.config.targets();
        targets.filter_map(|(id, target)| Some((id, mock(&target.target.to_string())? as u32))).collect()
    }
}

/// The file a plan came from, for reports and for running it again.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The path as the user gave it; `-` for standard input.
    pub path: String,
    /// The text, verbatim.
    pub text: String,
    /// What flags changed, as `path=value`.
    pub overrides: Vec<String>,
    /// The scenario with all overrides applied, as TOML.
    pub resolved: String,
    /// SHA-256 of `resolved`, in hex.
    pub sha256: String,
}

/// The gateway of a run.
#[derive(Clone, Debug)]
pub struct GatewayPlan {
    /// Its entities at the start.
    pub config: Config,
    /// How it behaves: its workers, how they share balancers and learn of changes, and whose rules hold.
    pub options: Options,
    /// Where the proxy listens; port 0 is a free one.
    pub proxy_listen: SocketAddr,
    /// Where the Admin API listens; port 0 is a free one.
    pub admin_listen: SocketAddr,
}

/// One mock target.
#[derive(Clone, Debug)]
pub struct MockPlan {
    /// The target's name in the gateway's configuration, `httpbin.org:80`.
    pub name: String,
    /// The Upstream that lists it first.
    pub upstream: UpstreamId,
    /// That Upstream's name.
    pub upstream_name: String,
    /// Its weight at the start.
    pub weight: u32,
    /// The version it says it is: `version` of the mock, else its Upstream's name.
    pub version: String,
    /// How it answers.
    pub behaviour: Behaviour,
}
