//! An Upstream in one epoch: who may be picked, by which balancer, and how many retries are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use rustc_hash::FxHashMap;

use super::Options;
use super::keys::{Key, Keys, Known};
use super::options::Balancing;
use super::slots::{Slot, Slots};
use super::slow_start::{STEPS, Starters};
use crate::balancer::{
    self, Ask, Balancer, Choice, Count, Ended, Load, Member, NoChoice, Recipe, Setup, Successor,
};
use crate::config::Config;
use crate::entity::{Algorithm, Upstream};
use crate::health::Availability;
use crate::id::{Epoch, TargetId, UpstreamId, VersionId};
use crate::rng::{self, Rng};
use crate::rules::Rules;
use crate::time::Instant;

/// Retries under way at one Upstream never exceed this many or [`RETRY_PERCENT`] of its attempts under way, whichever is
/// more (Envoy's retry budget, with a floor that lets a quiet Upstream retry at all): when everything fails, retries must
/// not multiply the load.
const RETRIES_MIN: u32 = 10;
/// See [`RETRIES_MIN`].
const RETRY_PERCENT: u32 = 20;

/// An Upstream in one epoch. Kept from revision to revision as long as neither members nor weights nor health change.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) epoch: Epoch,
    /// What the balancer was made of.
    members: Vec<Member>,
    recipe: Recipe,
    keys: Option<Keys>,
    balancer: Box<dyn Balancer>,
    /// In the order of the balancer's members.
    slots: Box<[Arc<Slot>]>,
    /// What each request needs of those: which target, and its load.
    seats: Box<[(TargetId, Load)]>,
    /// First tries of this epoch, numbered over all workers, where the balancer does not number them.
    tickets: Arc<CachePadded<AtomicU64>>,
    /// Attempts under way that began while loads were bounded, in whichever epoch.
    all: Arc<CachePadded<Count>>,
    /// Retries under way, in whichever epoch they began.
    retries: Arc<CachePadded<AtomicU32>>,
}

/// What groups are made of.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    upstreams: FxHashMap<UpstreamId, Listed<'a>>,
    options: Options,
}

/// What an Upstream's group becomes.
pub(super) enum Next<'a> {
    /// It stays as it is.
    Same(Arc<Group>),
    /// One that is made but for what depends on the last pick of the one before. Where something does, pickers of that wait from
    /// when this is called until the snapshot that has the group is in force.
    Begins(Box<dyn FnOnce() -> Arc<Group> + 'a>),
}

/// The targets of an Upstream, in the order of their ids, and the slot of each.
#[derive(Debug, Default)]
struct Listed<'a> {
    members: Vec<Member>,
    slots: Vec<&'a Arc<Slot>>,
}

impl<'a> Maker<'a> {
    /// A maker for the targets of `config` at `now`, whether they are well or not.
    pub(super) fn new(
        config: &Config,
        slots: &'a Slots,
        starters: &Starters,
        (options, now): (Options, Instant),
    ) -> Self {
        let mut upstreams: FxHashMap<UpstreamId, Listed<'_>> = FxHashMap::default();
        for (target, entity) in config.targets() {
            let slot = slots.get(target).expect("a listed target has a slot");
            let available = config.upstream(entity.upstream).is_none_or(|of| slot.is_available(of));
            let listed = upstreams.entry(entity.upstream).or_default();
            let version = entity.version().map(|name| VersionId(balancer::hash(name.as_bytes())));
            listed.members.push(Member {
                target,
                weight: entity.weight.get().into(),
                available,
                version: version.unwrap_or_default(),
            });
            listed.slots.push(slot);
        }
        for (id, upstream) in config.upstreams() {
            let Some(Listed { members, .. }) = upstreams.get_mut(&id) else { continue };
            settle(members, upstream, options.rules);
            let starting = |member: &Member| starters.sixteenths(config, member.target, now);
            if members.iter().any(|member| starting(member).is_some()) {
                for member in members {
                    member.weight *= starting(member).unwrap_or(STEPS);
                }
            }
        }
        Self { upstreams, options }
    }

    /// The group of an Upstream in the eyes of worker `view`, after `old`: the same one when nothing bears on it. `peer` is
    /// the group that another worker got at the same time; they number first tries together.
    pub(super) fn next<'b>(
        &self,
        (id, upstream): (UpstreamId, &Upstream),
        old: Option<&'b Arc<Group>>,
        view: usize,
        peer: Option<&Arc<Group>>,
    ) -> Next<'b> {
        let recipe = Recipe::new(upstream, self.options.rules);
        let keys = Keys::new(upstream);
        let listed = self.upstreams.get(&id).into_iter();
        let listed =
            listed.flat_map(|listed| listed.members.iter().copied().zip(listed.slots.iter().copied()));
        // Who has no weight is nobody, but where sessions stay with whoever drains.
        let counts = |member: &Member| member.weight > 0 || recipe.algorithm == Algorithm::StickySessions;
        let listed = listed.filter(|(member, _)| counts(member));
        let alike = |old: &Group| listed.clone().map(|(member, _)| member).eq(old.members.iter().copied());
        let is_same = |old: &Group| old.recipe == recipe && old.keys == keys && alike(old);
        if let Some(old) = old.filter(|old| is_same(old)) {
            return Next::Same(Arc::clone(old));
        }
        let epoch = old.map_or(Epoch(0), |old| Epoch(old.epoch.0 + 1));
        let replica = (view as u64) << 32 | u64::from(epoch.0);
        let mut rng = rng::stream(self.options.seed, &format!("balancer/{}", upstream.name), replica);
        let (members, slots): (Vec<Member>, Vec<&Arc<Slot>>) = listed.unzip();
        let loads = slots.iter().map(|slot| slot.load().clone()).collect();
        let names = slots.iter().map(|slot| Keys::name_of(keys.as_ref(), slot)).collect();
        let all = old.or(peer).map(|other| Arc::clone(&other.all)).unwrap_or_default();
        let setup = Setup {
            members: members.clone(),
            loads,
            names,
            all: Arc::clone(&all),
            recipe: &recipe,
            rng: &mut rng,
        };
        let successor = match old {
            Some(old) if old.recipe.algorithm == recipe.algorithm => old.balancer.succeed(setup),
            _ => Successor::from(balancer::make(setup)),
        };
        let peer = peer.filter(|peer| peer.epoch == epoch);
        let place = |picked: &Member| members.binary_search_by_key(&picked.target, |member| member.target);
        let slot = |picked: &Member| Arc::clone(slots[place(picked).expect("one of the members")]);
        let slots: Box<[Arc<Slot>]> = successor.members().iter().map(slot).collect();
        let seats: Box<[_]> = slots.iter().map(|slot| (slot.id(), slot.load().clone())).collect();
        let tickets = peer.map(|peer| Arc::clone(&peer.tickets)).unwrap_or_default();
        let retries = old.or(peer).map(|other| Arc::clone(&other.retries)).unwrap_or_default();
        Next::Begins(Box::new(move || {
            let balancer = successor.begin();
            debug_assert!(!balancer.listens() || seats.is_sorted_by_key(|(id, _)| *id), "found by their ids");
            Arc::new(Group { epoch, members, recipe, keys, balancer, slots, seats, tickets, all, retries })
        }))
    }
}

/// What the health of all says about each: too little may be left for anybody to be picked, or so little that it is better
/// to pick from all.
fn settle(members: &mut [Member], upstream: &Upstream, rules: Rules) {
    let available: Availability = members.iter().map(|m| (u64::from(m.weight), m.available)).collect();
    let panic = upstream.balancer.as_ref().map_or(0.0, |tuning| tuning.panic_threshold);
    let verdict = if panic > 0.0 && !available.reaches(panic) {
        Some(true)
    } else if available.suffices(upstream.healthchecks.threshold, rules) {
        None
    } else {
        Some(false)
    };
    if let Some(available) = verdict {
        for member in members {
            member.available = available;
        }
    }
}

impl Group {
    /// What a request is known by.
    pub(super) fn key(&self, known: Known<'_>, rng: &mut Rng) -> Key {
        self.keys.as_ref().map(|keys| keys.of(known, rng)).unwrap_or_default()
    }

    /// The cookie to set when a request with this key goes to `member`; `made` is the one that was made with the key.
    pub(super) fn set_cookie(
        &self,
        key: Option<u64>,
        member: usize,
        made: Option<Box<str>>,
    ) -> Option<Box<str>> {
        self.keys.as_ref().and_then(|keys| keys.set_cookie(key, &self.slots[member], made))
    }

    /// Which target a member is.
    pub(super) fn target(&self, member: usize) -> TargetId {
        self.seats[member].0
    }

    /// The load of `target`, if this is the epoch it was picked in, as this member.
    pub(super) fn load(&self, (epoch, member): (Epoch, usize), target: TargetId) -> Option<&Load> {
        let seat = self.seats.get(member).filter(|(id, _)| epoch == self.epoch && *id == target);
        seat.map(|(_, load)| load)
    }

    /// Picks for a first try.
    pub(super) fn pick(&self, balancing: Balancing, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        let mut choice = self.balancer.pick(ask)?;
        if choice.ticket == u64::MAX || balancing == Balancing::PerWorker {
            choice.ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        }
        Ok(choice)
    }

    /// Whether the epoch has ended, so that nobody is picked in it any more.
    pub(super) fn has_ended(&self) -> bool {
        self.balancer.has_ended()
    }

    /// What a member was owed when the epoch began, in requests: nothing that all workers would agree on where each has turns of
    /// its own.
    pub(super) fn carried(&self, balancing: Balancing, member: usize) -> f64 {
        match balancing {
            Balancing::Shared => self.balancer.carried(member),
            Balancing::PerWorker => 0.0,
        }
    }

    /// Picks for another try and counts it, when the budget allows one.
    pub(super) fn pick_again(&self, ask: &mut Ask<'_>) -> Option<usize> {
        let under_way = self.retries.fetch_add(1, Ordering::Relaxed);
        let choice = if self.recipe.rules == Rules::Kong {
            // Kong's algorithms exclude what failed, except the one that its wheel stands for.
            let tried = if self.recipe.algorithm == Algorithm::Wheel { &[] } else { ask.tried };
            self.balancer.pick_again(&mut Ask { now: ask.now, rng: ask.rng, key: ask.key, tried }).ok()
        } else if under_way < RETRIES_MIN || self.carries(100 * (under_way / RETRY_PERCENT + 1)) {
            self.balancer.pick_again(ask).ok()
        } else {
            None
        };
        if choice.is_none() {
            self.retried();
        }
        choice.map(|choice| choice.member())
    }

    /// Counts an attempt at `member` in; whether for the whole Upstream as well, which `leave` must be told.
    pub(super) fn enter(&self, member: usize) -> bool {
        self.seats[member].1.enter();
        let is_counted = self.recipe.bounds_loads();
        if is_counted {
            self.all.enter();
        }
        is_counted
    }

    /// Counts an attempt that `enter` has counted for the whole Upstream out of it.
    pub(super) fn leave(&self) {
        self.all.leave();
    }

    /// An attempt at `target` has ended; `member` is its index if it was picked in this epoch.
    pub(super) fn on_finish(&self, (epoch, member): (Epoch, usize), target: TargetId, ended: &Ended) {
        if !self.balancer.listens() {
            return;
        }
        let member = self.load((epoch, member), target).map(|_| member);
        // Who listens has its members in the order of their ids.
        let place = || self.seats.binary_search_by_key(&target, |(id, _)| *id).ok();
        if let Some(member) = member.or_else(place) {
            self.balancer.on_finish(member, ended);
        }
    }

    /// A retry has ended.
    pub(super) fn retried(&self) {
        self.retries.fetch_sub(1, Ordering::Relaxed);
    }

    /// All its targets that count, and whether they may be picked.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether at least so many attempts are under way. Looks no further than to where they are found.
    fn carries(&self, attempts: u32) -> bool {
        let mut found = 0;
        self.seats.iter().any(|(_, load)| {
            found += load.in_flight();
            found >= attempts
        })
    }
}
