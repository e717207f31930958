//! The machine as its drivers use it, in virtual time.

use std::time::Duration;

use super::*;
use crate::entity::{
    Active, Address, Healthchecks, Limits, OutlierDetection, Protocol, Route, Service, SlowStart, Target,
    Tuning, Upstream,
};
use crate::health::ProbeResult;
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
fn in_kongs_profile_targets_change_at_once_and_services_when_a_worker_looks() {
    // Aim: the switch comes late and not to all at once, a weight comes at once, and a change forgets whose turn it was.
    let config = how_to().config().as_ref().clone();
    let gateway = Gateway::with(config, Options::kong(2, 7));
    let hosts = |gateway: &Gateway| {
        let one = |worker| {
            let matched = gateway.route(worker, &GET).unwrap();
            let attempt = gateway.begin(&matched, &GET, Instant::ZERO, &mut dice()).unwrap();
            let target = attempt.target;
            answered(gateway, attempt);
            target.0 / 2
        };
        [one(0), one(1)]
    };
    gateway.apply(Change::SetHost(ServiceId(0), "green".to_owned()), Instant::ZERO).unwrap();
    assert_eq!(gateway.config().service(ServiceId(0)).unwrap().host, "green", "the Admin API knows at once");
    assert_eq!(hosts(&gateway), [0, 0]);
    let first = gateway.next_timeout().unwrap();
    gateway.handle_timeout(first);
    assert_eq!(hosts(&gateway).iter().sum::<u32>(), 1, "one worker has looked");
    assert!(gateway.news().is_some() && gateway.news().is_none());
    gateway.handle_timeout(gateway.next_timeout().unwrap());
    assert_eq!(hosts(&gateway), [1, 1]);
    assert!(gateway.next_timeout().unwrap() <= first + Duration::from_secs(5));
    let weights =
        [Change::SetWeight(TargetId(2), Weight::new(0)), Change::SetWeight(TargetId(3), Weight::new(1))];
    gateway.apply(Change::All(weights.into()), first).unwrap();
    let attempt = begin(&gateway, &GET).unwrap();
    assert_eq!((attempt.target, attempt.epoch.0), (TargetId(3), 1));
    answered(&gateway, attempt);
}

#[test]
fn a_node_beside_others_learns_everything_when_it_looks_and_goes_by_their_revisions() {
    // Aim: what a node knows is what the first one knew at its last look. Method: a host, a weight and a new Upstream, and then
    // the same once more, which is no news.
    let first = Arc::new(Gateway::new(how_to().config().as_ref().clone()));
    let second = Instant::ZERO + Duration::from_secs(1);
    let options = Options { node: 1, seed: 7, ..Options::default() };
    let node = Gateway::beside(Arc::clone(&first), Duration::from_secs(1), options);
    let changes = [
        Change::SetHost(ServiceId(0), "green".to_owned()),
        Change::SetWeight(TargetId(2), Weight::new(0)),
        Change::CreateUpstream(Upstream::new("other")),
    ];
    for change in changes {
        first.apply(change, Instant::ZERO).unwrap();
    }
    let target = |gateway: &Gateway| {
        let attempt = begin(gateway, &GET).unwrap();
        let (node, target, revision) = (attempt.node, attempt.target, attempt.revision.0);
        answered(gateway, attempt);
        (node, target, revision)
    };
    assert_eq!((target(&first), target(&node)), ((0, TargetId(3), 3), (1, TargetId(0), 0)));
    let look = node.next_timeout().unwrap();
    assert!(look < second);
    node.handle_timeout(look);
    assert_eq!(target(&node), (1, TargetId(3), 3));
    assert!(node.config().find_upstream("other").is_some());
    let news = node.news().unwrap();
    assert_eq!((news.cause, news.revision.0, news.epochs[0].node), (Cause::Look, 3, 1));
    node.handle_timeout(node.next_timeout().unwrap());
    assert!(node.news().is_none() && node.next_timeout().unwrap() > second);
}

#[test]
fn workers_with_balancers_of_their_own_are_exact_each_and_number_their_picks_together() {
    let config = how_to().config().as_ref().clone();
    let options = Options { workers: 2, balancing: Balancing::PerWorker, ..Options::default() };
    let gateway = Gateway::with(config, options);
    let mut counts = [[0; 2]; 2];
    for n in 0..600_usize {
        let worker = usize::from(n % 3 == 0);
        let matched = gateway.route(worker, &GET).unwrap();
        let attempt = gateway.begin(&matched, &GET, Instant::ZERO, &mut dice()).unwrap();
        assert_eq!(attempt.ticket, n as u64);
        counts[worker][attempt.target.index()] += 1;
        answered(&gateway, attempt);
    }
    assert_eq!(counts, [[267, 133], [133, 67]].map(|c| c), "two thirds and one third, for each worker");
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

/// The how-to with these health checks on blue.
fn with_checks(checks: Healthchecks) -> Gateway {
    let gateway = how_to();
    let blue = Upstream { healthchecks: checks, ..gateway.config().upstream(UpstreamId(0)).unwrap().clone() };
    gateway.apply(Change::UpdateUpstream(UpstreamId(0), blue), Instant::ZERO).unwrap();
    gateway
}

#[test]
fn passive_checks_take_a_failing_target_out_and_a_hand_brings_it_back() {
    let limits = Limits { http_failures: 2, ..Limits::default() };
    let gateway = with_checks(Healthchecks { passive: limits, ..Healthchecks::default() });
    assert_eq!(gateway.health(TargetId(0)), TargetHealth::Healthy);
    let failed = Outcome::Answered { status: 500 };
    for _ in 0..4 {
        let attempt = begin(&gateway, &GET).unwrap();
        let outcome = if attempt.target == TargetId(0) { failed } else { OK };
        assert!(matches!(gateway.finish(attempt, outcome, Instant::from_millis(7), &mut dice()), Next::Done));
    }
    assert_eq!(gateway.health(TargetId(0)), TargetHealth::Unhealthy);
    let told = gateway.news().unwrap();
    assert_eq!((told.at, told.epochs.len()), (Instant::from_millis(7), 1));
    let available: Vec<_> = told.epochs[0].members.iter().map(|member| member.available).collect();
    assert_eq!(available, [false, true]);
    assert_eq!(serve(&gateway, 10), [0, 10, 0, 0]);
    gateway.set_health(TargetId(1), false, Instant::ZERO);
    assert_eq!(begin(&gateway, &GET).unwrap_err(), Rejection::NoTarget);
    gateway.set_health(TargetId(0), true, Instant::ZERO);
    gateway.set_health(TargetId(1), true, Instant::ZERO);
    assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
}

#[test]
fn probes_take_a_target_out_and_bring_it_back() {
    // Aim: active checks end to end in virtual time. Method: blue-0 answers 503 until the clock says 5 s.
    let second = Duration::from_secs(1);
    let limits = Limits { http_failures: 2, successes: 2, ..Limits::active() };
    let active = Active { healthy_interval: second, unhealthy_interval: second, limits, ..Active::default() };
    let gateway = with_checks(Healthchecks { active, ..Healthchecks::default() });
    let mut seen = Vec::new();
    loop {
        let now = gateway.next_timeout().unwrap();
        if now > Instant::from_millis(9000) {
            break;
        }
        gateway.handle_timeout(now);
        while let Some(probe) = gateway.poll_probe(now) {
            let is_ill = probe.target == TargetId(0) && now < Instant::from_millis(5000);
            gateway.on_probe(probe, ProbeResult::Answered { status: if is_ill { 503 } else { 200 } }, now);
        }
        seen.push((now.as_millis_f64() as u64 / 1000, gateway.health(TargetId(0))));
    }
    let turns: Vec<_> = seen.windows(2).filter(|w| w[0].1 != w[1].1).map(|w| w[1]).collect();
    assert_eq!(turns, [(2, TargetHealth::Unhealthy), (6, TargetHealth::Healthy)], "{seen:?}");
}

#[test]
fn below_the_threshold_nobody_is_picked() {
    let limits = Limits { http_failures: 1, ..Limits::default() };
    let gateway = with_checks(Healthchecks { passive: limits, threshold: 50.0, ..Healthchecks::default() });
    gateway.set_health(TargetId(0), false, Instant::ZERO);
    assert_eq!(begin(&gateway, &GET).unwrap_err(), Rejection::NoTarget, "a third is left");
    gateway.set_health(TargetId(0), true, Instant::ZERO);
    gateway.set_health(TargetId(1), false, Instant::ZERO);
    assert_eq!(serve(&gateway, 6), [6, 0, 0, 0], "two thirds are enough");
}

#[test]
fn a_target_that_stands_out_is_left_out_for_its_time() {
    let gateway = how_to();
    let blue = gateway.config().upstream(UpstreamId(0)).unwrap().clone();
    let blue = Upstream { outlier_detection: Some(OutlierDetection::default()), ..blue };
    gateway.apply(Change::UpdateUpstream(UpstreamId(0), blue), Instant::ZERO).unwrap();
    for _ in 0..15 {
        let attempt = begin(&gateway, &GET).unwrap();
        let status = if attempt.target == TargetId(1) { 500 } else { 200 };
        assert!(matches!(
            gateway.finish(attempt, Outcome::Answered { status }, Instant::ZERO, &mut dice()),
            Next::Done
        ));
    }
    assert_eq!(gateway.health(TargetId(1)), TargetHealth::Unhealthy);
    assert_eq!(serve(&gateway, 9), [9, 0, 0, 0]);
    while gateway.next_timeout().unwrap() <= Instant::from_millis(30_000) {
        gateway.handle_timeout(gateway.next_timeout().unwrap());
    }
    assert_eq!(gateway.health(TargetId(1)), TargetHealth::Healthy);
    assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
}

#[test]
fn workers_and_a_writer_together_misroute_nothing() {
    // Aim: with changes of weight under way no pick is lost or made twice, whatever epoch it falls into. Method: two
    // threads pick while a third changes weights 200 times; tickets of each epoch must be 0..n without gaps.
    let gateway = how_to();
    let mut seen: Vec<(u32, u64)> = std::thread::scope(|scope| {
        let worker = || {
            let mut seen = Vec::new();
            for _ in 0..20_000 {
                let attempt = begin(&gateway, &GET).unwrap();
                seen.push((attempt.epoch.0, attempt.ticket));
                answered(&gateway, attempt);
            }
            seen
        };
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        for weight in 1..200 {
            gateway.apply(Change::SetWeight(TargetId(1), Weight::new(weight)), Instant::ZERO).unwrap();
        }
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    seen.sort_unstable();
    let mut expected = 0;
    for pair in seen.windows(2) {
        expected = if pair[0].0 == pair[1].0 { pair[0].1 + 1 } else { 0 };
        assert_eq!(pair[1].1, expected, "epoch {}", pair[1].0);
    }
    assert_eq!(seen[0].1, 0);
    assert!(expected > 0 || seen.len() == 40_000);
    assert_eq!(in_flight(&gateway), 0);
}

#[test]
fn a_target_that_joins_gets_its_weight_in_sixteen_steps() {
    // Aim: a ramp that is exact in each step and does not disturb the others among themselves. Method: a third target joins
    // two; after each step 48 requests are shared by what each counts then.
    let gateway = how_to();
    let blue = gateway.config().upstream(UpstreamId(0)).unwrap().clone();
    let slow_start = SlowStart { window: Duration::from_secs(16), ..SlowStart::default() };
    let tuning = Tuning { slow_start: Some(slow_start), ..Tuning::default() };
    let blue = Upstream { balancer: Some(tuning), ..blue };
    gateway.apply(Change::UpdateUpstream(UpstreamId(0), blue), Instant::ZERO).unwrap();
    let weights =
        [Change::SetWeight(TargetId(0), Weight::new(1)), Change::SetWeight(TargetId(1), Weight::new(1))];
    gateway.apply(Change::All(weights.into()), Instant::ZERO).unwrap();
    assert_eq!(gateway.next_timeout(), None, "who was there before is not starting");
    let joiner = Target::new(UpstreamId(0), Address::parse("new:80").unwrap(), Weight::new(1));
    gateway.apply(Change::CreateTarget(joiner), Instant::from_millis(1000)).unwrap();
    let share = |gateway: &Gateway, requests: usize| {
        let mut counts = [0_usize; 3];
        for _ in 0..requests {
            let attempt = begin(gateway, &GET).unwrap();
            counts[match attempt.target.0 {
                4 => 2,
                id => id as usize,
            }] += 1;
            answered(gateway, attempt);
        }
        counts[2]
    };
    // 10 % of a sixteenth-counted weight is 2: two of 34.
    assert_eq!(share(&gateway, 34), 2);
    for second in 1..16_u32 {
        let due = gateway.next_timeout().unwrap();
        assert_eq!(due, Instant::from_millis(1000 + 1000 * u64::from(second)));
        gateway.handle_timeout(due);
        let own = second.max(2) as usize;
        assert_eq!(share(&gateway, 32 + own), own, "after {second} s");
    }
    gateway.handle_timeout(gateway.next_timeout().unwrap());
    assert_eq!(gateway.next_timeout(), None);
    assert_eq!(share(&gateway, 30), 10);
}

#[test]
fn when_hardly_anybody_is_well_a_panic_threshold_picks_from_all() {
    let limits = Limits { http_failures: 1, ..Limits::default() };
    let gateway = with_checks(Healthchecks { passive: limits, ..Healthchecks::default() });
    let blue = gateway.config().upstream(UpstreamId(0)).unwrap().clone();
    let blue = Upstream { balancer: Some(Tuning { panic_threshold: 50.0, ..Tuning::default() }), ..blue };
    gateway.apply(Change::UpdateUpstream(UpstreamId(0), blue), Instant::ZERO).unwrap();
    gateway.set_health(TargetId(1), false, Instant::ZERO);
    assert_eq!(serve(&gateway, 6), [6, 0, 0, 0], "two thirds are well");
    gateway.set_health(TargetId(1), true, Instant::ZERO);
    gateway.set_health(TargetId(0), false, Instant::ZERO);
    assert_eq!(serve(&gateway, 6), [4, 2, 0, 0], "a third is well: health is ignored");
}
