//! Bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): nobody has more requests under way than a factor times its share of
//! all of them. The rule is haproxy's `hash-balance-factor`: the request to be placed counts as well, and a member that has
//! as many as it may is full.
//!
//! A pick looks and the request enters after it, so with several workers a member may go beyond its bound by one for each
//! other worker that picks in the same moment.

use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::balancer::crew::Seat;
use crate::balancer::{Count, Member};

/// What the loads of an Upstream's members may be.
#[derive(Debug)]
pub(super) struct Bound {
    /// In percent of the share; above 100.
    factor: u16,
    /// A hundred times the weight of all members.
    weight_percent: u64,
    /// Requests under way at all of them together.
    pub(super) all: Arc<CachePadded<Count>>,
}

impl Bound {
    /// The bound for `members` that a recipe with this factor sets; none for zero.
    pub(super) fn new(factor: u16, members: &[Member], all: Arc<CachePadded<Count>>) -> Option<Self> {
        let weight_percent = members.iter().map(|member| 100 * u64::from(member.weight)).sum();
        (factor > 0).then_some(Self { factor, weight_percent, all })
    }

    /// Whether the member that sits there may have one request more: fewer are under way at it than
    /// ceil(factor x (all under way + 1) x share), multiplied out. Whoever has none always may.
    pub(super) fn admits(&self, seat: &Seat) -> bool {
        let allowed = u64::from(self.factor) * (u64::from(self.all.in_flight()) + 1);
        u128::from(seat.load.in_flight()) * u128::from(self.weight_percent)
            < u128::from(allowed) * u128::from(*seat.load.note())
    }
}
