//! The requests nearest to each switch, one by one: what a report shows under its lens. At most so many are kept, the nearest
//! by intended time, so memory grows with switches and not with requests; how far they reach follows from that. All that are
//! near are counted in `density` besides. Near a switch are the requests of the Service that switched, and those of which nobody
//! knows whose they were.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gateway_core::id::{ServiceId, UpstreamId};
use gateway_core::time::Instant;

use super::Record;
use super::density::{Density, Heap};
use crate::plan::Plan;
use crate::rollout::Action;

/// Requests kept for one switch.
const NEAR_MAX: usize = 3_000;
/// Farther away than this nothing is kept.
pub const REACH: Duration = Duration::from_millis(1_500);

/// One request near a switch.
#[derive(Clone, Copy, Debug)]
pub struct Near {
    /// How it went.
    pub record: Record,
    /// The Service it was for, if that is known.
    pub service: Option<ServiceId>,
    /// When its first try was picked, if it came so far.
    pub picked: Option<Instant>,
    /// Where that was picked from.
    pub upstream: Option<UpstreamId>,
}

/// What was near one switch.
#[derive(Clone, Debug, Default)]
pub struct Nearby {
    /// The nearest requests, in order of intended time.
    pub requests: Vec<Near>,
    /// All that were near, by whole columns and in order of time; nothing when the requests are all of them.
    pub heaps: Vec<Heap>,
}

/// All lenses of a run.
#[derive(Debug, Default)]
pub(super) struct Lenses {
    /// The Services that steps may switch: requests for others are near no switch.
    services: Vec<ServiceId>,
    /// The newest that ended, of each of those, for a switch that comes next.
    recent: BTreeMap<Option<ServiceId>, VecDeque<Near>>,
    /// By number.
    switches: BTreeMap<usize, Lens>,
    density: Density,
}

/// One switch, and who was near.
#[derive(Debug)]
struct Lens {
    service: ServiceId,
    requested: Instant,
    kept: Vec<Near>,
}

impl Lens {
    fn shows(&self, near: &Near) -> bool {
        near.service.is_none_or(|service| service == self.service) && distance(near, self.requested) <= REACH
    }
}

impl Lenses {
    /// Nothing has ended yet.
    pub(super) fn new(plan: &Plan) -> Self {
        let actions = plan.steps.iter().map(|step| &step.action);
        let switched = |action: &Action| match action {
            Action::SetHost { service, .. } => Some(*service),
            _ => None,
        };
        let services = actions.chain(plan.rollout.way_back.iter().flatten()).filter_map(switched).collect();
        Self { services, ..Self::default() }
    }

    /// A switch of a Service was requested: those that have ended already are the first to be near.
    pub(super) fn begin(&mut self, switch: usize, service: ServiceId, requested: Instant) {
        let mut lens = Lens { service, requested, kept: Vec::new() };
        let recent = [None, Some(service)].into_iter().filter_map(|whose| self.recent.get(&whose)).flatten();
        lens.kept = recent.copied().filter(|near| lens.shows(near)).collect();
        self.switches.insert(switch, lens);
        self.density.want(requested, REACH);
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, near: Near) {
        if near.service.is_some_and(|service| !self.services.contains(&service)) {
            return;
        }
        self.density.count(&near.record, (near.service, near.upstream));
        let recent = self.recent.entry(near.service).or_default();
        if recent.len() == NEAR_MAX {
            recent.pop_front();
        }
        recent.push_back(near);
        for lens in self.switches.values_mut() {
            if lens.shows(&near) {
                lens.kept.push(near);
                if lens.kept.len() >= 2 * NEAR_MAX {
                    keep_nearest(&mut lens.kept, lens.requested);
                }
            }
        }
    }

    /// What was near each switch.
    pub(super) fn finish(self) -> BTreeMap<usize, Nearby> {
        let finish = |(switch, Lens { service, requested, kept: mut requests }): (usize, Lens)| {
            keep_nearest(&mut requests, requested);
            requests.sort_by_key(|near| (near.record.intended, near.record.index));
            let is_all = requests.len() < NEAR_MAX;
            let heaps = if is_all { Vec::new() } else { self.density.around(requested, REACH, service) };
            (switch, Nearby { requests, heaps })
        };
        self.switches.into_iter().map(finish).collect()
    }
}

fn distance(near: &Near, requested: Instant) -> Duration {
    near.record.intended.since(requested).max(requested.since(near.record.intended))
}

fn keep_nearest(kept: &mut Vec<Near>, requested: Instant) {
    if kept.len() > NEAR_MAX {
        kept.select_nth_unstable_by_key(NEAR_MAX, |near| (distance(near, requested), near.record.index));
        kept.truncate(NEAR_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Ending;

    const SHOP: ServiceId = ServiceId(0);

    fn at(index: u64, intended: Instant) -> Near {
        let record = Record {
            index,
            intended,
            released: intended,
            on_wire: Some(intended),
            first_byte: Some(intended),
            done: intended,
            ending: Ending::Answered(200),
            target: None,
        };
        Near { record, service: None, picked: None, upstream: None }
    }

    // Aim: the lens holds the nearest on both sides, and no more. Method: ten times as many requests as fit, evenly spread.
    #[test]
    fn the_nearest_are_kept_on_both_sides_however_many_there_are() {
        let mut lenses = Lenses { services: vec![SHOP], ..Lenses::default() };
        let requested = Instant::from_millis(5_000);
        for index in 0..30_000_u64 {
            let intended = Instant::from_nanos(3_500_000_000 + index * 100_000);
            if index == 15_000 {
                lenses.begin(0, SHOP, requested);
            }
            lenses.ended(at(index, intended));
        }
        assert!(lenses.switches[&0].kept.len() < 2 * NEAR_MAX, "bounded on the way");
        let nearby = &lenses.finish()[&0];
        assert_eq!(nearby.heaps.iter().map(|heap| heap.n).sum::<u64>(), 30_000);
        let near = &nearby.requests;
        assert_eq!(near.len(), NEAR_MAX);
        assert_eq!((near[0].record.index, near[NEAR_MAX - 1].record.index), (13_500, 16_499));
    }

    #[test]
    fn what_is_far_away_is_not_near() {
        let mut lenses = Lenses { services: vec![SHOP], ..Lenses::default() };
        lenses.ended(at(0, Instant::from_millis(3_499)));
        lenses.ended(at(1, Instant::from_millis(3_500)));
        lenses.begin(0, SHOP, Instant::from_millis(5_000));
        lenses.ended(at(2, Instant::from_millis(6_500)));
        lenses.ended(at(3, Instant::from_millis(6_501)));
        let kept: Vec<_> = lenses.finish()[&0].requests.iter().map(|near| near.record.index).collect();
        assert_eq!(kept, [1, 2]);
    }

    #[test]
    fn a_lens_shows_the_service_that_switched_and_whoever_may_have_been_its_own() {
        // Aim: another Service is not in the picture, however much it is asked. Method: one request in ten is the shop's and one in a
        // hundred nobody's, on both sides of its switch; the others are for another Service that may be switched too, and more than
        // are kept.
        let mut lenses = Lenses { services: vec![SHOP, ServiceId(1)], ..Lenses::default() };
        let requested = Instant::from_millis(5_000);
        for index in 0..30_000_u64 {
            if index == 15_000 {
                lenses.begin(0, SHOP, requested);
            }
            let service = match index % 100 {
                0 => None,
                of if of % 10 == 1 => Some(SHOP),
                _ => Some(ServiceId(1)),
            };
            let near = at(index, Instant::from_nanos(3_500_000_000 + index * 100_000));
            lenses.ended(Near { service, ..near });
        }
        let nearby = &lenses.finish()[&0];
        assert!(nearby.requests.iter().all(|near| near.service.is_none_or(|service| service == SHOP)));
        assert_eq!(nearby.heaps.iter().map(|heap| heap.n).sum::<u64>(), 3_300);
        assert_eq!(nearby.requests.len(), NEAR_MAX, "and none of them is out of sight for the others");
    }
}
