//! What a modelled request costs: a hundred and ten thousand targets at a load of 0.8, two choices, through the real gateway.
//! Once as the engine alone, once with everything that a report needs.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim::engine::model;
use sim::measure::Recorder;
use sim::plan::Plan;
use sim::scenario::{self, Input};

/// Requests of one run.
const REQUESTS: u64 = 200_000;

/// `targets` servers of 1 ms on average, each busy for four fifths of its time.
fn plan(targets: u64) -> Plan {
    let rate = targets * 800;
    let text = format!(
        "name = \"bench\"\nengine = \"model\"\n\
         [load]\narrivals = \"poisson\"\nrate = {rate}\nduration = \"60s\"\nstop_after = {REQUESTS}\nconnections = 200000\n\
         max_in_flight = 200000\n[[load.requests]]\npath = \"/\"\n\
         [[services]]\nname = \"s\"\nhost = \"u\"\n[[routes]]\npaths = [\"/\"]\nservice = {{ name = \"s\" }}\n\
         [[upstreams]]\nname = \"u\"\nalgorithm = \"two-choices\"\ntargets = {{ count = {targets}, name = \"t-{{i}}:80\" }}\n\
         [[mocks]]\nmatch = \"*\"\nlatency = {{ exponential = \"1ms\" }}\ncapacity = 1\n"
    );
    let input = Input { path: "bench.toml".into(), text, ..Input::default() };
    scenario::read(&input).expect("a scenario without mistakes")
}

fn modelling(c: &mut Criterion) {
    let mut group = c.benchmark_group("model one request");
    group.throughput(Throughput::Elements(REQUESTS)).sample_size(10);
    let stop = AtomicBool::new(false);
    for targets in [100, 10_000] {
        let plan = plan(targets);
        group.bench_function(BenchmarkId::new("engine alone", targets), |bencher| {
            bencher.iter(|| model::run(black_box(&plan), &stop, &mut |_| {}));
        });
        group.bench_function(BenchmarkId::new("engine and recorder", targets), |bencher| {
            bencher.iter(|| {
                let mut recorder = Recorder::new(&plan);
                let conditions = model::run(&plan, &stop, &mut |seen| recorder.record_all(seen));
                recorder.finish(conditions)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, modelling);
criterion_main!(benches);
