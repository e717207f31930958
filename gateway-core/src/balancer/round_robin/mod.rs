//! Weighted round-robin, exact: after every pick each member is within one request of its share. The sequence comes from
//! [`quota`]; this file hands it out. All workers share one sequence without a lock on the pick: a pick is one
//! `fetch_add` on the counter of a precomputed block and one look into its table.
//!
//! A weight is a share: of n picks a member gets n times its weight over the sum of weights, give or take less than one.
//!
//! A *block* is a stretch of the sequence. Where the period (sum of weights over their greatest common divisor) is
//! short, the blocks end in one that is a whole period and is walked round and round. Where it is long, they follow each
//! other for ever. Each is computed a little at a time by the picks from the one before, and the first ones are small, so
//! that nobody waits when an epoch begins. The counter lives in the block, so a worker that still holds an old block can
//! neither lose nor repeat a ticket.

mod quota;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;

use self::quota::Quota;
use super::{Ask, Balancer, Choice, Member, NoChoice, Setup};
use crate::id::TargetId;

/// The longest period that is kept as one table, of 256 KiB.
const PERIOD_MAX: u64 = 65_536;
/// Entries of a block of a longer period.
const BLOCK: usize = 4096;
/// A new epoch begins with so few entries that nobody waits for them: at most 0.1 ms. Blocks then double in length.
const FIRST_BLOCK: usize = 256;
/// While a block is used up, each so-manieth pick computes some entries of the next: 50 us at most.
const AHEAD: usize = 64;
/// Set in a block's counter when its epoch has ended. Counters never come near it otherwise.
const CLOSED: u64 = 1 << 63;

/// The round-robin balancer of one epoch.
#[derive(Debug)]
pub struct RoundRobin {
    members: Box<[Member]>,
    /// What each member was owed when this epoch began, in requests.
    carried: Box<[f64]>,
    /// How long blocks become: the period where it is short, else [`BLOCK`].
    longest: usize,
    current: ArcSwap<Block>,
    /// Makes the blocks; taken by whoever needs the next block, and to end the epoch.
    source: Mutex<Source>,
    retries: CachePadded<AtomicUsize>,
}

/// A stretch of the sequence and how much of it has been handed out.
#[derive(Debug)]
struct Block {
    /// Ticket of its first entry.
    base: u64,
    /// Picks before `base`, for each member.
    before: Box<[u64]>,
    /// Member of each entry.
    table: Box<[u32]>,
    /// Whether the table is a whole period that repeats for ever.
    repeats: bool,
    /// Entries handed out, and [`CLOSED`].
    next: CachePadded<AtomicU64>,
}

/// What the next block is made of.
#[derive(Debug)]
struct Source {
    quota: Quota,
    /// The next block's entries so far.
    ahead: Vec<u32>,
}

impl RoundRobin {
    /// A first epoch: nobody is owed anything.
    ///
    /// # Panics
    /// When a member has weight zero.
    pub fn new(members: Vec<Member>) -> Self {
        let owed = vec![0; members.len()];
        Self::with_debt(members, &owed, usize::MAX)
    }

    /// Ends this epoch and begins the next, carrying what is owed: a member that stays keeps its lag, one that joins
    /// has none, and the lag of those that leave is shared out by weight, so that all lags still sum to zero.
    pub(super) fn carry_on(&self, members: Vec<Member>) -> Self {
        let owed = quota::carry(&self.members, &self.close(), &members);
        Self::with_debt(members, &owed, FIRST_BLOCK)
    }

    fn with_debt(members: Vec<Member>, owed: &[i64], first_block: usize) -> Self {
        let mut quota = Quota::new(&members, owed);
        let longest = if quota.period() <= PERIOD_MAX { quota.period() as usize } else { BLOCK };
        let block = Block::next(&mut quota, Vec::new(), longest.min(first_block));
        Self {
            carried: owed.iter().map(|&owed| quota::in_requests(owed)).collect(),
            longest,
            current: ArcSwap::from_pointee(block),
            source: Mutex::new(Source { quota, ahead: Vec::new() }),
            retries: CachePadded::new(AtomicUsize::new(0)),
            members: members.into(),
        }
    }

    /// The next member in turn.
    fn in_turn(&self) -> Result<Choice, NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice::Empty);
        }
        loop {
            // Each turn of this loop but the last uses up a block, and a fresh block has room for at least one pick for
            // each worker, so it ends.
            let block = self.current.load();
            let taken = block.next.fetch_add(1, Ordering::Relaxed);
            if taken & CLOSED != 0 {
                return Err(NoChoice::Closed);
            }
            if let Some(&member) = block.entry(taken) {
                let ticket = block.base + taken;
                if !block.repeats && taken.is_multiple_of(AHEAD as u64) {
                    self.compute_ahead(block.table.len());
                }
                return Ok(self.choice(member as usize, ticket));
            }
            self.advance(&block);
        }
    }

    /// A member for another try: the next in a turn of its own, preferring those not tried.
    fn besides(&self, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        if self.members.is_empty() {
            return Err(NoChoice::Empty);
        }
        let block = self.current.load();
        let start = self.retries.fetch_add(1, Ordering::Relaxed);
        let in_turn = (0..block.table.len()).map(|i| block.table[(start + i) % block.table.len()] as usize);
        let anyone = (0..self.members.len()).map(|i| (start + i) % self.members.len());
        let member = in_turn
            .chain(anyone)
            .find(|&member| !tried.contains(&self.members[member].target))
            .unwrap_or(start % self.members.len());
        Ok(self.choice(member, u64::MAX))
    }

    fn choice(&self, member: usize, ticket: u64) -> Choice {
        Choice { member, ticket, carried: self.carried[member] }
    }

    /// Replaces a used-up block, unless somebody has already.
    #[cold]
    fn advance(&self, used: &Arc<Block>) {
        let mut source = self.lock();
        if !Arc::ptr_eq(&self.current.load(), used) || used.next.load(Ordering::Relaxed) & CLOSED != 0 {
            return;
        }
        let ahead = std::mem::take(&mut source.ahead);
        let length = self.next_length(used.table.len());
        self.current.store(Arc::new(Block::next(&mut source.quota, ahead, length)));
    }

    /// Computes some entries of the block after one of `length`, unless somebody else is at it: so many that it is
    /// complete when that one is used up.
    #[cold]
    fn compute_ahead(&self, length: usize) {
        if let Ok(mut source) = self.source.try_lock() {
            let Source { quota, ahead } = &mut *source;
            let next_length = self.next_length(length);
            // A worker that comes late from a shorter block finds nothing to do.
            let left = next_length.saturating_sub(ahead.len());
            ahead.reserve_exact(left);
            let some = next_length.div_ceil((length / AHEAD).max(1)).min(left);
            ahead.extend((0..some).map(|_| quota.next_member()));
        }
    }

    /// Entries of the block that follows one of `length`.
    fn next_length(&self, length: usize) -> usize {
        (2 * length).min(self.longest)
    }

    /// Ends the epoch; the lag of each member then, in units of [`quota::ONE`].
    fn close(&self) -> Vec<i64> {
        let source = self.lock();
        let block = self.current.load();
        let taken = block.next.fetch_or(CLOSED, Ordering::Relaxed) & !CLOSED;
        let picks = block.picks(taken, self.members.len());
        source.quota.lags(&picks)
    }

    fn lock(&self) -> MutexGuard<'_, Source> {
        // A panic while the lock was held could only have been an arithmetic bug in the quota; its state is still whole.
        self.source.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Balancer for RoundRobin {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, _: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.in_turn()
    }

    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.besides(ask.tried)
    }

    fn succeed(&self, setup: Setup<'_>) -> Box<dyn Balancer> {
        Box::new(self.carry_on(setup.available().members))
    }
}

impl Block {
    /// The next `length` entries of the sequence, the first of which may be computed `ahead`.
    fn next(quota: &mut Quota, ahead: Vec<u32>, length: usize) -> Self {
        let mut table = ahead;
        table.extend((table.len()..length).map(|_| quota.next_member()));
        let mut before: Box<[u64]> = quota.picks().into();
        for &member in &table {
            before[member as usize] -= 1;
        }
        let base = quota.slots() - table.len() as u64;
        let repeats = quota.is_whole_period(&before, table.len() as u64);
        Self { base, before, table: table.into(), repeats, next: CachePadded::new(AtomicU64::new(0)) }
    }

    fn entry(&self, taken: u64) -> Option<&u32> {
        if self.repeats {
            self.table.get((taken % self.table.len() as u64) as usize)
        } else {
            self.table.get(taken as usize)
        }
    }

    /// Picks of each member since the epoch began, when `taken` entries of this block have been asked for.
    fn picks(&self, taken: u64, members: usize) -> Vec<u64> {
        let mut picks = self.before.to_vec();
        if members == 0 {
            return picks;
        }
        let length = self.table.len() as u64;
        let (rounds, rest) =
            if self.repeats { (taken / length, taken % length) } else { (0, taken.min(length)) };
        for (entry, &member) in self.table.iter().enumerate() {
            picks[member as usize] += rounds + u64::from((entry as u64) < rest);
        }
        picks
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn members(weights: &[u32]) -> Vec<Member> {
        weights
            .iter()
            .enumerate()
            .map(|(i, &weight)| Member { target: TargetId(i as u32), weight, available: true })
            .collect()
    }

    fn count(balancer: &RoundRobin, picks: usize) -> Vec<u64> {
        let mut counts = vec![0; balancer.members().len()];
        for expected in 0..picks as u64 {
            let choice = balancer.in_turn().unwrap();
            assert_eq!(choice.ticket, expected);
            counts[choice.member] += 1;
        }
        counts
    }

    #[test]
    fn kongs_how_to_is_two_to_one_and_one_to_one() {
        assert_eq!(count(&RoundRobin::new(members(&[100, 50])), 12_000), [8000, 4000]);
        assert_eq!(count(&RoundRobin::new(members(&[100, 100])), 6000), [3000, 3000]);
        assert_eq!(count(&RoundRobin::new(members(&[7])), 5), [5]);
    }

    #[test]
    fn nobody_to_pick_is_an_answer() {
        assert_eq!(RoundRobin::new(vec![]).in_turn(), Err(NoChoice::Empty));
        assert_eq!(RoundRobin::new(vec![]).besides(&[]), Err(NoChoice::Empty));
    }

    #[test]
    fn a_period_too_long_for_a_table_is_exact_over_its_whole_length() {
        // Aim: chained blocks lose and repeat nothing. Method: 65,535 + 65,534 is coprime, so its period is 131,069.
        let balancer = RoundRobin::new(members(&[65_535, 65_534]));
        assert_eq!(balancer.longest, BLOCK);
        assert_eq!(count(&balancer, 131_069), [65_535, 65_534]);
    }

    #[test]
    fn a_later_epoch_ends_up_in_a_repeating_table_again() {
        let balancer = RoundRobin::new(members(&[3, 2, 1000, 7000]));
        count(&balancer, 17);
        let next = balancer.carry_on(members(&[5, 1, 2000, 6001]));
        count(&next, 4 * 9002);
        assert!(next.current.load().repeats);
    }

    #[test]
    fn an_ended_epoch_gives_nothing_more() {
        let balancer = RoundRobin::new(members(&[1, 1]));
        balancer.in_turn().unwrap();
        let next = balancer.carry_on(members(&[1, 1]));
        assert_eq!(balancer.in_turn(), Err(NoChoice::Closed));
        // Member 0 had its turn, so the next epoch owes member 1.
        assert_eq!(next.in_turn().unwrap().member, 1);
        assert!((next.carried[1] - 0.5).abs() < 1e-9);
    }

    #[test]
    fn retries_avoid_those_tried_and_leave_the_turns_alone() {
        let balancer = RoundRobin::new(members(&[2, 1, 1]));
        for _ in 0..10 {
            assert_eq!(balancer.besides(&[TargetId(0), TargetId(2)]).unwrap().member, 1);
        }
        assert!(balancer.besides(&[TargetId(0), TargetId(1), TargetId(2)]).is_ok());
        assert_eq!(count(&balancer, 4), [2, 1, 1]);
    }

    #[test]
    fn workers_together_lose_and_repeat_no_ticket() {
        // Aim: the shared sequence is one sequence, over block borders too. Method: four threads, a long period.
        let balancer = RoundRobin::new(members(&[65_535, 65_534, 1]));
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
            let old = RoundRobin::new(members(&[3, 2]));
            let (picked, next) = std::thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    let mut counts = [0_i64; 2];
                    while let Ok(choice) = old.in_turn() {
                        counts[choice.member] += 1;
                    }
                    counts
                });
                while old.current.load().next.load(Ordering::Relaxed) < 100 {
                    std::hint::spin_loop();
                }
                let next = old.carry_on(members(&[3, 2]));
                (worker.join().unwrap(), next)
            });
            let n = (picked[0] + picked[1]) as f64;
            assert!((next.carried[0] - (n * 0.6 - picked[0] as f64)).abs() < 1e-6);
        }
    }
}
