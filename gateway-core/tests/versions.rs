//! What `round-robin` promises where the targets of an Upstream are of several versions: a version is as close to its share as a
//! target would be, and each target is within one request of its share inside its version, and with two versions of its share of all.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/deviation.rs"]
#[expect(dead_code, reason = "the table is another test's")]
mod deviation;

use std::collections::BTreeMap;

use gateway_core::balancer::{Balancer, Member, Setup};
use gateway_core::config::{Change, Config};
use gateway_core::entity::{Address, Algorithm, Route, Service, Target, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::id::{TargetId, VersionId};
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::stream;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;
use proptest::prelude::*;

use self::deviation::members_of_versions as members;

/// What rounding owed lags to 2^-32 of a request may add.
const ROUNDING: f64 = 1e-6;

/// A target's version and its weight.
type Weighed = (u64, u32);

/// An account of picks at all levels, in whole numbers.
struct Account<'a> {
    weights: &'a [(u64, u32)],
    /// Of each version: its weight and its picks.
    versions: BTreeMap<u64, (i64, i64)>,
    picks: Vec<i64>,
    n: i64,
}

/// The largest distances from exact shares so far: of versions, of targets inside them, and of targets among all, as parts of a
/// request, above and below the line.
#[derive(Default)]
struct Largest {
    version: (i64, i64),
    inside: (i64, i64),
    overall: (i64, i64),
}

fn widen(largest: &mut (i64, i64), off: (i64, i64)) {
    if largest.1 == 0 || i128::from(off.0) * i128::from(largest.1) > i128::from(largest.0) * i128::from(off.1)
    {
        *largest = off;
    }
}

impl<'a> Account<'a> {
    fn new(weights: &'a [(u64, u32)]) -> Self {
        let mut versions: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
        for &(version, weight) in weights {
            versions.entry(version).or_default().0 += i64::from(weight);
        }
        Self { weights, versions, picks: vec![0; weights.len()], n: 0 }
    }

    fn picked(&mut self, member: usize, largest: &mut Largest) {
        self.n += 1;
        self.picks[member] += 1;
        self.versions.get_mut(&self.weights[member].0).unwrap().1 += 1;
        let total: i64 = self.versions.values().map(|(weight, _)| weight).sum();
        for (weight, picks) in self.versions.values() {
            widen(&mut largest.version, ((self.n * weight - picks * total).abs(), total));
        }
        for (&(version, weight), picks) in self.weights.iter().zip(&self.picks) {
            let (of_version, turns) = self.versions[&version];
            let weight = i64::from(weight);
            widen(&mut largest.inside, ((turns * weight - picks * of_version).abs(), of_version));
            widen(&mut largest.overall, ((self.n * weight - picks * total).abs(), total));
        }
    }
}

fn largest_of(weights: &[(u64, u32)], picks: impl Iterator<Item = usize>) -> Largest {
    let (mut account, mut largest) = (Account::new(weights), Largest::default());
    picks.for_each(|pick| account.picked(pick, &mut largest));
    largest
}

/// The same of the first picks of a new balancer.
fn largest(weights: &[(u64, u32)], n: usize) -> Largest {
    let balancer = deviation::balancer(Algorithm::RoundRobin, members(weights), 1);
    largest_of(weights, deviation::picks(&*balancer).take(n))
}

fn is_less_than_one((above, below): (i64, i64)) -> bool {
    above < below
}

/// Visits all weight sets with a sum of up to `sum`, in each way of dividing them among so many versions.
fn divided_sets(sum: u32, versions: u64, visit: &mut dyn FnMut(&[Weighed])) {
    fn grow(left: u32, versions: u64, set: &mut Vec<Weighed>, visit: &mut dyn FnMut(&[Weighed])) {
        let most = set.last().map_or(left, |&(_, weight)| weight.min(left));
        for weight in 1..=most {
            for version in 0..versions {
                set.push((version, weight));
                visit(set);
                grow(left - weight, versions, set, visit);
                set.pop();
            }
        }
    }
    grow(sum, versions, &mut Vec::new(), visit);
}

#[test]
fn two_versions_of_every_small_weight_set_are_exact_at_both_levels() {
    // Aim: the bounds themselves, in whole numbers. Method: exhaustive up to a sum of twelve, each set divided in every way; after a
    // period everybody has had its share.
    let mut seen = 0;
    divided_sets(12, 2, &mut |weights| {
        seen += 1;
        let plain: Vec<u32> = weights.iter().map(|&(_, weight)| weight).collect();
        let Largest { version, inside, overall } = largest(weights, deviation::period(&plain));
        assert!(2 * version.0 <= version.1, "{weights:?}: version {version:?}");
        assert!(is_less_than_one(inside), "{weights:?}: inside {inside:?}");
        assert!(is_less_than_one(overall), "{weights:?}: overall {overall:?}");
        let balancer = deviation::balancer(Algorithm::RoundRobin, members(weights), 1);
        let picks: Vec<_> = deviation::picks(&*balancer).take(3 * deviation::period(&plain)).collect();
        let periods: Vec<_> = picks.chunks(deviation::period(&plain)).collect();
        assert!(periods.iter().all(|period| *period == periods[0]), "{weights:?} repeats");
    });
    assert!(seen > 20_000, "{seen}");
}

#[test]
fn three_versions_of_every_small_weight_set_are_exact_at_both_levels() {
    // Aim: what is said of a baseline beside both versions. Method: exhaustive up to a sum of nine. A target may be 1 + x/4 off among
    // all; the most that is seen is an eighth more than a request.
    let mut farthest = (0, 1);
    divided_sets(9, 3, &mut |weights| {
        let plain: Vec<u32> = weights.iter().map(|&(_, weight)| weight).collect();
        let Largest { version, inside, overall } = largest(weights, deviation::period(&plain));
        assert!(4 * version.0 <= 3 * version.1, "{weights:?}: version {version:?}");
        assert!(is_less_than_one(inside), "{weights:?}: inside {inside:?}");
        widen(&mut farthest, overall);
    });
    assert_eq!(farthest, (9, 8));
}

#[test]
fn a_version_alone_has_the_turns_of_its_targets() {
    // Aim: nothing changes where nobody says of which version targets are, or all say the same.
    for version in [0, 7] {
        let weights = [5, 1, 1, 12, 3];
        let tagged = members(&weights.map(|weight| (version, weight)));
        let turns = |members| {
            let balancer = deviation::balancer(Algorithm::RoundRobin, members, 1);
            deviation::picks(&*balancer).take(100).collect::<Vec<_>>()
        };
        assert_eq!(turns(tagged), turns(deviation::members(&weights)));
    }
}

#[test]
fn the_bounds_are_those_of_the_two_levels_and_not_of_one() {
    // Aim: these tests can fail, and one level alone does not keep versions. Method: the same targets without versions.
    let weights: Vec<(u64, u32)> = (0..20).map(|i| (i % 2, if i < 10 { 3 } else { 1 })).collect();
    let plain: Vec<u32> = weights.iter().map(|&(_, weight)| weight).collect();
    let balancer = deviation::balancer(Algorithm::RoundRobin, deviation::members(&plain), 1);
    let of_one = largest_of(&weights, deviation::picks(&*balancer).take(40));
    assert!(
        2 * of_one.version.0 > of_one.version.1 || !is_less_than_one(of_one.inside),
        "as exact as two levels"
    );
    let mut picks: Vec<_> = {
        let balancer = deviation::balancer(Algorithm::RoundRobin, members(&weights), 1);
        deviation::picks(&*balancer).take(40).collect()
    };
    let other = (1..40).find(|&at| weights[picks[at]].0 != weights[picks[0]].0).unwrap();
    picks[other] = picks[0];
    let off_by_one = largest_of(&weights, picks.into_iter());
    assert!(2 * off_by_one.version.0 > off_by_one.version.1, "one pick too many is seen");
}

/// Round-robin from epoch to epoch with an account of its own, in fractions: what each version and each member inside is owed.
struct Epochs {
    members: Vec<Member>,
    balancer: Box<dyn Balancer>,
    /// Of each member among all.
    lags: Vec<f64>,
}

impl Epochs {
    fn new(weights: &[(u64, u32)]) -> Self {
        let members = members(weights);
        let balancer = deviation::balancer(Algorithm::RoundRobin, members.clone(), 1);
        Self { lags: vec![0.0; members.len()], members, balancer }
    }

    fn reweigh(&mut self, weight: impl Fn(&Member) -> u32) {
        for member in &mut self.members {
            member.weight = weight(member);
        }
        let succeed = |setup: Setup<'_>| self.balancer.succeed(setup).begin();
        self.balancer = deviation::with_setup(Algorithm::RoundRobin, self.members.clone(), 1, succeed);
    }

    fn weight_of(&self, version: VersionId) -> f64 {
        let own = self.members.iter().filter(|member| member.version == version);
        own.map(|member| f64::from(member.weight)).sum()
    }

    /// Picks so many times; the largest lags after any pick of a version, of a target inside it and of a target among all.
    fn largest_lags(&mut self, picks: usize) -> [f64; 3] {
        let total: f64 = self.members.iter().map(|member| f64::from(member.weight)).sum();
        let (mut largest, mut rng) = ([0.0_f64; 3], stream(1, "picks", 0));
        for _ in 0..picks {
            let choice = deviation::pick(&*self.balancer, &mut rng);
            for (lag, member) in self.lags.iter_mut().zip(&self.members) {
                *lag += f64::from(member.weight) / total;
            }
            self.lags[choice.member()] -= 1.0;
            let mut together: BTreeMap<VersionId, f64> = BTreeMap::new();
            for (lag, member) in self.lags.iter().zip(&self.members) {
                *together.entry(member.version).or_default() += lag;
            }
            for (lag, member) in self.lags.iter().zip(&self.members) {
                let version = together[&member.version];
                let inside = lag - version * f64::from(member.weight) / self.weight_of(member.version);
                let seen = [version, inside, *lag];
                largest = std::array::from_fn(|at| largest[at].max(seen[at].abs()));
            }
        }
        largest
    }
}

/// Targets of two versions with these weights.
fn two_versions(
    weights: std::ops::RangeInclusive<u32>,
    most: usize,
) -> impl Strategy<Value = Vec<(u64, u32)>> {
    prop::collection::vec((0_u64..2, weights), 2..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_versions_of_large_weight_sets_are_exact_at_both_levels(weights in two_versions(1..=65_535, 60)) {
        let Largest { version, inside, overall } = largest(&weights, 3000);
        prop_assert!(2 * version.0 <= version.1, "version {version:?}");
        prop_assert!(is_less_than_one(inside), "inside {inside:?}");
        prop_assert!(is_less_than_one(overall), "overall {overall:?}");
    }

    #[test]
    fn steps_between_versions_keep_all_bounds(
        weights in two_versions(1..=9, 24),
        steps in prop::collection::vec((1_u32..100, 1_usize..200), 1..12),
    ) {
        // Aim: the proof goes on from epoch to epoch where shares inside versions do not change.
        let mut epochs = Epochs::new(&weights);
        epochs.largest_lags(37);
        for (percent, picks) in steps {
            let own: Vec<u32> = weights.iter().map(|&(_, weight)| weight).collect();
            epochs.reweigh(|member| {
                own[member.target.index()] * if member.version == VersionId(0) { percent } else { 100 - percent }
            });
            let [version, inside, overall] = epochs.largest_lags(picks);
            prop_assert!(version <= 0.5 + ROUNDING, "version {version}");
            prop_assert!(inside < 1.0 + ROUNDING, "inside {inside}");
            prop_assert!(overall < 1.0 + ROUNDING, "overall {overall}");
        }
    }

    #[test]
    fn versions_are_exact_whatever_happens_inside(
        weights in two_versions(1..=100, 12),
        changes in prop::collection::vec((0_usize..64, 1_u32..=100, 1_usize..200), 1..20),
    ) {
        // Aim: changes inside versions leave versions alone. Inside, more than one request is rare, and two were never seen.
        let mut epochs = Epochs::new(&weights);
        epochs.largest_lags(37);
        for (which, weight, picks) in changes {
            let which = which % weights.len();
            epochs.reweigh(|member| if member.target.index() == which { weight } else { member.weight });
            let [version, inside, overall] = epochs.largest_lags(picks);
            prop_assert!(version <= 0.5 + ROUNDING, "version {version}");
            prop_assert!(inside < 2.0 && overall < 2.0, "inside {inside}, overall {overall}");
        }
    }
}

#[test]
fn the_gateway_takes_versions_from_tags() {
    // Aim: tags make the levels, and a weight changed over the Admin API keeps them. Method: ten targets of each of two versions, a
    // canary in steps, each of as many changes as it has targets; the new version's picks after each.
    let mut config = Config::default();
    let upstream = config.add_upstream(Upstream::new("shop")).unwrap();
    for i in 0..20 {
        let (version, weight) = if i < 10 { ("v1", 95) } else { ("v2", 5) };
        let address = Address::parse(&format!("{version}-{i}:80")).unwrap();
        let tags = vec![format!("version:{version}")];
        config.add_target(Target { tags, ..Target::new(upstream, address, Weight::new(weight)) }).unwrap();
    }
    let service = config.add_service(Service::new("s", "shop")).unwrap();
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).unwrap();
    let gateway = Gateway::new(config);
    let (head, mut rng) = (Head::new("GET", "/"), stream(1, "test", 0));
    let mut owed = 0.0;
    for share in [5_u16, 20, 50, 99, 1] {
        for i in 0..20 {
            let weight = if i < 10 { 100 - share } else { share };
            gateway.apply(Change::SetWeight(TargetId(i), Weight::new(weight)), Instant::ZERO).unwrap();
        }
        for n in 1..=500 {
            let matched = gateway.route(0, &head).unwrap();
            let attempt = gateway.begin(&matched, &head, Instant::ZERO, &mut rng).unwrap();
            owed += f64::from(share) / 100.0 - f64::from(u8::from(attempt.target.0 >= 10));
            assert!(owed.abs() <= 0.5 + ROUNDING, "{owed} after {n} at {share} %");
            let outcome = Outcome::Answered { status: 200 };
            assert!(matches!(
                gateway.finish(attempt, outcome, Instant::ZERO, &mut rng),
                gateway_core::gateway::Next::Done
            ));
        }
    }
}
