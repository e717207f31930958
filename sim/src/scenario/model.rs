//! `engine` and `[model]`: which engine runs the scenario, and what the model takes for what the live engine finds.

use super::latency::latency;
use super::reader::{Section, Shape};
use crate::plan::{Engine, Model};

const SHAPE: Shape = Shape {
    what: "the model",
    keys: &["network", "gateway_cost", "replications"],
    later: &["workers", "calibration"],
};
/// More replications than this say nothing new.
const REPLICATIONS_MAX: u32 = 10_000;

/// The engine that the scenario `root` asks for.
pub(super) fn engine(root: &Section<'_>) -> Option<Engine> {
    let engines = [Engine::Live, Engine::Model];
    let named = root.one_of("engine", &engines.map(Engine::as_str), &[])?;
    engines.into_iter().find(|engine| engine.as_str() == named)
}

/// What the model is told.
pub(super) fn read(root: &Section<'_>) -> Option<Model> {
    let section = root.optional_section("model", &SHAPE);
    let network = section.node("network").and_then(|node| latency(&section, node));
    let gateway_cost = section.duration("gateway_cost");
    let replications = section.integer("replications", 1, REPLICATIONS_MAX.into());
    Some(Model {
        network: network?,
        gateway_cost: gateway_cost?,
        replications: u32::try_from(replications?).ok()?,
    })
}
