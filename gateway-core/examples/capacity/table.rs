//! The table of the page: each algorithm that looks at load, where one target of ten is ten times slower, and where one of two
//! is twice as fast.

use std::fmt::Write as _;

use gateway_core::entity::Algorithm;

use crate::simulation::{Plan, Report};

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::LeastConnections,
    Algorithm::TwoChoices,
    Algorithm::LeastRequest,
    Algorithm::JoinIdleQueue,
    Algorithm::Latency,
    Algorithm::LeastTime,
    Algorithm::PeakEwma,
    Algorithm::Prequal,
    Algorithm::C3,
];
/// Requests of one simulation.
const REQUESTS: usize = 40_000;
/// What is offered, of the capacity of all targets.
const LOAD: f64 = 0.7;

/// One row for each algorithm: share of the first target and mean response time, in both cases.
pub(crate) fn table() -> String {
    let mut slow = vec![1.0; 10];
    slow[0] = 0.1;
    let plans = [slow, vec![2.0, 1.0]].map(|speeds: Vec<f64>| Plan {
        rate: LOAD * speeds.iter().sum::<f64>(),
        speeds,
        requests: REQUESTS,
    });
    let mut table = String::from(
        "| algorithm | share of the slow one (%) | mean | share of the fast one (%) | mean |\n\
         |---|---|---|---|---|\n",
    );
    for algorithm in ALGORITHMS {
        let cells = plans.each_ref().map(|plan| {
            let Report { shares, mean, error } = plan.run(algorithm);
            format!("{:.1} | {mean:.2} ± {error:.2}", 100.0 * shares[0])
        });
        let _ = writeln!(table, "| `{}` | {} |", algorithm.as_str(), cells.join(" | "));
    }
    table
}
