//! One member's next turn, as [`super::quota`] sees it: a job that is released in one slot and due in another. Counted up
//! from turn to turn, so that a turn costs additions only: divisions of 128 bits were half its price. Nor does the first turn
//! of a member divide more than small numbers: all members have theirs when an epoch begins, and picks wait for that.

use super::quota::ONE;

/// Bits of the parts of a slot, at most: two of them still add up to 63.
const PARTS_BITS: u32 = 61;

/// A member's next turn: one cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Job {
    /// When its member's lag, unserved, is large enough.
    from: Moment,
    /// From one turn to the next: W/w slots.
    step: Moment,
    /// From `from` on until the lag is too large.
    grace: Moment,
    /// Parts of a slot in which these are counted: D w, each in `digits` binary digits more.
    whole: u64,
    /// To how many binary digits what is owed counts.
    digits: u32,
}

/// So many slots and parts of one, never rounded.
#[derive(Clone, Copy, Debug)]
struct Moment {
    slots: i64,
    parts: u64,
}

impl Job {
    /// The first turn of one with this weight among `members`, two at least, with weights of `total` together, when it is
    /// owed nothing.
    pub(super) fn first(members: usize, weight: u64, total: u64) -> Self {
        let twice = 2 * members as u64 - 2;
        // What is owed counts to 1/ONE, or where members and weights are so many that parts would not fit, to fewer digits.
        let digits = PARTS_BITS.saturating_sub((twice * weight).ilog2()).min(ONE.ilog2());
        // How many slots it takes for the lag to grow by 1/D: W/(D w).
        let (slots, rest) = (total / (twice * weight), total % (twice * weight));
        let (from, whole) =
            (Moment { slots: slots.cast_signed(), parts: rest << digits }, (twice * weight) << digits);
        let (slots, rest) = (total / weight, total % weight);
        let step = Moment { slots: slots.cast_signed(), parts: (rest * twice) << digits };
        let grace = step.minus(from, whole).minus(from, whole).plus(Moment::PART, whole);
        Self { from, step, grace, whole, digits }
    }

    /// The same where it may run from the lag w/2W on and must before that reaches 1 - w/2W; or, where `is_late`, when it is more than
    /// w/2W, and before it exceeds 1 - w/2W.
    pub(super) fn by_share(weight: u64, total: u64, is_late: bool) -> Self {
        let digits = PARTS_BITS.saturating_sub((2 * weight).ilog2()).min(ONE.ilog2());
        let whole = (2 * weight) << digits;
        let step = Moment { slots: (total / weight).cast_signed(), parts: (total % weight * 2) << digits };
        let half = Moment { slots: 0, parts: whole / 2 };
        let from = if is_late { half.plus(Moment::PART, whole) } else { half };
        Self { from, step, grace: Moment { slots: step.slots - 1, ..step }, whole, digits }
    }

    /// The member is owed so much besides: the turn comes as many steps sooner.
    pub(super) fn owe(&mut self, owed: i64) {
        // Parts of a slot without the digits.
        let (whole, part) = (self.whole >> self.digits, self.step.parts >> self.digits);
        let owed = owed >> (ONE.ilog2() - self.digits);
        let requests = owed >> self.digits;
        let fraction = owed.cast_unsigned() & ((1 << self.digits) - 1);
        // Whole requests, then the fraction of one: of the step's slots, then of its parts.
        let parts = requests * part.cast_signed();
        let requests = Moment {
            slots: requests * self.step.slots + parts.div_euclid(whole.cast_signed()),
            parts: parts.rem_euclid(whole.cast_signed()).cast_unsigned() << self.digits,
        };
        let slots = u128::from(fraction) * u128::from(self.step.slots.cast_unsigned());
        let slots = Moment {
            slots: (slots >> self.digits) as i64,
            parts: (slots as u64 & ((1 << self.digits) - 1)) * whole,
        };
        let parts = Moment { slots: 0, parts: fraction * part };
        let sooner = requests.plus(slots, self.whole).plus(parts, self.whole);
        self.from = self.from.minus(sooner, self.whole);
    }

    /// The turn after this one.
    pub(super) fn advance(&mut self) {
        self.from = self.from.plus(self.step, self.whole);
    }

    /// First slot in which the member's lag, not yet served, is at least 1/D, or what stands for that by share.
    pub(super) fn release(&self) -> i64 {
        self.from.slots + i64::from(self.from.parts > 0)
    }

    /// First slot after which, unserved, the member's lag would exceed 1 - 1/D, or what stands for that by share.
    pub(super) fn deadline(&self) -> i64 {
        let due = self.from.plus(self.grace, self.whole);
        due.slots + i64::from(due.parts > 0)
    }
}

impl Moment {
    /// The least there is.
    const PART: Self = Self { slots: 0, parts: 1 };

    /// So much later, where a slot has `whole` parts.
    fn plus(self, other: Self, whole: u64) -> Self {
        let parts = self.parts + other.parts;
        let over = parts.wrapping_sub(whole);
        let slots = self.slots + other.slots + i64::from(parts >= whole);
        Self { slots, parts: if parts >= whole { over } else { parts } }
    }

    /// So much sooner.
    fn minus(self, other: Self, whole: u64) -> Self {
        let borrows = self.parts < other.parts;
        let parts = self.parts.wrapping_sub(other.parts);
        let slots = self.slots - other.slots - i64::from(borrows);
        Self { slots, parts: if borrows { parts.wrapping_add(whole) } else { parts } }
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
            (2, 1, 2, ONE / 2),
            (3, 7, 1000, ONE / 3),
            (3, 7, 1000, -ONE / 3),
            (21, 65_535, 131_069, -2 * ONE),
            (21, 65_535, 131_069, 5 * ONE - 1),
            (10_000, 3, 20_000, 12_345),
            (10_000, 1, 655_350_000, -12_345),
        ] {
            let (one, twice) = (i128::from(ONE), 2 * members as i128 - 2);
            let mut job = Job::first(members, weight, total);
            job.owe(owed);
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

    #[test]
    fn turns_by_share_are_those_of_the_definition() {
        for (weight, total, owed) in
            [(1, 3, 0), (7, 1000, ONE / 3), (65_535, 131_069, -ONE / 2), (3, 20_000, 12_345)]
        {
            for is_late in [false, true] {
                let (one, w, all) = (i128::from(ONE), i128::from(weight), i128::from(total));
                let mut job = Job::by_share(weight, total, is_late);
                job.owe(owed);
                // The first slot with a lag of so many halves of a share, and requests.
                let slot_at = |halves: i128, requests: i128| {
                    let (above, below) =
                        (halves * w * one + 2 * all * (requests * one - i128::from(owed)), 2 * w * one);
                    if is_late { above.div_euclid(below) + 1 } else { -(-above).div_euclid(below) }
                };
                for turn in 0..2000 {
                    assert_eq!(i128::from(job.release()), slot_at(1, turn), "{weight} of {total}");
                    assert_eq!(i128::from(job.deadline()), slot_at(-1, turn + 1), "{weight} of {total}");
                    job.advance();
                }
            }
        }
    }
}
