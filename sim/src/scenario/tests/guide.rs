//! The page about rollouts: whoever copies an example has a scenario that works, and nothing that can be written is missing.

use super::*;
use crate::measure::Promise;
use crate::rollout::strategies;

const PAGE: &str = include_str!("../../rollout/ROLLOUTS.md");

/// What stands between fences, the first block being what all others are put below.
fn examples() -> Vec<String> {
    let blocks = PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<&str> = blocks.collect();
    blocks[1..].iter().map(|block| format!("{}\n{block}", blocks[0])).collect()
}

#[test]
fn every_example_is_a_scenario_about_which_there_is_nothing_to_say() {
    let mut shown = Vec::new();
    for text in examples() {
        let (plan, warnings) =
            check(&input(&text, &[])).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
        assert!(warnings.is_empty(), "{warnings:?}\n{text}");
        assert!(!plan.steps.is_empty(), "{text}");
        shown.push(plan.rollout.strategy.clone());
    }
    let missing: Vec<_> =
        strategies::ALL.iter().filter(|strategy| !shown.contains(&strategy.name.to_owned())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_strategy_and_every_verb_has_a_row() {
    let has_row = |name: &str| {
        let first_cells = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        first_cells.into_iter().any(|cell| cell.contains(&format!("`{name}`")))
    };
    let strategies = strategies::ALL.iter().map(|strategy| strategy.name);
    let missing: Vec<_> =
        strategies.chain(steps::VERBS.iter().copied()).filter(|name| !has_row(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_promise_is_told_and_no_other() {
    let after = PAGE.split("## What is checked").nth(1).unwrap();
    let mut told: Vec<_> =
        after.lines().filter_map(|line| line.strip_prefix("- ")).map(|line| line.replace('`', "")).collect();
    let mut kept = Promise::ALL.map(|promise| promise.as_str().to_owned()).to_vec();
    told.sort();
    kept.sort();
    assert_eq!(told, kept);
}
