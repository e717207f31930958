//! Division by a number that stays the same, as a multiplication (Granlund and Montgomery, Division by Invariant Integers using
//! Multiplication, 1994): a third of the time.

/// What is divided by; numbers below 2^63 are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divisor {
    by: u64,
    /// 2^(63 + `digits`) / `by`, rounded up.
    factor: u64,
    /// The least number of binary digits such that `by` is no more than two to the power of it.
    digits: u32,
}

impl Divisor {
    /// Divides by a number that is not zero.
    pub(super) const fn new(by: u64) -> Self {
        let digits = by.next_power_of_two().trailing_zeros();
        let factor = (1_u128 << (63 + digits)).div_ceil(by as u128) as u64;
        Self { by, factor, digits }
    }

    /// How often it goes into a number below 2^63, and what is left.
    pub(super) const fn divide(self, number: u64) -> (u64, u64) {
        // The factor is less than one too large, so the quotient is less than 2^-`digits` too large, and that is no more than the
        // 1/`by` that even the largest remainder leaves room for.
        let product = (number << 1) as u128 * self.factor as u128;
        let times = ((product >> u64::BITS) as u64) >> self.digits;
        (times, number - times * self.by)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_right(by: u64, number: u64) {
        assert_eq!(Divisor::new(by).divide(number), (number / by, number % by), "{number} by {by}");
    }

    proptest! {
        #[test]
        fn it_is_division(by in 1..=u64::from(u32::MAX), number in 0..1_u64 << 63) {
            is_right(by, number);
            // Where the next multiple begins is where it would go wrong.
            let multiple = number / by * by;
            is_right(by, multiple);
            is_right(by, multiple.saturating_sub(1));
        }
    }

    #[test]
    fn small_divisors_and_the_largest_numbers_are_right() {
        for by in 1..=5000 {
            for number in
                [0, by - 1, by, (1 << 63) - 1, ((1 << 63) - 1) / by * by, ((1 << 63) - 1) / by * by - 1]
            {
                is_right(by, number);
            }
        }
    }
}
