//! What a change costs at 10,000 targets: a weight, a switch of a Service's host, a target that turns; and a weight where a table
//! of hashes has to be made anew. Budget: 50 ms each. Pickers wait only while the balancers are made, which is part of it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::config::{Change, Config};
use gateway_core::entity::{
    Address, Algorithm, HashTable, Healthchecks, Limits, Route, Service, Target, Tuning, Upstream,
};
use gateway_core::gateway::{Gateway, Options};
use gateway_core::id::{ServiceId, TargetId};
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

const TARGETS: usize = 10_000;

fn gateway(options: Options, upstream: Upstream) -> Gateway {
    let mut config = Config::default();
    let passive = Limits { http_failures: 1, ..Limits::default() };
    let healthchecks = Healthchecks { passive, ..Healthchecks::default() };
    let blue = config.add_upstream(Upstream { healthchecks, ..upstream }).expect("a fresh name");
    config.add_upstream(Upstream::new("green")).expect("a fresh name");
    for i in 0..TARGETS {
        let address = Address::parse(&format!("t{i}:80")).expect("a valid name");
        config.add_target(Target::new(blue, address, Weight::DEFAULT)).expect("a fresh target");
    }
    let service = config.add_service(Service::new("s", "blue")).expect("a fresh name");
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) }).expect("a valid route");
    Gateway::with(config, options)
}

fn apply(c: &mut Criterion) {
    let mut group = c.benchmark_group("apply at 10,000 targets");
    group.sample_size(20);
    for (name, options) in [("shared", Options::default()), ("kong, 2 workers", Options::kong(2, 1))] {
        let gateway = gateway(options, Upstream::new("blue"));
        let mut odd = false;
        group.bench_function(format!("a weight, {name}"), |b| b.iter(|| set_weight(&gateway, &mut odd)));
        group.bench_function(format!("a switch, {name}"), |b| {
            b.iter(|| {
                odd = !odd;
                let host = if odd { "green" } else { "blue" };
                black_box(gateway.apply(Change::SetHost(ServiceId(0), host.to_owned()), Instant::ZERO))
            });
        });
        group.bench_function(format!("a target turns, {name}"), |b| {
            b.iter(|| {
                odd = !odd;
                gateway.set_health(TargetId(7), odd, Instant::ZERO);
            });
        });
    }
    for hash_table in HashTable::ALL {
        let balancer = Some(Tuning { hash_table, ..Tuning::default() });
        let algorithm = Algorithm::ConsistentHashing;
        let gateway = gateway(Options::default(), Upstream { algorithm, balancer, ..Upstream::new("blue") });
        let mut odd = false;
        group.bench_function(format!("a weight, {}", hash_table.as_str()), |b| {
            b.iter(|| set_weight(&gateway, &mut odd));
        });
    }
    group.finish();
}

/// Gives a target the other of two weights.
fn set_weight(gateway: &Gateway, odd: &mut bool) {
    *odd = !*odd;
    let weight = Weight::new(if *odd { 101 } else { 100 });
    black_box(gateway.apply(Change::SetWeight(TargetId(7), weight), Instant::ZERO)).expect("a valid change");
}

criterion_group!(benches, apply);
criterion_main!(benches);
