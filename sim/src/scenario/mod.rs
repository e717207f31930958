//! From the text of a scenario to a checked [`Plan`], or to all its mistakes at once, each with its place and what would be
//! right. The only code that knows the file format; `defaults.toml` is the only place where defaults stand.

mod describe;
mod diagnostic;
mod gateway;
mod load;
mod mocks;
mod node;
mod reader;
mod steps;
#[cfg(test)]
mod tests;
mod thresholds;

pub use describe::{describe, dry_run};
pub use diagnostic::{Diagnostic, Place, Text, render};

use sha2::{Digest as _, Sha256};

use self::node::Table;
use self::reader::{Mistakes, Section};
use crate::plan::{Action, Plan, Source};

/// Every default, commented: what `sim` reads and what people can read.
pub const DEFAULTS: &str = include_str!("defaults.toml");

const KEYS: [&str; 11] = [
    "name",
    "summary",
    "engine",
    "seed",
    "load",
    "services",
    "routes",
    "upstreams",
    "gateway",
    "mocks",
    "steps",
];
const THRESHOLDS: &str = "thresholds";
const LATER: [&str; 7] = ["extends", "rollout", "faults", "analysis", "model", "matrix", "report"];
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
    /// The seed of `--seed`, instead of the file's.
    pub seed: Option<u64>,
}

/// Reads and checks a scenario.
///
/// # Errors
/// All its mistakes, in the order of the text.
pub fn read(input: &Input) -> Result<Plan, Vec<Diagnostic>> {
    let mut syntax = Vec::new();
    let mut root = node::parse(&input.text, &mut syntax);
    if !syntax.is_empty() {
        // What follows a broken line is a guess; saying more about it would mislead.
        return Err(syntax);
    }
    let mistakes = Mistakes::default();
    for (number, flag) in input.sets.iter().enumerate() {
        if let Err(mistake) = node::set(&mut root, flag, number) {
            mistakes.push(mistake);
        }
    }
    let plan = plan(&root, input, &mistakes);
    let mut mistakes = mistakes.into_inner();
    match plan {
        Some(plan) if mistakes.is_empty() => Ok(plan),
        _ => {
            mistakes.sort_by_key(|mistake| match mistake.place.text {
                Text::File => (0, mistake.place.span.start),
                Text::Set(number) => (1 + number, mistake.place.span.start),
                Text::Defaults => (usize::MAX, 0),
            });
            mistakes.dedup();
            Err(mistakes)
        }
    }
}

/// The plan, as far as it can be told; what is missing or wrong is among `mistakes`.
fn plan(root: &Table, input: &Input, mistakes: &Mistakes) -> Option<Plan> {
    let defaults = defaults();
    let place = Place::file(0..0);
    let known: Vec<_> = KEYS.iter().copied().chain([THRESHOLDS]).collect();
    let section = Section::new(root, Some(&defaults), &place, "a scenario", mistakes, &known, &LATER);
    load::one_of(&section, "engine", &["live"], &["model"]);
    let name = name(&section);
    let seed = section.integer("seed", 0, i64::MAX).map(i64::unsigned_abs);
    let load = load::read(&section, &defaults);
    let (gateway, targets) = gateway::read(&section, &defaults);
    let mocks = mocks::read(&section, &defaults, &targets);
    let gateway = gateway?;
    let steps = steps::read(&section, &gateway.config, &input.text, load.as_ref().map(|load| load.duration));
    let is_switch = |action: &Action| match action {
        Action::SetHost { .. } => true,
    };
    let switches = steps.iter().filter(|step| is_switch(&step.action)).count();
    let known = thresholds::Known { config: &gateway.config, mocks: &mocks, switches };
    let thresholds = thresholds::read(&section, &input.text, &known);
    let resolved = resolved(root, input);
    Some(Plan {
        name: name?,
        summary: section.text("summary").map(str::to_owned),
        seed: input.seed.or(seed)?,
        source: Source {
            path: input.path.clone(),
            text: input.text.clone(),
            overrides: input.sets.clone(),
            sha256: hex(&Sha256::digest(resolved.as_bytes())),
            resolved,
        },
        load: load?,
        gateway,
        mocks,
        steps,
        thresholds,
    })
}

fn defaults() -> Table {
    node::parse(DEFAULTS, &mut Vec::new())
}

fn name(section: &Section<'_>) -> Option<String> {
    let name = section.required_text("name")?;
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if plain && !name.is_empty() && !name.starts_with('.') && name.len() <= NAME_MAX {
        return Some(name.to_owned());
    }
    section.mistakes.note(
        section.place_of("name"),
        "a scenario's name is the name of a folder too",
        "not a name",
        format!("use letters, digits, `.`, `-` and `_`, not starting with `.`, at most {NAME_MAX}"),
    );
    None
}

/// The scenario with all flags applied, in a stable order.
fn resolved(root: &Table, input: &Input) -> String {
    let mut table = root.to_toml();
    if let Some(seed) = input.seed.and_then(|seed| i64::try_from(seed).ok()) {
        table.insert("seed".to_owned(), toml::Value::Integer(seed));
    }
    // Whatever was read as TOML can be written as TOML.
    toml::to_string_pretty(&table).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
