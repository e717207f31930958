//! Counts of one version, interval by interval: what is compared where a point is a stretch of time.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_core::time::{Instant, nanos};

use super::Count;

/// One version's attempts, by the interval in which they ended; the newest of them.
#[derive(Clone, Debug)]
pub(super) struct Points {
    from: Instant,
    interval: Duration,
    most: usize,
    /// Number of the first point that is kept.
    first: u64,
    kept: VecDeque<Count>,
}

impl Points {
    /// None yet. The first interval begins at `from`; of more than `most` the oldest are forgotten.
    pub(super) fn new(from: Instant, interval: Duration, most: u32) -> Self {
        Self { from, interval, most: most as usize, first: 0, kept: VecDeque::new() }
    }

    /// One attempt ended. What comes too late for its own point counts in the oldest that is kept.
    pub(super) fn add(&mut self, at: Instant, is_bad: bool) {
        let number = nanos(at.since(self.from)) / nanos(self.interval).max(1);
        let next = self.first + self.kept.len() as u64;
        if number >= next + self.most as u64 {
            self.kept.clear();
            self.first = number;
        }
        while self.first + self.kept.len() as u64 <= number {
            self.kept.push_back(Count::default());
        }
        while self.kept.len() > self.most {
            self.kept.pop_front();
            self.first += 1;
        }
        let at = number.saturating_sub(self.first) as usize;
        if let Some(point) = self.kept.get_mut(at) {
            point.add(is_bad);
        }
    }

    /// All that are kept, the empty ones too.
    pub(super) fn all(&self) -> impl Iterator<Item = Count> {
        self.kept.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_points_are_kept_however_long_the_silence() {
        let ms = Instant::from_millis;
        let mut points = Points::new(ms(1000), Duration::from_millis(100), 3);
        for (at, is_bad) in [(1000, true), (1099, false), (1100, false), (1350, true), (1020, true)] {
            points.add(ms(at), is_bad);
        }
        let seen = |points: &Points| points.all().map(|count| (count.n, count.bad)).collect::<Vec<_>>();
        assert_eq!(
            seen(&points),
            [(2, 1), (0, 0), (1, 1)],
            "the first is forgotten, and who comes too late is not"
        );
        points.add(ms(900_000), false);
        assert_eq!(seen(&points), [(1, 0)]);
    }
}
