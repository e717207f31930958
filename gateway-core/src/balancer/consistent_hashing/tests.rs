//! What holds for keys whichever table they are looked up in. How evenly and how steadily is measured in `HASHES.md`.

use proptest::prelude::*;

use super::super::testing::{ask, dice, members, recipe, setup};
use super::*;
use crate::balancer::Recipe;
use crate::entity::{Algorithm, Tuning};
use crate::id::TargetId;

/// Members with these weights, all in, each called by its number.
pub(super) fn shares(weights: &[u32]) -> Vec<Share> {
    let share = |(i, &weight): (u32, &u32)| Share { name: hash(&i.to_le_bytes()), weight, is_in: true };
    (0..).zip(weights).map(share).collect()
}

/// A recipe for each table.
fn recipes(hash_balance_factor: u16) -> [Recipe; 2] {
    HashTable::ALL.map(|hash_table| {
        let tuning = Tuning { hash_table, hash_balance_factor, ..Tuning::default() };
        Recipe { tuning, ..recipe(Algorithm::ConsistentHashing) }
    })
}

fn balancer(members: Vec<Member>, recipe: &Recipe) -> ConsistentHashing {
    ConsistentHashing::new(setup(members, recipe, &mut dice(1)))
}

/// Which target each of the keys 0, 1, ... gets.
fn targets(balancer: &dyn Balancer, keys: u32) -> Vec<TargetId> {
    (0..keys).map(|key| target(balancer, Some(hash(&key.to_le_bytes())), &[])).collect()
}

fn target(balancer: &dyn Balancer, key: Option<u64>, tried: &[TargetId]) -> TargetId {
    let mut rng = dice(0);
    let ask = &mut Ask { key, tried, ..ask(&mut rng) };
    let choice = if tried.is_empty() { balancer.pick(ask) } else { balancer.pick_again(ask) }.unwrap();
    balancer.members()[choice.member()].target
}

fn count(targets: &[TargetId], target: u32) -> f64 {
    targets.iter().filter(|&&t| t == TargetId(target)).count() as f64
}

#[test]
fn a_key_has_one_target_whenever_and_whoever_asks() {
    // Aim: not the time, not the worker, not the order in which targets came nor a restart matter. Method: four threads, and
    // a balancer of the same members in the opposite order.
    for recipe in recipes(0) {
        let balancer = balancer(members(&[3, 1, 4, 1, 5]), &recipe);
        let first = targets(&balancer, 2000);
        std::thread::scope(|scope| {
            let workers = [0; 4].map(|_| scope.spawn(|| targets(&balancer, 2000)));
            for worker in workers {
                assert_eq!(worker.join().unwrap(), first);
            }
        });
        let mut rng = dice(2);
        let mut other = setup(members(&[3, 1, 4, 1, 5]), &recipe, &mut rng);
        other.members.reverse();
        other.names.reverse();
        assert_eq!(targets(&ConsistentHashing::new(other), 2000), first);
    }
}

#[test]
fn keys_are_shared_out_by_weight() {
    // A ring's shares are off by a few percent (`HASHES.md`), a table's by one entry and the chance in 30,000 keys.
    for (recipe, tolerance) in recipes(0).into_iter().zip([0.1, 0.02]) {
        let seen = targets(&balancer(members(&[100, 50]), &recipe), 30_000);
        assert!((count(&seen, 0) / 20_000.0 - 1.0).abs() < tolerance, "{}", count(&seen, 0));
        // One point of 320 is the least a ring gives.
        let seen = targets(&balancer(members(&[65_535, 1]), &recipe), 30_000);
        assert!(count(&seen, 1) < 600.0, "{}", count(&seen, 1));
    }
}

#[test]
fn who_is_ill_gives_its_keys_away_and_gets_them_back() {
    for (recipe, needless_max) in recipes(0).into_iter().zip([0, 200]) {
        let well = balancer(members(&[3, 1, 2, 1]), &recipe);
        let mut ill = members(&[3, 1, 2, 1]);
        ill[2].available = false;
        let mut rng = dice(3);
        let without = well.succeed(setup(ill, &recipe, &mut rng)).begin();
        let (before, during) = (targets(&well, 20_000), targets(&*without, 20_000));
        assert!(!during.contains(&TargetId(2)));
        let moved = before.iter().zip(&during).filter(|(before, during)| before != during);
        let needless = moved.filter(|(before, _)| **before != TargetId(2)).count();
        assert!(needless <= needless_max, "{needless} of 20,000");
        let again = without.succeed(setup(members(&[3, 1, 2, 1]), &recipe, &mut rng)).begin();
        assert_eq!(targets(&*again, 20_000), before);
    }
}

#[test]
fn without_a_key_it_is_turns_and_under_kongs_rules_one_target() {
    for careful in recipes(0) {
        let fair = balancer(members(&[2, 1]), &careful);
        let seen: Vec<_> = (0..300).map(|_| target(&fair, None, &[])).collect();
        assert_eq!((count(&seen, 0), count(&seen, 1)), (200.0, 100.0));
        let kong = balancer(members(&[2, 1]), &Recipe { rules: Rules::Kong, ..careful });
        assert!((0..300).all(|_| target(&kong, None, &[]) == target(&kong, Some(hash(b"")), &[])));
    }
    let nobody = balancer(vec![], &recipes(0)[0]);
    assert_eq!(nobody.pick(&mut Ask { key: Some(1), ..ask(&mut dice(0)) }), Err(NoChoice));
}

#[test]
fn a_retry_goes_on_around_the_table_and_under_kongs_rules_to_the_same_place() {
    for careful in recipes(0) {
        let other = balancer(members(&[1, 1, 1]), &careful);
        let kong = balancer(members(&[1, 1, 1]), &Recipe { rules: Rules::Kong, ..careful });
        for key in (0..100_u64).map(|key| Some(hash(&key.to_le_bytes()))) {
            let first = target(&other, key, &[]);
            let second = target(&other, key, &[first]);
            let third = target(&other, key, &[first, second]);
            assert!(first != second && first != third && second != third);
            assert_eq!(target(&other, key, &[third, first, second]), first, "all were tried");
            assert_eq!(target(&kong, key, &[first]), first);
        }
    }
}

#[test]
fn a_full_target_passes_its_keys_on_and_a_bound_that_is_wide_changes_nothing() {
    for (bounded, free) in recipes(10_000).into_iter().zip(recipes(0)) {
        let all = || members(&[3, 1, 2]);
        assert_eq!(targets(&balancer(all(), &bounded), 2000), targets(&balancer(all(), &free), 2000));
    }
    for recipe in recipes(125) {
        let balancer = balancer(members(&[1, 1, 1]), &recipe);
        let key = Some(hash(b"hot"));
        let first = target(&balancer, key, &[]);
        balancer.crew.seat(first.index()).load.enter();
        balancer.bound.as_ref().unwrap().all.enter();
        // 125 % of a third of two is less than one: who has one is full.
        assert_ne!(target(&balancer, key, &[]), first);
    }
}

/// One thing that happens: a request with this key (none for zero) begins, or the oldest at some member ends.
fn events() -> impl Strategy<Value = Vec<(bool, u64)>> {
    prop::collection::vec((prop::bool::weighted(0.6), 0..8_u64), 1..400)
}

proptest! {
    #[test]
    fn nobody_ever_goes_beyond_its_bound(
        weights in prop::collection::vec(1..6_u32, 1..6),
        factor in 101..300_u16,
        table in 0..2_usize,
        events in events(),
    ) {
        let recipe = &recipes(factor)[table];
        let balancer = balancer(members(&weights), recipe);
        let all = &balancer.bound.as_ref().unwrap().all;
        let total: u32 = weights.iter().sum();
        let mut rng = dice(0);
        for (begins, number) in events {
            if begins {
                let key = (number > 0).then(|| hash(&number.to_le_bytes()));
                let member = balancer.pick(&mut Ask { key, ..ask(&mut rng) }).unwrap().member();
                let limit = u32::from(factor) * (all.in_flight() + 1) * weights[member];
                let load = &balancer.crew.seat(member).load;
                load.enter();
                all.enter();
                prop_assert!(load.in_flight() <= limit.div_ceil(100 * total));
            } else if let Some(seat) = balancer.crew.seats().nth(number as usize)
                && seat.load.in_flight() > 0
            {
                seat.load.leave();
                all.leave();
            }
        }
    }
}
