//! One member's next turn, as [`super::quota`] sees it: a job that is released in one slot and due in another. Counted up
//! from turn to turn, so that a turn costs additions only: divisions of 128 bits were half its price.

use super::quota::ONE;

/// Bits of the parts of a slot, at most: two of them still add up to 63.
const PARTS_BITS: u32 = 61;

/// A member's next turn: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Job {
    /// When its member's lag, unserved, is 1/D.
    from: Moment,
    /// From one turn to the next: W/w slots.
    step: Moment,
    /// From `from` on until the lag is 1 - 1/D.
    grace: Moment,
    /// Parts of a slot in which these are counted: D ONE w.
    whole: u64,
}

/// So many slots and parts of one, never rounded.
#[derive(Clone, Copy, Debug)]
struct Moment {
    slots: i64,
    parts: u64,
}

impl Job {
    /// The first turn of one with this weight among `members`, two at least, with weights of `total` together.
    pub(super) fn first(members: usize, weight: u64, total: u64, owed: i64) -> Self {
        let twice = 2 * members as i128 - 2;
        // What is owed counts to 1/ONE, or where members and weights are so many that parts would not fit, to fewer digits.
        let room = PARTS_BITS.saturating_sub((twice * i128::from(weight)).ilog2());
        let coarser = ONE.ilog2().saturating_sub(room);
        let (one, owed) = (i128::from(ONE >> coarser), i128::from(owed >> coarser));
        let whole = twice * one * i128::from(weight);
        // How long it takes for the lag to grow by `level` / (D ONE).
        let after = |level: i128| Moment::of(level * i128::from(total), whole);
        Self {
            from: after(one - twice * owed),
            step: after(twice * one),
            grace: after((twice - 2) * one),
            whole: whole as u64,
        }
    }

    /// The turn after this one.
    pub(super) fn advance(&mut self) {
        self.from = self.from.plus(self.step, self.whole);
    }

    /// First slot in which the member's lag, not yet served, is at least 1/D.
    pub(super) fn release(&self) -> i64 {
        self.from.slots + i64::from(self.from.parts > 0)
    }

    /// First slot after which, unserved, the member's lag would exceed 1 - 1/D.
    pub(super) fn deadline(&self) -> i64 {
        self.from.plus(self.grace, self.whole).slots + 1
    }
}

impl Moment {
    fn of(parts: i128, whole: i128) -> Self {
        Self { slots: parts.div_euclid(whole) as i64, parts: parts.rem_euclid(whole) as u64 }
    }

    /// So much later, where a slot has `whole` parts.
    fn plus(self, other: Self, whole: u64) -> Self {
        let parts = self.parts + other.parts;
        let over = parts.wrapping_sub(whole);
        let slots = self.slots + other.slots + i64::from(parts >= whole);
        Self { slots, parts: if parts >= whole { over } else { parts } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_up_comes_to_what_the_definition_says() {
        // Aim: no turn is ever a slot off, however many there were. Method: the definition's fractions, divided out.
        for (members, weight, total, owed) in [
            (2, 1, 3, 0),
            (3, 7, 1000, ONE / 3),
            (21, 65_535, 131_069, -2 * ONE),
            (10_000, 3, 20_000, 12_345),
        ] {
            let (mut job, one, twice) =
                (Job::first(members, weight, total, owed), i128::from(ONE), 2 * members as i128 - 2);
            for turn in 0..2000 {
                let slot_at = |level: i128| {
                    let lag = level + turn * twice * one - i128::from(owed) * twice;
                    (lag * i128::from(total), twice * one * i128::from(weight))
                };
                let ((early, whole), (late, _)) = (slot_at(one), slot_at((twice - 1) * one));
                assert_eq!(i128::from(job.release()), -(-early).div_euclid(whole));
                assert_eq!(i128::from(job.deadline()), late.div_euclid(whole) + 1);
                job.advance();
            }
        }
    }
}
