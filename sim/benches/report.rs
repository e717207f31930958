//! What it costs to write down what was measured: the page, and all files, of a run of ten minutes and of one of an hour.
//! Budget of a page: 50 ms. How large it may be is tested with the page.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use sim::engine::model;
use sim::measure::Recorder;
use sim::report::{self, html};
use sim::scenario::{self, Input};
use sim::summary::{Facts, Summary, summarise};

/// Blue to green and back again under load for so many minutes, in virtual time.
fn summary(minutes: u64) -> Summary {
    let text = format!(
        "name = \"bench\"\nengine = \"model\"\n\
         [load]\nrate = 50\nduration = \"{minutes}m\"\n[[load.requests]]\npath = \"/\"\n\
         [[services]]\nname = \"s\"\nhost = \"blue\"\n[[routes]]\npaths = [\"/\"]\nservice = {{ name = \"s\" }}\n\
         [[upstreams]]\nname = \"blue\"\ntargets = [{{ target = \"b-1:80\" }}, {{ target = \"b-2:80\", weight = 50 }}]\n\
         [[upstreams]]\nname = \"green\"\ntargets = [{{ target = \"g-1:80\" }}, {{ target = \"g-2:80\" }}]\n\
         [[mocks]]\nmatch = \"*\"\nlatency = {{ p50 = \"4ms\", p99 = \"20ms\" }}\n\
         [[steps]]\nat = \"3m\"\nset_host = {{ service = \"s\", host = \"green\" }}\n\
         [[steps]]\nat = \"6m\"\nset_host = {{ service = \"s\", host = \"blue\" }}\n"
    );
    let input = Input { path: "bench.toml".into(), text, ..Input::default() };
    let plan = scenario::read(&input).expect("a scenario without mistakes");
    let mut recorder = Recorder::new(&plan);
    let conditions = model::run(&plan, &AtomicBool::new(false), &mut |seen| {
        for seen in seen {
            recorder.record(seen);
        }
    });
    summarise(&plan, &recorder.finish(conditions), Facts::default())
}

fn writing(c: &mut Criterion) {
    let mut group = c.benchmark_group("report");
    for minutes in [10, 60] {
        let summary = summary(minutes);
        group.bench_function(BenchmarkId::new("page", format!("{minutes} min")), |bencher| {
            bencher.iter(|| html::page(black_box(&summary)));
        });
        group.bench_function(BenchmarkId::new("all files", format!("{minutes} min")), |bencher| {
            bencher.iter(|| report::files(black_box(&summary)));
        });
    }
    group.finish();
}

criterion_group!(benches, writing);
criterion_main!(benches);
