//! The order of the replies in the pool, of which the first and the last are wanted: a tournament, in which the less of every two
//! meets another. What a rank says is for the [`pool`](super::pool) to know.

/// Places for replies.
pub(super) const PLACES: usize = 16;

/// The ranks of the replies in their places, less is better; of equals the older one is.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    /// The less of the two at 2n and 2n + 1 stands at n, so the best of all at 1; the second half are the places. The last bits say
    /// which reply it is: its number, and its place.
    entries: [u64; 2 * PLACES],
    /// Of the next reply.
    number: u64,
}

impl Ranks {
    /// The entry of a place where there is no reply.
    const NOBODY: u64 = u64::MAX;
    /// So many last bits of an entry are left for the place.
    const PLACE_BITS: u32 = PLACES.ilog2();
    /// So many replies come before those that are left are numbered anew. What remains of a rank, which is the first bits of a
    /// floating-point number, is good to a trillionth.
    const NUMBERS: u64 = 1 << 8;
    /// The bits of an entry that say which reply it is.
    const WHICH: u64 = (Self::NUMBERS << Self::PLACE_BITS) - 1;

    /// No ranks.
    pub(super) fn new() -> Self {
        Self { entries: [Self::NOBODY; 2 * PLACES], number: 0 }
    }

    /// The entry of the best of some.
    pub(super) fn best(&self) -> u64 {
        self.entries[1]
    }

    /// The place of the worst of some.
    pub(super) fn worst(&self) -> usize {
        // Nobody wraps to zero. In pairs, so that no comparison waits for more than three others.
        let mut entries: [u64; PLACES] =
            std::array::from_fn(|place| self.entries[PLACES + place].wrapping_add(1));
        for half in [PLACES / 2, PLACES / 4, PLACES / 8, PLACES / 16] {
            for at in 0..half {
                entries[at] = entries[at].max(entries[at + half]);
            }
        }
        Self::place(entries[0] - 1)
    }

    /// The place of an entry.
    pub(super) fn place(entry: u64) -> usize {
        entry as usize % PLACES
    }

    /// How many there are. O(places).
    pub(super) fn count(&self) -> usize {
        self.entries[PLACES..].iter().filter(|&&entry| entry != Self::NOBODY).count()
    }

    /// A reply comes to a place, after all others. There have to be [numbers](Self::numbers_are_used_up).
    pub(super) fn put(&mut self, place: usize, rank: u64) {
        self.set(place, Self::entry(rank, Self::which(self.number, place)));
        self.number += 1;
    }

    /// The best has another rank.
    pub(super) fn change_best(&mut self, best: u64, rank: u64) {
        self.set(Self::place(best), Self::entry(rank, best));
    }

    /// A reply leaves its place.
    pub(super) fn remove(&mut self, place: usize) {
        self.set(place, Self::NOBODY);
    }

    /// The replies in these places have other ranks.
    pub(super) fn change(&mut self, ranks: impl Iterator<Item = (usize, u64)>) {
        for (place, rank) in ranks {
            let entry = &mut self.entries[PLACES + place];
            *entry = Self::entry(rank, *entry);
        }
        self.meet();
    }

    /// Whether replies have to be numbered anew before the next one comes.
    pub(super) fn numbers_are_used_up(&self) -> bool {
        self.number == Self::NUMBERS
    }

    /// Numbers the replies in these places, from the oldest on.
    #[cold]
    pub(super) fn number_anew(&mut self, places: impl Iterator<Item = usize>) {
        self.number = 0;
        for place in places {
            let entry = &mut self.entries[PLACES + place];
            *entry = Self::entry(*entry, Self::which(self.number, place));
            self.number += 1;
        }
        self.meet();
    }

    /// An entry comes to a place, and as far up as it wins.
    fn set(&mut self, place: usize, entry: u64) {
        let (mut at, mut winner) = (PLACES + place % PLACES, entry);
        self.entries[at] = winner;
        // All the way, and without a branch: who wins is chance.
        for _ in 0..Self::PLACE_BITS {
            winner = winner.min(self.entries[at ^ 1]);
            at /= 2;
            self.entries[at] = winner;
        }
    }

    /// All meet.
    fn meet(&mut self) {
        for at in (1..PLACES).rev() {
            self.entries[at] = self.entries[2 * at].min(self.entries[2 * at + 1]);
        }
    }

    fn entry(rank: u64, which: u64) -> u64 {
        rank & !Self::WHICH | which & Self::WHICH
    }

    fn which(number: u64, place: usize) -> u64 {
        number << Self::PLACE_BITS | place as u64
    }
}
