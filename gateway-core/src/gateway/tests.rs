//! The machine as its drivers use it, in virtual time.

mod health;
mod workers;

use super::*;
use crate::entity::{Address, Protocol, Route, Service, Target, Upstream};
use crate::id::{ServiceId, TargetId, UpstreamId};
use crate::outcome::Failure;
use crate::rng;
use crate::weight::Weight;

/// The how-to: blue 100/50, green 100/100, one Service, one Route.
fn how_to() -> Gateway {
    let mut config = Config::default();
    for (upstream, targets) in [
        ("blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
        ("green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
    ] {
        let id = config.add_upstream(Upstream::new(upstream)).unwrap();
        for (target, weight) in targets {
            let address = Address::parse(target).unwrap();
            config.add_target(Target::new(id, address, Weight::new(weight))).unwrap();
        }
    }
    let service = config.add_service(Service::new("example-service", "blue")).unwrap();
    config
        .add_route(Route { paths: vec!["/anything".into()], ..Route::new("example-route", service) })
        .unwrap();
    Gateway::new(config)
}

/// A generator, for what does not depend on it.
fn dice() -> Rng {
    rng::stream(1, "test", 0)
}

const GET: Head<'_> = Head::new("GET", "/anything");
const OK: Outcome = Outcome::Answered { status: 200 };

fn begin(gateway: &Gateway, head: &Head<'_>) -> Result<Attempt, Rejection> {
    gateway.begin(&gateway.route(0, head)?, head, Instant::ZERO, &mut dice())
}

fn serve(gateway: &Gateway, requests: usize) -> [usize; 4] {
    let mut counts = [0; 4];
    for _ in 0..requests {
        let attempt = begin(gateway, &GET).unwrap();
        counts[attempt.target.index()] += 1;
        answered(gateway, attempt);
    }
    counts
}

fn answered(gateway: &Gateway, attempt: Attempt) {
    assert!(matches!(gateway.finish(attempt, OK, Instant::ZERO, &mut dice()), Next::Done));
}

fn in_flight(gateway: &Gateway) -> u32 {
    (0..4).map(|i| gateway.view().slot(TargetId(i)).map_or(0, Slot::in_flight)).sum()
}

#[test]
fn the_how_to_switches_at_once_and_back() {
    let gateway = how_to();
    assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
    let to = |host: &str| Change::SetHost(ServiceId(0), host.to_owned());
    let applied = gateway.apply(to("green"), Instant::from_millis(5)).unwrap();
    assert_eq!((applied.revision, applied.at), (Revision(1), Instant::from_millis(5)));
    assert_eq!(serve(&gateway, 300), [0, 0, 150, 150]);
    gateway.apply(to("blue"), Instant::ZERO).unwrap();
    assert_eq!(serve(&gateway, 3), [2, 1, 0, 0]);
}

#[test]
fn a_switch_leaves_both_balancers_turns_alone() {
    // Aim: a change that does not bear on an Upstream starts no new epoch of it. Method: tickets go on.
    let gateway = how_to();
    serve(&gateway, 4);
    gateway.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
    gateway.apply(Change::SetHost(ServiceId(0), "blue".to_owned()), Instant::ZERO).unwrap();
    let attempt = begin(&gateway, &GET).unwrap();
    assert_eq!((attempt.epoch.0, attempt.ticket, attempt.revision.0), (0, 4, 2));
    answered(&gateway, attempt);
}

#[test]
fn another_weight_begins_an_epoch_that_remembers_what_is_owed() {
    let gateway = how_to();
    serve(&gateway, 1);
    gateway.apply(Change::SetWeight(TargetId(1), Weight::new(100)), Instant::ZERO).unwrap();
    let attempt = begin(&gateway, &GET).unwrap();
    assert_eq!((attempt.epoch.0, attempt.ticket, attempt.target), (1, 0, TargetId(1)));
    assert!((attempt.carried - 1.0 / 3.0).abs() < 1e-9, "{}", attempt.carried);
    answered(&gateway, attempt);
}

#[test]
fn a_failed_change_changes_nothing() {
    let gateway = how_to();
    let nonsense = Change::SetHost(ServiceId(0), "a b".to_owned());
    assert!(gateway.apply(nonsense, Instant::ZERO).is_err());
    assert_eq!(gateway.view().revision(), Revision(0));
    assert_eq!(serve(&gateway, 3), [2, 1, 0, 0]);
}

#[test]
fn what_has_nowhere_to_go_is_rejected_by_name() {
    let gateway = how_to();
    assert_eq!(begin(&gateway, &Head::new("GET", "/other")).unwrap_err(), Rejection::NoRoute);
    gateway
        .apply(
            Change::All(vec![Change::DeleteTarget(TargetId(0)), Change::DeleteTarget(TargetId(1))]),
            Instant::ZERO,
        )
        .unwrap();
    assert_eq!(begin(&gateway, &GET).unwrap_err(), Rejection::NoTarget);
    let orphan = Route { service: None, paths: vec!["/o".into()], ..Route::new("o", ServiceId(0)) };
    gateway.apply(Change::CreateRoute(orphan), Instant::ZERO).unwrap();
    assert_eq!(begin(&gateway, &Head::new("GET", "/o")).unwrap_err(), Rejection::NoService);
    let secure = Route {
        protocols: vec![Protocol::Https],
        paths: vec!["/secure".into()],
        https_redirect_status_code: 308,
        ..Route::new("secure", ServiceId(0))
    };
    gateway.apply(Change::CreateRoute(secure), Instant::ZERO).unwrap();
    let refused = begin(&gateway, &Head::new("GET", "/secure")).unwrap_err();
    assert_eq!((refused, refused.status()), (Rejection::NeedsHttps(308), 308));
}

#[test]
fn a_host_that_is_no_upstream_is_a_target_of_its_own() {
    let gateway = how_to();
    let old = gateway.view().service(ServiceId(0)).unwrap().clone();
    let direct = Service { host: "example.org".into(), port: 81, ..old };
    gateway.apply(Change::UpdateService(ServiceId(0), direct), Instant::ZERO).unwrap();
    let attempt = begin(&gateway, &GET).unwrap();
    assert_eq!(attempt.upstream, None);
    let view = gateway.view();
    assert_eq!(view.address(attempt.target).map(ToString::to_string).as_deref(), Some("example.org:81"));
    assert_eq!(view.host_header(&attempt), Some("example.org:81"));
    answered(&gateway, attempt);
}

#[test]
fn a_safe_retry_goes_elsewhere_and_costs_no_turn() {
    // Aim: retries exclude what failed and never advance the sequence of first tries.
    let gateway = how_to();
    let first = begin(&gateway, &GET).unwrap();
    let failed = first.target;
    let refused = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
    let Next::Retry(second) = gateway.finish(first, refused, Instant::ZERO, &mut dice()) else {
        panic!("no retry")
    };
    assert_ne!(second.target, failed);
    assert_eq!((second.number, second.first.target), (1, failed));
    assert_eq!(in_flight(&gateway), 1);
    answered(&gateway, second);
    let next = begin(&gateway, &GET).unwrap();
    assert_eq!(next.ticket, 1);
    answered(&gateway, next);
    assert_eq!(in_flight(&gateway), 0);
}

#[test]
fn in_flight_returns_to_zero_even_when_the_target_is_gone() {
    let gateway = how_to();
    let attempt = begin(&gateway, &GET).unwrap();
    let target = attempt.target;
    gateway.apply(Change::DeleteTarget(target), Instant::ZERO).unwrap();
    assert_eq!(gateway.view().slot(target).map(Slot::in_flight), Some(1));
    assert!(matches!(gateway.finish(attempt, Outcome::ClientGone, Instant::ZERO, &mut dice()), Next::Done));
    assert_eq!(gateway.view().slot(target).map(Slot::in_flight), Some(0));
    let again = Target::new(UpstreamId(0), Address::parse("new:80").unwrap(), Weight::DEFAULT);
    gateway.apply(Change::CreateTarget(again), Instant::ZERO).unwrap();
    assert!(gateway.view().slot(target).is_none(), "a slot that nobody needs is let go");
}

#[test]
fn when_everything_fails_retries_are_bounded() {
    // Aim: a failing Upstream is not hit with a multiple of its load. Method: requests that all wait and then all fail; of
    // the retries that follow no more are under way at once than the budget says.
    let gateway = how_to();
    let waiting: Vec<_> = (0..200).map(|_| begin(&gateway, &GET).unwrap()).collect();
    let timeout = Outcome::Failed { cause: Failure::ResponseTimeout, sent: true, replayable: true };
    let (mut retries, mut largest) = (Vec::new(), 0);
    for attempt in waiting {
        if let Next::Retry(retry) = gateway.finish(attempt, timeout, Instant::ZERO, &mut dice()) {
            retries.push(retry);
        }
        largest = largest.max(retries.len());
    }
    assert!((20..=40).contains(&largest), "{largest}");
    for retry in retries {
        answered(&gateway, retry);
    }
    assert_eq!(in_flight(&gateway), 0);
    let refused = Outcome::Failed { cause: Failure::Refused, sent: false, replayable: true };
    for _ in 0..100 {
        let first = begin(&gateway, &GET).unwrap();
        let Next::Retry(second) = gateway.finish(first, refused, Instant::ZERO, &mut dice()) else {
            panic!("no retry")
        };
        answered(&gateway, second);
    }
}
