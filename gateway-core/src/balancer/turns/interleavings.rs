//! Every order in which two workers and a change of the configuration can take their steps in [`ring`], each with every
//! value that the memory model lets a load see, walked through by `loom`: the file is compiled a second time, with models
//! of its atomics and its mutex.

#[expect(clippy::duplicate_mod, reason = "this one is made of models")]
#[expect(dead_code, reason = "the model only takes turns and ends epochs")]
#[path = "ring.rs"]
mod ring;

/// The models.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
    pub(super) use loom::sync::{Mutex, MutexGuard};
}

use loom::sync::Arc;
use loom::thread;

use self::ring::Turns;
use super::{Pace, Sequence, Shares};
use crate::balancer::testing::members;

/// A ring of two entries for a period of three: every second turn meets the end of a lap.
const RING: Pace = Pace { period_max: 2, ring: 2, at_once: 1, every: 2 };
/// A table that is computed on the way.
const TABLE: Pace = Pace { period_max: 3, ..RING };
/// Turns given before the workers begin: the model starts at each place of a lap, in laps of either parity.
const BEFORE: std::ops::Range<usize> = 0..5;

/// Two turns of three are member 0's.
const PERIOD: [u32; 3] = [0, 1, 0];

#[derive(Debug)]
struct Thirds {
    shares: Shares,
    picks: [u64; 2],
}

impl Sequence for Thirds {
    fn next_member(&mut self) -> u32 {
        let member = PERIOD[self.picks.iter().sum::<u64>() as usize % 3];
        self.picks[member as usize] += 1;
        member
    }

    fn picks(&self) -> &[u64] {
        &self.picks
    }

    fn shares(&self) -> &Shares {
        &self.shares
    }
}

fn turns(pace: Pace) -> Turns<Thirds> {
    Turns::new(Thirds { shares: Shares::new(&members(&[2, 1])), picks: [0; 2] }, pace)
}

/// Whose the first turns are.
fn sequence(length: usize) -> Vec<usize> {
    PERIOD.iter().cycle().take(length).map(|&member| member as usize).collect()
}

/// The turns that a worker gets by asking so many times, fewer when the epoch ends.
fn take(turns: &Turns<Thirds>, times: usize) -> Vec<(u64, usize)> {
    (0..times).map_while(|_| turns.take().ok()).collect()
}

/// Each turn once, from the first one on, and each its owner's.
fn assert_all_in_turn(mut taken: Vec<(u64, usize)>) {
    taken.sort_unstable();
    let expected: Vec<_> = (0..).zip(sequence(taken.len())).collect();
    assert_eq!(taken, expected);
}

/// Two workers take `times` turns each, stopped in the middle at most so often; `None` is any number of times.
fn two_workers(pace: Pace, times: usize, preemptions: Option<usize>) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    for before in BEFORE {
        model.check(move || {
            let turns = Arc::new(turns(pace));
            let mut taken = take(&turns, before);
            let other = thread::spawn({
                let turns = Arc::clone(&turns);
                move || take(&turns, times)
            });
            taken.extend(take(&turns, times));
            taken.extend(other.join().unwrap());
            assert_eq!(taken.len(), before + 2 * times);
            assert_all_in_turn(taken);
        });
    }
}

/// A worker takes `times` turns while the epoch ends.
fn a_worker_and_an_end(pace: Pace, times: usize) {
    for before in BEFORE {
        loom::model(move || {
            let turns = Arc::new(turns(pace));
            let mut taken = take(&turns, before);
            let worker = thread::spawn({
                let turns = Arc::clone(&turns);
                move || take(&turns, times)
            });
            let picks = turns.close(|_, picks| picks.to_vec());
            taken.extend(worker.join().unwrap());
            assert_picks(&picks, &taken);
            assert_all_in_turn(taken);
            assert!(turns.take().is_err());
        });
    }
}

/// The picks are those of these turns, but for whole periods.
fn assert_picks(picks: &[u64], taken: &[(u64, usize)]) {
    let missing =
        [0, 1].map(|member| taken.iter().filter(|turn| turn.1 == member).count() as u64 - picks[member]);
    assert_eq!(missing[0], 2 * missing[1], "{picks:?} after {taken:?}");
}

#[test]
fn two_workers_lose_and_repeat_no_turn_across_laps_of_a_ring() {
    two_workers(RING, 1, None);
    two_workers(RING, 3, Some(2));
}

#[test]
fn two_workers_lose_and_repeat_no_turn_where_a_table_comes_into_being() {
    two_workers(TABLE, 1, None);
    two_workers(TABLE, 3, Some(2));
}

#[test]
fn the_end_of_an_epoch_accounts_for_every_turn_of_a_ring() {
    a_worker_and_an_end(RING, 2);
}

#[test]
fn the_end_of_an_epoch_accounts_for_every_turn_of_a_table() {
    a_worker_and_an_end(TABLE, 2);
}
