//! What one change costs at 10,000 targets, for every algorithm, and how long somebody who picks without a pause waits for it:
//! from the last pick of the old epoch to the first of the new one. `changes edf` asks about one algorithm only. Read what is least:
//! whatever else the machine does makes a change and a wait longer.

#![expect(clippy::print_stdout, reason = "what the program is for")]
#![expect(clippy::disallowed_methods, reason = "it measures")]

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

use gateway_core::config::{Change, Config, ConfigError};
use gateway_core::entity::{Address, Algorithm, Route, Service, Target, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::id::TargetId;
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::stream;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

const TARGETS: u32 = 10_000;
const CHANGES: u32 = 50;
/// Between two changes, for picks.
const PAUSE: Duration = Duration::from_millis(2);

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    println!("| weights | algorithm | a change, ms: least | median | a wait, us: least | median |");
    println!("|---|---|---|---|---|---|");
    let alike: fn(u32) -> u32 = |_| 100;
    let different: fn(u32) -> u32 = |target| 1 + target * 7919 % 1000;
    for (name, weight) in [("alike", alike), ("different", different)] {
        for algorithm in Algorithm::ALL {
            if !wanted.is_empty() && !wanted.iter().any(|name| name == algorithm.as_str()) {
                continue;
            }
            let gateway = gateway(algorithm, weight)?;
            let (mut changes, mut waits) = (Vec::new(), Vec::new());
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let picker = scope.spawn(|| pick_until(&gateway, &is_over));
                for change in 0..CHANGES {
                    std::thread::sleep(PAUSE);
                    let weight = Weight::new(weight(7) as u16 + (change + 1) as u16 % 2);
                    let began = Clock::now();
                    gateway.apply(Change::SetWeight(TargetId(7), weight), Instant::ZERO)?;
                    changes.push(began.elapsed());
                }
                is_over.store(true, Ordering::Relaxed);
                waits = picker.join().expect("it picks to the end");
                Ok::<_, ConfigError>(())
            })?;
            let [change_min, change] = sorted(changes).map(|time| time.as_secs_f64() * 1e3);
            let [wait_min, wait] = sorted(waits).map(|time| time.as_secs_f64() * 1e6);
            println!(
                "| {name} | {} | {change_min:.1} | {change:.1} | {wait_min:.0} | {wait:.0} |",
                algorithm.as_str()
            );
        }
    }
    Ok(())
}

fn gateway(algorithm: Algorithm, weight: fn(u32) -> u32) -> Result<Gateway, Box<dyn Error>> {
    let mut config = Config::default();
    let upstream = config.add_upstream(Upstream { algorithm, ..Upstream::new("u") })?;
    for target in 0..TARGETS {
        let address = Address::parse(&format!("t{target}:80"))?;
        config.add_target(Target::new(upstream, address, Weight::new(weight(target) as u16)))?;
    }
    let service = config.add_service(Service::new("s", "u"))?;
    config.add_route(Route { paths: vec!["/".into()], ..Route::new("r", service) })?;
    Ok(Gateway::new(config))
}

/// Picks until it is over; how long each change took to come into force for whoever does.
fn pick_until(gateway: &Gateway, is_over: &AtomicBool) -> Vec<Duration> {
    let (mut rng, mut waits) = (stream(1, "worker", 0), Vec::new());
    let (mut epoch, mut last) = (None, Clock::now());
    while !is_over.load(Ordering::Relaxed) {
        let head = Head::new("GET", "/");
        let matched = gateway.route(0, &head).expect("there is a Route");
        let attempt = gateway.begin(&matched, &head, Instant::ZERO, &mut rng).expect("there are targets");
        let now = Clock::now();
        if epoch.replace(attempt.epoch).is_some_and(|before| before != attempt.epoch) {
            waits.push(now - last);
        }
        last = now;
        let _ = gateway.finish(attempt, Outcome::Answered { status: 200 }, Instant::ZERO, &mut rng);
    }
    waits
}

/// The least and the middle one.
fn sorted(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort_unstable();
    [times[0], times[times.len() / 2]]
}
