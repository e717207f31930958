//! What one worker has in force, whole and immutable: routing and balancers as it sees them until its next snapshot. Workers
//! that share everything share one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::attempt::Rare;
use super::group::{Group, Maker, Next};
use super::keys::Known;
use super::options::{Balancing, Options};
use super::routing::{Destination, Lessons, Routing};
use super::slots::{Slot, SlotMap, Slots};
use super::slow_start::Starters;
use super::{Attempt, FirstTry, Rejection, RouteMatch};
use crate::balancer::{Ask, Choice, Ended, NoChoice};
use crate::config::Config;
use crate::entity::{Address, Service};
use crate::id::{Epoch, Revision, ServiceId, TargetId, UpstreamId};
use crate::outcome::Outcome;
use crate::request::Head;
use crate::rng::Rng;
use crate::router::Router;
use crate::time::Instant;

/// Everything that is in force for a worker.
#[derive(Debug)]
pub struct Snapshot {
    /// Number of the worker, or 0 when all share it.
    view: usize,
    node: u16,
    revision: Revision,
    applied_at: Instant,
    routing: Arc<Routing>,
    upstreams: FxHashMap<UpstreamId, Arc<Group>>,
    slots: Arc<SlotMap>,
    balancing: Balancing,
}

/// Why a snapshot could not pick.
#[derive(Clone, Copy, Debug)]
pub(super) enum PickError {
    /// There is nowhere to send the request.
    Rejected(Rejection),
    /// This snapshot's epoch has ended; the next snapshot is at hand.
    Closed,
}

/// What the snapshots of one revision have in common.
#[derive(Debug)]
pub(super) struct Common<'a> {
    pub(super) revision: Revision,
    pub(super) applied_at: Instant,
    pub(super) maker: Maker<'a>,
    pub(super) slots: Arc<SlotMap>,
    pub(super) options: Options,
}

impl<'a> Common<'a> {
    pub(super) fn new(
        config: &Config,
        (slots, starters): (&'a Slots, &Starters),
        options: Options,
        (revision, applied_at): (Revision, Instant),
    ) -> Self {
        Self {
            revision,
            applied_at,
            maker: Maker::new(config, slots, starters, (options, applied_at)),
            slots: slots.shared(),
            options,
        }
    }

    /// The snapshot of worker `view` after `old`, when it knows `routing`; `peer` is another worker's of the same revision. What
    /// is returned makes it out of what has been prepared. From then on until it is in force, pickers may wait.
    pub(super) fn prepare<'b>(
        &self,
        view: usize,
        routing: Arc<Routing>,
        old: Option<&'b Snapshot>,
        peer: Option<&Snapshot>,
    ) -> impl FnOnce() -> Snapshot + use<'b> {
        let mut upstreams = FxHashMap::default();
        let mut begin = Vec::new();
        for (id, upstream) in routing.config.upstreams() {
            let old = old.and_then(|old| old.upstreams.get(&id));
            let peer = peer.and_then(|peer| peer.upstreams.get(&id));
            match self.maker.next((id, upstream), old, view, peer) {
                Next::Same(group) => drop(upstreams.insert(id, group)),
                Next::Begins(group) => begin.push((id, group)),
            }
        }
        upstreams.reserve(begin.len());
        let Self { revision, applied_at, options: Options { node, balancing, .. }, .. } = *self;
        let slots = Arc::clone(&self.slots);
        move || {
            upstreams.extend(begin.into_iter().map(|(id, begin)| (id, begin())));
            Snapshot { view, node, revision, applied_at, routing, upstreams, slots, balancing }
        }
    }
}

impl Snapshot {
    /// The number of the last change that made it.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When it was put in force.
    pub fn applied_at(&self) -> Instant {
        self.applied_at
    }

    /// A Service.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.routing.config.service(id)
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
            .and_then(|id| self.routing.config.upstream(id)?.host_header.as_deref())
            .or_else(|| self.slot(attempt.target).map(Slot::host_header))
    }

    /// What the group `name` of the matched Route's regex stands for in the path.
    pub(super) fn capture<'a>(&self, matched: &RouteMatch, head: &Head<'a>, name: &str) -> Option<&'a str> {
        let router = self.router();
        let is_its_own = matched.revision == self.revision;
        // A row means nothing to a router that came into force since.
        let found = || router.find(head).filter(|found| found.route == matched.route).map(|found| found.row);
        let row = if is_its_own { Some(matched.row) } else { found() };
        router.capture(row?, head.path, name)
    }

    pub(super) fn view(&self) -> usize {
        self.view
    }

    pub(super) fn router(&self) -> &Router {
        &self.routing.router
    }

    pub(super) fn routing(&self) -> &Arc<Routing> {
        &self.routing
    }

    /// The routing, if any Service has a mirror; so who has none pays nothing.
    pub(super) fn mirrors(&self) -> Option<Arc<Routing>> {
        (!self.routing.mirrors.is_empty()).then(|| Arc::clone(&self.routing))
    }

    pub(super) fn lessons(&self, upstream: UpstreamId) -> Option<&Lessons> {
        self.routing.lessons.get(&upstream)
    }

    pub(super) fn group(&self, upstream: UpstreamId) -> Option<&Arc<Group>> {
        self.upstreams.get(&upstream)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (UpstreamId, &Arc<Group>)> {
        // In the order of the configuration, so that nothing depends on a map's order.
        self.routing.config.upstreams().filter_map(|(id, _)| Some((id, self.upstreams.get(&id)?)))
    }

    /// Picks for a first try and counts it in flight.
    pub(super) fn begin(
        &self,
        request: (&RouteMatch, &Head<'_>),
        service: ServiceId,
        repeatable: bool,
        ask: &mut Ask<'_>,
    ) -> Result<Attempt, PickError> {
        let Some((to, cookie)) = self.routing.destination(service, request.1.headers, ask.rng) else {
            return Err(PickError::Rejected(Rejection::NoService));
        };
        let mut begun = self.begin_at(request, (service, to), repeatable, ask);
        if let (Ok(attempt), true) = (&mut begun, cookie.is_some()) {
            attempt.rare.get_or_insert_default().split_cookie = cookie;
        }
        begun
    }

    /// The same for a request of `service` that goes to this place, whatever the Service's own is.
    pub(super) fn begin_at(
        &self,
        (matched, head): (&RouteMatch, &Head<'_>),
        (service, to): (ServiceId, Destination),
        repeatable: bool,
        ask: &mut Ask<'_>,
    ) -> Result<Attempt, PickError> {
        let now = ask.now;
        let attempt = |upstream, target, epoch, choice: Choice, retries_left| Attempt {
            view: self.view as u32,
            node: self.node,
            revision: self.revision,
            routed: self.routing.revision,
            route: matched.route,
            service,
            upstream,
            target,
            epoch,
            member: choice.member() as u32,
            ticket: choice.ticket,
            carried: 0.0,
            is_copy: false,
            key: None,
            is_counted: false,
            head_at: None,
            number: 0,
            began: now,
            first: FirstTry { target, epoch, began: now },
            retries_left,
            repeatable,
            rare: None,
        };
        match to {
            Destination::Direct(target, retries) => {
                self.slot(target).expect("a direct host has a slot").load().enter();
                let only = Choice::counted(0, 0);
                Ok(attempt(None, target, Epoch(0), only, retries))
            }
            Destination::Upstream(upstream, retries) => {
                let group = self.upstreams.get(&upstream).ok_or(PickError::Rejected(Rejection::NoTarget))?;
                let key = group.key(Known { head, matched, view: self }, ask.rng);
                ask.key = key.hash;
                let none = |NoChoice| {
                    let rejected = PickError::Rejected(Rejection::NoTarget);
                    if group.has_ended() { PickError::Closed } else { rejected }
                };
                let choice = group.pick(self.balancing, ask).map_err(none)?;
                let member = choice.member();
                Ok(Attempt {
                    rare: Rare::with(group.set_cookie(key.hash, member, key.set_cookie)),
                    key: key.hash,
                    is_counted: group.enter(member),
                    carried: group.carried(self.balancing, member),
                    ..attempt(Some(upstream), group.target(member), group.epoch, choice, retries)
                })
            }
        }
    }

    /// Picks for another try within the same Upstream as it is now; `None` when there is nobody to try, or no try left.
    pub(super) fn begin_again(&self, failed: Attempt, now: Instant, rng: &mut Rng) -> Option<Attempt> {
        let mut rare = failed.rare.unwrap_or_default();
        rare.tried.push(failed.target);
        let (target, member, epoch, is_counted) = match failed.upstream {
            None => {
                self.slot(failed.target)?.load().enter();
                (failed.target, 0, failed.epoch, false)
            }
            Some(upstream) => {
                let group = self.upstreams.get(&upstream)?;
                let ask = &mut Ask { now, rng, key: failed.key, tried: &rare.tried };
                let member = group.pick_again(ask)?;
                rare.set_cookie = group.set_cookie(failed.key, member, rare.set_cookie.take());
                (group.target(member), member, group.epoch, group.enter(member))
            }
        };
        Some(Attempt {
            revision: self.revision,
            routed: self.routing.revision,
            target,
            epoch,
            member: member as u32,
            ticket: u64::MAX,
            carried: 0.0,
            is_counted,
            head_at: None,
            number: failed.number + 1,
            began: now,
            retries_left: failed.retries_left - 1,
            rare: Some(rare),
            ..failed
        })
    }

    /// Counts an attempt out. A slot can be gone only when a worker was stopped for two whole revisions between picking
    /// from it and entering it; nobody reads it any more then.
    pub(super) fn release(&self, attempt: &Attempt, outcome: Outcome, now: Instant) {
        let group = attempt.upstream.and_then(|upstream| self.upstreams.get(&upstream));
        let picked_as = (attempt.epoch, attempt.member as usize);
        let load = group.and_then(|group| group.load(picked_as, attempt.target));
        if let Some(load) = load.or_else(|| self.slot(attempt.target).map(Slot::load)) {
            load.leave();
        }
        let Some(group) = group else { return };
        let response_time = attempt.head_at.map(|at| at.since(attempt.began));
        group.on_finish(picked_as, attempt.target, &Ended { outcome, response_time, now });
        if attempt.is_counted {
            group.leave();
        }
        if attempt.number > 0 {
            group.retried();
        }
    }
}
