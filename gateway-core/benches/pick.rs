//! What one decision costs: a pick of each algorithm at 2 to 10,000 targets, alone and with two threads sharing the balancer,
//! what making its balancer costs, and a whole `begin` and `finish`. Budgets: 10 ns for a pick on one thread, 60 ns
//! on two, 50 ms to make one of 10,000, 500 ns for `begin` and `finish`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::balancer::{Ask, Balancer, Load, Member, Recipe, Setup, hash, make};
use gateway_core::config::Config;
use gateway_core::entity::{Address, Algorithm, HashTable, Route, Service, Target, Tuning, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::id::TargetId;
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::{Rng, stream};
use gateway_core::rules::Rules;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

const TARGETS: [usize; 5] = [2, 10, 100, 1000, 10_000];

/// Weights 1, 2, 3, 1, 2, 3, ...: a short period at any number of targets.
fn weight(target: usize) -> u16 {
    1 + (target % 3) as u16
}

/// Every algorithm, and what else there is of it beside the default.
fn recipes() -> Vec<(String, Recipe)> {
    let recipe = |algorithm| Recipe::new(&Upstream { algorithm, ..Upstream::new("u") }, Rules::Careful);
    let hashing = |hash_table, hash_balance_factor| {
        let tuning = Tuning { hash_table, hash_balance_factor, ..Tuning::default() };
        Recipe { tuning, ..recipe(Algorithm::ConsistentHashing) }
    };
    let plain = Algorithm::ALL.map(|algorithm| (algorithm.as_str().to_owned(), recipe(algorithm)));
    let others = [
        ("consistent-hashing, bounded", hashing(HashTable::Ring, 125)),
        ("consistent-hashing, maglev", hashing(HashTable::Maglev, 0)),
        ("consistent-hashing, maglev, bounded", hashing(HashTable::Maglev, 125)),
    ];
    plain.into_iter().chain(others.map(|(name, recipe)| (name.to_owned(), recipe))).collect()
}

/// Weights 65535, 65534, 65533, ...: a period too long for a table.
fn unwieldy(target: usize) -> u16 {
    65_535 - target as u16
}

fn balancer(recipe: &Recipe, targets: usize, weight: fn(usize) -> u16) -> Box<dyn Balancer> {
    let member = |i: usize| Member { target: TargetId(i as u32), weight: weight(i).into(), available: true };
    make(Setup {
        members: (0..targets).map(member).collect(),
        loads: (0..targets).map(|_| Arc::new(Load::default())).collect(),
        names: (0..targets).map(|i| hash(&i.to_le_bytes())).collect(),
        all: Arc::default(),
        recipe,
        rng: &mut stream(1, "bench", 0),
    })
}

/// One pick by a request of its own.
fn pick(balancer: &dyn Balancer, rng: &mut Rng, number: &mut u64) -> usize {
    *number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let ask = &mut Ask { now: Instant::from_nanos(*number >> 32), rng, key: Some(*number), tried: &[] };
    balancer.pick(ask).map_or(usize::MAX, |choice| choice.member)
}

fn picks(c: &mut Criterion) {
    for (name, recipe) in recipes() {
        group(c, &name, |targets| balancer(&recipe, targets, weight));
    }
    let (_, round_robin) = &recipes()[0];
    group(c, "round-robin, long period", |targets| balancer(round_robin, targets, unwieldy));
}

fn group(c: &mut Criterion, name: &str, balancer: impl Fn(usize) -> Box<dyn Balancer>) {
    let mut group = c.benchmark_group(format!("pick/{name}"));
    for targets in TARGETS {
        let balancer = balancer(targets);
        let (mut rng, mut number) = (stream(1, "bench", 1), 1);
        group.bench_function(format!("{targets} targets, 1 thread"), |b| {
            b.iter(|| pick(&*balancer, &mut rng, &mut number));
        });
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut rng, mut number) = (stream(1, "bench", 2), 2);
                while !stop.load(Ordering::Relaxed) {
                    black_box(pick(&*balancer, &mut rng, &mut number));
                }
            });
            group.bench_function(format!("{targets} targets, 2 threads"), |b| {
                b.iter(|| pick(&*balancer, &mut rng, &mut number));
            });
            stop.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn makes(c: &mut Criterion) {
    let mut group = c.benchmark_group("make at 10,000 targets");
    group.sample_size(20);
    for (name, recipe) in recipes() {
        group.bench_function(name, |b| b.iter(|| balancer(&recipe, 10_000, weight)));
    }
    group.finish();
}

fn gateway(targets: usize) -> Gateway {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).expect("a fresh name");
    for i in 0..targets {
        let address = Address::parse(&format!("t{i}:80")).expect("a valid address");
        config.add_target(Target::new(blue, address, Weight::new(weight(i)))).expect("a fresh target");
    }
    let service = config.add_service(Service::new("s", "blue")).expect("a fresh name");
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).expect("a valid route");
    Gateway::new(config)
}

fn begin_and_finish(c: &mut Criterion) {
    let mut group = c.benchmark_group("route + begin + finish");
    for targets in [2, 30, 10_000] {
        let gateway = gateway(targets);
        let (head, mut rng) = (Head::new("GET", "/anything"), stream(1, "bench", 0));
        group.bench_function(format!("{targets} targets"), |b| {
            b.iter(|| {
                let matched = gateway.route(0, &head).expect("the route matches everything");
                let attempt =
                    gateway.begin(&matched, &head, Instant::ZERO, &mut rng).expect("there are targets");
                gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO, &mut rng)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, picks, makes, begin_and_finish);
criterion_main!(benches);
