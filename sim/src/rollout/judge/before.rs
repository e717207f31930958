//! What the old version did before the new one was asked anything, as far as a judge may want to know it.

use gateway_core::time::Instant;

use super::{Analysis, Count, Kind, Points, Reference};

/// The old version alone.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// All of it.
    pub(super) count: Count,
    /// The same by intervals, for a judge that goes by those.
    pub(super) points: Option<Points>,
}

impl Before {
    /// Nothing yet, for the judge of `analysis`.
    pub fn of(analysis: &Analysis) -> Self {
        let points = match &analysis.kind {
            Kind::MannWhitney(rule) if analysis.reference == Reference::Before => {
                Some(Points::new(Instant::ZERO, rule.interval, rule.count))
            }
            _ => None,
        };
        Self { count: Count::default(), points }
    }

    /// One attempt ended.
    pub fn add(&mut self, at: Instant, is_bad: bool) {
        self.count.add(is_bad);
        if let Some(points) = &mut self.points {
            points.add(at, is_bad);
        }
    }
}
