//! A share of requests in percent, to a hundredth of a percent: what divides requests must be whole numbers.

/// A share, from a hundredth of a percent to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// Everything.
    pub const ALL: Self = Self(Self::WHOLE);
    /// Hundredths of a percent in the whole.
    pub const WHOLE: u16 = 10_000;

    /// The nearest share to so many percent; what is below 0 or above 100 is 0 or 100.
    pub fn new(percent: f64) -> Self {
        Self((percent.clamp(0.0, 100.0) * 100.0).round() as u16)
    }

    /// In percent, 0 to 100.
    pub fn get(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// In hundredths of a percent, 0 to 10000.
    pub fn hundredths(self) -> u16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundredth_comes_back_as_it_was_written() {
        for hundredths in 0..=Percent::WHOLE {
            assert_eq!(Percent::new(f64::from(hundredths) / 100.0).hundredths(), hundredths);
        }
        assert_eq!((Percent::new(-1.0).get(), Percent::new(200.0)), (0.0, Percent::ALL));
    }
}
