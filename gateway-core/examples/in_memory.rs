//! A gateway without a socket: three requests, one switch, one assertion.

use gateway_core::config::{Change, Config};
use gateway_core::entity::{Address, Route, Service, Target, Upstream};
use gateway_core::gateway::{Gateway, Next, Rejection};
use gateway_core::outcome::Outcome;
use gateway_core::request::Head;
use gateway_core::rng::stream;
use gateway_core::time::Instant;
use gateway_core::weight::Weight;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = Config::default();
    let blue = config.add_upstream(Upstream::new("blue"))?;
    let green = config.add_upstream(Upstream::new("green"))?;
    config.add_target(Target::new(blue, Address::parse("httpbin.konghq.com:80")?, Weight::new(100)))?;
    config.add_target(Target::new(blue, Address::parse("httpbin.org:80")?, Weight::new(50)))?;
    config.add_target(Target::new(green, Address::parse("httpbun.com:80")?, Weight::DEFAULT))?;
    let service = config.add_service(Service::new("example-service", "blue"))?;
    config.add_route(Route { paths: vec!["/anything".into()], ..Route::new("example-route", service) })?;
    let gateway = Gateway::new(config);

    let mut rng = stream(42, "worker", 0);
    let mut served = Vec::new();
    for second in 0..3 {
        let now = Instant::from_millis(1000 * second);
        if second == 2 {
            gateway.apply(Change::SetHost(service, "green".to_owned()), now)?;
        }
        let head = Head::new("GET", "/anything");
        let matched = gateway.route(0, &head).map_err(Rejection::message)?;
        let attempt = gateway.begin(&matched, &head, now, &mut rng).map_err(Rejection::message)?;
        served.push(gateway.view().address(attempt.target).map(ToString::to_string).unwrap_or_default());
        assert!(matches!(
            gateway.finish(attempt, Outcome::Answered { status: 200 }, now, &mut rng),
            Next::Done
        ));
    }
    assert_eq!(served, ["httpbin.konghq.com:80", "httpbin.org:80", "httpbun.com:80"]);
    Ok(())
}
