//! A body that comes slowly: how large its pieces are and when each is due.

use std::time::Duration;

/// Bytes a second, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(pub u64);

/// So many pieces a second, where a byte is small enough for that.
const PIECES: u64 = 100;

impl Pace {
    /// Bytes of one piece.
    pub fn piece(self) -> usize {
        usize::try_from((self.0 / PIECES).max(1)).unwrap_or(usize::MAX)
    }

    /// When so many bytes may have been sent, after the first could be.
    pub fn due(self, bytes: usize) -> Duration {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.0.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_its_bytes_over_its_pace() {
        let pace = Pace(10_000);
        assert_eq!(
            (pace.piece(), pace.due(10_000), pace.due(0)),
            (100, Duration::from_secs(1), Duration::ZERO)
        );
        assert_eq!((Pace(7).piece(), Pace(7).due(14)), (1, Duration::from_secs(2)));
    }
}
