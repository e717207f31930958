//! Targets that fail, stand out, come back and start slowly.

use std::time::Duration;

use super::*;
use crate::entity::{Active, Healthchecks, Limits, OutlierDetection, SlowStart, Tuning};
use crate::health::ProbeResult;

/// The how-to with these health checks on blue.
fn with_checks(checks: Healthchecks) -> Gateway {
    let gateway = how_to();
    let blue = Upstream { healthchecks: checks, ..gateway.config().upstream(UpstreamId(0)).unwrap().clone() };
    gateway.apply(Change::UpdateUpstream(UpstreamId(0), blue), Instant::ZERO).unwrap();
    gateway
}

/// The how-to whose targets are out after so many failures.
fn with_passive_checks(http_failures: u8) -> Gateway {
    let passive = Limits { http_failures, ..Limits::default() };
    with_checks(Healthchecks { passive, ..Healthchecks::default() })
}

/// So many requests end at 7 ms: those at `ill` by a 500.
fn serve_with(ill: &[u32], gateway: &Gateway, requests: usize) {
    for _ in 0..requests {
        let attempt = begin(gateway, &GET).unwrap();
        let status = if ill.contains(&attempt.target.0) { 500 } else { 200 };
        let outcome = Outcome::Answered { status };
        assert!(matches!(gateway.finish(attempt, outcome, Instant::from_millis(7), &mut dice()), Next::Done));
    }
}

#[test]
fn passive_checks_take_a_failing_target_out_and_a_hand_brings_it_back() {
    let gateway = with_passive_checks(2);
    assert_eq!(gateway.health(TargetId(0)), TargetHealth::Healthy);
    serve_with(&[0], &gateway, 4);
    assert_eq!(gateway.health(TargetId(0)), TargetHealth::Unhealthy);
    gateway.handle_timeout(Instant::from_millis(7));
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
fn who_sees_a_target_turn_makes_no_table_and_waits_for_none() {
    // Aim: a request whose end turns a target costs nothing that grows with the targets. Method: it ends while somebody else
    // holds what a change needs; what is in force is the very same until the next moment is handled, which is at once.
    let gateway = with_passive_checks(1);
    let (before, seen) = (gateway.view_of(0), Instant::from_millis(7));
    assert!(!gateway.has_turned() && gateway.next_timeout().is_none());
    let writer = gateway.writer();
    serve_with(&[0, 1], &gateway, 3);
    drop(writer);
    assert!(gateway.has_turned() && gateway.news().is_none());
    assert!(Arc::ptr_eq(&before, &gateway.view_of(0)));
    assert_eq!(gateway.next_timeout(), Some(seen));
    gateway.handle_timeout(seen);
    assert!(!gateway.has_turned() && gateway.next_timeout().is_none());
    assert_eq!(begin(&gateway, &GET).unwrap_err(), Rejection::NoTarget);
    let (told, rest) = (gateway.news().unwrap(), gateway.news());
    assert_eq!((told.cause, told.epochs[0].epoch.0), (Cause::Health, 1));
    assert!(rest.is_none(), "both in one step");
}

#[test]
fn a_target_that_turns_twice_before_anybody_acts_is_as_its_record_says() {
    // Aim: a word by hand is not undone by what a request saw before. Method: a request turns it out, and before that is acted on
    // a hand turns it in; probes then still come from the timer of those that are well, which is the only one that ticks.
    let active = Active { healthy_interval: Duration::from_secs(1), ..Active::default() };
    let passive = Limits { http_failures: 1, ..Limits::default() };
    let gateway = with_checks(Healthchecks { active, passive, ..Healthchecks::default() });
    serve_with(&[0], &gateway, 1);
    gateway.set_health(TargetId(0), true, Instant::from_millis(8));
    assert!(!gateway.has_turned());
    assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
    let due = gateway.next_timeout().unwrap();
    let probed: Vec<_> = std::iter::from_fn(|| gateway.poll_probe(due)).map(|probe| probe.target).collect();
    assert_eq!(probed, [TargetId(0), TargetId(1)]);
}

#[test]
fn turns_that_many_workers_see_are_all_acted_on() {
    // Aim: no turn is lost between those who see it and the one who acts on it. Method: four workers get nothing but failures
    // until nobody is left to be picked, which is never if one is lost; each member leaves once, in some epoch.
    const TARGETS: u32 = 64;
    let gateway = with_passive_checks(2);
    for i in 4..TARGETS {
        let address = Address::parse(&format!("blue-{i}:80")).unwrap();
        let target = Target::new(UpstreamId(0), address, Weight::new(100));
        gateway.apply(Change::CreateTarget(target), Instant::ZERO).unwrap();
    }
    let fail = || {
        let failed = |attempt| {
            let outcome = Outcome::Answered { status: 500 };
            assert!(matches!(gateway.finish(attempt, outcome, Instant::ZERO, &mut dice()), Next::Done));
        };
        (0..10_000_000).find(|_| begin(&gateway, &GET).map(failed).is_err()).expect("a turn was lost");
    };
    std::thread::scope(|scope| {
        let workers: [_; 4] = std::array::from_fn(|_| scope.spawn(fail));
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            if gateway.has_turned() {
                gateway.handle_timeout(Instant::ZERO);
            }
        }
    });
    let left = |epoch: &NewEpoch| epoch.members.iter().filter(|member| member.available).count();
    let told = std::iter::from_fn(|| gateway.news()).flat_map(|applied| applied.epochs);
    let available: Vec<_> = told.map(|epoch| left(&epoch)).collect();
    assert!(available.is_sorted_by(|a, b| a > b), "{available:?}");
    assert_eq!(available.last(), Some(&0));
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
    serve_with(&[1], &gateway, 15);
    gateway.handle_timeout(Instant::from_millis(7));
    assert_eq!(gateway.health(TargetId(1)), TargetHealth::Unhealthy);
    assert_eq!(serve(&gateway, 9), [9, 0, 0, 0]);
    while gateway.next_timeout().unwrap() <= Instant::from_millis(40_000) {
        gateway.handle_timeout(gateway.next_timeout().unwrap());
    }
    assert_eq!(gateway.health(TargetId(1)), TargetHealth::Healthy);
    assert_eq!(serve(&gateway, 300), [200, 100, 0, 0]);
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
