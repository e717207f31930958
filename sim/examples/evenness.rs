//! How even the load is and whether it can hide a stall: the measurements behind `load/EVENNESS.md`, on this machine.
//!
//! `cargo run --release -p sim --example evenness`
//!
//! Each row comes from a run of the live engine: generator, gateway and two mock targets in one process, over loopback.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sim::engine::live;
use sim::measure::{Observation, Record, Recorder};
use sim::scenario::{self, Input};
use sim::summary::{Facts, Summary, summarise};

const SCENARIO: &str = r#"
name = "evenness"
seed = 42

[load]
duration    = "10s"
connections = 64

[[load.requests]]
path = "/"

[[services]]
name = "service"
host = "upstream"

[[routes]]
paths   = ["/"]
service = { name = "service" }

[[upstreams]]
name    = "upstream"
targets = [ { target = "a:80" }, { target = "b:80" } ]

[[mocks]]
match   = "*"
latency = "0s"
respond = { bytes = 100 }
"#;

/// Both targets stand still for a second.
const STALL: &str = r#"
[[faults]]
at    = "5s"
for   = "1s"
match = "*"
hang  = true
"#;

/// Rates, requests per second.
const RATES: [u32; 4] = [600, 1_000, 5_000, 10_000];

/// What a run left.
struct Seen {
    summary: Summary,
    /// In the order of release.
    records: Vec<Record>,
}

fn main() -> ExitCode {
    println!(
        "rate/s  gap p50  of  gap p1..p99, us  at once  lag p50, us  lag p99, us  generator us/request  validity"
    );
    for rate in RATES {
        match run(rate, "") {
            Ok(seen) => println!("{}", evenness(rate, &seen)),
            Err(e) => return failed(&e),
        }
    }
    println!("\nstall of 1 s in 10 s at 1,000/s: truth p99 900 ms, max 1000 ms, about 1,000 late");
    match run(1_000, STALL) {
        Ok(seen) => println!("{}", stall(&seen)),
        Err(e) => return failed(&e),
    }
    ExitCode::SUCCESS
}

fn failed(error: &str) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}

fn run(rate: u32, more: &str) -> Result<Seen, String> {
    // The arithmetic of a stall is about the whole run.
    let warmup = if more.is_empty() { "1s" } else { "0s" };
    let input = Input {
        path: "evenness.toml".to_owned(),
        text: format!("{SCENARIO}{more}"),
        sets: vec![format!("load.rate={rate}"), format!("load.warmup={warmup}")],
        ..Input::default()
    };
    let plan = scenario::read(&input).map_err(|found| scenario::render(&found, &input, false))?;
    let mut recorder = Recorder::new(&plan);
    let mut records = Vec::with_capacity(plan.load.total() as usize);
    let conditions = live::run(&plan, &AtomicBool::new(false), &mut |seen| {
        for observation in seen {
            recorder.record(observation);
            if let Observation::Ended(record) = observation {
                records.push(*record);
            }
        }
    });
    let conditions = conditions.map_err(|e| e.to_string())?;
    records.sort_by_key(|record| record.index);
    Ok(Seen { summary: summarise(&plan, &recorder.finish(conditions), Facts::default()), records })
}

/// Gaps between the moments at which requests went on the wire, against the gap that the rate asks for. `at once` is the share
/// of gaps below a tenth of it: what a burst is made of.
fn evenness(rate: u32, seen: &Seen) -> String {
    let mut gaps: Vec<Duration> = seen
        .records
        .windows(2)
        .filter_map(|pair| Some(pair[1].on_wire?.since(pair[0].on_wire?)))
        .skip(rate as usize)
        .collect();
    gaps.sort_unstable();
    let at = |q: f64| {
        let place = ((gaps.len() as f64 * q) as usize).min(gaps.len().saturating_sub(1));
        gaps.get(place).map_or(0, Duration::as_micros)
    };
    let asked = Duration::from_secs(1) / rate;
    let at_once = gaps.partition_point(|gap| *gap < asked / 10) as f64 / gaps.len().max(1) as f64;
    let validity = &seen.summary.validity;
    let cpu = seen.summary.cpu_us_per_request.generator.unwrap_or(f64::NAN);
    format!(
        "{rate:>6}  {:>7}  {:>4}  {:>6}..{:<6}    {:>5.1} %  {:>11.0}  {:>11.0}  {cpu:>20.0}  {:?}",
        at(0.5),
        asked.as_micros(),
        at(0.01),
        at(0.99),
        at_once * 100.0,
        validity.lag_us.p50,
        validity.lag_us.p99,
        validity.result
    )
}

fn stall(seen: &Seen) -> String {
    let ms = |us: Option<f64>| us.unwrap_or(f64::NAN) / 1e3;
    let latency = &seen.summary.latency_us;
    let late =
        seen.records.iter().filter(|record| record.response_time() > Duration::from_millis(20)).count();
    format!(
        "response time p50 {:.1} p90 {:.0} p99 {:.0} max {:.0} ms, {late} later than 20 ms, {} answered of {}, {:?}",
        ms(latency.p50),
        ms(latency.p90),
        ms(latency.p99),
        ms(latency.max),
        seen.summary.requests.answered,
        seen.summary.requests.intended,
        seen.summary.validity.result
    )
}
