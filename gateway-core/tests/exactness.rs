//! Round-robin's promise, proved from attempts alone, as a report does it: after every pick each target is within one
//! request of its share, whatever the weights, and across changes of weights and members with the lag carried in full.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use gateway_core::config::{Change, Config};
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::{Balancing, Gateway, Next, Options};
use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::stream;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;
use proptest::prelude::*;

const GET: Head<'_> = Head::new("GET", "/");
const UPSTREAM: UpstreamId = UpstreamId(0);

fn gateway(weights: &[u16]) -> Gateway {
    let mut config = Config::default();
    config.add_upstream(Upstream::new("blue")).unwrap();
    for (i, &weight) in weights.iter().enumerate() {
        config.add_target(target(i, weight)).unwrap();
    }
    let service = config.add_service(Service::new("s", "blue")).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    Gateway::new(config)
}

fn target(number: usize, weight: u16) -> Target {
    Target::new(UPSTREAM, Address::parse(&format!("t{number}:80")).unwrap(), Weight::new(weight))
}

/// The bound for `members` members, with what rounding owed lags to 2^-32 of a request may add.
fn bound(members: usize) -> f64 {
    if members < 2 { 1e-6 } else { 1.0 - 1.0 / (2 * members - 2) as f64 + 1e-6 }
}

fn weights_in_force(gateway: &Gateway) -> BTreeMap<TargetId, u16> {
    let config = gateway.config();
    let members = config.targets().filter(|(_, target)| target.weight.get() > 0);
    members.map(|(id, target)| (id, target.weight.get())).collect()
}

/// Picks `n` times and returns the largest lag of any member after any pick, computed from the attempts and the weights
/// in force; the lag carried in counts.
fn largest_lag(gateway: &Gateway, n: usize) -> f64 {
    let weights = weights_in_force(gateway);
    let total: f64 = weights.values().copied().map(f64::from).sum();
    let share = |weight: u16| f64::from(weight) / total;
    let mut picks: BTreeMap<TargetId, u64> = BTreeMap::new();
    let mut carried: BTreeMap<TargetId, f64> = BTreeMap::new();
    let mut largest: f64 = 0.0;
    let mut rng = stream(1, "test", 0);
    for slot in 1..=n {
        let attempt = gateway.begin(&gateway.route(0, &GET).unwrap(), &GET, Instant::ZERO, &mut rng).unwrap();
        let picked = attempt.target;
        *picks.entry(picked).or_default() += 1;
        carried.insert(picked, attempt.carried);
        assert_eq!(attempt.ticket + 1, slot as u64, "a new epoch counts from 0");
        assert!(matches!(
            gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO, &mut rng),
            Next::Done
        ));
        for (id, weight) in &weights {
            // What a member was owed is known from its first pick on; the largest of its earlier lags is the one just
            // before that pick.
            if let Some(owed) = carried.get(id) {
                let lag = owed + slot as f64 * share(*weight) - picks[id] as f64;
                largest = largest.max(lag.abs());
                if *id == picked && picks[id] == 1 {
                    largest = largest.max(owed + (slot - 1) as f64 * share(*weight));
                }
            }
        }
    }
    largest
}

#[test]
fn every_weight_set_of_up_to_four_members_up_to_six_is_exact() {
    // Aim: the whole machine keeps the bound, not only the sequence below it. Method: exhaustive, three periods each.
    let weights = || 0..=6_u16;
    for a in 1..=6 {
        for (b, c, d) in
            weights().flat_map(|b| weights().flat_map(move |c| weights().map(move |d| (b, c, d))))
        {
            let set = [a, b, c, d];
            let members = set.iter().filter(|&&weight| weight > 0).count();
            let lag = largest_lag(&gateway(&set), 3 * usize::from(a + b + c + d));
            assert!(lag <= bound(members), "{set:?}: {lag}");
        }
    }
}

#[test]
fn long_periods_are_exact_too() {
    for weights in [&[65_535, 1][..], &[65_535, 65_534, 65_533], &[1000, 999, 998, 7, 3, 1]] {
        let lag = largest_lag(&gateway(weights), 30_000);
        assert!(lag <= bound(weights.len()), "{weights:?}: {lag}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn random_weight_sets_are_exact(weights in prop::collection::vec(1_u16..=1000, 2..40)) {
        let lag = largest_lag(&gateway(&weights), 2000);
        prop_assert!(lag <= bound(weights.len()), "{lag}");
    }

    #[test]
    fn workers_with_balancers_of_their_own_stray_less_than_a_request_each(
        weights in prop::collection::vec(1_u16..=100, 2..8),
        workers in 2_usize..6,
        order in prop::collection::vec(0_usize..60, 1..600),
    ) {
        let config = gateway(&weights).config().as_ref().clone();
        let options = Options { workers, balancing: Balancing::PerWorker, ..Options::default() };
        let gateway = Gateway::with(config, options);
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let mut lags = vec![0.0; weights.len()];
        let mut rng = stream(1, "test", 0);
        for worker in order {
            let matched = gateway.route(worker % workers, &GET).unwrap();
            let attempt = gateway.begin(&matched, &GET, Instant::ZERO, &mut rng).unwrap();
            for (lag, &weight) in lags.iter_mut().zip(&weights) {
                *lag += f64::from(weight) / total;
            }
            lags[attempt.target.index()] -= 1.0;
            prop_assert!(lags.iter().all(|lag: &f64| lag.abs() < workers as f64), "{lags:?}");
            let next = gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO, &mut rng);
            prop_assert!(matches!(next, Next::Done));
        }
    }

    #[test]
    fn nobody_is_forgotten_across_changes_of_weights_joins_and_leaves(
        weights in prop::collection::vec(1_u16..=100, 3..8),
        changes in prop::collection::vec((0_u8..3, 0_usize..8, 1_u16..=100, 20_usize..200), 1..20),
    ) {
        // In each epoch all lags, what was carried in included, stay within two requests: the proof covers owed lags of up
        // to half a request in sum, and beyond that the reference measured at most 1.79.
        let gateway = gateway(&weights);
        let mut next = weights.len();
        largest_lag(&gateway, 37);
        for (kind, which, weight, picks) in changes {
            let before = weights_in_force(&gateway);
            let id = *before.keys().nth(which % before.len()).unwrap();
            let change = match kind {
                0 => Change::SetWeight(id, Weight::new(weight)),
                1 if before.len() > 2 => Change::DeleteTarget(id),
                _ => { next += 1; Change::CreateTarget(target(next, weight)) }
            };
            gateway.apply(change, Instant::ZERO).unwrap();
            if before.keys().ne(weights_in_force(&gateway).keys()) || kind == 0 && before[&id] != weight {
                let lag = largest_lag(&gateway, picks);
                prop_assert!(lag <= 2.0, "{lag}");
            }
        }
    }
}
