//! Counts of whole nanoseconds in bins whose width grows with the value: HdrHistogram's layout, without its questions. A count
//! is a shift and an addition, twice for each digit of precision that is asked for; what others read is made of it at the end.

use hdrhistogram::Histogram;

/// Shorter values share bins of 512 ns, the largest power of two below a microsecond.
const UNIT: u32 = 9;
/// The lowest value that HdrHistogram is told to tell from zero, nanoseconds: what makes its unit that.
const LOWEST_NS: u64 = 1_000;
/// Longer ones count as this long, nanoseconds: an hour, as long as a mock may take to answer. They are counted.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// Bins, as many as the largest value so far needs.
#[derive(Clone, Debug)]
pub(super) struct LogBins {
    digits: u8,
    /// Each doubling of the value has two to the power of this bins.
    half: u8,
    /// How many were longer than the longest.
    saturated: u32,
    counts: Box<[u32]>,
}

impl LogBins {
    /// Values within 0.1 % for 3 digits, within 0.8 % for 2.
    pub(super) fn new(digits: u8) -> Self {
        // The first power of two that tells so many digits apart.
        let half = ((10_u32.pow(digits.into()) * 2).next_power_of_two().ilog2() - 1) as u8;
        Self { digits, half, saturated: 0, counts: Box::default() }
    }

    /// Counts one value.
    #[inline]
    pub(super) fn count(&mut self, value: u64) {
        if value > HIGHEST_NS {
            return self.saturate();
        }
        self.count_many(value, 1);
    }

    #[cold]
    fn saturate(&mut self) {
        self.saturated = self.saturated.saturating_add(1);
        self.count_many(HIGHEST_NS, 1);
    }

    /// How many were longer than an hour and count as an hour.
    pub(super) fn saturated(&self) -> u64 {
        self.saturated.into()
    }

    fn count_many(&mut self, value: u64, n: u32) {
        let bin = self.bin(value);
        match self.counts.get_mut(bin) {
            Some(count) => *count = count.saturating_add(n),
            None => self.grow(bin, n),
        }
    }

    #[cold]
    fn grow(&mut self, bin: usize, n: u32) {
        // Whole doublings, so that it seldom grows.
        let mut counts = std::mem::take(&mut self.counts).into_vec();
        counts.resize(((bin >> self.half) + 1) << self.half, 0);
        counts[bin] = n;
        self.counts = counts.into();
    }

    /// Counts all that `other`, whose bins may be wider, has counted.
    ///
    /// # Panics
    /// When its bins are narrower.
    pub(super) fn add(&mut self, other: &Self) {
        assert!(self.digits >= other.digits, "bins of a smaller width");
        self.saturated = self.saturated.saturating_add(other.saturated);
        for (bin, &count) in other.filled() {
            self.count_many(other.least(bin), count);
        }
    }

    /// The largest value of each bin that is not empty and how many it holds, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.filled().map(|(bin, count)| (self.least(bin + 1) - 1, u64::from(*count)))
    }

    fn filled(&self) -> impl Iterator<Item = (usize, &u32)> {
        self.counts.iter().enumerate().filter(|(_, count)| **count > 0)
    }

    /// The same as HdrHistogram has it.
    ///
    /// # Panics
    /// Never: it grows as far as these do.
    pub(super) fn to_histogram(&self) -> Histogram<u32> {
        let bounds = Histogram::new_with_bounds(LOWEST_NS, 2 * LOWEST_NS, self.digits);
        let mut histogram = bounds.expect("constant bounds");
        histogram.auto(true);
        for (bin, &count) in self.filled() {
            histogram.record_n(self.least(bin), count).expect("it grows");
        }
        histogram
    }

    fn bin(&self, value: u64) -> usize {
        let lowest = UNIT + u32::from(self.half);
        let width = u64::BITS - (value | (1 << lowest)).leading_zeros();
        let doublings = width - (lowest + 1);
        // The top bit of the place is set but for the first two doublings, which share their width.
        let place = value >> (UNIT + doublings);
        ((doublings as usize) << self.half) + place as usize
    }

    /// The least value of a bin.
    fn least(&self, bin: usize) -> u64 {
        let (doublings, rest) = (bin >> self.half, (bin & ((1 << self.half) - 1)) as u64);
        match doublings.checked_sub(1) {
            None => rest << UNIT,
            Some(doublings) => (rest + (1 << self.half)) << (UNIT as usize + doublings),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bins_are_those_of_hdr_histogram(values in prop::collection::vec(0_u64..=HIGHEST_NS, 1..200), digits in 2_u8..4) {
            let mut bins = LogBins::new(digits);
            let mut histogram = Histogram::<u32>::new_with_bounds(LOWEST_NS, 2 * LOWEST_NS, digits).unwrap();
            histogram.auto(true);
            // Half of them small, where bins do not grow yet.
            for value in values.into_iter().flat_map(|value| [value, value >> 20]) {
                bins.count(value);
                histogram.record(value).unwrap();
            }
            let expected: Vec<_> = histogram
                .iter_recorded()
                .map(|bin| (histogram.highest_equivalent(bin.value_iterated_to()), bin.count_at_value().into()))
                .collect();
            prop_assert_eq!(bins.iter().collect::<Vec<_>>(), expected);
            prop_assert!(bins.to_histogram() == histogram);
        }
    }
}
