//! What one decision costs: a pick of each algorithm at 2 to 10,000 targets, alone and with two threads sharing the balancer;
//! for those that listen a whole round of pick, enter, leave and the end; what making a balancer costs; and a whole `begin`
//! and `finish`. Budgets: 10 ns for a pick on one thread, 60 ns on two, 50 ms to make one of 10,000 targets, 500 ns
//! for `begin` and `finish`. What one step that threads share costs on this machine is measured beside them. `balancer/COSTS.md`
//! shows what came of it.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crossbeam_utils::CachePadded;
use gateway_core::balancer::{
    Ask, Balancer, Choice, Ended, Load, Loads, Member, NoChoice, Recipe, Setup, Successor, hash, make,
};
use gateway_core::config::Config;
use gateway_core::entity::{Address, Algorithm, HashTable, Route, Service, Target, Tuning, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::id::TargetId;
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::{Rng, draw, fnv1a, stream};
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

/// What the workers of a gateway share of one Upstream.
struct Site {
    balancer: Box<dyn Balancer>,
    loads: Vec<Load>,
}

/// What one worker has for itself.
struct Worker {
    rng: Rng,
    number: u64,
    /// A microsecond passes from one request to the next.
    now: Instant,
}

impl Site {
    fn new(recipe: &Recipe, targets: usize, weight: fn(usize) -> u16) -> Self {
        let member = |i: usize| Member::new(TargetId(i as u32), weight(i).into());
        let mut loads = Loads::default();
        let loads: Vec<_> = (0..targets).map(|_| loads.one_of(targets)).collect();
        let balancer = make(Setup {
            members: (0..targets).map(member).collect(),
            loads: loads.clone(),
            names: (0..targets).map(|i| hash(&i.to_le_bytes())).collect(),
            all: Arc::default(),
            recipe,
            rng: &mut stream(1, "bench", 0),
        });
        Self { balancer, loads }
    }

    /// One pick by a request of its own.
    fn pick(&self, Worker { rng, number, now }: &mut Worker) -> usize {
        *number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        *now = *now + Duration::from_micros(1);
        let ask = &mut Ask { now: *now, rng, key: Some(*number), tried: &[] };
        self.balancer.pick(ask).map_or(usize::MAX, |choice| choice.member())
    }

    /// A request from its pick to its end.
    fn round(&self, worker: &mut Worker) -> usize {
        let member = self.pick(worker);
        self.loads[member].enter();
        self.loads[member].leave();
        self.answered(member, worker);
        member
    }

    /// An answer of a member.
    fn answered(&self, member: usize, worker: &Worker) {
        let outcome = Outcome::Answered { status: 200 };
        let response_time = Some(Duration::from_nanos(worker.number >> 40));
        self.balancer.on_finish(member, &Ended { outcome, response_time, now: worker.now });
    }

    /// An answer of anybody.
    fn reply(&self, worker: &mut Worker) {
        let member = draw(1, fnv1a("replies"), worker.number) as usize % self.loads.len();
        self.answered(member, worker);
        worker.number = worker.number.wrapping_add(1);
    }
}

impl Worker {
    fn new(number: u64) -> Self {
        Self { rng: stream(1, "bench", number), number, now: Instant::ZERO }
    }
}

/// Chooses the first, always: what any pick costs, with all that it is asked.
#[derive(Debug)]
struct First(Vec<Member>);

impl Balancer for First {
    fn members(&self) -> &[Member] {
        &self.0
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.pick_again(ask)
    }

    fn pick_again(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        if self.0.is_empty() { Err(NoChoice) } else { Ok(Choice::of(0)) }
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        Successor::ready(Self(setup.members))
    }
}

fn picks(c: &mut Criterion) {
    for (name, recipe) in recipes() {
        let site = |targets| Site::new(&recipe, targets, weight);
        measure(c, &format!("pick/{name}"), &TARGETS, site, Site::pick);
    }
    let (_, round_robin) = &recipes()[0];
    let site = |targets| Site::new(round_robin, targets, unwieldy);
    measure(c, "pick/round-robin, long period", &TARGETS, site, Site::pick);
}

fn rounds(c: &mut Criterion) {
    for (name, recipe) in recipes() {
        let site = |targets| Site::new(&recipe, targets, weight);
        if TARGETS.into_iter().any(|targets| site(targets).balancer.listens()) {
            measure(c, &format!("round/{name}"), &TARGETS, site, Site::round);
        }
    }
}

/// Picks by prequal from a pool that is full: sixteen replies that are not measured, and then so many picks that are. A pool
/// that nothing is put into is empty after fifty.
fn picks_from_a_pool(c: &mut Criterion) {
    const REPLIES: u64 = 16;
    let recipe =
        Recipe::new(&Upstream { algorithm: Algorithm::Prequal, ..Upstream::new("u") }, Rules::Careful);
    let mut group = c.benchmark_group("pick/prequal, a full pool");
    for targets in TARGETS {
        let (site, worker) = (Site::new(&recipe, targets, weight), RefCell::new(Worker::new(1)));
        let reply = || site.reply(&mut worker.borrow_mut());
        let pick = |()| site.pick(&mut worker.borrow_mut());
        group.bench_function(format!("{targets} targets, 1 thread"), |b| {
            b.iter_batched(reply, pick, BatchSize::NumIterations(REPLIES));
        });
    }
    group.finish();
}

/// What a pick costs that chooses nothing, and what threads can share at least: a number that goes up, and one behind a lock.
fn floors(c: &mut Criterion) {
    let (_, recipe) = &recipes()[0];
    let first = |targets| {
        let Site { balancer, loads } = Site::new(recipe, targets, weight);
        Site { balancer: Box::new(First(balancer.members().to_vec())), loads }
    };
    measure(c, "pick/(the first)", &[2], first, Site::pick);
    measure(
        c,
        "pick/(one `fetch_add`)",
        &[2],
        |_| CachePadded::new(AtomicUsize::new(0)),
        |counter, _| counter.fetch_add(1, Ordering::Relaxed),
    );
    let counted = |lock: &CachePadded<Mutex<usize>>, _: &mut Worker| {
        let mut count = lock.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        *count
    };
    measure(c, "pick/(one mutex)", &[2], |_| CachePadded::new(Mutex::new(0)), counted);
}

/// At each number of targets, alone and beside another thread that does the same.
fn measure<S: Sync>(
    c: &mut Criterion,
    name: &str,
    targets: &[usize],
    site: impl Fn(usize) -> S,
    act: fn(&S, &mut Worker) -> usize,
) {
    let mut group = c.benchmark_group(name);
    for &targets in targets {
        let (site, mut worker) = (site(targets), Worker::new(1));
        group.bench_function(format!("{targets} targets, 1 thread"), |b| b.iter(|| act(&site, &mut worker)));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut worker = Worker::new(2);
                while !stop.load(Ordering::Relaxed) {
                    black_box(act(&site, &mut worker));
                }
            });
            group.bench_function(format!("{targets} targets, 2 threads"), |b| {
                b.iter(|| act(&site, &mut worker));
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
        group.bench_function(name, |b| b.iter(|| Site::new(&recipe, 10_000, weight)));
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

criterion_group!(benches, floors, picks, picks_from_a_pool, rounds, makes, begin_and_finish);
criterion_main!(benches);
