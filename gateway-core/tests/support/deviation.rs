//! How far from their exact shares an algorithm leaves its targets, measured by picking; and the table of it that
//! `PROMISES.md` shows. Shared by the test and by the example that prints the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gateway_core::balancer::{Ask, Balancer, Choice, Load, Member, Recipe, Setup, make};
use gateway_core::entity::{Algorithm, Upstream};
use gateway_core::id::{TargetId, VersionId};
use gateway_core::rng::{Rng, stream};
use gateway_core::rules::Rules;
use gateway_core::time::Instant;

/// Shuffles of a wheel whose median and maximum are shown.
const SHUFFLES: u64 = 201;

/// The weight sets of the table, with the names they have there.
pub(crate) fn weight_sets() -> Vec<(&'static str, Vec<u32>)> {
    let heavy = |weight, ones| [vec![weight], vec![1; ones]].concat();
    let fibonacci = std::iter::successors(Some((1, 2)), |&(a, b)| Some((b, a + b)));
    vec![
        ("100/50", vec![100, 50]),
        ("5/1/1", vec![5, 1, 1]),
        ("1..10", (1..=10).collect()),
        ("65535/1", vec![65_535, 1]),
        ("95/5", vec![95, 5]),
        ("10 and ten 1s", heavy(10, 10)),
        ("100 and twenty 1s", heavy(100, 20)),
        ("16 Fibonacci numbers, 1 to 1597", fibonacci.map(|(a, _)| a).take(16).collect()),
    ]
}

/// Members 0, 1, 2, ... with these weights.
pub(crate) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(i, &weight)| Member::new(TargetId(i as u32), weight);
    weights.iter().enumerate().map(member).collect()
}

/// A balancer of `members`; what it draws comes from `seed`.
pub(crate) fn balancer(algorithm: Algorithm, members: Vec<Member>, seed: u64) -> Box<dyn Balancer> {
    with_setup(algorithm, members, seed, make)
}

/// The balancer that `of` makes of `members`.
pub(crate) fn with_setup(
    algorithm: Algorithm,
    members: Vec<Member>,
    seed: u64,
    of: impl FnOnce(Setup<'_>) -> Box<dyn Balancer>,
) -> Box<dyn Balancer> {
    let recipe = Recipe::new(&Upstream { algorithm, ..Upstream::new("u") }, Rules::Careful);
    let loads = members.iter().map(|_| Load::default()).collect();
    let names = vec![0; members.len()];
    let rng = &mut stream(seed, "balancer", 0);
    of(Setup { members, loads, names, all: Arc::default(), recipe: &recipe, rng })
}

/// The indices of the next members that it picks, without end.
pub(crate) fn picks(balancer: &dyn Balancer) -> impl Iterator<Item = usize> {
    let mut rng = stream(1, "picks", 0);
    std::iter::repeat_with(move || pick(balancer, &mut rng).member())
}

/// One pick for a first try.
pub(crate) fn pick(balancer: &dyn Balancer, rng: &mut Rng) -> Choice {
    let ask = &mut Ask { now: Instant::ZERO, rng, key: None, tried: &[] };
    balancer.pick(ask).expect("there are members")
}

/// Picks after which all counts should be exact.
pub(crate) fn period(weights: &[u32]) -> usize {
    let gcd = weights.iter().copied().fold(0, |a, b| if b == 0 { a } else { gcd(a, b) });
    (weights.iter().sum::<u32>() / gcd) as usize
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What each of these weights has been owed at the most and overpaid at the most, in requests times the sum of weights,
/// after any prefix of `picks`. Whole numbers, so nothing is rounded.
pub(crate) fn largest(weights: &[u32], picks: impl Iterator<Item = usize>) -> i64 {
    let total: i64 = weights.iter().copied().map(i64::from).sum();
    let mut lags = vec![0_i64; weights.len()];
    let mut largest = 0;
    for pick in picks {
        for (lag, &weight) in lags.iter_mut().zip(weights) {
            *lag += i64::from(weight);
        }
        lags[pick] -= total;
        largest = lags.iter().map(|lag| lag.abs()).fold(largest, i64::max);
    }
    largest
}

/// The largest deviation of any count from its exact share after any pick of the first period, in requests.
pub(crate) fn deviation(algorithm: Algorithm, weights: &[u32], seed: u64) -> f64 {
    let balancer = balancer(algorithm, members(weights), seed);
    let total: u32 = weights.iter().sum();
    largest(weights, picks(&*balancer).take(period(weights))) as f64 / f64::from(total)
}

/// Median and maximum over many shuffles of a wheel.
fn wheels(weights: &[u32]) -> (f64, f64) {
    let mut all: Vec<_> = (0..SHUFFLES).map(|seed| deviation(Algorithm::Wheel, weights, seed)).collect();
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2], all[all.len() - 1])
}

/// The table, in Markdown.
pub(crate) fn table() -> String {
    let mut table =
        "| weights | bound | round-robin | smooth-wrr | edf | wheel |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (name, weights) in weight_sets() {
        let bound = 1.0 - 1.0 / (2 * weights.len() - 2) as f64;
        let [quota, smooth, edf] = [Algorithm::RoundRobin, Algorithm::SmoothWrr, Algorithm::Edf]
            .map(|algorithm| deviation(algorithm, &weights, 0));
        let (median, maximum) = wheels(&weights);
        let row = format!("{bound:.3} | {quota:.3} | {smooth:.3} | {edf:.3} | {median:.2} ({maximum:.2})");
        writeln!(table, "| {name} | {row} |").expect("a string takes everything");
    }
    table
}

/// Members with these weights, each of the version that stands beside.
pub(crate) fn members_of_versions(weights: &[(u64, u32)]) -> Vec<Member> {
    let member = |(i, &(version, weight)): (usize, &(u64, u32))| Member {
        version: VersionId(version),
        ..Member::new(TargetId(i as u32), weight)
    };
    weights.iter().enumerate().map(member).collect()
}

/// The largest distances from exact shares after any of `picks`, in requests: of versions, of targets inside them, and of targets among
/// all.
pub(crate) fn at_both_levels(weights: &[(u64, u32)], picks: impl Iterator<Item = usize>) -> [f64; 3] {
    let total: i64 = weights.iter().map(|&(_, weight)| i64::from(weight)).sum();
    let of =
        |version| weights.iter().filter(move |(of, _)| *of == version).map(|&(_, weight)| i64::from(weight));
    let (mut n, mut turns, mut own) = (0, BTreeMap::new(), vec![0; weights.len()]);
    let mut largest = [0.0_f64; 3];
    for pick in picks {
        n += 1;
        own[pick] += 1;
        *turns.entry(weights[pick].0).or_insert(0) += 1;
        for (&(version, weight), own) in weights.iter().zip(&own) {
            let (weight, whole) = (i64::from(weight), of(version).sum::<i64>());
            let turns = turns.get(&version).copied().unwrap_or(0);
            let off = |owed: i64, parts: i64| owed.abs() as f64 / parts as f64;
            let seen = [
                off(n * whole - turns * total, total),
                off(turns * weight - own * whole, whole),
                off(n * weight - own * total, total),
            ];
            largest = std::array::from_fn(|at| largest[at].max(seen[at]));
        }
    }
    largest
}

/// What versions are promised, in Markdown: a share of the second one's targets, with these weights on each side.
pub(crate) fn table_of_versions() -> String {
    let mut table =
        "| targets of each version | share | version, one level | version | inside | among all |\n\
                     |---|---|---|---|---|---|\n"
            .to_owned();
    let ones = |n| vec![1; n];
    for (name, own) in
        [("2", ones(2)), ("10", ones(10)), ("3, 2, 1", vec![3, 2, 1]), ("20, 5, 5, 1", vec![20, 5, 5, 1])]
    {
        for percent in [5, 20, 50] {
            let side = |version: u64, part: u32| own.iter().map(move |&weight| (version, weight * part));
            let weights: Vec<_> = side(1, 100 - percent).chain(side(2, percent)).collect();
            let plain: Vec<_> = weights.iter().map(|&(_, weight)| weight).collect();
            let seen = |members| {
                let balancer = balancer(Algorithm::RoundRobin, members, 0);
                at_both_levels(&weights, picks(&*balancer).take(period(&plain)))
            };
            let ([alone, ..], [version, inside, all]) =
                (seen(members(&plain)), seen(members_of_versions(&weights)));
            let row = format!("{alone:.3} | {version:.3} | {inside:.3} | {all:.3}");
            writeln!(table, "| {name} | {percent} % | {row} |").expect("a string takes everything");
        }
    }
    table
}
