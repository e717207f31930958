//! The machine through whole rollouts, in virtual time.

use std::time::Duration;

use gateway_core::gateway::FirstTry;
use gateway_core::id::{Epoch, ServiceId, UpstreamId};
use gateway_core::outcome::Outcome;

use super::*;
use crate::rollout::judge::Side;
use crate::rollout::{MirrorRoute, TargetWeight, When, judge};

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn host(host: &str) -> Action {
    Action::SetHost { service: ServiceId(0), service_name: "shop".into(), host: host.into() }
}

fn step(when: When, action: Action) -> Step {
    Step { when, action, line: 1 }
}

fn at(ms: u64, action: Action) -> Step {
    step(When::At(Duration::from_millis(ms)), action)
}

/// One user for all requests.
fn nobody() -> Users {
    Users::new(|_| (0, 0))
}

fn machine(steps: &[Step], way_back: &[Action]) -> Machine {
    let strategy = if way_back.is_empty() { "" } else { "canary" };
    let way_back = Some(way_back.to_vec()).filter(|way_back| !way_back.is_empty());
    let rollout = Rollout { strategy: strategy.into(), way_back, ..Rollout::default() };
    Machine::new(steps, &rollout, ([(TargetId(7), 0)].into_iter().collect(), 1), nobody())
}

/// A request's only try, in epoch 1.
fn finished(target: TargetId, status: u16, at: u64) -> Finished {
    let (epoch, began) = (Epoch(1), ms(at - 1));
    Finished {
        node: 0,
        service: ServiceId(0),
        upstream: Some(UpstreamId(0)),
        target,
        epoch,
        number: 0,
        began,
        first: FirstTry { target, epoch, began },
        is_copy: false,
        outcome: Outcome::Answered { status },
        at: ms(at),
        is_last: true,
    }
}

/// Everything it says at `now`, orders acknowledged at once: `0 set_host` for an order of step 0, else the mark.
fn told(machine: &mut Machine, now: Instant, ok: bool) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(output) = machine.poll(now) {
        match output {
            Output::Order(order) => {
                told.push(format!("{} ordered", order.step));
                machine.acked(order.id, now, ok);
            }
            Output::Mark(Mark { step: Some(step), kind, .. }) => told.push(format!("{step} {kind:?}")),
            Output::Mark(Mark { kind, .. }) => told.push(format!("{kind:?}")),
        }
    }
    told
}

#[test]
fn steps_come_at_their_times_and_in_their_order() {
    let pause = Action::Pause(Duration::from_millis(5));
    let mut machine =
        machine(&[at(10, host("green")), step(When::Then, pause), step(When::Then, Action::Promote)], &[]);
    assert_eq!((machine.next_time(), told(&mut machine, ms(9), true)), (ms(10), vec![]));
    assert_eq!(told(&mut machine, ms(11), true), ["0 Began", "0 ordered", "0 Over", "1 Began"]);
    assert_eq!((machine.next_time(), told(&mut machine, ms(15), true)), (ms(16), vec![]));
    assert_eq!(told(&mut machine, ms(16), true), ["1 Over", "2 Began", "2 Promoted", "2 Over"]);
    assert_eq!(machine.next_time(), Instant::MAX);
}

#[test]
fn a_step_waits_for_the_acknowledgement_of_the_one_before() {
    let mut machine = machine(&[at(1, host("green")), at(2, host("blue"))], &[]);
    let order = loop {
        if let Some(Output::Order(order)) = machine.poll(ms(1)) {
            break order;
        }
    };
    assert_eq!((machine.poll(ms(50)), machine.next_time()), (None, Instant::MAX));
    machine.acked(order.id, ms(60), true);
    assert_eq!(told(&mut machine, ms(60), true), ["0 Over", "1 Began", "1 ordered", "1 Over"]);
}

#[test]
fn what_fails_is_followed_by_the_next_step_or_by_the_way_back() {
    let steps = [at(1, host("green")), at(2, host("blue"))];
    let refused = "Failed(\"it was refused\")";
    let expected = ["0 Began", "0 ordered", &format!("0 {refused}")];
    assert_eq!(told(&mut machine(&steps, &[]), ms(1), false), expected);
    let mut with_way_back = machine(&steps, &[host("blue")]);
    let told = told(&mut with_way_back, ms(1), false);
    assert_eq!(told[..3], expected);
    assert_eq!(told[3], "Aborted(\"step 1 (set_host) failed: it was refused\")");
    assert_eq!(told[4..], ["2 Began", "2 ordered", &format!("2 {refused}"), "RolledBack"]);
}

#[test]
fn an_abort_interrupts_a_pause_but_never_a_call() {
    let pause = Action::Pause(Duration::from_secs(9));
    let mut machine = machine(&[at(0, pause)], &[host("blue")]);
    assert_eq!(told(&mut machine, ms(1), true), ["0 Began"]);
    machine.abort("too many errors".into(), ms(2));
    let expected = ["Aborted(\"too many errors\")", "1 Began", "1 ordered", "1 Over", "RolledBack"];
    assert_eq!(told(&mut machine, ms(2), true), expected);
    // Twice is once.
    machine.abort("again".into(), ms(3));
    assert_eq!(told(&mut machine, ms(3), true), [""; 0]);

    let mut calling = self::machine(&[at(0, host("green"))], &[host("blue")]);
    let order = loop {
        if let Some(Output::Order(order)) = calling.poll(ms(1)) {
            break order;
        }
    };
    calling.abort("too many errors".into(), ms(2));
    assert_eq!(calling.poll(ms(2)), None);
    calling.acked(order.id, ms(3), true);
    assert_eq!(told(&mut calling, ms(3), true)[..2], ["0 Over", "Aborted(\"too many errors\")"]);
}

#[test]
fn the_new_version_is_left_at_once_as_long_as_an_old_target_is_there() {
    // Aim: an abort of a rolling update outranks its limits, leaves nobody never, and starts nobody twice. Method: mocks 0 and 1 are
    // the old version, and one or both of them were ended when the rollout is given up.
    let back = |ended: Vec<u32>| {
        let drain = Action::Drain { mocks: vec![2], weights: Vec::new(), at_most: Duration::ZERO };
        let rollout = Rollout {
            strategy: "rolling".into(),
            sides: vec![Some(Side::Stable), Some(Side::Stable), Some(Side::Canary)],
            limits: Some(crate::rollout::Limits { surge: 0, unavailable: 1 }),
            way_back: Some(vec![drain, Action::Stop(vec![2]), Action::Start(vec![0, 1])]),
            ..Rollout::default()
        };
        let steps = [at(0, Action::Stop(ended)), step(When::Then, Action::Pause(Duration::from_secs(9)))];
        let mut machine = Machine::new(&steps, &rollout, (Behind::default(), 3), nobody());
        told(&mut machine, ms(1), true);
        machine.abort("bad".into(), ms(2));
        let mut tasks = Vec::new();
        while let Some(output) = machine.poll(ms(2)) {
            if let Output::Order(order) = output {
                machine.acked(order.id, ms(2), true);
                tasks.push(order.task);
            }
        }
        tasks
    };
    assert_eq!(back(vec![0]), [Task::Stop(vec![2]), Task::Start(vec![0])]);
    assert_eq!(back(vec![0, 1]), [Task::Start(vec![0, 1])]);
}

#[test]
fn a_condition_ends_when_it_is_met_and_fails_when_it_takes_too_long() {
    // Aim: two first tries at the new version are waited for. Method: mock 0 is the new one.
    let run = |tries: u64| {
        let wait = Action::WaitUntil { requests: 2, at_most: Duration::from_millis(10) };
        let rollout = Rollout { sides: vec![Some(Side::Canary)], ..Rollout::default() };
        let mocks = [(TargetId(7), 0)].into_iter().collect();
        let mut machine = Machine::new(&[at(0, wait)], &rollout, (mocks, 1), nobody());
        assert_eq!(told(&mut machine, ms(0), true), ["0 Began"]);
        (0..tries).for_each(|_| machine.observe(Seen::Finished(0, finished(TargetId(7), 200, 1))));
        let next = machine.next_time();
        (next, told(&mut machine, next.max(ms(1)), true))
    };
    assert_eq!(run(2), (Instant::ZERO, vec!["0 Over".to_owned()]));
    assert_eq!(run(1), (ms(10), vec!["0 Failed(\"it took too long\")".to_owned()]));
}

#[test]
fn those_who_watched_copies_speak_when_the_mirror_goes() {
    // Aim: a shadow that nobody objected to is over with a verdict. Method: one judge, and copies that are all well, or none.
    let route = |to| Action::SetMirrorRoute(MirrorRoute { service_name: "shop".into(), to });
    let analysis = Analysis {
        name: "errors".into(),
        kind: judge::Kind::Sequential(judge::SequentialRule {
            tolerated: 1.5,
            excluded: 2.0,
            alpha: 0.01,
            beta: 0.05,
            bad_min: 5,
            effect_min: 0.001,
        }),
        on: judge::On::Attempts,
        bad: judge::Bad(vec![judge::BadTerm::Failed]),
        unit: judge::Unit::Requests,
        reference: judge::Reference::Concurrent,
        is_paired: false,
        on_unclear: Otherwise::Promote,
        on_no_data: Otherwise::Hold,
        dry_run: false,
        in_background: true,
    };
    let run = |copies: u64, next: &[Action]| {
        let (sides, analyses) = (vec![Some(Side::Canary)], vec![analysis.clone()]);
        let rollout = Rollout { strategy: "shadow".into(), sides, analyses, ..Rollout::default() };
        let mocks = [(TargetId(7), 0)].into_iter().collect();
        let next = next.iter().map(|action| step(When::Then, action.clone()));
        let steps: Vec<_> = [at(1, route(None))].into_iter().chain(next).collect();
        let mut machine = Machine::new(&steps, &rollout, (mocks, 1), nobody());
        (0..copies).for_each(|_| machine.observe(Seen::Finished(0, finished(TargetId(7), 200, 1))));
        told(&mut machine, ms(1), true)
    };
    let told = run(3, &[]);
    assert!(told[1].contains("Unclear") && told[2..] == ["0 ordered", "0 Over"], "{told:?}");
    let told = run(0, &[]);
    assert!(told[1].contains("NoData") && told[2].starts_with("0 Held") && told.len() == 3, "{told:?}");
    assert_eq!(run(0, &[host("green")])[..3], ["0 Began", "0 ordered", "0 Over"], "there is more to come");
}

#[test]
fn a_drain_is_over_when_nothing_is_under_way_or_its_time_is() {
    let drain = || Action::Drain {
        mocks: vec![0],
        weights: vec![TargetWeight { upstream: "u".into(), target: "t:80".into(), weight: 0 }],
        at_most: Duration::from_millis(10),
    };
    let mut empties = machine(&[at(5, drain())], &[]);
    empties.observe(Seen::Picked { target: TargetId(7) });
    assert_eq!(told(&mut empties, ms(5), true), ["0 Began", "0 ordered"]);
    empties.observe(Seen::Finished(0, finished(TargetId(7), 200, 5)));
    assert_eq!(told(&mut empties, ms(6), true), ["0 Over"]);
    let mut stays = machine(&[at(5, drain())], &[]);
    stays.observe(Seen::Picked { target: TargetId(7) });
    assert_eq!(told(&mut stays, ms(5), true).len(), 2);
    assert_eq!((stays.next_time(), told(&mut stays, ms(15), true)), (ms(15), vec!["0 Over".to_owned()]));
}
