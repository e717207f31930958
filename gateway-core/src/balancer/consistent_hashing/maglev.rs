//! Google's table (Eisenbud and others, Maglev, NSDI 2016): of a prime number of entries each member in its turn claims the
//! next free one in an order of its own. Shares are exact to one entry and a look-up is one load; when somebody comes or goes
//! a few keys in a thousand move between two that stay.

use super::Share;
use super::owners::Owners;
use crate::balancer::hash::hash_with;

/// How many entries there may be: the first primes above powers of two. Few, because another size moves every key.
const SIZES: [u32; 10] =
    [65_537, 131_101, 262_147, 524_309, 1_048_583, 2_097_169, 4_194_319, 8_388_617, 16_777_259, 33_554_467];
/// Entries for each member, at least; with more members than the largest size has room for they are fewer.
const ENTRIES: usize = 100;
/// When no more entries than this are free, all of them are looked at to find the next one: to walk on until one comes is
/// two fifths of all steps else. A look costs some ten steps, so that more would not pay.
const FEW: usize = 256;

/// Whose each entry is.
#[derive(Debug)]
pub(super) struct Maglev(Owners);

/// Where a member looks next.
struct Cursor {
    member: u32,
    name: u64,
    /// Entries it gets.
    quota: u64,
    at: u32,
    skip: u32,
}

/// A table that is being filled.
struct Draft {
    entries: Vec<u32>,
    /// A bit for each entry that is taken: much smaller than the entries, and looked at much more often.
    taken: Vec<u64>,
    /// Entries looked at so far.
    steps: u64,
}

impl Maglev {
    /// The table of those of `shares` that are in, which must be somebody.
    pub(super) fn new(shares: &[Share]) -> Self {
        Self(Owners::new(Draft::filled(shares, FEW).entries.into_iter(), shares.len()))
    }

    /// The member that a key belongs to.
    #[inline]
    pub(super) fn look_up(&self, key: u64) -> u32 {
        self.0.get(place(key, self.0.len()))
    }

    /// The members of all entries from where a key belongs on, once around.
    pub(super) fn lap(&self, key: u64) -> impl Iterator<Item = u32> {
        self.0.lap(place(key, self.0.len()))
    }
}

/// Where a key belongs among so many entries.
fn place(key: u64, size: usize) -> usize {
    ((u128::from(key) * size as u128) >> u64::BITS) as usize
}

impl Draft {
    /// Turns are taken in the order of the names, so that it does not matter when somebody came. In each round a member claims
    /// what brings it to that part of its quota: one entry where all weigh the same.
    fn filled(shares: &[Share], few: usize) -> Self {
        let mut cursors = cursors(shares);
        cursors.sort_by_key(|cursor| cursor.name);
        let size: u64 = cursors.iter().map(|cursor| cursor.quota).sum();
        let rounds = (size / cursors.len() as u64).max(1);
        let mut draft =
            Self { entries: vec![0; size as usize], taken: vec![0; (size as usize).div_ceil(64)], steps: 0 };
        let (mut left, mut free) = (size as usize, Vec::new());
        for round in 0..rounds {
            for cursor in &mut cursors {
                let due = cursor.quota * (round + 1) / rounds - cursor.quota * round / rounds;
                for _ in 0..due {
                    if left == few {
                        free = draft.free();
                    }
                    if left > few {
                        draft.claim(cursor);
                    } else {
                        draft.claim_of(&mut free, cursor);
                    }
                    left -= 1;
                }
            }
        }
        draft
    }

    /// The entries that nobody has.
    fn free(&self) -> Vec<u32> {
        let is_free = |&at: &u32| self.taken[at as usize / 64] >> (at % 64) & 1 == 0;
        (0..self.entries.len() as u32).filter(is_free).collect()
    }

    /// As [`Self::claim`], of entries that are known to be the free ones.
    fn claim_of(&mut self, free: &mut Vec<u32>, cursor: &mut Cursor) {
        let size = self.entries.len() as u64;
        let (at, skip) = (u64::from(cursor.at), u64::from(cursor.skip));
        let inverse = inverse(skip, size);
        // Steps from `at` to an entry.
        let steps = |entry: u32| (u64::from(entry) + size - at) % size * inverse % size;
        self.steps += free.len() as u64;
        let next = (0..free.len()).min_by_key(|&i| steps(free[i])).expect("quotas add up to the entries");
        let here = free.swap_remove(next);
        self.entries[here as usize] = cursor.member;
        cursor.at = ((u64::from(here) + skip) % size) as u32;
    }

    /// The next free entry in the member's own order becomes its.
    fn claim(&mut self, cursor: &mut Cursor) {
        let (size, mut at) = (self.entries.len() as u32, cursor.at);
        loop {
            let here = at;
            // One of the two is below the size, and the other one wraps; without a branch to guess.
            at = (at + cursor.skip).min((at + cursor.skip).wrapping_sub(size));
            self.steps += 1;
            let (word, bit) = (&mut self.taken[here as usize / 64], 1 << (here % 64));
            if *word & bit == 0 {
                *word |= bit;
                self.entries[here as usize] = cursor.member;
                cursor.at = at;
                return;
            }
        }
    }
}

/// A cursor for everybody who is in, numbered among themselves. The quotas add up to the size of the table.
fn cursors(shares: &[Share]) -> Vec<Cursor> {
    let shares: Vec<&Share> = shares.iter().filter(|share| share.is_in).collect();
    let wanted = ENTRIES * shares.len();
    let size = SIZES.into_iter().find(|&size| size as usize >= wanted).unwrap_or(SIZES[SIZES.len() - 1]);
    let cursor = |((member, share), quota): ((u32, &&Share), u64)| Cursor {
        member,
        name: share.name,
        quota,
        at: (hash_with(0, &share.name.to_le_bytes()) % u64::from(size)) as u32,
        skip: (hash_with(1, &share.name.to_le_bytes()) % u64::from(size - 1)) as u32 + 1,
    };
    (0..).zip(&shares).zip(quotas(&shares, size.into())).map(cursor).collect()
}

/// What a number times is 1 modulo `prime`: its power prime - 2 (Fermat).
fn inverse(number: u64, prime: u64) -> u64 {
    let (mut inverse, mut power, mut exponent) = (1, number % prime, prime - 2);
    while exponent > 0 {
        if exponent & 1 == 1 {
            inverse = inverse * power % prime;
        }
        power = power * power % prime;
        exponent >>= 1;
    }
    inverse
}

/// What each gets of `size` entries: its share, rounded so that they add up (largest remainders first, equal ones by name).
fn quotas(shares: &[&Share], size: u64) -> Vec<u64> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let scaled = |share: &Share| u128::from(share.weight) * u128::from(size);
    let mut quotas: Vec<u64> =
        shares.iter().map(|share| (scaled(share) / u128::from(total)) as u64).collect();
    let left = size - quotas.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|&i| (std::cmp::Reverse(scaled(shares[i]) % u128::from(total)), shares[i].name));
    by_remainder.iter().take(left as usize).for_each(|&i| quotas[i] += 1);
    quotas
}

#[cfg(test)]
mod tests {
    use super::super::tests::shares;
    use super::*;

    #[test]
    fn everybody_has_its_share_to_one_entry() {
        for weights in [&[1][..], &[100, 50], &[65_535, 1, 1], &[7, 7, 7, 7, 7]] {
            let table = Maglev::new(&shares(weights));
            let total: u32 = weights.iter().sum();
            for (member, &weight) in (0..).zip(weights) {
                let count = table.lap(0).filter(|&owner| owner == member).count();
                let exact = table.0.len() as f64 * f64::from(weight) / f64::from(total);
                assert!((count as f64 - exact).abs() <= 1.0, "{weights:?}: {count} for {exact}");
            }
        }
    }

    #[test]
    fn the_last_entries_are_those_that_walking_finds() {
        for weights in [&[1, 1, 1][..], &[5, 1, 2, 100], &[1; 60]] {
            let shares = shares(weights);
            let walked = Draft::filled(&shares, 0).entries;
            assert!(Draft::filled(&shares, FEW).entries == walked, "{weights:?}");
        }
    }

    #[test]
    fn every_size_is_a_prime() {
        // Or else an order would not come by every entry.
        for size in SIZES {
            assert!((2..size).take_while(|i| i * i <= size).all(|i| size % i != 0), "{size}");
        }
    }

    #[test]
    fn ten_thousand_members_take_a_bounded_number_of_steps() {
        // Aim: it can be built while a change is applied. Method: the expected number is three fifths of size x ln(size), that
        // of collecting every coupon; with weights far apart it is no worse.
        let skewed: Vec<u32> = (0..10_000).map(|i| if i == 0 { 65_535 } else { 1 }).collect();
        for weights in [vec![1; 10_000], skewed] {
            let draft = Draft::filled(&shares(&weights), FEW);
            let size = draft.entries.len() as f64;
            assert!(draft.entries.len() > 1_000_000);
            assert!((draft.steps as f64) < 0.75 * size * size.ln(), "{} of {size}", draft.steps);
        }
    }
}
