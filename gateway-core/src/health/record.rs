//! The health of one target, shared by all workers without a lock. The rules are those of [`Counters`].

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Counters, Observation, State, Turn};
use crate::entity::Limits;
use crate::rules::Rules;

/// One target's [`Counters`], state and all four, in one word. A new one is healthy.
///
/// Nothing else is published through the word, so `Relaxed` suffices: every thread sees its changes in one order, and
/// of each change of rotation exactly one thread learns by a [`Turn`]. Whoever acts on a Turn reads the word again
/// then, since it may have turned back already.
#[derive(Debug, Default)]
pub struct Record(AtomicU64);

impl Record {
    /// What is known.
    pub fn counters(&self) -> Counters {
        unpack(self.0.load(Ordering::Relaxed))
    }

    /// Whether the target may be picked.
    pub fn is_in_rotation(&self) -> bool {
        self.counters().state.is_in_rotation()
    }

    /// Counts an observation. One that changes nothing, as a success of a healthy target does, costs one load and
    /// writes nothing.
    pub fn observe(&self, limits: &Limits, observation: Observation, rules: Rules) -> Option<Turn> {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            let before = unpack(word);
            let after = before.after(observation, limits, rules);
            if after == before {
                return None;
            }
            match self.0.compare_exchange_weak(word, pack(after), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return turn(before, after),
                Err(now) => word = now,
            }
        }
    }

    /// Calls the target healthy or unhealthy by hand, and forgets all that was counted.
    pub fn set(&self, is_healthy: bool) -> Option<Turn> {
        let after = Counters::set(is_healthy);
        turn(unpack(self.0.swap(pack(after), Ordering::Relaxed)), after)
    }
}

fn turn(before: Counters, after: Counters) -> Option<Turn> {
    match (before.state.is_in_rotation(), after.state.is_in_rotation()) {
        (false, true) => Some(Turn::In),
        (true, false) => Some(Turn::Out),
        _ => None,
    }
}

/// A healthy target of which nothing is counted is zero.
fn pack(counters: Counters) -> u64 {
    let state = match counters.state {
        State::Healthy => 0,
        State::MostlyHealthy => 1,
        State::MostlyUnhealthy => 2,
        State::Unhealthy => 3,
    };
    let Counters { successes, tcp_failures, timeouts, http_failures, .. } = counters;
    u64::from_le_bytes([successes, tcp_failures, timeouts, http_failures, state, 0, 0, 0])
}

fn unpack(word: u64) -> Counters {
    let [successes, tcp_failures, timeouts, http_failures, state, ..] = word.to_le_bytes();
    let state = match state {
        0 => State::Healthy,
        1 => State::MostlyHealthy,
        2 => State::MostlyUnhealthy,
        _ => State::Unhealthy,
    };
    Counters { state, successes, tcp_failures, timeouts, http_failures }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn observations() -> impl Strategy<Value = Vec<Observation>> {
        let status =
            prop::sample::select(vec![0, 200, 302, 404, 429, 500, 503]).prop_map(Observation::Status);
        let rest = vec![Observation::Connected, Observation::TcpFailure, Observation::Timeout];
        prop::collection::vec(prop_oneof![status, prop::sample::select(rest)], 0..200)
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let limit = || prop_oneof![4 => 0..5_u8, 1 => Just(255)];
        (limit(), limit(), limit(), limit()).prop_map(|(successes, tcp_failures, timeouts, http_failures)| {
            Limits { successes, tcp_failures, timeouts, http_failures, ..Limits::default() }
        })
    }

    fn is_over(counters: Counters, limits: &Limits) -> bool {
        let over = |count, limit| limit > 0 && count >= limit;
        over(counters.tcp_failures, limits.tcp_failures)
            || over(counters.timeouts, limits.timeouts)
            || over(counters.http_failures, limits.http_failures)
    }

    fn check(counters: Counters, limits: &Limits) -> Result<(), TestCaseError> {
        let Counters { state, successes, tcp_failures, timeouts, http_failures } = counters;
        let failed = tcp_failures > 0 || timeouts > 0 || http_failures > 0;
        prop_assert!(!(is_over(counters, limits) && state.is_in_rotation()), "over a limit: {counters:?}");
        prop_assert!(!(failed && successes > 0), "both sorts: {counters:?}");
        prop_assert!(!(state == State::Healthy && failed), "{counters:?}");
        prop_assert!(!(state == State::Unhealthy && successes > 0), "{counters:?}");
        prop_assert_eq!(unpack(pack(counters)), counters);
        Ok(())
    }

    proptest! {
        #[test]
        fn state_and_counters_agree_and_every_turn_is_told(
            limits in limits(), seen in observations(), kong in any::<bool>(),
        ) {
            let rules = if kong { Rules::Kong } else { Rules::Careful };
            let record = Record::default();
            for observation in seen {
                let before = record.is_in_rotation();
                let turn = record.observe(&limits, observation, rules);
                check(record.counters(), &limits)?;
                let expected = match (before, record.is_in_rotation()) {
                    (true, false) => Some(Turn::Out),
                    (false, true) => Some(Turn::In),
                    _ => None,
                };
                prop_assert_eq!(turn, expected);
            }
        }
    }

    #[test]
    fn no_turn_is_lost_or_told_twice_between_threads() {
        // Aim: rotation is what the turns say it is. Method: threads that observe and set; turns out minus turns in.
        let record = Record::default();
        let limits = Limits { successes: 2, http_failures: 2, tcp_failures: 3, ..Limits::default() };
        let work = |thread: usize| {
            let mut balance = 0;
            for i in 0..20_000 {
                let turn = match (i * 7 + thread * 3) % 11 {
                    0..=3 => record.observe(&limits, Observation::Status(200), Rules::Careful),
                    4..=7 => record.observe(&limits, Observation::Status(500), Rules::Careful),
                    8 | 9 => record.observe(&limits, Observation::TcpFailure, Rules::Careful),
                    _ => record.set(i % 2 == 0),
                };
                balance += match turn {
                    Some(Turn::Out) => 1,
                    Some(Turn::In) => -1,
                    None => 0,
                };
            }
            balance
        };
        let balance: i32 = thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(balance, i32::from(!record.is_in_rotation()));
    }

    #[test]
    fn no_observation_is_lost_between_threads() {
        // Aim: whoever loses the race for the word counts nonetheless. Method: counts below a limit are exact.
        let limits = Limits { timeouts: 255, ..Limits::default() };
        for _ in 0..100 {
            let (record, start) = (Record::default(), Barrier::new(4));
            let work = || {
                start.wait();
                (0..60).for_each(|_| _ = record.observe(&limits, Observation::Timeout, Rules::Careful));
            };
            thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(work)));
            assert_eq!(record.counters().timeouts, 240);
        }
    }

    #[test]
    fn a_word_by_hand_forgets_what_was_counted() {
        let record = Record::default();
        let limits = Limits { tcp_failures: 2, ..Limits::default() };
        assert_eq!(record.observe(&limits, Observation::TcpFailure, Rules::Careful), None);
        assert_eq!(record.set(true), None);
        assert_eq!(record.counters(), Counters::default());
        assert_eq!(record.set(false), Some(Turn::Out));
        assert_eq!(record.set(false), None);
        assert_eq!(record.counters(), Counters { state: State::Unhealthy, ..Counters::default() });
        assert_eq!(record.set(true), Some(Turn::In));
    }
}
