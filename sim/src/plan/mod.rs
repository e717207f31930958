//! The checked scenario: everything an engine needs, nothing optional that is not optional in the run, no TOML, no text
//! to parse. `scenario` builds it, both engines read it. Leaves phases and thresholds to their files.

mod carried;
mod duration;
mod figure;
mod matrix;
mod model;
pub mod threshold;

pub use carried::carried;
pub use duration::{DurationError, parse_duration};

pub use figure::{Figure, Percentile, Scale};
pub use matrix::{Axis, Cell, Matrix};
pub use model::{Engine, Model};
pub use threshold::{Aggregation, Comparison, End, Expression, Limit, Metric, Threshold, ThresholdError};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::gateway::{Gateway, Options};
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::rng;
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use crate::load::{Load, Numbering};
use crate::mock::{Behaviour, Behind, Fault, Faults, Process};
use crate::rollout::judge::Side;
use crate::rollout::{Action, Machine, Registry, Rollout, Step, Users};

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
        let numbering = Numbering::new(&self.load, self.seed);
        let users = Users::new(move |request| (numbering.stream(request), numbering.user(request)));
        Machine::new(&self.steps, &self.rollout, (self.mocks_of_targets(), self.mocks.len()), users)
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

    /// Each mock's process as the run begins. What is there when a rollout begins was started long before, and is ready; without a
    /// rollout targets start with the run.
    pub fn processes_at_start(&self) -> Vec<Process> {
        let process = |is_there: bool| match (is_there, self.rollout.is_some()) {
            (false, _) => Process::Gone,
            (true, true) => Process::Old,
            (true, false) => Process::Since(Instant::ZERO),
        };
        self.there_at_start().into_iter().map(process).collect()
    }

    /// The mock behind each target.
    pub fn mocks_of_targets(&self) -> Behind {
        let numbered = (0_u32..).zip(&self.mocks).map(|(number, mock)| (mock.name.as_str(), number));
        let mocks: FxHashMap<&str, u32> = numbered.collect();
        let targets = self.gateway.config.targets();
        targets.filter_map(|(id, target)| Some((id, *mocks.get(&*target.target.to_string())?))).collect()
    }

    /// The targets of one side of the rollout, in the order of their ids.
    pub fn targets_of(&self, side: Side) -> Vec<TargetId> {
        let is_one = |mock: u32| self.rollout.sides.get(mock as usize).copied().flatten() == Some(side);
        self.mocks_of_targets().iter().filter(|(_, mock)| is_one(*mock)).map(|(id, _)| id).collect()
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
    /// How many nodes there are, at least 1. Changes go to the first; the others look for them there, each
    /// `options.sync_interval`, which there must be then.
    pub nodes: u16,
    /// Where the proxy listens; port 0 is a free one.
    pub proxy_listen: SocketAddr,
    /// Where the Admin API listens; port 0 is a free one.
    pub admin_listen: SocketAddr,
}

impl GatewayPlan {
    /// All its nodes, ready to go.
    pub fn start(&self) -> Vec<Arc<Gateway>> {
        let first = Arc::new(Gateway::with(self.config.clone(), self.options));
        let mut nodes = vec![Arc::clone(&first)];
        for node in 1..self.nodes {
            let seed = rng::draw(self.options.seed, const { rng::fnv1a("node") }, node.into());
            let options = Options { node, seed, ..self.options };
            let every = options.sync_interval.unwrap_or(Duration::MAX);
            nodes.push(Arc::new(Gateway::beside(Arc::clone(&first), every, options)));
        }
        nodes
    }

    /// How long it may take until a change of Routes, Services or Upstreams is in force everywhere: each node looks for it, and
    /// then each of its workers.
    pub fn routing_lag(&self) -> Duration {
        self.target_lag() + self.options.sync_interval.unwrap_or_default()
    }

    /// How long it may take until a change of targets is.
    pub fn target_lag(&self) -> Duration {
        self.options.sync_interval.filter(|_| self.nodes > 1).unwrap_or_default()
    }
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use gateway_core::config::Change;
    use gateway_core::entity::{Address, Route, Service, Target, Upstream};
    use gateway_core::id::ServiceId;
    use gateway_core::request::Head;
    use gateway_core::weight::Weight;

    use super::*;

    /// Three nodes of Kong, a Service that points at blue, and green beside it.
    fn three(seed: u64) -> GatewayPlan {
        let mut config = Config::default();
        for name in ["blue", "green"] {
            let id = config.add_upstream(Upstream::new(name)).unwrap();
            let address = Address::parse(&format!("{name}-1:80")).unwrap();
            config.add_target(Target::new(id, address, Weight::DEFAULT)).unwrap();
        }
        let service = config.add_service(Service::new("shop", "blue")).unwrap();
        config.add_route(Route { paths: vec!["/".into()], ..Route::new("shop", service) }).unwrap();
        let listen = (Ipv4Addr::LOCALHOST, 0).into();
        let options = Options::kong(1, seed);
        GatewayPlan { config, options, nodes: 3, proxy_listen: listen, admin_listen: listen }
    }

    /// Seconds until each node sends requests to green after it was asked for at 20 s.
    fn delays(plan: &GatewayPlan) -> Vec<f64> {
        let nodes = plan.start();
        let asked = Instant::ZERO + Duration::from_secs(20);
        let head = Head::new("GET", "/");
        let is_green = |node: &Gateway, now: Instant| {
            let (matched, mut rng) = (node.route(0, &head).unwrap(), rng::stream(1, "test", 0));
            let attempt = node.begin(&matched, &head, now, &mut rng).unwrap();
            let is_green = attempt.target.0 == 1;
            drop(node.finish(attempt, gateway_core::outcome::Outcome::ClientGone, now, &mut rng));
            is_green
        };
        for node in &nodes {
            look_until(node, asked);
        }
        nodes[0].apply(Change::SetHost(ServiceId(0), "green".into()), asked).unwrap();
        let delay = |node: &Arc<Gateway>| {
            let mut now = asked;
            while !is_green(node, now) {
                now = node.next_timeout().unwrap();
                node.handle_timeout(now);
            }
            now.since(asked).as_secs_f64()
        };
        nodes.iter().map(delay).collect()
    }

    /// Lets a node look until `until`.
    fn look_until(node: &Gateway, until: Instant) {
        while let Some(next) = node.next_timeout().filter(|next| *next < until) {
            node.handle_timeout(next);
        }
    }

    #[test]
    fn three_nodes_of_kong_send_on_average_4167_requests_to_blue_after_the_answer() {
        // Aim: who learns when is as Kong has it: the first node's worker within 5 s, the others' within 10 s. Method: 600
        // seeds, 1,000 requests per second over three nodes: 1000 / 3 x (2.5 + 5 + 5) = 4,167, and 175 is four standard errors.
        let mean = |n: u64, of: &dyn Fn(&[f64]) -> f64| {
            let one = |seed| of(&delays(&three(seed)));
            (0..n).map(one).sum::<f64>() / n as f64
        };
        let stale = mean(600, &|delays| delays.iter().sum::<f64>() * 1000.0 / 3.0);
        assert!((stale - 4166.7).abs() < 175.0, "{stale}");
        let latest = mean(200, &|delays| delays.iter().copied().fold(0.0, f64::max));
        assert!(latest < 10.0, "{latest}");
    }
}
