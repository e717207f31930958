//! From the text of a scenario to a checked [`Plan`], or to all its mistakes at once, each with its place and what would be
//! right. The only code that knows the file format; `defaults.toml` is the only place where defaults stand, but for those
//! of entities, which are Kong's.

mod diagnostic;
mod mistakes;
mod node;
mod questions;
mod reader;
mod surroundings;
mod values;

mod analyses;
mod arrivals;
mod behaviour;
mod carriers;
mod deck;
mod entity;
mod faults;
mod files;
mod flags;
mod gateway;
mod header_routes;
mod latency;
mod lints;
mod load;
mod matrix;
mod mocks;
mod model;
mod overload;
mod patience;
mod patterns;
mod readiness;
mod requests;
mod retry;
mod rings;
mod rollout;
mod services;
mod settings;
mod steps;
mod sticky;
mod streams;
mod thresholds;
mod told;
mod traces;
mod upstreams;
mod users;
mod verbs;
mod versions;

mod describe;
mod origins;
mod render;
mod schema;
#[cfg(test)]
mod tests;

pub use deck::read_deck;
pub use describe::{deck, describe, dry_run, reachable};
pub use diagnostic::{Diagnostic, Place, Text};
pub use flags::{capacity_of, errors_of, latency_of, queue_of, respond_of, version_of};
pub use gateway::WORKERS_MAX;
pub use lints::{Lint, Subject, lint};
pub use render::{render, render_warnings};
pub use schema::schema;
pub use surroundings::Surroundings;

use sha2::{Digest as _, Sha256};

use self::matrix::Axes;
use self::mistakes::Mistakes;
use self::node::Table;
use self::reader::{Section, Shape};
use crate::load::Load;
use crate::plan::{Engine, Matrix, Plan, Source};

/// Every default, commented: what `sim` reads and what people can read.
pub const DEFAULTS: &str = include_str!("defaults.toml");

const SHAPE: Shape = Shape {
    what: "a scenario",
    keys: &[
        "name",
        "summary",
        "engine",
        "seed",
        "model",
        "load",
        "services",
        "routes",
        "upstreams",
        "gateway",
        "mocks",
        "rollout",
        "analysis",
        "steps",
        "faults",
        "thresholds",
        "matrix",
        "report",
    ],
    later: &["extends"],
};
/// A name is a folder's name too.
const NAME_MAX: usize = 64;

/// A scenario as it comes in.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The path as the user gave it; `-` for standard input.
    pub path: String,
    /// The text of the file.
    pub text: String,
    /// `path=value` of each `--set`, in order.
    pub sets: Vec<String>,
    /// `axis=value,value` of each `--vary`, in order.
    pub vary: Vec<String>,
    /// The number of seeds of `--repeat`, from the first one on, instead of the file's.
    pub repeat: Option<u32>,
    /// The seed of `--seed`, instead of the file's.
    pub seed: Option<u64>,
    /// The engine of `--engine`, instead of the file's.
    pub engine: Option<Engine>,
    /// Which value of each axis of `[matrix]`, by their numbers; the first where nothing is said.
    pub choice: Vec<usize>,
    /// Whether this is a run of a comparison, which is judged by others: then nothing must hold.
    pub is_compared: bool,
    /// Where files that the scenario names come from.
    pub surroundings: Surroundings,
}

/// Reads and checks a scenario.
///
/// # Errors
/// All its mistakes, in the order of the text.
pub fn read(input: &Input) -> Result<Plan, Vec<Diagnostic>> {
    check(input).map(|(plan, _)| plan)
}

/// The same, with what is no mistake and hardly meant.
///
/// # Errors
/// All its mistakes, in the order of the text.
pub fn check(input: &Input) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    whole(input).map(|(plan, _, warnings)| (plan, warnings))
}

/// What a scenario varies and compares. Each choice of values has been checked to be a plan.
///
/// # Errors
/// All mistakes of all choices, in the order of the text, none twice.
pub fn matrix(input: &Input) -> Result<Matrix, Vec<Diagnostic>> {
    let input = Input { is_compared: true, ..input.clone() };
    let (_, matrix, _) = whole(&input)?;
    let mistakes = Mistakes::default();
    for number in 1..matrix.choices() {
        let chosen = Input { choice: matrix.choice(number), ..input.clone() };
        for mistake in whole(&chosen).err().into_iter().flatten() {
            mistakes.push(mistake);
        }
    }
    let (mistakes, _) = mistakes.in_order();
    if mistakes.is_empty() { Ok(matrix) } else { Err(mistakes) }
}

/// Everything a scenario says.
fn whole(input: &Input) -> Result<(Plan, Matrix, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut syntax = Vec::new();
    let mut root = node::parse(&input.text, Place::file, &mut syntax);
    let mistakes = Mistakes::beside(syntax, &input.text);
    for (number, flag) in input.sets.iter().enumerate() {
        if let Err(mistake) = node::set(&mut root, flag, number) {
            mistakes.push(mistake);
        }
    }
    for (number, flag) in input.vary.iter().enumerate() {
        if let Err(mistake) = node::vary(&mut root, flag, number) {
            mistakes.push(mistake);
        }
    }
    if input.is_compared {
        root.entries.retain(|(key, _)| key.name != "thresholds");
    }
    let axes = matrix::take(&mut root, &mistakes);
    matrix::lay(&mut root, &axes, &input.choice, &mistakes);
    traces::lay(&mut root, input, &mistakes);
    let plan = plan(&root, &axes, input, &mistakes);
    let (mistakes, warnings) = mistakes.in_order();
    match plan {
        Some((plan, matrix)) if mistakes.is_empty() => Ok((plan, matrix, warnings)),
        _ => Err(mistakes),
    }
}

/// The plan, as far as it can be told, and what is compared; what is missing or wrong is among `mistakes`.
fn plan(root: &Table, axes: &Axes, input: &Input, mistakes: &Mistakes) -> Option<(Plan, Matrix)> {
    let (defaults, place) = (defaults(), Place::file(0..0));
    let section = Section::whole(root, &defaults, &place, &SHAPE, mistakes);
    let engine = input.engine.or(model::engine(&section));
    let name = name(&section);
    let seed = section.integer("seed", 0, i64::MAX).map(i64::unsigned_abs);
    let mut files = Vec::new();
    let model = model::read(&section, input, &mut files);
    let load = load::read(&section, engine.unwrap_or_default(), input, &mut files);
    let mut entities = gateway::entities(&section, input);
    versions::prepare(&section, &mut entities);
    let mut mocks = mocks::read(&section, &entities.targets);
    let duration = load.as_ref().map(Load::duration);
    let (steps, rollout) = rollout::plan(&section, &entities, &mocks, input, load.as_ref());
    versions::tag(&mut entities, &rollout, &mocks);
    rollout::start_times(&section, &rollout, &mut mocks);
    if let Some(load) = &load {
        let rate = load.total() as f64 / load.duration().as_secs_f64().max(1e-9);
        patience::warn(&section, &steps, &rollout, rate);
        overload::warn(&section, &steps, (&rollout, &entities.config), &mocks, rate);
        carriers::warn(&section, &entities, &steps, (load, input.seed.or(seed).unwrap_or_default()));
    }
    readiness::warn(&section, &steps, &mocks);
    let faults = faults::read(&section, &mocks, duration);
    let has_warmup = load.as_ref().is_none_or(|load| !load.warmup.is_zero());
    // A rollout that cannot be read might have had a switch and a way back.
    let unread = if section.has("rollout") && steps.is_empty() { 2 } else { 0 };
    let switches = rollout.switches_max(&steps).max(steps::switches(&section)).max(unread);
    let known =
        thresholds::Known { entities: &entities, mocks: &mocks, load: load.as_ref(), switches, has_warmup };
    let thresholds = thresholds::read(&section, input, &known);
    let seed = input.seed.or(seed);
    let matrix = matrix::read(&section, axes, seed, input.repeat);
    let gateway = gateway::read(&section, entities.config, seed.unwrap_or_default());
    let resolved = resolved(root, input, &[entities.identity, files].concat());
    let plan = Plan {
        name: name?,
        summary: section.text("summary").map(str::to_owned),
        seed: seed?,
        source: Source {
            path: input.path.clone(),
            text: input.text.clone(),
            overrides: input.sets.clone(),
            sha256: sha256(&resolved),
            resolved,
        },
        load: load?,
        engine: engine?,
        model: model?,
        gateway: gateway?,
        mocks,
        steps,
        rollout,
        faults,
        thresholds,
    };
    Some((plan, matrix?))
}

fn defaults() -> Table {
    node::parse(DEFAULTS, Place::defaults, &mut Vec::new())
}

/// The text with all flags laid over it, where both are known to be right.
fn tree(text: &str, sets: &[String]) -> Table {
    let mut root = node::parse(text, Place::file, &mut Vec::new());
    for (number, flag) in sets.iter().enumerate() {
        // A flag that leads nowhere has no part in a plan.
        let _ = node::set(&mut root, flag, number);
    }
    root
}

fn name(section: &Section<'_>) -> Option<String> {
    let name = section.required_text("name", "blue-green")?;
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_plain && !name.is_empty() && !name.starts_with(['.', '-']) && name.len() <= NAME_MAX {
        return Some(name.to_owned());
    }
    let (message, label) = ("a scenario's name is the name of a folder too", "cannot be one");
    let help = format!("use letters, digits, `.`, `-` and `_`, a letter or digit first, at most {NAME_MAX}");
    section.mistakes.note(section.place_of("name"), message, label, help);
    None
}

/// The scenario with all flags applied, in a stable order; what else it is made of stands below it as comments.
fn resolved(root: &Table, input: &Input, identity: &[String]) -> String {
    let mut table = root.to_toml();
    if let Some(seed) = input.seed.and_then(|seed| i64::try_from(seed).ok()) {
        table.insert("seed".to_owned(), toml::Value::Integer(seed));
    }
    if let Some(engine) = input.engine {
        table.insert("engine".to_owned(), toml::Value::String(engine.as_str().to_owned()));
    }
    // Whatever was read as TOML can be written as TOML.
    let text = toml::to_string_pretty(&table).unwrap_or_default();
    identity.iter().fold(text, |text, line| format!("{text}# {line}\n"))
}

/// SHA-256 of a text, in hex.
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
