//! `events.ndjson`: what happened, one JSON object on each line. `env.json`: what a run was and where, to tell two of them
//! apart or to run it again.

use serde::Serialize;

use super::ReportError;
use crate::summary::{Environment, ScenarioFacts, Summary, Volatile};

/// `events.ndjson`.
///
/// # Errors
/// When an event cannot be serialised, which would be a bug.
pub(super) fn ndjson(summary: &Summary) -> Result<String, ReportError> {
    let mut file = String::new();
    for event in &summary.events {
        file += &serde_json::to_string(event)?;
        file.push('\n');
    }
    Ok(file)
}

#[derive(Serialize)]
struct Env<'a> {
    scenario: Scenario<'a>,
    environment: &'a Environment,
    volatile: &'a Volatile,
}

/// The scenario without its text, which stands in `scenario.resolved.toml`.
#[derive(Serialize)]
struct Scenario<'a> {
    name: &'a str,
    sha256: &'a str,
    engine: &'a str,
    seed: u64,
    file: &'a str,
    overrides: &'a [String],
}

/// `env.json`.
///
/// # Errors
/// When it cannot be serialised, which would be a bug.
pub(super) fn env(summary: &Summary) -> Result<String, ReportError> {
    let ScenarioFacts { name, sha256, engine, seed, file, overrides, .. } = &summary.scenario;
    let env = Env {
        scenario: Scenario { name, sha256, engine, seed: *seed, file, overrides },
        environment: &summary.environment,
        volatile: &summary.volatile,
    };
    Ok(serde_json::to_string_pretty(&env)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::sample::summary;
    use super::*;

    #[test]
    fn each_line_is_one_event_in_order_of_time() {
        let summary = summary();
        let lines = ndjson(&summary).unwrap();
        let events: Vec<crate::summary::Event> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events, summary.events);
        assert!(events.len() > 6);
    }

    #[test]
    fn the_environment_names_the_scenario_and_not_its_text() {
        let env: serde_json::Value = serde_json::from_str(&env(&summary()).unwrap()).unwrap();
        assert_eq!(env["scenario"]["name"], "blue-green");
        assert!(env["scenario"].get("text").is_none() && env["environment"].is_object());
    }
}
