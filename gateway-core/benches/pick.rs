//! What one decision costs: a pick at 2, 30 and 10,000 targets, alone and with two threads sharing the balancer, and a
//! whole `begin` and `finish`. Budgets: 10 ns for a pick on one thread, 60 ns on two, 500 ns for `begin` and `finish`.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::balancer::{Balancer, Kind, Member};
use gateway_core::config::Config;
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::id::TargetId;
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::stream;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

/// Weights 1, 2, 3, 1, 2, 3, ...: a short period at any number of targets.
fn weight(target: usize) -> Weight {
    Weight::new(1 + (target % 3) as u16)
}

fn balancer(targets: usize) -> Balancer {
    let members = (0..targets)
        .map(|i| Member { target: TargetId(i as u32), weight: weight(i), available: true })
        .collect();
    Balancer::new(Kind::RoundRobin, members, &mut stream(1, "bench", 0))
}

fn gateway(targets: usize) -> Gateway {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue")).expect("a fresh name");
    for i in 0..targets {
        let address = Address::parse(&format!("t{i}:80")).expect("a valid address");
        config.add_target(Target::new(blue, address, weight(i))).expect("a fresh target");
    }
    let service = config.add_service(Service::new("s", "blue")).expect("a fresh name");
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).expect("a valid route");
    Gateway::new(config)
}

fn picks(c: &mut Criterion) {
    let mut group = c.benchmark_group("pick/round-robin");
    for targets in [2, 30, 10_000] {
        let balancer = balancer(targets);
        group.bench_function(format!("{targets} targets, 1 thread"), |b| {
            b.iter(|| balancer.pick());
        });
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = black_box(balancer.pick());
                }
            });
            group.bench_function(format!("{targets} targets, 2 threads"), |b| {
                b.iter(|| balancer.pick());
            });
            stop.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn begin_and_finish(c: &mut Criterion) {
    let mut group = c.benchmark_group("route + begin + finish");
    for targets in [2, 30, 10_000] {
        let gateway = gateway(targets);
        let head = Head::new("GET", "/anything");
        group.bench_function(format!("{targets} targets"), |b| {
            b.iter(|| {
                let matched = gateway.route(0, &head).expect("the route matches everything");
                let attempt = gateway.begin(&matched, &head, Instant::ZERO).expect("there are targets");
                gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, picks, begin_and_finish);
criterion_main!(benches);
