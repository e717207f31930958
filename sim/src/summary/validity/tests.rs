//! What is objected to, and what is not.

use std::time::Duration;

use super::*;
use crate::load::{ClosedLoop, Shape};
use crate::measure::rehearsal::{change, how_to, play, quiet};
use crate::measure::{Conditions, Observation, Record, Recorder};
use crate::mock::Latency;

fn plan() -> Plan {
    how_to(600.0, 30, &[(10_000, "green"), (20_000, "blue")])
}

fn judged(said: &[Observation], conditions: Conditions) -> Validity {
    let plan = plan();
    let mut recorder = Recorder::new(&plan);
    for seen in said {
        recorder.record(seen);
    }
    judge(&plan, &recorder.finish(conditions))
}

#[test]
fn a_closed_loop_is_valid_and_says_what_it_cannot_show() {
    // Aim: the ledger balances without a schedule, and the reader is told. Method: what an open loop has seen, told to
    // the recorder of a closed one.
    let said = play(&plan());
    let mut closed = plan();
    closed.load.streams[0].shape = Shape::Closed(ClosedLoop {
        vus: 9,
        think: Latency::Constant(Duration::ZERO),
        duration: closed.load.duration(),
        most: 1_000_000,
    });
    let mut recorder = Recorder::new(&closed);
    for seen in &said {
        recorder.record(seen);
    }
    let measured = recorder.finish(quiet(&closed));
    assert_eq!(measured.intended, 18_000);
    let validity = judge(&closed, &measured);
    assert_eq!((validity.result, validity.reasons), (Trust::Valid, vec![CLOSED.to_owned()]));
}

/// Every request later by what `lag` says for its index, from release to end.
fn late(said: &mut [Observation], lag: impl Fn(u64) -> Duration) {
    change(
        said,
        |_| true,
        |record: &mut Record| {
            let lag = lag(record.index);
            record.released = record.released + lag;
            record.on_wire = record.on_wire.map(|at| at + lag);
            record.done = record.done + lag;
        },
    );
}

#[test]
fn too_few_connections_are_told_and_no_fault_of_the_measurement() {
    let busy = |wait| {
        let mut said = play(&plan());
        change(
            &mut said,
            |_| true,
            |record: &mut Record| {
                record.on_wire = record.on_wire.map(|at| at + wait);
                record.done = record.done + wait;
            },
        );
        judged(&said, quiet(&plan()))
    };
    let validity = busy(Duration::from_millis(700));
    assert_eq!(validity.result, Trust::Valid);
    let [reason] = validity.reasons.as_slice() else { panic!("{validity:?}") };
    assert!(reason.starts_with("half of the requests waited 700"), "{reason}");
    assert!(reason.ends_with(
        "requests a second of 600: enough on average, so the gateway or its targets were slow for a time"
    ));
    assert_eq!(busy(Duration::from_micros(50)).reasons, [""; 0]);
}

#[test]
fn a_quiet_small_machine_is_valid() {
    // The worst of reference/load.md's table: tails of 4 ms on one request in fifty, jitter p99.9 of 11 ms.
    let mut said = play(&plan());
    late(&mut said, |index| Duration::from_micros(if index % 50 == 0 { 4000 } else { 40 }));
    let conditions = Conditions {
        run_queue_wait: Some(0.036),
        foreign_cpu: Some(0.12),
        steal: Some(0.006),
        cpu_pressure: Some(0.3),
        jitter_us: Some((90.0, 11_000.0, 30_000.0)),
        ..quiet(&plan())
    };
    let validity = judged(&said, conditions);
    assert_eq!((validity.result, validity.reasons), (Trust::Valid, vec![]));
    assert!((validity.achieved_rate - 600.0).abs() < 1e-9 && validity.lag_us.p99 > 3_500.0);
}

#[test]
fn busy_loops_beside_it_are_seen_though_lag_hardly_moves() {
    let said = play(&plan());
    for conditions in [
        Conditions { foreign_cpu: Some(0.5), ..quiet(&plan()) },
        Conditions { run_queue_wait: Some(0.12), foreign_cpu: None, ..quiet(&plan()) },
    ] {
        let validity = judged(&said, conditions);
        assert_eq!(validity.result, Trust::Degraded);
        assert!(validity.reasons[0].contains("limit"), "{:?}", validity.reasons);
    }
}

#[test]
fn lag_that_explains_the_latency_is_objected_to_with_its_span() {
    let mut said = play(&plan());
    late(&mut said, |index| Duration::from_millis(if (7_200..9_000).contains(&index) { 200 } else { 0 }));
    let validity = judged(&said, quiet(&plan()));
    assert_eq!(validity.result, Trust::Invalid);
    let expected = "generator lag p99 200.1 ms is 96 % of the p99 response time";
    assert!(validity.reasons[0].contains(expected), "{:?}", validity.reasons);
    assert!(validity.reasons[0].ends_with("between 12.0 s and 15.0 s"), "{:?}", validity.reasons);
}

#[test]
fn a_generator_that_falls_behind_is_invalid() {
    let mut said = play(&plan());
    late(&mut said, |index| Duration::from_millis(index / 10));
    let validity = judged(&said, quiet(&plan()));
    assert_eq!(validity.result, Trust::Invalid);
    assert!(validity.achieved_rate < 590.0);
    assert!(validity.reasons[0].starts_with("released"), "{:?}", validity.reasons);
}

#[test]
fn our_own_faults_make_it_invalid() {
    let mut said = play(&plan());
    change(
        &mut said,
        |r| r.index == 5,
        |r| {
            r.ending = crate::measure::Ending::Dropped(Cause::ClientPorts);
            r.target = None;
        },
    );
    assert_eq!(judged(&said, quiet(&plan())).result, Trust::Invalid);
    let mut lossy = play(&plan());
    lossy.retain(|seen| !matches!(seen, Observation::Picked(pick) if pick.request == 5_000));
    let validity = judged(&lossy, quiet(&plan()));
    assert_eq!(validity.reasons, ["1 pick of the gateway never reached the recorder"]);
}

#[test]
fn an_objection_to_the_machine_says_when() {
    let mut conditions = Conditions { steal: Some(0.04), ..quiet(&plan()) };
    conditions.strains = vec![Strain::default(); 60];
    for bin in 10..20 {
        conditions.strains[bin].steal = Some(0.2);
    }
    let validity = judged(&play(&plan()), conditions);
    assert_eq!(validity.result, Trust::Degraded);
    let expected = "4.0 % of the CPU time was taken by the hypervisor (limit 2 %) between 5.0 s and 10.0 s";
    assert_eq!(validity.reasons, [expected]);
}

#[test]
fn a_coarse_clock_and_a_network_that_loses_are_objected_to() {
    let coarse = Conditions { clock_resolution: Some(Duration::from_millis(4)), ..quiet(&plan()) };
    assert_eq!(judged(&play(&plan()), coarse).result, Trust::Invalid);
    let lossy = Conditions { listen_overflows: Some(3), retransmitted: Some(0.001), ..quiet(&plan()) };
    let validity = judged(&play(&plan()), lossy);
    assert_eq!((validity.result, validity.reasons.len()), (Trust::Degraded, 2), "{:?}", validity.reasons);
}

#[test]
fn the_page_for_readers_has_the_limits_that_hold() {
    let page = include_str!("VALIDITY.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let said = |start: &str| {
        let row = rows.iter().find(|row| row[1].starts_with(start));
        let row = row.unwrap_or_else(|| panic!("no row begins with {start:?}"));
        [row[2], row[3]].map(|cell| {
            let (number, unit) = cell.split_once(' ').unwrap();
            let scale = match unit {
                "%" => 0.01,
                "ms" => 1000.0,
                "us" => 1.0,
                other => panic!("{other}"),
            };
            number.replace(',', "").parse::<f64>().unwrap() * scale
        })
    };
    for (start, limits) in [
        ("requests not released", LATE),
        ("median generator lag", LAG_P50),
        ("the same at p99", LAG_P99),
        ("wait of the generator", WAIT_US),
        ("CPU time of other", FOREIGN),
        ("CPU time taken", STEAL),
        ("busiest half second", BUSY),
        ("overshoot", JITTER_US),
        ("smallest step", RESOLUTION_US),
    ] {
        let [degraded, invalid] = said(start);
        assert!((degraded / limits.degraded - 1.0).abs() < 1e-9, "{start}");
        assert!((invalid / limits.invalid - 1.0).abs() < 1e-9, "{start}");
    }
}
