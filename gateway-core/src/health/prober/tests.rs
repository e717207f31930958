//! Probers in virtual time. A small world around one says what is listed, steps from timeout to timeout and remembers
//! who was probed when.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::entity::{Active, ProbeKind};
use crate::outcome::Failure;
use crate::weight::Weight;

const UPSTREAM: UpstreamId = UpstreamId(0);
const OK: ProbeResult = ProbeResult::Answered { status: 200 };

fn checks(healthy_ms: u64, unhealthy_ms: u64, concurrency: u32) -> Active {
    Active {
        healthy_interval: Duration::from_millis(healthy_ms),
        unhealthy_interval: Duration::from_millis(unhealthy_ms),
        concurrency,
        ..Active::default()
    }
}

/// Targets 0 to `healthy` - 1 are healthy, the next `unhealthy` are not.
fn watch(checks: &Active, healthy: u32, unhealthy: u32) -> Watch<'_> {
    let target =
        |id| WatchedTarget { target: TargetId(id), weight: Weight::DEFAULT, is_healthy: id < healthy };
    Watch {
        upstream: UPSTREAM,
        checks,
        host_header: None,
        targets: (0..healthy + unhealthy).map(target).collect(),
    }
}

fn prober(checks: &Active, healthy: u32, unhealthy: u32) -> Prober {
    let mut prober = Prober::default();
    prober.follow([watch(checks, healthy, unhealthy)], Instant::ZERO);
    prober
}

fn all(prober: &mut Prober, now: u64) -> Vec<Probe> {
    std::iter::from_fn(|| prober.poll_probe(Instant::from_millis(now))).collect()
}

fn targets(probes: &[Probe]) -> Vec<u32> {
    probes.iter().map(|probe| probe.target.0).collect()
}

/// Answers every probe at once until `end`; who was probed when, in milliseconds.
fn run(prober: &mut Prober, end: u64) -> Vec<(u64, u32)> {
    let mut log = Vec::new();
    while let Some(now) = prober.next_timeout().filter(|now| *now <= Instant::from_millis(end)) {
        let probe = prober.poll_probe(now).expect("a timeout has come");
        log.push((now.as_nanos() / 1_000_000, probe.target.0));
        assert!(prober.on_probe(probe, OK, now).is_some());
    }
    log
}

#[test]
fn both_lists_have_their_own_timer() {
    let mut prober = prober(&checks(100, 40, 10), 2, 1);
    let log = run(&mut prober, 200);
    assert_eq!(log, [(40, 2), (80, 2), (100, 0), (100, 1), (120, 2), (160, 2), (200, 0), (200, 1), (200, 2)]);
}

#[test]
fn who_turns_is_probed_by_the_other_timer() {
    let mut prober = prober(&checks(100, 40, 10), 1, 0);
    prober.on_turn(UPSTREAM, TargetId(0), Turn::Out, Instant::from_millis(50));
    assert_eq!(run(&mut prober, 120), [(80, 0), (120, 0)]);
    prober.on_turn(UPSTREAM, TargetId(0), Turn::In, Instant::from_millis(130));
    assert_eq!(run(&mut prober, 200), [(200, 0)]);
}

#[test]
fn nobody_is_probed_without_an_interval_or_a_weight() {
    assert_eq!(prober(&checks(0, 0, 10), 3, 3).next_timeout(), None);
    assert_eq!(run(&mut prober(&checks(0, 40, 10), 3, 1), 50), [(40, 3)]);
    let checks = checks(100, 100, 10);
    let mut prober = prober(&checks, 2, 0);
    let mut drained = watch(&checks, 2, 0);
    drained.targets[0].weight = Weight::new(0);
    prober.follow([drained], Instant::from_millis(10));
    assert_eq!(run(&mut prober, 100), [(100, 1)]);
}

#[test]
fn a_probe_that_is_due_while_its_predecessor_is_under_way_is_skipped() {
    let mut prober = prober(&checks(100, 100, 1), 1, 0);
    let probe = all(&mut prober, 100).pop().unwrap();
    assert!(all(&mut prober, 200).is_empty());
    assert_eq!(prober.next_timeout(), None);
    prober.on_probe(probe, OK, Instant::from_millis(250));
    assert_eq!(prober.next_timeout(), Some(Instant::from_millis(300)));
}

#[test]
fn those_due_longest_come_first_when_too_few_may_go_at_once() {
    let mut prober = prober(&checks(100, 100, 2), 5, 0);
    let mut probed = Vec::new();
    for now in [100, 150, 200, 250, 300] {
        let probes = all(&mut prober, now);
        probed.extend(targets(&probes));
        for probe in probes {
            prober.on_probe(probe, OK, Instant::from_millis(now + 40));
        }
    }
    assert_eq!(probed, [0, 1, 2, 3, 4, 0, 1, 2, 3, 0]);
}

#[test]
fn a_stale_answer_is_ignored_but_its_target_is_not_probed_twice_at_once() {
    let old = checks(100, 100, 10);
    let mut prober = prober(&old, 3, 0);
    let mut probes = all(&mut prober, 100).into_iter();
    let new = Active { http_path: "/status".into(), ..old };
    prober.follow([watch(&new, 2, 0)], Instant::from_millis(110));
    assert!(all(&mut prober, 210).is_empty(), "both are still under way");
    for probe in probes.by_ref() {
        assert_eq!(prober.on_probe(probe, OK, Instant::from_millis(220)), None);
    }
    assert_eq!(run(&mut prober, 310), [(310, 0), (310, 1)]);
}

#[test]
fn an_upstream_that_goes_and_comes_back_still_counts_what_is_under_way() {
    let checks = checks(100, 100, 1);
    let mut prober = prober(&checks, 2, 0);
    let probe = all(&mut prober, 100).pop().unwrap();
    prober.follow([], Instant::from_millis(110));
    assert_eq!(prober.next_timeout(), None);
    prober.follow([watch(&checks, 2, 0)], Instant::from_millis(120));
    assert!(all(&mut prober, 300).is_empty());
    assert_eq!(prober.on_probe(probe, OK, Instant::from_millis(310)), None);
    assert_eq!(targets(&all(&mut prober, 310)), [1]);
}

#[test]
fn what_did_not_change_keeps_its_times() {
    let checks = checks(100, 100, 10);
    let mut prober = prober(&checks, 2, 0);
    let probe = prober.poll_probe(Instant::from_millis(100)).unwrap();
    prober.follow([watch(&checks, 3, 0)], Instant::from_millis(130));
    let waiting = all(&mut prober, 130);
    assert_eq!(targets(&waiting), [1], "still due; the new one joins at the next tick");
    assert!(prober.on_probe(probe, OK, Instant::from_millis(140)).is_some());
    assert_eq!(targets(&all(&mut prober, 200)), [0, 2]);
}

#[test]
fn results_are_reported_for_what_they_are() {
    let checks = Active { kind: ProbeKind::Tcp, ..checks(100, 100, 10) };
    let mut prober = prober(&checks, 1, 0);
    for (i, (result, expected)) in [
        (ProbeResult::Connected, Observation::Connected),
        (OK, Observation::Status(200)),
        (ProbeResult::Failed(Failure::BadResponse), Observation::Status(0)),
        (ProbeResult::Failed(Failure::Refused), Observation::TcpFailure),
        (ProbeResult::Failed(Failure::ConnectTimeout), Observation::Timeout),
    ]
    .into_iter()
    .enumerate()
    {
        let now = Instant::from_millis(100 * (i as u64 + 1));
        let probe = prober.poll_probe(now).unwrap();
        assert_eq!((probe.id, probe.plan.checks.kind), (i as u64, ProbeKind::Tcp));
        assert_eq!(prober.on_probe(probe, result, now), Some((TargetId(0), expected)));
    }
}

/// One step of a random life.
#[derive(Clone, Debug)]
enum Step {
    Sleep(u64),
    Poll,
    Answer(usize),
    Turn(u32, bool),
    Follow { healthy: u32, unhealthy: u32, concurrency: u32, listed: bool },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let follow = (0..6_u32, 0..6_u32, 1..4_u32, any::<bool>()).prop_map(
        |(healthy, unhealthy, concurrency, listed)| Step::Follow { healthy, unhealthy, concurrency, listed },
    );
    let step = prop_oneof![
        4 => (1..150_u64).prop_map(Step::Sleep),
        8 => Just(Step::Poll),
        6 => (0..8_usize).prop_map(Step::Answer),
        2 => (0..8_u32, any::<bool>()).prop_map(|(target, up)| Step::Turn(target, up)),
        1 => follow,
    ];
    prop::collection::vec(step, 0..300)
}

proptest! {
    #[test]
    fn never_too_many_at_once_and_never_one_twice(steps in steps()) {
        let mut active = checks(100, 30, 2);
        let mut prober = prober(&active, 3, 2);
        let mut out: Vec<Probe> = Vec::new();
        let mut now = 0;
        for step in steps {
            let at = Instant::from_millis(now);
            match step {
                Step::Sleep(millis) => now += millis,
                Step::Poll => {
                    let expected = prober.next_timeout().is_some_and(|due| due <= at);
                    let probe = prober.poll_probe(at);
                    prop_assert_eq!(probe.is_some(), expected, "the timeout told the truth");
                    if let Some(probe) = probe {
                        prop_assert!(out.len() < active.concurrency as usize);
                        prop_assert!(out.iter().all(|other| other.target != probe.target));
                        out.push(probe);
                    }
                }
                Step::Answer(i) if i < out.len() => {
                    prober.on_probe(out.swap_remove(i), OK, at);
                }
                Step::Answer(_) => {}
                Step::Turn(target, up) => {
                    prober.on_turn(UPSTREAM, TargetId(target), if up { Turn::In } else { Turn::Out }, at);
                }
                Step::Follow { healthy, unhealthy, concurrency, listed } => {
                    active.concurrency = concurrency;
                    let watch = watch(&active, healthy, unhealthy);
                    prober.follow(listed.then_some(watch), at);
                }
            }
        }
    }

    #[test]
    fn answered_at_once_each_is_probed_exactly_once_an_interval(
        healthy in 0..20_u32, unhealthy in 0..20_u32, concurrency in 1..4_u32,
        healthy_ms in 1..200_u64, unhealthy_ms in 1..200_u64,
    ) {
        let mut prober = prober(&checks(healthy_ms, unhealthy_ms, concurrency), healthy, unhealthy);
        let end = 1000;
        let log = run(&mut prober, end);
        for id in 0..healthy + unhealthy {
            let interval = if id < healthy { healthy_ms } else { unhealthy_ms };
            let times: Vec<_> = log.iter().filter(|(_, target)| *target == id).map(|(time, _)| *time).collect();
            let expected: Vec<_> = (1..=end / interval).map(|tick| tick * interval).collect();
            prop_assert_eq!(times, expected);
        }
    }
}
