//! A gateway in front of the targets named on the command line, for curl and for measuring:
//! `cargo run --release --example proxy -- 127.0.0.1:8000 127.0.0.1:9001 127.0.0.1:9002`

use std::sync::Arc;
use std::time::Duration;

use gateway_core::config::Config;
use gateway_core::entity::{Active, Address, Healthchecks, Limits, Route, Service, Target, Upstream};
use gateway_core::gateway::Gateway;
use gateway_core::shell::{Clock, Hooks, Settings, Shell};
use gateway_core::weight::Weight;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let proxy = arguments.next().ok_or("where to listen, then the targets")?.parse()?;
    let mut config = Config::default();
    // Everything a request meets in earnest: its end is learnt from, and probes go beside it.
    let second = Duration::from_secs(1);
    let active = Active { healthy_interval: second, unhealthy_interval: second, ..Active::default() };
    let passive = Limits { http_failures: 3, tcp_failures: 3, timeouts: 3, ..Limits::default() };
    let healthchecks = Healthchecks { active, passive, ..Healthchecks::default() };
    let blue = config.add_upstream(Upstream { healthchecks, ..Upstream::new("blue") })?;
    for target in arguments {
        config.add_target(Target::new(blue, Address::parse(&target)?, Weight::DEFAULT))?;
    }
    let service = config.add_service(Service::new("example-service", "blue"))?;
    let route = Route { paths: vec!["/".into()], strip_path: false, ..Route::new("example-route", service) };
    config.add_route(route)?;
    let settings = Settings { proxy, admin: ([127, 0, 0, 1], 0).into(), ..Settings::default() };
    let _shell = Shell::start(Arc::new(Gateway::new(config)), settings, Clock::started(), Hooks::default())?;
    loop {
        std::thread::park();
    }
}
