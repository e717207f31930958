//! What the old version did before the new one was asked anything, as far as a judge may want to know it.

use gateway_core::id::ServiceId;
use gateway_core::time::Instant;

use super::{Analysis, Count, Kind, Points, Reference};

/// The old version alone.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// All of it.
    pub(super) count: Count,
    /// That of each Service: not all may fail as often, and not all need be switched at once.
    by_service: Vec<(ServiceId, Count)>,
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
        Self { points, ..Self::default() }
    }

    /// One attempt for a request of `service` ended.
    pub fn add(&mut self, at: Instant, service: ServiceId, is_bad: bool) {
        self.count.add(is_bad);
        let known = self.by_service.iter().position(|(known, _)| *known == service);
        let place = known.unwrap_or_else(|| {
            self.by_service.push((service, Count::default()));
            self.by_service.len() - 1
        });
        self.by_service[place].1.add(is_bad);
        if let Some(points) = &mut self.points {
            points.add(at, is_bad);
        }
    }

    /// How often the old version was bad for a Service, 0 to 1, or for all where that is not known. One more bad one than was seen, so
    /// that none seen does not mean never.
    pub(super) fn rate(&self, service: ServiceId) -> f64 {
        let of_it = self.by_service.iter().find(|(known, _)| *known == service);
        let count = of_it.map_or(self.count, |(_, count)| *count);
        (count.bad + 1) as f64 / (count.n + 1) as f64
    }
}
