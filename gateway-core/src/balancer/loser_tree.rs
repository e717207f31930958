//! Who is due first of many, each of whom is due again some time after its turn: a tournament in which each match remembers who
//! lost it (Knuth, The Art of Computer Programming 3, 5.4.1). Whoever has won meets, when it is due again, those who lost to it and
//! nobody else: log2 n comparisons, each with a number that is known beforehand. The seven matches of eight who meet are one
//! cache line.

/// Those who meet in one group.
const WIDTH: usize = 8;
/// Rounds until one of them has won.
const ROUNDS: usize = 3;
/// After so many of the shortest steps all are counted from a later time on: what an entry says of a deadline is then still a
/// thousandth of such a step off at most, where there are a million deadlines.
const STEPS_MAX: f64 = (1 << 20) as f64;

/// Deadlines from zero on. Of equal ones the first is due first.
#[derive(Debug)]
pub(super) struct LoserTree {
    /// When each is due.
    deadlines: Box<[f64]>,
    /// Round by round, from those of all on.
    rounds: Box<[Box<[Group]>]>,
    /// Who is due first; see [`Self::entry`].
    winner: u64,
    /// The last bits of an entry, which say whose it is.
    numbers: u64,
    /// When all are counted from a later time on.
    far: f64,
}

/// The losers of the matches of a group, as a heap: the last one's stands in place 1.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Group([u64; WIDTH]);

impl LoserTree {
    /// Everybody is due after its first step; no later one is shorter than the shortest of these.
    pub(super) fn new(steps: &[f64]) -> Self {
        let numbers = (steps.len().next_power_of_two() - 1) as u64;
        let shortest = steps.iter().copied().fold(f64::INFINITY, f64::min);
        let far = STEPS_MAX * shortest;
        let mut tree = Self { deadlines: steps.into(), rounds: Box::default(), winner: 0, numbers, far };
        tree.play();
        tree
    }

    /// Whose turn it is, and is again after what `step` says; nobody's if there is nobody.
    pub(super) fn next(&mut self, step: impl FnOnce(usize) -> f64) -> Option<usize> {
        let number = (self.winner & self.numbers) as usize;
        let now = *self.deadlines.get(number)?;
        let due = now + step(number);
        self.deadlines[number] = due;
        let (mut at, mut winner) = (number, self.entry(number, due));
        for groups in &mut self.rounds {
            let Group(losers) = &mut groups[at / WIDTH];
            let mut place = WIDTH + at % WIDTH;
            for _ in 0..ROUNDS {
                place /= 2;
                let loser = losers[place];
                losers[place] = loser.max(winner);
                winner = loser.min(winner);
            }
            at /= WIDTH;
        }
        self.winner = winner;
        if now > self.far {
            self.start_again(now);
        }
        Some(number)
    }

    /// Counts all deadlines from `now` on.
    #[cold]
    fn start_again(&mut self, now: f64) {
        self.deadlines.iter_mut().for_each(|due| *due -= now);
        self.play();
    }

    /// Plays all matches.
    fn play(&mut self) {
        let entries = self.deadlines.iter().enumerate();
        let mut winners: Vec<_> = entries.map(|(number, &due)| self.entry(number, due)).collect();
        let mut rounds = Vec::new();
        while winners.len() > 1 {
            let (groups, next): (Vec<_>, _) = winners.chunks(WIDTH).map(Group::of).unzip();
            rounds.push(groups.into());
            winners = next;
        }
        self.rounds = rounds.into();
        self.winner = winners.first().copied().unwrap_or_default();
    }

    /// A deadline, which is not negative, with its last digits giving way to whose it is: less is earlier.
    fn entry(&self, number: usize, due: f64) -> u64 {
        due.to_bits() & !self.numbers | number as u64
    }
}

impl Group {
    /// A group of at most so many as meet, and who wins it.
    fn of(entries: &[u64]) -> (Self, u64) {
        let mut winners = [u64::MAX; 2 * WIDTH];
        winners[WIDTH..][..entries.len()].copy_from_slice(entries);
        let mut losers = [u64::MAX; WIDTH];
        for place in (1..WIDTH).rev() {
            let (one, other) = (winners[2 * place], winners[2 * place + 1]);
            (winners[place], losers[place]) = (one.min(other), one.max(other));
        }
        (Self(losers), winners[1])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn turns_come_as_a_scan_finds_them(
            first in prop::collection::vec(1_u8..20, 1..700),
            steps in prop::collection::vec(1_u8..40, 0..300),
            far in 0_u8..100,
        ) {
            // Aim: nobody's turn is lost, and counting from a later time on changes no order. Method: whole numbers, beside a list.
            let mut deadlines: Vec<f64> = first.iter().map(|&step| step.into()).collect();
            let mut tree = LoserTree::new(&deadlines);
            tree.far = far.into();
            for step in steps {
                let first = (0..deadlines.len()).min_by(|&i, &j| deadlines[i].total_cmp(&deadlines[j])).unwrap();
                deadlines[first] += f64::from(step);
                prop_assert_eq!(tree.next(|_| step.into()), Some(first));
            }
        }
    }

    #[test]
    fn the_heaviest_beside_the_lightest_has_its_share_long_after_the_start() {
        // Aim: neither what entries leave out of deadlines nor counting from a later time on shifts a turn. Method: weights as far
        // apart as they go, over more steps than are counted from one time.
        let steps = [1.0 / 65_535.0, 1.0, 1.0 / 65_535.0];
        let mut tree = LoserTree::new(&steps);
        let mut turns = [0_u32; 3];
        (0..20 * 131_071).for_each(|_| turns[tree.next(|number| steps[number]).unwrap()] += 1);
        assert!(tree.deadlines[1] < 6.0, "{}", tree.deadlines[1]);
        assert!(turns[1].abs_diff(20) <= 1 && turns[0].abs_diff(turns[2]) <= 1, "{turns:?}");
    }

    #[test]
    fn one_always_has_its_turn_and_nobody_none() {
        assert_eq!(LoserTree::new(&[]).next(|_| 1.0), None);
        let mut alone = LoserTree::new(&[1.0]);
        assert_eq!([alone.next(|_| 1.0), alone.next(|_| 1.0)], [Some(0); 2]);
    }
}
