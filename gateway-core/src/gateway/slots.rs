//! What is counted for each target. Slots outlive snapshots, so a change that does not concern a target never resets its
//! counts, and requests under way at a deleted target still find where to count themselves out.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::found::Found;
use crate::balancer::{Load, Loads, hash};
use crate::config::Config;
use crate::entity::{Address, Upstream};
use crate::health::{OutlierRecord, Record};
use crate::id::{TargetId, UpstreamId};

/// Ids from here on belong to Services' hosts that are no Upstreams; the configuration gives out smaller ones.
const DIRECT: u32 = 1 << 31;

/// The counts of one target.
#[derive(Debug)]
pub struct Slot {
    id: TargetId,
    /// Kong's id; the nil one of a host that is no target.
    uuid: Uuid,
    /// Its address as balancers compare it with keys.
    name: u64,
    address: Address,
    host_header: String,
    /// What probes and answers have shown of it.
    record: Record,
    /// What outlier detection counts.
    pub(super) outliers: OutlierRecord,
    /// Left out because it stands out.
    ejected: AtomicBool,
    /// What an attempt's end has shown of it, until its Upstream's balancers go by that.
    pub(super) found: Found,
    load: Load,
}

impl Slot {
    fn new(id: TargetId, uuid: Uuid, address: Address, load: Load) -> Arc<Self> {
        let host_header = address.host_header();
        Arc::new(Self {
            id,
            uuid,
            name: hash(address.to_string().as_bytes()),
            address,
            host_header,
            record: Record::default(),
            outliers: OutlierRecord::default(),
            ejected: AtomicBool::new(false),
            found: Found::default(),
            load,
        })
    }

    /// Whose slot this is.
    pub fn id(&self) -> TargetId {
        self.id
    }

    /// Where the target listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What a `Host` header to it says, unless Route or Upstream say otherwise.
    pub fn host_header(&self) -> &str {
        &self.host_header
    }

    /// Attempts under way at it.
    pub fn in_flight(&self) -> u32 {
        self.load.in_flight()
    }

    /// Kong's id.
    pub(super) fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// What balancers call it: the same in every gateway that lists this address.
    pub(super) fn name(&self) -> u64 {
        self.name
    }

    /// What balancers know of it.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// What probes and answers have shown of it.
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// Whether it may be picked from its Upstream: what nobody looks at any more does not count.
    pub(super) fn is_available(&self, upstream: &Upstream) -> bool {
        let is_well = self.record.is_in_rotation() || !upstream.healthchecks.are_on();
        is_well && (!self.is_ejected() || upstream.outlier_detection.is_none())
    }

    pub(super) fn is_ejected(&self) -> bool {
        self.ejected.load(Ordering::Relaxed)
    }

    pub(super) fn eject(&self, out: bool) {
        self.ejected.store(out, Ordering::Relaxed);
    }
}

/// All slots there are, by id; belongs to whoever changes the configuration.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_id: BTreeMap<TargetId, Arc<Slot>>,
    direct: BTreeMap<Address, TargetId>,
    next_direct: u32,
    loads: Loads,
    /// All of them as snapshots have them, until there are others.
    shared: OnceCell<Arc<SlotMap>>,
}

/// Slots by id, for look-ups alone.
pub(super) type SlotMap = FxHashMap<TargetId, Arc<Slot>>;

impl Slots {
    /// Makes the slots that `next` needs and lets go of those that nobody needs: neither listed now (a worker may pick
    /// them until `next` is in force) nor in flight.
    pub(super) fn follow(&mut self, now: &Config, next: &Config) {
        let (before, mut has_new) = (self.by_id.len(), false);
        self.by_id.retain(|id, slot| id.0 >= DIRECT || now.target(*id).is_some() || slot.in_flight() > 0);
        let has_fewer = self.by_id.len() < before;
        let mut counts: FxHashMap<UpstreamId, usize> = FxHashMap::default();
        for (_, target) in next.targets() {
            *counts.entry(target.upstream).or_default() += 1;
        }
        for (id, target) in next.targets() {
            self.by_id.entry(id).or_insert_with(|| {
                has_new = true;
                let load = self.loads.one_of(counts[&target.upstream]);
                Slot::new(id, target.uuid, target.target.clone(), load)
            });
        }
        if has_fewer || has_new {
            self.shared.take();
        }
    }

    /// The slot of a host that is no Upstream; the same address has the same slot for ever.
    pub(super) fn direct(&mut self, address: Address) -> TargetId {
        let next = TargetId(DIRECT + self.next_direct);
        let id = *self.direct.entry(address.clone()).or_insert(next);
        if id == next {
            self.next_direct += 1;
            self.shared.take();
            self.by_id.insert(id, Slot::new(id, Uuid::nil(), address, self.loads.one_of(1)));
        }
        id
    }

    /// The slot with this id, which `follow` or `direct` has made.
    pub(super) fn get(&self, id: TargetId) -> Option<&Arc<Slot>> {
        self.by_id.get(&id)
    }

    /// All slots, for a snapshot: the same map as long as they are the same.
    pub(super) fn shared(&self) -> Arc<SlotMap> {
        let map = || self.iter().map(|slot| (slot.id(), Arc::clone(slot))).collect();
        Arc::clone(self.shared.get_or_init(|| Arc::new(map())))
    }

    /// All slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.by_id.values()
    }
}
