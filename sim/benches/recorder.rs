//! What it costs to record one request: its pick, its line in a target's book, the end of its attempt and its own end.

#[path = "../tests/support/observations.rs"]
mod observations;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gateway_core::config::Config;
use gateway_core::entity::{Address, Service, Target, Upstream};
use gateway_core::gateway::Options;
use gateway_core::weight::Weight;
use observations::observations;
use sim::load::{Load, RequestMix, RequestTemplate, Stream};
use sim::measure::{Observation, Recorder};
use sim::mock::{Behaviour, Latency, Respond};
use sim::plan::{Engine, GatewayPlan, MockPlan, Model, Plan, Source};
use sim::rollout::Rollout;

/// Requests per second, and seconds: so many requests are recorded by one recorder.
const RATE: u64 = 5_000;
const SECONDS: u64 = 20;

fn plan() -> Plan {
    let mut config = Config::default();
    let upstream = config.add_upstream(Upstream::new("blue")).expect("a name");
    let mut mocks = Vec::new();
    for (name, weight) in [("a:80", 100), ("b:80", 50)] {
        let address = Address::parse(name).expect("an address");
        config.add_target(Target::new(upstream, address, Weight::new(weight))).expect("a target");
        let latency = Latency::Constant(Duration::from_millis(4));
        mocks.push(MockPlan {
            name: name.to_owned(),
            upstream,
            upstream_name: "blue".to_owned(),
            weight: u32::from(weight),
            version: "blue".to_owned(),
            behaviour: Behaviour::new(latency, Respond::Anything),
        });
    }
    config.add_service(Service::new("s", "blue")).expect("a Service");
    let requests = RequestMix::new(vec![RequestTemplate::get("/")]).expect("a mix");
    Plan {
        engine: Engine::Live,
        model: Model::default(),
        name: "bench".to_owned(),
        summary: None,
        seed: 1,
        source: Source::default(),
        load: Load {
            connections: 64,
            max_in_flight: 1000,
            ..Load::of(vec![Stream::constant(RATE as f64, Duration::from_secs(SECONDS), requests)])
        },
        gateway: GatewayPlan {
            config,
            options: Options { workers: 2, ..Options::default() },
            nodes: 1,
            proxy_listen: ANY,
            admin_listen: ANY,
        },
        mocks,
        steps: vec![],
        rollout: Rollout::default(),
        faults: vec![],
        thresholds: vec![],
    }
}

/// No socket is opened here.
const ANY: std::net::SocketAddr =
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// What is said of a request: two of three go to the first target, as the weights say.
fn observed(index: u64) -> [Observation; 4] {
    observations(index, RATE, u32::from(index % 3 == 1))
}

fn recording(c: &mut Criterion) {
    let plan = plan();
    c.bench_function("record one request", |bencher| {
        let mut recorder = Recorder::new(&plan);
        let mut index = 0;
        bencher.iter(|| {
            if index == RATE * SECONDS {
                recorder = Recorder::new(&plan);
                index = 0;
            }
            for seen in observed(black_box(index)) {
                recorder.record(&seen);
            }
            index += 1;
        });
    });
    c.bench_function("show progress", |bencher| {
        let mut recorder = Recorder::new(&plan);
        for seen in (0..RATE * SECONDS).flat_map(observed) {
            recorder.record(&seen);
        }
        bencher.iter(|| black_box(recorder.progress()));
    });
}

criterion_group!(benches, recording);
criterion_main!(benches);
