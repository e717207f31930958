//! The page about consistent hashing is true, and what it says is what the literature promises.

#[path = "support/hashes.rs"]
mod hashes;

use gateway_core::entity::HashTable;
use hashes::{TARGETS, measure, page};

#[test]
fn the_page_says_what_is_so() {
    let written = include_str!("../src/balancer/HASHES.md");
    assert_eq!(written, page(), "write it anew: cargo run -p gateway-core --example hashes");
}

#[test]
fn peaks_and_moves_are_those_of_an_ideal_hash() {
    // Aim: our hash is as good as an ideal one. Method: peaks measured with an ideal hash (ring of 160 points, Maglev), to
    // within 0.06 for a mean of six rings and 0.02 for a table; moves within 0.02 of the least, which is how far the share of
    // the one target that goes may be off.
    for (targets, ring, maglev) in [(3, 1.07, 1.003), (10, 1.13, 1.01), (50, 1.22, 1.03)] {
        assert!(TARGETS.contains(&targets));
        for (table, peak, tolerance, needless) in
            [(HashTable::Ring, ring, 0.06, 0.0), (HashTable::Maglev, maglev, 0.025, 0.01)]
        {
            let seen = measure(table, targets);
            assert!((seen.peak - peak).abs() < tolerance, "{targets}: {seen:?}");
            assert!((seen.moved - 1.0 / f64::from(targets)).abs() < 0.02, "{targets}: {seen:?}");
            assert!(seen.needless <= needless, "{targets}: {seen:?}");
        }
    }
}

#[test]
fn shares_of_many_differ_by_what_an_ideal_hash_would_leave() {
    // Method: with x points for each cell, the keys of a point are its cell, if it is first there (chance (1 - e^-x) / x), and all
    // before it that are empty: as many as tails before heads of chance 1 - e^-x. The variance of 160 such sums over the square of
    // their mean is (x coth(x / 2) - 1) / 160.
    for targets in [1000, 10_000] {
        let x = 160.0 * f64::from(targets) / f64::from(1 << 20);
        let ideal = ((x / (x / 2.0).tanh() - 1.0) / 160.0).sqrt();
        let seen = measure(HashTable::Ring, targets);
        assert!((seen.deviation / ideal - 1.0).abs() < 0.03, "{targets}: {seen:?}, ideal {ideal}");
    }
}
