//! Measures consistent hashing and writes `balancer/HASHES.md`: how even it is and how many keys a change moves. Shared by the
//! example that prints the page and the test that compares it.

use std::fmt::Write as _;
use std::sync::Arc;

use gateway_core::balancer::{Ask, Balancer, Load, Member, Recipe, Setup, hash, make};
use gateway_core::entity::{Algorithm, HashTable, Tuning, Upstream};
use gateway_core::id::TargetId;
use gateway_core::rng::stream;
use gateway_core::rules::Rules;
use gateway_core::time::Instant;

/// How many targets are looked at.
pub(crate) const TARGETS: [u32; 5] = [3, 10, 50, 1000, 10_000];
/// Keys of each set of targets.
const KEYS: u32 = 100_000;
/// Of so many targets these would be few, and chance would tell more than the table.
const MANY: u32 = 1000;
/// Keys of each set of many targets, which lie evenly on the circle.
const EVEN_KEYS: u32 = 1 << 22;
/// Sets of targets, each with names of its own, over which the mean is taken.
const SETS: u32 = 6;

/// What one table does with equal targets, as means over the sets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    /// Keys of the busiest target over the mean.
    pub(crate) peak: f64,
    /// Standard deviation of the targets' keys over the mean.
    pub(crate) deviation: f64,
    /// Part of the keys that move when the middle target goes.
    pub(crate) moved: f64,
    /// Part of the keys that move between two targets that stay.
    pub(crate) needless: f64,
}

/// Measures `targets` equal targets.
pub(crate) fn measure(table: HashTable, targets: u32) -> Measured {
    let mut mean = Measured::default();
    let keys = keys(targets);
    for set in 0..SETS {
        let all: Vec<u32> = (0..targets).collect();
        let gone = targets / 2;
        let left: Vec<u32> = all.iter().copied().filter(|&target| target != gone).collect();
        let (before, after) = (homes(table, set, &all, &keys), homes(table, set, &left, &keys));
        let mut counts = vec![0_u32; targets as usize];
        for home in &before {
            counts[home.index()] += 1;
        }
        let of_mean: Vec<_> =
            counts.iter().map(|&count| f64::from(count) * f64::from(targets) / keys.len() as f64).collect();
        let variance = of_mean.iter().map(|share| (share - 1.0).powi(2)).sum::<f64>() / f64::from(targets);
        let moved: Vec<_> = before.iter().zip(&after).filter(|(before, after)| before != after).collect();
        let needless = moved.iter().filter(|(before, _)| **before != TargetId(gone)).count();
        let sets = f64::from(SETS);
        mean.peak += of_mean.into_iter().fold(0.0, f64::max) / sets;
        mean.deviation += variance.sqrt() / sets;
        mean.moved += moved.len() as f64 / keys.len() as f64 / sets;
        mean.needless += needless as f64 / keys.len() as f64 / sets;
    }
    mean
}

/// The keys that so many targets are asked for.
fn keys(targets: u32) -> Vec<u64> {
    if targets < MANY {
        (0..KEYS).map(|key| hash(format!("user-{key}").as_bytes())).collect()
    } else {
        (0..EVEN_KEYS).map(|key| u64::from(key) * (u64::MAX / u64::from(EVEN_KEYS) + 1)).collect()
    }
}

/// Which of `targets` each key goes to.
fn homes(table: HashTable, set: u32, targets: &[u32], keys: &[u64]) -> Vec<TargetId> {
    let balancer = balancer(table, set, targets);
    let mut rng = stream(1, "hashes", 0);
    let mut home = |&key: &u64| {
        let choice =
            balancer.pick(&mut Ask { now: Instant::ZERO, rng: &mut rng, key: Some(key), tried: &[] });
        choice.map_or(TargetId(u32::MAX), |choice| balancer.members()[choice.member()].target)
    };
    keys.iter().map(&mut home).collect()
}

fn balancer(hash_table: HashTable, set: u32, targets: &[u32]) -> Box<dyn Balancer> {
    let upstream = Upstream { algorithm: Algorithm::ConsistentHashing, ..Upstream::new("u") };
    let upstream = Upstream { balancer: Some(Tuning { hash_table, ..Tuning::default() }), ..upstream };
    let member = |&target: &u32| Member::new(TargetId(target), 100);
    make(Setup {
        members: targets.iter().map(member).collect(),
        loads: targets.iter().map(|_| Load::default()).collect(),
        names: targets.iter().map(|target| hash(format!("10.{set}.0.{target}:80").as_bytes())).collect(),
        all: Arc::default(),
        recipe: &Recipe::new(&upstream, Rules::Careful),
        rng: &mut stream(1, "hashes", 0),
    })
}

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = format!(
        "# Consistent hashing in figures\n\n\
         {KEYS} keys, equal weights, means of {SETS} sets of targets. The peak is the busiest target's keys over the mean, the\n\
         deviation the standard deviation of all targets' keys over the mean; the chance in the keys is included, except that\n\
         from {MANY} targets on {EVEN_KEYS} keys lie evenly on the circle. Moved: the part of the keys that go elsewhere when the\n\
         middle target leaves, of which 1/n must; needless: those among them that go from one target that stays to another.\n\
         Written by `cargo run -p gateway-core --example hashes`.\n\n\
         | targets | table | peak | deviation | moved | 1/n | needless |\n|---|---|---|---|---|---|---|\n"
    );
    for targets in TARGETS {
        for table in HashTable::ALL {
            let Measured { peak, deviation, moved, needless } = measure(table, targets);
            let least = 1.0 / f64::from(targets);
            let name = table.as_str();
            // Writing to a string does not fail.
            let _ = writeln!(
                page,
                "| {targets} | {name} | {peak:.3} | {deviation:.3} | {moved:.4} | {least:.4} | {needless:.4} |"
            );
        }
    }
    page.push_str(
        "\nA ring moves only what it must, and its shares differ by about 1/sqrt(160) of the mean; by a sixth more at 10000 targets,\n\
         half of whose points are hidden behind others in a million cells. Maglev shares out its entries exactly; it moves a few\n\
         keys in a thousand more.\n",
    );
    page
}
