//! The generator alone, against whatever listens: what a request costs it, measured from outside as for any other generator.
//!
//! `cargo build --release -p sim --example load`, then for example
//! `taskset -c 0 /usr/bin/time -f '%U %S' target/release/examples/load 127.0.0.1:8080 closed 10s`
//! beside `taskset -c 0 /usr/bin/time -f '%U %S' wrk -t1 -c64 -d10s http://127.0.0.1:8080/`.
//!
//! Its arguments are an address, requests a second (or `closed`: 64 users, each of whom asks again as soon as it has its
//! answer), and how long.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program's output")]

use std::net::SocketAddr;
use std::process::ExitCode;

use gateway_core::shell::Clock;
use sim::engine::live;
use sim::scenario::{self, Input};

/// What is not asked of the far side has to be there all the same: a scenario is a gateway's.
const SCENARIO: &str = r#"
name = "load"
seed = 42

[load]
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
targets = [ { target = "a:80" } ]

[[mocks]]
match = "*"
"#;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<String, String> {
    let [address, pace, duration] = arguments else {
        return Err("usage: load ADDRESS RATE|closed DURATION".to_owned());
    };
    let address: SocketAddr = address.parse().map_err(|e| format!("{address}: {e}"))?;
    let mut sets = vec![format!("load.duration={duration}")];
    if pace == "closed" {
        sets.extend(["load.executor=constant-vus".to_owned(), "load.vus=64".to_owned()]);
    } else {
        sets.push(format!("load.rate={pace}"));
    }
    let input = Input { path: "load.toml".to_owned(), text: SCENARIO.to_owned(), sets, ..Input::default() };
    let plan = scenario::read(&input).map_err(|found| scenario::render(&found, &input, false))?;
    let records = live::send_load(&plan, address, &Clock::stopped()).map_err(|e| e.to_string())?;
    // Not by their endings: to a run, an answer that no mock has signed is the gateway's own.
    let answered = records.iter().filter(|record| record.time_to_first_byte().is_some()).count();
    let seconds = plan.load.duration().as_secs_f64();
    Ok(format!("{answered} answered of {}, {:.0} a second", records.len(), answered as f64 / seconds))
}
