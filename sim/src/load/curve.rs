//! How many requests per second at each moment: straight stretches, one for a constant rate, more for a ramp. Knows how
//! many requests fall before a moment (the integral) and when the n-th one is due (its inverse). Says nothing about how
//! arrivals are spread around that.

use std::time::Duration;

use gateway_core::time::nanos;

/// One stage of a ramp: from the rate before it to `rate`, along a straight line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Requests per second at its end, at least 0.
    pub rate: f64,
    /// How long it takes; zero is a jump.
    pub length: Duration,
}

/// The rate over time.
///
/// Moments are computed in floating point. Against the exact inverse they are off by less than a microsecond in a stage of
/// ten minutes, and by less than a nanosecond where the rate does not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    stretches: Vec<Stretch>,
}

/// A straight piece of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    /// Requests per second at both ends.
    from: f64,
    to: f64,
    length: Duration,
    /// What lies before it: time, and requests.
    begins: Duration,
    before: f64,
    /// How many requests it holds, and how fast its rate rises: each moment asks for both.
    area: f64,
    slope: f64,
    /// Its begin and its length, nanoseconds.
    begins_ns: u64,
    length_ns: f64,
}

// === Curve ===

impl Curve {
    /// The same `rate` for all of `duration`.
    pub fn constant(rate: f64, duration: Duration) -> Self {
        Self::ramp(rate, &[Stage { rate, length: duration }])
    }

    /// From `rate` through all `stages`.
    pub fn ramp(rate: f64, stages: &[Stage]) -> Self {
        let mut curve = Self { stretches: Vec::with_capacity(stages.len()) };
        let mut from = rate;
        for stage in stages {
            let (begins, before) = (curve.duration(), curve.area());
            curve.stretches.push(Stretch::new((from, stage.rate), stage.length, begins, before));
            from = stage.rate;
        }
        curve
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.stretches.last().map_or(Duration::ZERO, |last| last.begins.saturating_add(last.length))
    }

    /// How many requests it holds, to the nearest whole number.
    pub fn total(&self) -> u64 {
        self.area().round() as u64
    }

    /// When the share `fraction` of all requests has come, nanoseconds after the start.
    pub fn at(&self, fraction: f64) -> u64 {
        self.moment(fraction * self.area())
    }

    /// Requests per second at a moment; the last rate after the end.
    pub fn rate_at(&self, at: Duration) -> f64 {
        let number =
            self.stretches.partition_point(|stretch| stretch.begins.saturating_add(stretch.length) <= at);
        match (self.stretches.get(number), self.stretches.last()) {
            (Some(stretch), _) => stretch.rate_at(at.saturating_sub(stretch.begins)),
            (None, last) => last.map_or(0.0, |last| last.to),
        }
    }

    /// Ended where `requests` have come, if it holds more.
    #[must_use]
    pub fn cut(mut self, requests: u64) -> Self {
        if requests >= self.total() {
            return self;
        }
        let end = Duration::from_nanos(self.moment(requests as f64));
        self.stretches.retain(|stretch| stretch.begins < end);
        if let Some(last) = self.stretches.last_mut() {
            let length = end.saturating_sub(last.begins);
            *last = Stretch::new((last.from, last.rate_at(length)), length, last.begins, last.before);
        }
        self
    }

    /// `600 per second`, or `10 to 600 per second in 3 stages`.
    pub fn in_words(&self) -> String {
        let (Some(first), Some(last)) = (self.stretches.first(), self.stretches.last()) else {
            return "nothing".to_owned();
        };
        match self.stretches.len() {
            1 if first.from.total_cmp(&last.to).is_eq() => format!("{} per second", first.from),
            1 => format!("{} to {} per second", first.from, last.to),
            n => format!("{} to {} per second in {n} stages", first.from, last.to),
        }
    }

    fn area(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.before + last.area)
    }

    /// When so many requests have come.
    fn moment(&self, requests: f64) -> u64 {
        let number = self.stretches.partition_point(|stretch| stretch.before + stretch.area <= requests);
        match self.stretches.get(number) {
            Some(stretch) => {
                let within = stretch.moment(requests - stretch.before).min(stretch.length_ns);
                stretch.begins_ns.saturating_add(within as u64)
            }
            None => nanos(self.duration()),
        }
    }
}

// === Stretch ===

impl Stretch {
    fn new((from, to): (f64, f64), length: Duration, begins: Duration, before: f64) -> Self {
        let seconds = length.as_secs_f64();
        let slope = if length.is_zero() { 0.0 } else { (to - from) / seconds };
        Self {
            from,
            to,
            length,
            begins,
            before,
            area: f64::midpoint(from, to) * seconds,
            slope,
            begins_ns: nanos(begins),
            length_ns: length.as_nanos() as f64,
        }
    }

    fn rate_at(&self, after: Duration) -> f64 {
        let share = after.as_secs_f64() / self.length.as_secs_f64().max(f64::MIN_POSITIVE);
        self.from + (self.to - self.from) * share.min(1.0)
    }

    /// When so many of its requests have come, nanoseconds after its begin: the solution of `from t + slope t^2 / 2 = n`
    /// in the form that loses no digits when the slope is small.
    fn moment(&self, requests: f64) -> f64 {
        if requests <= 0.0 {
            return 0.0;
        }
        if self.from.total_cmp(&self.to).is_eq() {
            return requests / self.from * 1e9;
        }
        let rate_then = (self.from * self.from + 2.0 * self.slope * requests).max(0.0).sqrt();
        2.0 * requests / (self.from + rate_then) * 1e9
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage(rate: f64, seconds: u64) -> Stage {
        Stage { rate, length: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_ramp_is_the_inverse_of_its_integral() {
        // Up from 0 to 100 in 10 s, 100 for 10 s, a jump to 10, down to 0 in 10 s: 500 + 1000 + 0 + 50 requests.
        let curve = Curve::ramp(0.0, &[stage(100.0, 10), stage(100.0, 10), stage(10.0, 0), stage(0.0, 10)]);
        assert_eq!((curve.total(), curve.duration()), (1550, Duration::from_secs(30)));
        // 5 t^2 = 125 after 5 s; half of the plateau at 15 s; three quarters of the last 50 at 25 s.
        for (requests, ns) in [(125.0, 5_000_000_000), (1000.0, 15_000_000_000), (1537.5, 25_000_000_000)] {
            assert!(
                curve.at(requests / 1550.0).abs_diff(ns) <= 10,
                "{requests}: {}",
                curve.at(requests / 1550.0)
            );
        }
        let rates = [0, 5, 15, 25, 99].map(|at| curve.rate_at(Duration::from_secs(at)) as u64);
        assert_eq!(rates, [0, 50, 100, 5, 0]);
    }

    #[test]
    fn a_pause_holds_no_request_and_a_cut_ends_where_enough_have_come() {
        let curve = Curve::ramp(
            10.0,
            &[stage(10.0, 1), stage(0.0, 0), stage(0.0, 5), stage(10.0, 0), stage(10.0, 1)],
        );
        assert_eq!((curve.total(), curve.at(0.75)), (20, 6_500_000_000));
        for (requests, ms) in [(5, 500), (15, 6500), (20, 7000), (99, 7000)] {
            let cut = curve.clone().cut(requests);
            assert_eq!((cut.total(), cut.duration()), (requests.min(20), Duration::from_millis(ms)));
        }
    }

    #[test]
    fn a_curve_is_told_in_few_words() {
        let told = |curve: Curve| curve.in_words();
        assert_eq!(told(Curve::constant(0.5, Duration::from_secs(1))), "0.5 per second");
        assert_eq!(told(Curve::ramp(1.0, &[stage(9.0, 1)])), "1 to 9 per second");
        assert_eq!(told(Curve::ramp(1.0, &[stage(9.0, 1), stage(5.0, 1)])), "1 to 5 per second in 2 stages");
    }

    proptest! {
        #[test]
        fn moments_never_go_back_and_stay_within(
            rate in 0.0..1000.0_f64,
            stages in prop::collection::vec((prop_oneof![Just(0.0), 0.0..1000.0_f64], 0_u64..20), 1..6),
        ) {
            let stages: Vec<_> = stages.into_iter().map(|(rate, seconds)| stage(rate, seconds)).collect();
            let curve = Curve::ramp(rate, &stages);
            let moments: Vec<_> = (0..=1000).map(|n| curve.at(f64::from(n) / 1000.0)).collect();
            prop_assert!(moments.is_sorted());
            prop_assert!(moments[1000] <= nanos(curve.duration()));
        }
    }
}
