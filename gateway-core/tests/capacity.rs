//! What queueing theory says of the algorithms that look at load, by event simulation with a fixed seed, and whether the page
//! about capacity says what the simulation says.

#[path = "../examples/capacity/simulation.rs"]
mod simulation;
#[path = "../examples/capacity/table.rs"]
mod table;

use gateway_core::entity::Algorithm;

use simulation::{Plan, Report};

/// So many targets of speed 1 at this load.
fn alike(algorithm: Algorithm, targets: usize, load: f64, requests: usize) -> Report {
    Plan { speeds: vec![1.0; targets], rate: load * targets as f64, requests }.run(algorithm)
}

#[test]
fn two_choices_of_a_thousand_come_near_the_mean_field() {
    // E[T] = sum over i >= 1 of 0.9^(2^i - 2) = 2.614 for infinitely many targets.
    let Report { mean, .. } = alike(Algorithm::TwoChoices, 1000, 0.9, 250_000);
    assert!((mean / 2.614 - 1.0).abs() < 0.03, "{mean}");
}

#[test]
fn three_targets_take_as_long_as_their_markov_chain_says() {
    // Mean response times at load 0.8, solved exactly.
    for (algorithm, expected) in [
        (Algorithm::LeastConnections, 2.285_55),
        (Algorithm::TwoChoices, 2.51),
        (Algorithm::LeastRequest, 2.765_70),
        (Algorithm::JoinIdleQueue, 2.746_6),
    ] {
        let Report { mean, error, .. } = alike(algorithm, 3, 0.8, 150_000);
        assert!(error < 0.05 * expected, "{algorithm:?}: an error of {error} says nothing");
        assert!((mean - expected).abs() < 4.0 * error, "{algorithm:?}: {mean} +- {error} for {expected}");
    }
}

#[test]
fn alike_targets_get_alike_shares() {
    let even = |algorithm| alike(algorithm, 10, 0.7, 20_000).shares;
    for algorithm in [Algorithm::C3, Algorithm::PeakEwma, Algorithm::Prequal] {
        let shares = even(algorithm);
        assert!(shares.iter().all(|share| (share - 0.1).abs() < 0.03), "{algorithm:?}: {shares:?}");
    }
}

#[test]
fn the_page_says_what_the_example_prints() {
    let page = include_str!("../src/balancer/CAPACITY.md");
    let table = table::table();
    assert!(page.contains(&table), "the table is now\n{table}");
}
