//! The recorder against what engines may say: in order, late, twice, or never.

use gateway_core::gateway::Options;
use gateway_core::id::{Epoch, Revision, ServiceId, TargetId};
use gateway_core::outcome::Outcome;

use super::*;
use crate::measure::Cause;
use crate::measure::PhaseKind::{After, Before, Switch, Warmup};
use crate::measure::rehearsal::{ACK, APPLY, BLUE, GREEN, change, how_to, measure, play, quiet};

fn ms(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn twice() -> Plan {
    how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")])
}

#[test]
fn every_request_of_the_how_to_is_accounted_for() {
    let plan = twice();
    let measured = measure(&plan, &play(&plan));
    assert_eq!(measured.intended, 18_000);
    let kinds: Vec<_> = measured.phases.iter().map(|phase| phase.kind).collect();
    assert_eq!(kinds, [Warmup, Before, Switch(0), After(0), Switch(1), After(1)]);
    let counts: Vec<_> = measured.phases.iter().map(|phase| phase.expected().intended).collect();
    assert_eq!(counts[0], 1800);
    assert_eq!(counts.iter().sum::<u64>(), 18_000);
    assert!((1..=8).contains(&counts[2]), "{counts:?}");
    for phase in &measured.phases {
        let tally = phase.tally();
        assert_eq!((tally.answered, tally.dropped()), (phase.expected().intended, 0));
        assert_eq!((phase.expected().lost, phase.expected().duplicates, tally.wrong_version), (0, 0, 0));
    }
    assert_eq!(measured.targets.iter().map(|t| t.served).sum::<u64>(), 18_000);
    assert_eq!(measured.response.n(), 16_200);
    assert_eq!(measured.lag.n(), 18_000);
}

#[test]
fn phases_begin_and_end_at_measured_moments() {
    // Aim: the border of a switch is its application and its last old answer, and a request is on the side of its
    // intended time. Method: against the stream itself, read again.
    let plan = twice();
    let said = play(&plan);
    let measured = measure(&plan, &said);
    for (number, old) in [(0, BLUE), (1, GREEN)] {
        let switch = &measured.switches[number];
        let applied = ms(10_000 * (number as u64 + 1)) + APPLY;
        assert_eq!(switch.moments.applied, Some(applied));
        let of_old = |record: &&Record| {
            plan.mocks[record.target.unwrap() as usize].upstream == old && record.intended < applied
        };
        let records = || {
            said.iter().filter_map(|seen| match seen {
                Observation::Ended(record) => Some(record),
                _ => None,
            })
        };
        let last = records().filter(of_old).map(|record| record.done).max();
        assert_eq!(switch.last_old_answer, last);
        let phase = measured.phases.iter().find(|phase| phase.kind == Switch(number)).unwrap();
        assert_eq!((Some(phase.from), Some(phase.to)), (Some(applied), last));
        let within = records().filter(|r| r.intended >= phase.from && r.intended < phase.to).count();
        assert_eq!(phase.expected().intended, within as u64);
    }
}

#[test]
fn a_switch_is_dissected_into_its_moments() {
    let plan = twice();
    let measured = measure(&plan, &play(&plan));
    for switch in &measured.switches {
        let applied = switch.moments.applied.unwrap();
        assert_eq!(switch.moments.acked, Some(applied + ACK));
        assert!(switch.first_new_pick.unwrap() > applied && switch.last_old_pick.unwrap() < applied);
        assert!(switch.first_new_answer > switch.first_new_pick);
        assert_eq!(switch.stale_picks, 0);
        // 600 per second at about 4.9 ms: three under way, give or take what the last few milliseconds brought.
        assert!((1..=7).contains(&switch.in_flight), "{}", switch.in_flight);
        assert_eq!((switch.after.n(), switch.steady.n() > 4000), (600, true));
    }
    assert_eq!(measured.switches[0].until, ms(20_000));
}

#[test]
fn weights_are_exact_in_every_stretch() {
    let plan = twice();
    let measured = measure(&plan, &play(&plan));
    let rows: Vec<_> = measured.weights.iter().map(|row| (row.upstream, row.switch, row.picks)).collect();
    assert_eq!(rows.len(), 3);
    assert_eq!([rows[0].0, rows[1].0, rows[2].0], [BLUE, GREEN, BLUE]);
    assert_eq!([rows[0].1, rows[1].1, rows[2].1], [None, Some(0), Some(1)]);
    assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), 18_000);
    assert!(
        measured.weights.iter().all(|row| row.deviation_max < 0.51 && row.missing == 0 && row.wrong == 0)
    );
}

#[test]
fn the_order_of_reports_changes_nothing() {
    // Aim: a step that is reported after what followed it, and workers that are late, give the same figures. Method: the
    // same stream with each step moved behind 300 later observations.
    let plan = twice();
    let said = play(&plan);
    let mut late = said.clone();
    for at in (0..late.len()).rev() {
        if matches!(late[at], Observation::Stepped(_)) {
            late[at..(at + 300).min(said.len())].rotate_left(1);
        }
    }
    let (a, b) = (measure(&plan, &said), measure(&plan, &late));
    let phases =
        |m: &Measured| m.phases.iter().map(|p| (p.from, p.to, p.expected().intended)).collect::<Vec<_>>();
    assert_eq!(phases(&a), phases(&b));
    let switches = |m: &Measured| {
        m.switches
            .iter()
            .map(|s| (s.first_new_pick, s.last_old_answer, s.stale_picks, s.in_flight, s.after.median()))
            .collect::<Vec<_>>()
    };
    assert_eq!(switches(&a), switches(&b));
}

#[test]
fn drops_are_counted_by_cause_and_phase_with_the_first_three_ids() {
    let plan = twice();
    let mut said = play(&plan);
    let drop = |record: &mut Record| {
        record.ending = Ending::Dropped(Cause::Refused);
        record.target = None;
    };
    let n = change(&mut said, |r| r.intended >= ms(10_400) && r.intended < ms(10_500), drop);
    let measured = measure(&plan, &said);
    let dropped: Vec<_> =
        measured.phases.iter().map(|phase| phase.tally().dropped_by(Cause::Refused)).collect();
    assert_eq!(dropped, [0, 0, 0, n as u64, 0, 0]);
    let sample = &measured.drops[&Cause::Refused];
    assert_eq!(sample.first, [6240, 6241, 6242]);
    assert!(sample.from >= ms(10_400) && sample.to < ms(10_500));
    // They are in the targets' books, so they are not lost, only unanswered.
    assert_eq!(measured.phases.iter().map(|phase| phase.expected().lost).sum::<u64>(), 0);
}

#[test]
fn the_books_tell_who_was_lost_and_who_was_served_twice() {
    let plan = twice();
    let mut said = play(&plan);
    said.retain(|seen| !matches!(seen, Observation::Served { request: 7000, .. }));
    said.push(Observation::Served { request: 100, mock: 0, at: ms(200) });
    said.push(Observation::Served { request: u64::MAX, mock: 0, at: ms(200) });
    let measured = measure(&plan, &said);
    let of = |f: fn(&crate::measure::MeasuredPhase) -> u64| measured.phases.iter().map(f).collect::<Vec<_>>();
    assert_eq!(of(|phase| phase.expected().lost), [0, 0, 0, 1, 0, 0]);
    assert_eq!(of(|phase| phase.expected().duplicates), [1, 0, 0, 0, 0, 0]);
    assert_eq!((measured.strangers, measured.targets[0].served), (1, 8002));
}

#[test]
fn an_answer_of_another_version_than_the_pick_is_wrong() {
    let plan = twice();
    let mut said = play(&plan);
    change(&mut said, |r| r.index == 9000, |r| r.target = Some(0));
    // The other target of the same version is no wrong version.
    change(&mut said, |r| r.index == 9001, |r| r.target = r.target.map(|mock| 5 - mock));
    let measured = measure(&plan, &said);
    assert_eq!(measured.phases.iter().map(|phase| phase.tally().wrong_version).sum::<u64>(), 1);
}

#[test]
fn old_picks_after_the_acknowledgement_are_stale_and_their_answers_wrong() {
    let plan = twice();
    let mut said = play(&plan);
    for seen in &mut said {
        match seen {
            Observation::Picked(pick) if pick.request == 6300 => {
                pick.upstream = Some(BLUE);
                pick.target = TargetId(0);
            }
            Observation::Ended(record) if record.index == 6300 => record.target = Some(0),
            _ => {}
        }
    }
    let measured = measure(&plan, &said);
    assert_eq!(measured.switches[0].stale_picks, 1);
    assert!(measured.switches[0].last_old_pick.unwrap() > ms(10_500));
    assert_eq!(measured.phases.iter().map(|phase| phase.tally().wrong_version).sum::<u64>(), 1);
    // The stale answer makes the switch last until it came.
    let phase = measured.phases.iter().find(|phase| phase.kind == Switch(0)).unwrap();
    assert!(phase.to > ms(10_004), "{:?}", phase.to);
}

#[test]
fn a_retry_keeps_its_upstream_and_is_neither_stale_nor_a_turn() {
    let plan = twice();
    let mut said = play(&plan);
    let at = ms(10_100);
    let pick = Pick {
        request: 5_990,
        at,
        node: 0,
        revision: Revision(1),
        routed: Revision(1),
        service: ServiceId(0),
        upstream: Some(BLUE),
        target: TargetId(1),
        epoch: Epoch(0),
        ticket: u64::MAX,
        carried: 0.0,
        retry: 1,
    };
    let outcome = Outcome::Answered { status: 200 };
    said.push(Observation::Picked(pick));
    said.push(Observation::Finished { at: ms(10_104), upstream: Some(BLUE), target: TargetId(1), outcome });
    let measured = measure(&plan, &said);
    assert_eq!(measured.switches[0].stale_picks, 0);
    assert_eq!(measured.weights.iter().map(|row| row.picks).sum::<u64>(), 18_000);
    assert!(measured.weights.iter().all(|row| row.wrong == 0 && row.missing == 0));
}

#[test]
fn a_failed_switch_leaves_the_phases_as_they_were() {
    let plan = twice();
    let mut said = play(&how_to(600.0, 30, &[]));
    for (step, at) in [(0, 10_000), (1, 20_000)] {
        let moments = StepMoments { step, requested: ms(at), acked: None, applied: None };
        said.push(Observation::Stepped(moments));
    }
    let measured = measure(&plan, &said);
    assert_eq!(measured.phases.iter().map(|p| p.expected().intended).collect::<Vec<_>>(), [1800, 16_200]);
    assert_eq!(measured.switches.len(), 2);
    assert!(measured.switches.iter().all(|switch| switch.applied().is_none() && switch.stale_picks == 0));
}

#[test]
fn a_stopped_run_still_balances() {
    // Aim: what was never sent is dropped, not forgotten, and steps that never came leave no phase.
    let plan = twice();
    let mut said = play(&plan);
    said.retain(|seen| match seen {
        Observation::Ended(_) => true,
        Observation::Stepped(_) => false,
        seen => moment(seen) < ms(5_000),
    });
    let stop = |r: &mut Record| {
        *r = Record {
            released: r.intended,
            on_wire: None,
            first_byte: None,
            done: r.intended,
            ending: Ending::Dropped(Cause::Unsent),
            target: None,
            ..*r
        };
    };
    change(&mut said, |r| r.intended >= ms(4_990), stop);
    let mut recorder = Recorder::new(&plan);
    for seen in &said {
        recorder.record(seen);
    }
    let aborted_at = Some(ms(4_990));
    let measured = recorder.finish(Conditions { aborted_at, ..quiet(&plan) });
    let sum = |f: fn(&Tally) -> u64| measured.phases.iter().map(|phase| f(&phase.tally())).sum::<u64>();
    assert_eq!((sum(|t| t.answered), sum(|t| t.dropped_by(Cause::Unsent))), (2994, 15_006));
    assert_eq!((measured.phases.len(), measured.lag.n()), (2, 2994));
}

#[test]
#[should_panic(expected = "request 77 has no end")]
fn a_request_without_an_end_is_a_bug() {
    let plan = how_to(100.0, 2, &[]);
    let mut said = play(&plan);
    said.retain(|seen| !matches!(seen, Observation::Ended(record) if record.index == 77));
    measure(&plan, &said);
}

#[test]
fn memory_is_that_of_what_is_under_way() {
    // Aim: nothing of an ended request is kept but its bits. Method: after a run, the tables by request are empty.
    let plan = how_to(2000.0, 20, &[(10_000, "green")]);
    let mut recorder = Recorder::new(&plan);
    let mut most = (0, 0);
    for seen in play(&plan) {
        recorder.record(&seen);
        most = (most.0.max(recorder.open.len()), most.1.max(recorder.held.len() + recorder.pending.len()));
    }
    assert!(recorder.open.len() == 0 && recorder.held.is_empty() && recorder.pending.is_empty());
    assert!(most.0 < 500 && most.1 < 3000, "{most:?}");
}

#[test]
fn a_step_that_takes_too_long_is_waited_for_no_longer_and_said() {
    // Aim: what is held back is bounded, and the ledger balances all the same. Method: room for 200 observations, and a
    // step reported after 3,000; then a switch whose old version never stops answering.
    let plan = how_to(600.0, 30, &[(10_000, "green")]);
    let mut said = play(&plan);
    let at = said.iter().position(|seen| matches!(seen, Observation::Stepped(_))).unwrap();
    said[at..at + 3_000].rotate_left(1);
    let mut recorder = Recorder::new(&plan);
    recorder.held_max = 200;
    for seen in &said {
        recorder.record(seen);
        assert!(recorder.held.len() <= 200 && recorder.pending.len() <= 200);
    }
    let measured = recorder.finish(quiet(&plan));
    assert_eq!(measured.phases.iter().map(|phase| phase.expected().intended).sum::<u64>(), 18_000);
    assert!(measured.warnings[0].text.starts_with("step 1 took so long"), "{:?}", measured.warnings);
    assert_eq!(measured.switches[0].applied(), Some(ms(10_000) + APPLY));
    assert!(measured.phases[2].from > ms(10_500));

    let said = play(&plan);
    let mut recorder = Recorder::new(&plan);
    recorder.held_max = 200;
    for seen in said.iter().filter(|seen| !matches!(seen, Observation::Ended(r) if r.index == 5_999)) {
        recorder.record(seen);
    }
    let last = said.iter().find(|seen| matches!(seen, Observation::Ended(r) if r.index == 5_999)).unwrap();
    recorder.record(last);
    let measured = recorder.finish(quiet(&plan));
    assert_eq!(measured.phases.iter().map(|phase| phase.expected().intended).sum::<u64>(), 18_000);
    assert!(measured.warnings[0].text.starts_with("the old version of switch 1"), "{:?}", measured.warnings);
}

#[test]
fn a_switch_stays_open_until_every_worker_may_have_learnt_of_it() {
    // Aim: workers that learn late are part of the switch, also when no old request is under way for a moment. Method: a
    // slow stream to Kong's own workers, of which one looks a good while after the change.
    let mut plan = how_to(100.0, 30, &[(10_000, "green")]);
    plan.gateway.options = Options::kong(2, 42);
    let said = play(&plan);
    let measured = measure(&plan, &said);
    let switch = &measured.switches[0];
    let last = switch.last_old_answer.unwrap();
    assert!(last > ms(10_000) + SETTLE * 2 && last < ms(15_200), "{last:?}");
    assert!(switch.stale_picks > 20, "{}", switch.stale_picks);
    assert_eq!((measured.phases[2].kind, measured.phases[2].to), (Switch(0), last));
    let wrong: Vec<_> = measured.phases.iter().map(|phase| phase.tally().wrong_version).collect();
    assert_eq!(wrong, [0, 0, switch.stale_picks, 0], "stale answers belong to the switch");
}

#[test]
fn progress_names_the_phases_begun() {
    let plan = twice();
    let mut recorder = Recorder::new(&plan);
    let said = play(&plan);
    let middle = said.iter().position(|seen| moment(seen) >= ms(15_000)).unwrap();
    said[..middle].iter().for_each(|seen| recorder.record(seen));
    let progress = recorder.progress();
    assert_eq!(progress.phase, "after-1");
    let names: Vec<_> = progress.milestones.iter().map(|m| m.phase.as_str()).collect();
    assert_eq!(names, ["warmup", "before", "switch-1", "after-1"]);
    assert_eq!(progress.milestones[2].detail, "blue -> green, requested 10.0000, applied 10.0013");
    assert!(progress.answered > 8900 && progress.dropped == 0 && progress.largest_cause.is_none());
    assert!((1..60).contains(&progress.in_flight) && progress.p99_us.is_some(), "{progress:?}");
}
