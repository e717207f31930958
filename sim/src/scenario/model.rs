//! `engine` and `[model]`: which engine runs the scenario, and what the model takes for what the live engine finds.

use std::time::Duration;

use serde::Deserialize;

use super::Input;
use super::files::File;
use super::latency::latency;
use super::node::Node;
use super::reader::{Section, Shape};
use crate::mock::Latency;
use crate::plan::{Engine, Model};

const SHAPE: Shape = Shape {
    what: "the model",
    keys: &["network", "gateway_cost", "workers", "replications", "calibration"],
    later: &[],
};
/// More than any machine has.
const WORKERS_MAX: u32 = 1024;
/// More replications than this say nothing new.
const REPLICATIONS_MAX: u32 = 10_000;

/// The engine that the scenario `root` asks for.
pub(super) fn engine(root: &Section<'_>) -> Option<Engine> {
    let engines = [Engine::Live, Engine::Model];
    let named = root.one_of("engine", &engines.map(Engine::as_str), &[])?;
    engines.into_iter().find(|engine| engine.as_str() == named)
}

/// What is used of a calibration.
#[derive(Deserialize)]
struct Calibration {
    network_us: f64,
    gateway_cost_us: f64,
}

/// What the model is told; what a calibration says holds where the scenario says nothing. Its file goes to `identity`.
pub(super) fn read(root: &Section<'_>, input: &Input, identity: &mut Vec<String>) -> Option<Model> {
    let section = root.optional_section("model", &SHAPE);
    let calibration = match section.own("calibration") {
        Some(node) => Some(calibration(&section, node, input, identity)?),
        None => None,
    };
    let network = section.node("network").and_then(|node| latency(&section, node));
    let gateway_cost = section.duration("gateway_cost");
    let replications = section.integer("replications", 1, REPLICATIONS_MAX.into());
    let workers = match section.own("workers") {
        Some(_) => Some(section.integer("workers", 1, WORKERS_MAX.into())?),
        None => None,
    };
    let measured = |key: &str, us: fn(&Calibration) -> f64| {
        let calibration = calibration.as_ref().filter(|_| section.own(key).is_none())?;
        Some(Duration::from_secs_f64(us(calibration) / 1e6))
    };
    Some(Model {
        network: measured("network", |c| c.network_us).map(Latency::Constant).or(network)?,
        gateway_cost: measured("gateway_cost", |c| c.gateway_cost_us).or(gateway_cost)?,
        workers: workers.map(usize::try_from).transpose().ok()?,
        replications: u32::try_from(replications?).ok()?,
    })
}

/// What `sim calibrate` wrote.
fn calibration(
    section: &Section<'_>,
    node: &Node,
    input: &Input,
    identity: &mut Vec<String>,
) -> Option<Calibration> {
    let file = File::read(node, "calibration", input, section.mistakes)?;
    identity.push(file.identity());
    let is_time = |us: f64| (0.0..1e9).contains(&us);
    let read = serde_json::from_str::<Calibration>(&file.text).map_err(|e| e.to_string());
    let read = read.and_then(|read| {
        let is_right = is_time(read.network_us) && is_time(read.gateway_cost_us);
        if is_right { Ok(read) } else { Err("its times make no sense".to_owned()) }
    });
    read.map_err(|why| {
        let message = format!("the calibration cannot be used: {why}");
        section.mistakes.note(&node.place, message, "not what `sim calibrate` writes", "write it anew");
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{Surroundings, check};

    const SCENARIO: &str = "name = \"a\"\n[load]\nrate = 1\nduration = \"1s\"\n[[load.requests]]\npath = \"/\"\n\
        [[services]]\nname = \"s\"\nhost = \"u\"\n[[routes]]\npaths = [\"/\"]\nservice = { name = \"s\" }\n\
        [[upstreams]]\nname = \"u\"\ntargets = [ { target = \"t:80\" } ]\n[[mocks]]\nmatch = \"*\"\n[model]\n";

    fn model(keys: &str) -> Result<Model, String> {
        let file = |path: &Path| match path.to_str() {
            Some("good.json") => Ok("{\"schema\":1,\"network_us\":25.5,\"gateway_cost_us\":40.0}".to_owned()),
            _ => Ok("{\"network_us\":-1,\"gateway_cost_us\":40.0}".to_owned()),
        };
        let surroundings = Surroundings { file, ..Surroundings::default() };
        let input = Input {
            path: "s.toml".into(),
            text: format!("{SCENARIO}{keys}"),
            surroundings,
            ..Input::default()
        };
        check(&input).map(|(plan, _)| plan.model).map_err(|mistakes| mistakes[0].message.clone())
    }

    #[test]
    fn the_gateway_may_be_one_station() {
        assert_eq!(model("workers = 3").unwrap().workers, Some(3));
        assert_eq!(model("").unwrap().workers, None);
        assert!(model("workers = 0").unwrap_err().contains("out of range"));
    }

    #[test]
    fn a_calibration_says_what_the_scenario_does_not() {
        let us = Duration::from_nanos;
        let all = model("calibration = \"good.json\"").unwrap();
        assert_eq!((all.network, all.gateway_cost), (Latency::Constant(us(25_500)), us(40_000)));
        let own = model("calibration = \"good.json\"\nnetwork = \"1ms\"").unwrap();
        assert_eq!((own.network, own.gateway_cost), (Latency::Constant(us(1_000_000)), us(40_000)));
        assert_eq!(model("").unwrap(), Model::default());
        let wrong = model("calibration = \"bad.json\"").unwrap_err();
        assert_eq!(wrong, "the calibration cannot be used: its times make no sense");
    }
}
