//! What finding a Route costs, by the number of Routes: plain prefixes, prefixes below a host each, regexes, and requests that
//! nothing matches; and what building the table costs, which every change of the configuration pays.
//! Budget: 1 us at 1,000 Routes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::config::Config;
use gateway_core::entity::{Route, Service};
use gateway_core::request::Head;
use gateway_core::router::Router;

/// How the Routes of a table look.
#[derive(Clone, Copy)]
enum Shape {
    Prefix,
    HostAndPrefix,
    Regex,
    /// Regexes that all begin alike, so that no index tells them apart.
    RegexAlike,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::HostAndPrefix => "host + prefix",
            Self::Regex => "regex",
            Self::RegexAlike => "regex, all alike",
        }
    }

    fn path(self, i: usize) -> String {
        match self {
            Self::Prefix | Self::HostAndPrefix => format!("/api/v1/service-{i:05}"),
            Self::Regex => format!(r"~/api/v1/service-{i:05}/(?<id>\d+)"),
            Self::RegexAlike => format!(r"~/api/v1/(?<id>\d+)/service-{i:05}"),
        }
    }

    fn asked(self, i: usize) -> String {
        match self {
            Self::RegexAlike => format!("/api/v1/12345/service-{i:05}/items"),
            _ => format!("/api/v1/service-{i:05}/12345/items"),
        }
    }
}

/// Numbers of Routes, the third of which stands for many. Where nothing is measured, as by `cargo test`, tables that are soon made
/// will do: in a debug build those of 10,000 take a minute.
fn sizes() -> &'static [usize] {
    if std::env::args().any(|argument| argument == "--bench") {
        &[1, 10, 1_000, 10_000]
    } else {
        &[1, 10, 100]
    }
}

fn host(i: usize) -> String {
    format!("tenant-{i:05}.example.com")
}

fn config(shape: Shape, routes: usize) -> Config {
    let mut config = Config::default();
    let service = config.add_service(Service::new("s", "blue")).expect("a fresh name");
    for i in 0..routes {
        let hosts = if matches!(shape, Shape::HostAndPrefix) { vec![host(i)] } else { vec![] };
        let route = Route { paths: vec![shape.path(i)], hosts, ..Route::new(&format!("r{i}"), service) };
        config.add_route(route).expect("a valid route");
    }
    config
}

fn find(c: &mut Criterion) {
    for shape in [Shape::Prefix, Shape::HostAndPrefix, Shape::Regex, Shape::RegexAlike] {
        let mut group = c.benchmark_group(format!("route/{}", shape.name()));
        for &routes in sizes() {
            let router = Router::new(&config(shape, routes));
            // Other Routes in turn, as traffic has it: a step that shares no factor with the number of Routes.
            let asked: Vec<_> =
                (0..64).map(|i| i * 7919 % routes).map(|i| (host(i), shape.asked(i))).collect();
            let mut next = asked.iter().cycle();
            group.bench_function(format!("{routes} routes"), |b| {
                b.iter(|| {
                    let (host, path) = next.next().expect("it never ends");
                    let found = router.find(&Head { host, ..Head::new("GET", path) });
                    black_box(found).expect("each is served")
                });
            });
            if routes == sizes()[2] {
                group.bench_function(format!("{routes} routes, miss"), |b| {
                    let head = Head { host: "tenant-x.example.com", ..Head::new("GET", "/api/v1/none/1") };
                    b.iter(|| black_box(router.find(black_box(&head))).is_none());
                });
            }
        }
        group.finish();
    }
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/build");
    group.sample_size(10);
    for shape in [Shape::HostAndPrefix, Shape::Regex] {
        let config = config(shape, sizes()[2]);
        group.bench_function(format!("{}, {} routes", shape.name(), sizes()[2]), |b| {
            b.iter(|| Router::new(black_box(&config)));
        });
    }
    group.finish();
}

criterion_group!(benches, find, build);
criterion_main!(benches);
