//! Bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): nobody has more requests under way than a factor times its share of
//! all of them. The rule is haproxy's `hash-balance-factor`: the request to be placed counts as well, and a member that has
//! as many as it may is full.
//!
//! A pick looks and the request enters after it, so with several workers a member may go beyond its bound by one for each
//! other worker that picks in the same moment.

use std::sync::Arc;

use crate::balancer::crew::Seat;
use crate::balancer::{Load, Member};

/// What the loads of an Upstream's members may be.
#[derive(Debug)]
pub(super) struct Bound {
    /// In percent of the share; above 100.
    factor: u16,
    /// The weight of all members.
    weight: u64,
    /// The load of all of them together.
    pub(super) all: Arc<Load>,
}

impl Bound {
    /// The bound for `members` that a recipe with this factor sets; none for zero.
    pub(super) fn new(factor: u16, members: &[Member], all: Arc<Load>) -> Option<Self> {
        let weight = members.iter().map(|member| u64::from(member.weight)).sum();
        (factor > 0).then_some(Self { factor, weight, all })
    }

    /// Whether the member that sits there may have one request more: fewer are under way at it than
    /// ceil(factor x (all under way + 1) x share), multiplied out. Whoever has none always may.
    pub(super) fn admits(&self, Seat { load, weight, .. }: &Seat) -> bool {
        let limit = u128::from(self.factor) * (u128::from(self.all.in_flight()) + 1) * u128::from(*weight);
        u128::from(load.in_flight()) * 100 * u128::from(self.weight) < limit
    }
}
