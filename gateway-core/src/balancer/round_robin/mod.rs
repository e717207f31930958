//! Weighted round-robin, exact: after every pick each member is within one request of its share, and so is each version where
//! members are of several. The sequence comes from [`quota`], by way of [`levels`], which also says what is owed from epoch to epoch;
//! [`turns`](super::turns) hands it out, one sequence for all workers and without a lock, and says what a pick costs.
//!
//! A weight is a share: of n picks a member gets n times its weight over the sum of weights, give or take less than one.

mod job;
mod levels;
mod queue;
mod quota;
mod timing_wheel;

use self::levels::{Levels, in_requests};
use super::turns::{Pace, Rota};
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};

/// The round-robin balancer of one epoch.
#[derive(Debug)]
pub struct RoundRobin {
    rota: Rota<Levels>,
    /// What each member was owed when this epoch began, in requests.
    carried: Box<[f64]>,
}

impl RoundRobin {
    /// A first epoch: nobody is owed anything.
    ///
    /// # Panics
    /// When a member has weight zero.
    pub fn new(setup: Setup<'_>) -> Self {
        Self::of(setup.available().members)
    }

    /// The same of these members.
    pub(super) fn of(members: Vec<Member>) -> Self {
        let carried = vec![0.0; members.len()].into();
        Self { carried, rota: Rota::new(Levels::new(&members), members, Pace::FIRST) }
    }

    /// Prepares the next epoch. When that begins, it ends this one and carries on what is owed: a member that stays keeps its
    /// lag, one that joins has none, and the lag of those that leave is shared out by weight, so that all lags still sum to zero.
    pub(super) fn prepare(&self, members: Vec<Member>) -> impl FnOnce() -> Self {
        let next = self.rota.prepare(Levels::prepared(&members), members, Pace::LATER);
        move || {
            let (rota, carried) = next.begin(|levels, past| {
                let owed = levels.carry(self.members(), past);
                let carried = in_requests(&owed);
                levels.begin(owed);
                carried
            });
            Self { rota, carried }
        }
    }

    /// The next member in turn.
    fn in_turn(&self) -> Result<Choice, NoChoice> {
        self.rota.in_turn().map(|(ticket, member)| Choice::counted(member, ticket))
    }
}

impl Balancer for RoundRobin {
    fn members(&self) -> &[Member] {
        self.rota.members()
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.in_turn()
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.rota.besides(ask.tried).map(Choice::of)
    }

    fn has_ended(&self) -> bool {
        self.rota.has_ended()
    }

    fn carried(&self, member: usize) -> f64 {
        self.carried[member]
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let members = setup.available().members;
        Successor::new(members.clone().into(), self.prepare(members))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::testing::members;
    use super::*;
    use crate::id::TargetId;

    fn count(balancer: &RoundRobin, picks: usize) -> Vec<u64> {
        let mut counts = vec![0; balancer.members().len()];
        for expected in 0..picks as u64 {
            let choice = balancer.in_turn().unwrap();
            assert_eq!(choice.ticket, expected);
            counts[choice.member()] += 1;
        }
        counts
    }

    #[test]
    fn kongs_how_to_is_two_to_one_and_one_to_one() {
        assert_eq!(count(&RoundRobin::of(members(&[100, 50])), 12_000), [8000, 4000]);
        assert_eq!(count(&RoundRobin::of(members(&[100, 100])), 6000), [3000, 3000]);
        assert_eq!(count(&RoundRobin::of(members(&[7])), 5), [5]);
    }

    #[test]
    fn nobody_to_pick_is_an_answer() {
        assert_eq!(RoundRobin::of(vec![]).in_turn(), Err(NoChoice));
        assert_eq!(RoundRobin::of(vec![]).rota.besides(&[]), Err(NoChoice));
    }

    #[test]
    fn a_period_too_long_for_a_table_is_exact_over_its_whole_length() {
        // Aim: a ring that is written over and over loses and repeats nothing. Method: 65,535 + 65,534 is coprime, so its period is 131,069.
        let balancer = RoundRobin::of(members(&[65_535, 65_534]));
        assert_eq!(count(&balancer, 131_069), [65_535, 65_534]);
        assert!(!balancer.rota.repeats());
    }

    #[test]
    fn a_later_epoch_ends_up_in_a_repeating_table_again() {
        let balancer = RoundRobin::of(members(&[3, 2, 1000, 7000]));
        count(&balancer, 17);
        let next = balancer.prepare(members(&[5, 1, 2000, 6001]))();
        count(&next, 4 * 9002);
        assert!(next.rota.repeats());
    }

    #[test]
    fn an_ended_epoch_gives_nothing_more() {
        let balancer = RoundRobin::of(members(&[1, 1]));
        balancer.in_turn().unwrap();
        assert!(!balancer.has_ended());
        let next = balancer.prepare(members(&[1, 1]))();
        assert_eq!((balancer.in_turn(), balancer.has_ended()), (Err(NoChoice), true));
        // Member 0 had its turn, so the next epoch owes member 1.
        assert_eq!(next.in_turn().unwrap().member(), 1);
        assert!((next.carried[1] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn retries_avoid_those_tried_and_leave_the_turns_alone() {
        let balancer = RoundRobin::of(members(&[2, 1, 1]));
        for _ in 0..10 {
            assert_eq!(balancer.rota.besides(&[TargetId(0), TargetId(2)]).unwrap(), 1);
        }
        assert!(balancer.rota.besides(&[TargetId(0), TargetId(1), TargetId(2)]).is_ok());
        assert_eq!(count(&balancer, 4), [2, 1, 1]);
    }

    #[test]
    fn workers_together_lose_and_repeat_no_ticket() {
        // Aim: the shared sequence is one sequence, over laps of the ring too. Method: four threads, a long period.
        let balancer = RoundRobin::of(members(&[65_535, 65_534, 1]));
        let tickets: Vec<Vec<_>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..20_000).map(|_| balancer.in_turn().unwrap().ticket).collect()))
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        let all: BTreeSet<_> = tickets.iter().flatten().copied().collect();
        assert_eq!(all.len(), 80_000);
        assert_eq!(all.last(), Some(&79_999));
    }

    #[test]
    fn picks_racing_the_end_of_an_epoch_are_all_accounted_for() {
        // Aim: what is carried includes each pick of the old epoch and no other. Method: a thread picks while epochs
        // change under it; its own count of picks must equal the sum of the epochs' counts.
        for _ in 0..50 {
            let old = RoundRobin::of(members(&[3, 2]));
            let (picked, next) = std::thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    let mut counts = [0_i64; 2];
                    while let Ok(choice) = old.in_turn() {
                        counts[choice.member()] += 1;
                    }
                    counts
                });
                while old.rota.given() < 100 {
                    std::hint::spin_loop();
                }
                let next = old.prepare(members(&[3, 2]))();
                (worker.join().unwrap(), next)
            });
            let n = (picked[0] + picked[1]) as f64;
            assert!((next.carried[0] - (n * 0.6 - picked[0] as f64)).abs() < 1e-6);
        }
    }
}
