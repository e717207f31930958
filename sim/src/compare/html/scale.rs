//! From values to places on an axis: logarithmic for what has ratios, linear for what may be zero.

use crate::plan::{Figure, Scale};

/// One axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Axis {
    /// An axis for these values of a figure; `None` when there are none.
    pub(super) fn new(figure: Figure, values: impl Iterator<Item = f64> + Clone) -> Option<Self> {
        let is_log = figure.scale() == Scale::Ratio && values.clone().all(|value| value > 0.0);
        let (low, high) = (values.clone().reduce(f64::min)?, values.reduce(f64::max)?);
        if is_log {
            let (low, high) = (low / 1.15, high * 1.15);
            return Some(Self { low, high, is_log });
        }
        let high = if high > 0.0 { high * 1.1 } else { 1.0 };
        Some(Self { low: 0.0, high, is_log })
    }

    /// An axis of time that begins at zero.
    pub(super) const fn seconds(end: f64) -> Self {
        Self { low: 0.0, high: end, is_log: false }
    }

    /// The place of a value, 0 to 1.
    pub(super) fn at(self, value: f64) -> f64 {
        let place = if self.is_log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    /// Round values within it, three to seven of them where it can be.
    pub(super) fn ticks(self) -> Vec<f64> {
        let within = |tick: &f64| (self.low..=self.high).contains(tick);
        if self.is_log {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let all = decades.flat_map(|power| [1.0, 2.0, 5.0].map(|nice| nice * 10_f64.powi(power)));
            let ticks: Vec<f64> = all.filter(within).collect();
            let each = ticks.len().div_ceil(5).max(1);
            return ticks.into_iter().step_by(each).collect();
        }
        let rough = self.high / 4.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().find(|nice| nice * power >= rough).unwrap_or(10.0) * power;
        (0..8).map(|k| f64::from(k) * step).filter(within).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::Percentile;

    use super::*;

    #[test]
    fn values_lie_within_and_ticks_are_few() {
        let p99 = Figure::Latency(Percentile::P99);
        for values in [vec![20_000.0, 200_000.0], vec![5.0], vec![1.0, 1e9]] {
            let axis = Axis::new(p99, values.iter().copied()).unwrap();
            assert!(values.iter().all(|&value| (0.0..=1.0).contains(&axis.at(value))));
            assert!(axis.ticks().len() <= 7, "{:?}", axis.ticks());
        }
        let shares = Axis::new(Figure::Dropped, [0.0, 0.0].into_iter()).unwrap();
        assert!(shares.at(0.0) <= 0.0);
        assert!(Axis::new(p99, std::iter::empty()).is_none());
    }
}
