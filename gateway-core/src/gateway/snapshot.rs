//! One revision, whole and immutable: routes, Services and balancers as every worker sees them until the next one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::slots::{Slot, Slots};
use super::{Attempt, Rejection};
use crate::balancer::{Balancer, Choice, Member, NoChoice};
use crate::config::Config;
use crate::entity::{Address, Service};
use crate::id::{Epoch, Revision, RouteId, ServiceId, TargetId, UpstreamId};
use crate::router::Router;
use crate::time::Instant;

/// Everything that is in force under one revision.
#[derive(Debug)]
pub struct Snapshot {
    revision: Revision,
    applied_at: Instant,
    config: Config,
    router: Router,
    services: FxHashMap<ServiceId, Destination>,
    upstreams: FxHashMap<UpstreamId, Arc<Group>>,
    slots: FxHashMap<TargetId, Arc<Slot>>,
}

/// Where a Service's requests go.
#[derive(Clone, Copy, Debug)]
enum Destination {
    /// To one of an Upstream's targets.
    Upstream(UpstreamId, u16),
    /// To the one host it names.
    Direct(TargetId, u16),
}

/// An Upstream in one epoch: who may be picked, and by which balancer. Kept from revision to revision as long as neither
/// members nor weights change.
#[derive(Debug)]
struct Group {
    epoch: Epoch,
    balancer: Balancer,
    /// In the order of the balancer's members.
    slots: Box<[Arc<Slot>]>,
}

/// Why a snapshot could not pick.
#[derive(Clone, Copy, Debug)]
pub(super) enum PickError {
    /// There is nowhere to send the request.
    Rejected(Rejection),
    /// This snapshot's epoch has ended; the next snapshot is at hand.
    Closed,
}

impl Snapshot {
    /// Revision 0.
    pub(super) fn first(config: Config, slots: &mut Slots) -> Self {
        slots.follow(&config, &config);
        Self::build(config, slots, Revision(0), Instant::ZERO, &FxHashMap::default())
    }

    /// The revision after this one. Ends the epochs of the Upstreams it changes; from then on pickers wait for it.
    pub(super) fn succeed(&self, config: Config, slots: &mut Slots, now: Instant) -> Self {
        slots.follow(&self.config, &config);
        Self::build(config, slots, self.revision.next(), now, &self.upstreams)
    }

    fn build(
        config: Config,
        slots: &mut Slots,
        revision: Revision,
        applied_at: Instant,
        old: &FxHashMap<UpstreamId, Arc<Group>>,
    ) -> Self {
        let services =
            config.services().map(|(id, service)| (id, destination(service, &config, slots))).collect();
        let router = Router::new(&config);
        // Groups come last: from the first one whose epoch ends until this snapshot is in force, pickers wait.
        let by_id = slots.iter().map(|slot| (slot.id(), Arc::clone(slot))).collect();
        let upstreams = groups(&config, slots, old);
        Self { revision, applied_at, router, services, upstreams, slots: by_id, config }
    }

    /// The revision's number.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When it was put in force.
    pub fn applied_at(&self) -> Instant {
        self.applied_at
    }

    /// Its entities.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A Service.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.config.service(id)
    }

    /// The counts of a target, for as long as it is listed or has requests under way.
    pub fn slot(&self, id: TargetId) -> Option<&Slot> {
        self.slots.get(&id).map(AsRef::as_ref)
    }

    /// Where a target listens.
    pub fn address(&self, id: TargetId) -> Option<&Address> {
        self.slot(id).map(Slot::address)
    }

    /// The `Host` to send with an attempt: the Upstream's `host_header`, else the target's name. A Route that preserves
    /// the client's host overrides it.
    pub fn host_header(&self, attempt: &Attempt) -> Option<&str> {
        attempt
            .upstream
            .and_then(|id| self.config.upstream(id)?.host_header.as_deref())
            .or_else(|| self.slot(attempt.target).map(Slot::host_header))
    }

    pub(super) fn router(&self) -> &Router {
        &self.router
    }

    /// Picks for a first try and counts it in flight.
    pub(super) fn begin(
        &self,
        route: RouteId,
        service: ServiceId,
        idempotent: bool,
        now: Instant,
    ) -> Result<Attempt, PickError> {
        let attempt = |upstream, target, epoch, choice: Choice, retries_left| Attempt {
            revision: self.revision,
            route,
            service,
            upstream,
            target,
            epoch,
            ticket: choice.ticket,
            carried: choice.carried,
            number: 0,
            began: now,
            retries_left,
            idempotent,
            tried: Vec::new(),
        };
        match self.services.get(&service) {
            None => Err(PickError::Rejected(Rejection::NoService)),
            Some(&Destination::Direct(target, retries)) => {
                self.slot(target).expect("a direct host has a slot").enter();
                let only = Choice { member: 0, ticket: 0, carried: 0.0 };
                Ok(attempt(None, target, Epoch(0), only, retries))
            }
            Some(&Destination::Upstream(upstream, retries)) => {
                let group = self.upstreams.get(&upstream).ok_or(PickError::Rejected(Rejection::NoTarget))?;
                let choice = group.balancer.pick().map_err(|none| match none {
                    NoChoice::Empty => PickError::Rejected(Rejection::NoTarget),
                    NoChoice::Closed => PickError::Closed,
                })?;
                let slot = &group.slots[choice.member];
                slot.enter();
                Ok(attempt(Some(upstream), slot.id(), group.epoch, choice, retries))
            }
        }
    }

    /// Picks for another try within the same Upstream as it is now; `None` when there is nobody to try.
    pub(super) fn begin_again(&self, failed: Attempt, now: Instant) -> Option<Attempt> {
        let mut tried = failed.tried;
        tried.push(failed.target);
        let (target, epoch, choice) = match failed.upstream {
            None => (failed.target, failed.epoch, Choice { member: 0, ticket: u64::MAX, carried: 0.0 }),
            Some(upstream) => {
                let group = self.upstreams.get(&upstream)?;
                let choice = group.balancer.pick_again(&tried).ok()?;
                (group.slots[choice.member].id(), group.epoch, choice)
            }
        };
        self.slot(target)?.enter();
        Some(Attempt {
            revision: self.revision,
            target,
            epoch,
            ticket: choice.ticket,
            carried: choice.carried,
            number: failed.number + 1,
            began: now,
            retries_left: failed.retries_left - 1,
            tried,
            ..failed
        })
    }

    /// Counts an attempt out. A slot can be gone only when a worker was stopped for two whole revisions between picking
    /// from it and entering it; nobody reads it any more then.
    pub(super) fn release(&self, attempt: &Attempt) {
        if let Some(slot) = self.slot(attempt.target) {
            slot.leave();
        }
    }
}

fn destination(service: &Service, config: &Config, slots: &mut Slots) -> Destination {
    match config.upstream_named(&service.host) {
        Some((upstream, _)) => Destination::Upstream(upstream, service.retries),
        None => Destination::Direct(slots.direct(Address::new(&service.host, service.port)), service.retries),
    }
}

/// The groups of `config`; those that nothing bears on are the old ones.
fn groups(
    config: &Config,
    slots: &Slots,
    old: &FxHashMap<UpstreamId, Arc<Group>>,
) -> FxHashMap<UpstreamId, Arc<Group>> {
    let mut members: FxHashMap<UpstreamId, Vec<Member>> = FxHashMap::default();
    for (id, target) in config.targets().filter(|(_, target)| target.weight.get() > 0) {
        members.entry(target.upstream).or_default().push(Member { target: id, weight: target.weight });
    }
    config
        .upstreams()
        .map(|(id, upstream)| {
            let members = members.remove(&id).unwrap_or_default();
            let slots = |members: &[Member]| {
                members
                    .iter()
                    .map(|m| Arc::clone(slots.get(m.target).expect("a member has a slot")))
                    .collect()
            };
            let group = match old.get(&id) {
                Some(group) if group.balancer.members() == members => Arc::clone(group),
                Some(group) => Arc::new(Group {
                    epoch: Epoch(group.epoch.0 + 1),
                    slots: slots(&members),
                    balancer: group.balancer.succeed(members),
                }),
                None => Arc::new(Group {
                    epoch: Epoch(0),
                    slots: slots(&members),
                    balancer: Balancer::new(upstream.algorithm, members),
                }),
            };
            (id, group)
        })
        .collect()
}
