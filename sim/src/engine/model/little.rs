//! What must hold of every run, whatever happens in it.

use gateway_core::time::Instant;

/// Little's law, exactly: the time that all requests spent in the system is what there was in it, added up over time.
#[derive(Debug, Default)]
pub(super) struct Little {
    present: u128,
    since: Instant,
    /// Request-nanoseconds.
    area: u128,
    spent: u128,
}

impl Little {
    #[inline]
    fn advance(&mut self, now: Instant) {
        self.area += self.present * u128::from(now.as_nanos() - self.since.as_nanos());
        self.since = now;
    }

    /// A request comes in.
    pub(super) fn enter(&mut self, now: Instant) {
        self.advance(now);
        self.present += 1;
    }

    /// A request that came in at `entered` goes out.
    pub(super) fn leave(&mut self, entered: Instant, now: Instant) {
        self.advance(now);
        self.present -= 1;
        self.spent += u128::from(now.as_nanos() - entered.as_nanos());
    }

    /// # Panics
    /// When it does not hold: then time or requests were made up or lost.
    pub(super) fn check(&self) {
        assert_eq!((self.present, self.area), (0, self.spent), "Little's law");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ns(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    #[test]
    fn time_spent_is_what_was_there() {
        let mut little = Little::default();
        little.enter(ns(3));
        little.enter(ns(5));
        little.leave(ns(3), ns(9));
        little.leave(ns(5), ns(20));
        little.check();
        assert_eq!(little.area, 21);
    }

    #[test]
    #[should_panic(expected = "Little's law")]
    fn time_made_up_is_found() {
        let mut little = Little::default();
        little.enter(ns(3));
        little.leave(ns(2), ns(9));
        little.check();
    }
}
