//! Weights proved from tickets, and what is said when they cannot be.

use gateway_core::id::{Epoch, Revision, ServiceId};
use proptest::prelude::*;

use super::epoch::Together;
use super::*;
use crate::measure::rehearsal::{BLUE, GREEN, how_to};

fn weights(picks: &[Pick]) -> Vec<MeasuredWeights> {
    let plan = how_to(100.0, 10, &[]);
    let grid = Grid::new(plan.load.duration());
    let mut weights = Weights::new(&plan.gateway.config, 1, &[vec![TargetId(1)]].into(), grid);
    weights.begin(BLUE, Instant::from_millis(5000), 1);
    for pick in picks {
        weights.picked(pick);
    }
    weights.finish(grid).0
}

/// The picks of blue, 2 : 1 in turn, one each 10 ms.
fn blue(n: u64) -> Vec<Pick> {
    (0..n)
        .map(|ticket| Pick {
            request: ticket,
            at: Instant::from_millis(ticket * 10),
            node: 0,
            revision: Revision(0),
            routed: Revision(0),
            service: ServiceId(0),
            upstream: Some(BLUE),
            target: TargetId(u32::from(ticket % 3 == 1)),
            epoch: Epoch(0),
            ticket,
            carried: 0.0,
            retry: 0,
        })
        .collect()
}

/// The largest deviation after any prefix, by looking at every member after every pick.
fn by_definition(picks: &[Pick]) -> f64 {
    let mut own = [0_u64; 2];
    let mut most = 0.0_f64;
    for (n, pick) in (1..).zip(picks) {
        own[pick.target.index()] += 1;
        for (own, share) in own.iter().zip([2.0 / 3.0, 1.0 / 3.0]) {
            most = most.max((f64::from(n) * share - *own as f64).abs());
        }
    }
    most
}

#[test]
fn the_how_to_is_never_more_than_a_third_of_a_request_off() {
    let rows = weights(&blue(300));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].members.iter().map(|m| m.picks).collect::<Vec<_>>(), [200, 100]);
    assert!((rows[0].deviation_max - 1.0 / 3.0).abs() < 1e-9, "{}", rows[0].deviation_max);
    assert_eq!((rows[0].missing, rows[0].wrong), (0, 0));
    let apart = (rows[0].share_off - rows[0].deviation_max).abs();
    assert!(apart < 1e-9, "with one target for each version they are the same: {apart}");
}

#[test]
fn what_a_version_was_owed_counts_from_its_first_pick_back_to_the_start() {
    // Aim: the distance of several targets together is known once all their carries are, and then for all picks before. Method: half of the
    // requests, half a request owed, and two others before its first.
    let mut version = Together { weight: 1, unknown: 1, ..Together::default() };
    assert_eq!(version.picked((false, Some(-0.5)), 1, 2), None);
    assert_eq!(version.picked((false, None), 2, 2), None);
    assert_eq!(version.picked((true, Some(0.5)), 3, 2), Some(1.5), "it was owed one and a half before");
}

#[test]
fn a_stretch_goes_on_where_the_epoch_was_and_rows_add_up() {
    // 5 s hold 500 picks; the second stretch starts two picks into a round of three.
    let rows = weights(&blue(1000));
    assert_eq!(
        rows.iter().map(|row| (row.switch, row.picks)).collect::<Vec<_>>(),
        [(None, 500), (Some(1), 500)]
    );
    let deviation = |row: usize| rows[row].members.iter().map(|m| m.deviation).collect::<Vec<_>>();
    assert!((deviation(0)[0] - (333.0 - 1000.0 / 3.0)).abs() < 1e-9, "{:?}", deviation(0));
    assert!((deviation(0)[1] - (167.0 - 500.0 / 3.0)).abs() < 1e-9);
    assert!(rows.iter().all(|row| row.deviation_max < 0.34));
}

#[test]
fn one_pick_too_many_is_seen_where_it_happened() {
    let mut picks = blue(600);
    picks[550].target = TargetId(0);
    let rows = weights(&picks);
    assert!(rows[0].deviation_max < 0.34);
    let expected = by_definition(&picks);
    assert!(expected > 1.0 && (rows[1].deviation_max.max(rows[0].deviation_max) - expected).abs() < 1e-9);
}

#[test]
fn a_lost_ticket_a_double_one_and_a_stranger_are_counted() {
    let mut picks = blue(300);
    picks.remove(100);
    picks.push(picks[7]);
    picks.push(Pick { target: TargetId(9), ticket: 300, ..picks[0] });
    let rows = weights(&picks);
    assert_eq!(rows.iter().map(|row| (row.missing, row.wrong, row.picks)).collect::<Vec<_>>(), [(1, 2, 299)]);
}

#[test]
fn what_a_later_epoch_owes_is_counted_from_its_first_slot() {
    // Green's second epoch owes member 3 half a request: it must come first, and after it nobody is off at all.
    let pick = |ticket, target, carried| Pick {
        upstream: Some(GREEN),
        epoch: Epoch(1),
        ticket,
        carried,
        target: TargetId(target),
        ..blue(1)[0]
    };
    let kept = weights(&[pick(0, 3, 0.5), pick(1, 2, -0.5)]);
    assert!((kept[0].deviation_max - 1.0).abs() > 0.4, "{}", kept[0].deviation_max);
    let forgotten = weights(&[pick(0, 2, -0.5), pick(1, 3, 0.5)]);
    assert!((forgotten[0].deviation_max - 1.0).abs() < 1e-9, "{}", forgotten[0].deviation_max);
}

proptest! {
    #[test]
    fn any_order_of_reports_gives_what_the_definition_gives(
        targets in prop::collection::vec(0_u32..2, 1..200), seed in any::<u64>(),
    ) {
        let mut picks = blue(targets.len() as u64);
        picks.iter_mut().zip(&targets).for_each(|(pick, &target)| pick.target = TargetId(target));
        let expected = by_definition(&picks);
        picks.sort_by_key(|pick| gateway_core::rng::draw(seed, 0, pick.ticket));
        let rows = weights(&picks);
        let seen = rows.iter().map(|row| row.deviation_max).fold(0.0, f64::max);
        prop_assert!((seen - expected).abs() < 1e-9, "{seen} for {expected}");
        prop_assert_eq!(rows.iter().map(|row| row.picks + row.missing + row.wrong).sum::<u64>(), targets.len() as u64);
    }
}

#[test]
fn an_epoch_is_measured_against_those_who_could_be_picked_in_it() {
    // Aim: a target that turned is owed nothing while it is out, and it does not matter whether its epoch is told of before or
    // after its picks. Method: blue's second target is out in epoch 1, of which we hear late, early or never.
    let alone = |number: u64| Pick {
        at: Instant::from_millis(3000 + number * 10),
        target: TargetId(0),
        epoch: Epoch(1),
        ticket: number,
        ..blue(1)[0]
    };
    let member = |id: u32, weight, available| gateway_core::balancer::Member {
        available,
        ..gateway_core::balancer::Member::new(TargetId(id), weight)
    };
    let began = NewEpoch {
        node: 0,
        upstream: BLUE,
        epoch: Epoch(1),
        members: vec![member(0, 100, true), member(1, 50, false)],
    };
    let plan = how_to(100.0, 10, &[]);
    let grid = Grid::new(plan.load.duration());
    let measure = |told: Option<usize>| {
        let mut weights = Weights::new(&plan.gateway.config, 1, &[vec![TargetId(1)]].into(), grid);
        for (n, pick) in blue(300).into_iter().chain((0..100).map(alone)).enumerate() {
            if told == Some(n) {
                weights.began(&began);
            }
            weights.picked(&pick);
        }
        weights.finish(grid).0
    };
    for told in [0, 300, 399] {
        let rows = measure(Some(told));
        let picks: Vec<_> =
            rows.iter().map(|row| (row.epoch, row.picks, row.wrong, row.members.len())).collect();
        assert_eq!(picks, [(0, 300, 0, 2), (1, 100, 0, 1)], "told at {told}");
        assert!(rows[1].deviation_max < 1e-9, "{}", rows[1].deviation_max);
    }
    let guessed = measure(None);
    assert_eq!((guessed[1].picks, guessed[1].members.len()), (100, 2), "as if nothing had changed");
}
