//! A Target's weight, as Kong bounds it. What a weight means is each balancer's to say.

use std::fmt;

/// A Target's weight: 0 to 65535, 100 when nothing is said. 0 keeps the Target listed and sends it nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u16);

impl Weight {
    /// Kong's default, 100.
    pub const DEFAULT: Self = Self(100);

    /// A weight within Kong's range.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// Checks a number from outside.
    ///
    /// # Errors
    /// In Kong's words when it is not within 0..=65535.
    pub fn try_new(value: i64) -> Result<Self, String> {
        u16::try_from(value).map(Self).map_err(|_| "value should be between 0 and 65535".to_owned())
    }

    /// The number itself.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_kongs() {
        assert_eq!(Weight::try_new(65_535).map(Weight::get), Ok(65_535));
        assert_eq!(Weight::try_new(0).map(Weight::get), Ok(0));
        assert!(Weight::try_new(70_000).is_err());
        assert!(Weight::try_new(-1).is_err());
    }
}
