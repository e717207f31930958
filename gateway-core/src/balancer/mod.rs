//! Which member of an Upstream gets the next request. One file for each algorithm; pure: `now` and the generator are
//! arguments, what is known of a target's load is read from its [`Load`]. Leaves who is a member to `gateway`, which makes a
//! new epoch whenever members, weights or health change.
//!
//! # How to add an algorithm
//!
//! 1. Write a file beside the others with a type that is a [`Balancer`]. Say at its top by what rule it picks and where the
//!    rule is from, what a weight means, what a pick costs, and what it is bad at. Take members by [`Setup::available`]
//!    where nothing has to stay in place while a target is ill. Where turns follow from nothing but the turns before, a
//!    sequence for `turns` is all there is to write: see `edf`. Its `new` takes a [`Setup`] and makes a first epoch.
//!    Say `mod` and `use` below, as for any file.
//! 2. Add its line to the list in `entity/algorithm.rs`: the type, its name everywhere else, and what it promises. [`make`], the
//!    Admin API, schemas, scenario files and the benchmark of picks then know it.
//! 3. Test what it promises, and add that to `PROMISES.md`; what it costs is in `COSTS.md`. This page ends with both.
//!
//! A whole one, which picks the heaviest that was not tried:
//!
//! ```
//! use gateway_core::balancer::{Ask, Balancer, Choice, Member, NoChoice, Setup, Successor};
//! use gateway_core::id::TargetId;
//! use gateway_core::rng::stream;
//! use gateway_core::time::Instant;
//!
//! #[derive(Debug)]
//! struct Heaviest(Box<[Member]>);
//! impl Balancer for Heaviest {
//!     fn members(&self) -> &[Member] {
//!         &self.0
//!     }
//!     fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
//!         self.pick_again(ask)
//!     }
//!     fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
//!         let fitness = |(_, member): &(usize, &Member)| (!ask.tried.contains(&member.target), member.weight);
//!         let heaviest = self.0.iter().enumerate().max_by_key(fitness);
//!         heaviest.map(|(i, _)| Choice::of(i)).ok_or(NoChoice)
//!     }
//!     fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
//!         Successor::ready(Self(setup.available().members.into()))
//!     }
//! }
//! let member = |i, weight| Member::new(TargetId(i), weight);
//! let balancer = Heaviest([member(0, 50), member(1, 100)].into());
//! let (mut rng, now) = (stream(42, "worker", 0), Instant::ZERO);
//! let first = balancer.pick(&mut Ask { now, rng: &mut rng, key: None, tried: &[] });
//! assert_eq!(first, Ok(Choice::of(1)));
//! let second = balancer.pick_again(&mut Ask { now, rng: &mut rng, key: None, tried: &[TargetId(1)] });
//! assert_eq!(second, Ok(Choice::of(0)));
//! ```
#![doc = include_str!("PROMISES.md")]
#![doc = include_str!("HASHES.md")]
#![doc = include_str!("CAPACITY.md")]
#![doc = include_str!("COSTS.md")]

mod c3;
mod consistent_hashing;
mod crew;
mod draw;
mod edf;
mod estimate;
mod hash;
mod join_idle_queue;
mod latency;
mod least_connections;
mod least_request;
mod least_time;
mod load;
mod lock;
mod loser_tree;
mod min_tree;
mod peak_ewma;
mod prequal;
mod random;
mod round_robin;
mod smooth_wrr;
mod sticky_sessions;
mod turns;
mod two_choices;
mod wheel;

pub use c3::C3;
pub use consistent_hashing::ConsistentHashing;
pub use edf::Edf;
pub use hash::{hash, hash_with};
pub use join_idle_queue::JoinIdleQueue;
pub use latency::Latency;
pub use least_connections::LeastConnections;
pub use least_request::LeastRequest;
pub use least_time::LeastTime;
pub use load::{Count, Load, Loads};
pub use peak_ewma::PeakEwma;
pub use prequal::Prequal;
pub use random::Random;
pub use round_robin::RoundRobin;
pub use smooth_wrr::SmoothWrr;
pub use sticky_sessions::StickySessions;
pub use two_choices::TwoChoices;
pub use wheel::Wheel;

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use self::estimate::Estimate;
use crate::entity::{Algorithm, Tuning, Upstream, every_algorithm};
use crate::id::{TargetId, VersionId};
use crate::outcome::Outcome;
use crate::rng::Rng;
use crate::rules::Rules;
use crate::time::Instant;

/// One target with a weight. Whoever has weight zero is no member, except where sessions are sticky: there it drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which target.
    pub target: TargetId,
    /// What it counts now: its weight, or in an Upstream where somebody is starting slowly a multiple of it.
    pub weight: u32,
    /// Whether it may be picked now.
    pub available: bool,
    /// Of which version it is. Where there are several, `round-robin` keeps the share of each as well.
    pub version: VersionId,
}

impl Member {
    /// One that may be picked, and says nothing of versions.
    pub fn new(target: TargetId, weight: u32) -> Self {
        Self { target, weight, available: true, version: VersionId::default() }
    }
}

/// What a balancer is made of.
#[derive(Debug)]
pub struct Setup<'a> {
    /// Everybody there is to pick from, in the order of the targets' ids.
    pub members: Vec<Member>,
    /// The load of each member.
    pub loads: Vec<Load>,
    /// What each member is called, as 64 bits that are the same after a restart: what keys are compared with.
    pub names: Vec<u64>,
    /// Requests under way at the whole Upstream; counted only where the recipe bounds loads by them.
    pub all: Arc<CachePadded<Count>>,
    /// What the Upstream says about choosing.
    pub recipe: &'a Recipe,
    /// For orders that are drawn.
    pub rng: &'a mut Rng,
}

/// What an Upstream says about choosing. A change of it makes a new balancer.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How a target is chosen, Kong's rules applied.
    pub algorithm: Algorithm,
    /// What else there is to set.
    pub tuning: Tuning,
    /// Whose rules hold.
    pub rules: Rules,
}

/// What a choice may depend on.
#[derive(Debug)]
pub struct Ask<'a> {
    /// When.
    pub now: Instant,
    /// The worker's own generator.
    pub rng: &'a mut Rng,
    /// Hash of what the request is known by, or under `sticky-sessions` the name of the target it asks for; `None` when the Upstream does not say by what, or the request does not have it.
    pub key: Option<u64>,
    /// Targets that failed this request before; empty for a first try.
    pub tried: &'a [TargetId],
}

/// One choice: two numbers, and no more where there may be a [`NoChoice`] instead, so that what a pick gives back comes in
/// registers and nobody waits for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Twice the index of the member, and one: never zero, which stands for no choice.
    odd: NonZeroU32,
    /// Number of this first try within the epoch, from 0, without gaps; `u64::MAX` for a retry, which has none, and from a
    /// balancer that does not count.
    pub ticket: u64,
}

impl Choice {
    /// A choice of a balancer that does not count.
    pub fn of(member: usize) -> Self {
        Self::counted(member, u64::MAX)
    }

    /// A choice with this ticket, of one of the first 2^31 members.
    pub fn counted(member: usize, ticket: u64) -> Self {
        Self { odd: NonZeroU32::MIN | (member as u32) << 1, ticket }
    }

    /// Index into the members.
    pub fn member(&self) -> usize {
        (self.odd.get() >> 1) as usize
    }
}

/// There is nobody to pick, or [the epoch has ended](Balancer::has_ended).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoChoice;

/// How an attempt at a member has ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its end.
    pub outcome: Outcome,
    /// From its beginning to the head of the answer; `None` when there was no answer.
    pub response_time: Option<Duration>,
    /// When it ended.
    pub now: Instant,
}

/// The balancer of one epoch of one Upstream. Workers share it, without a lock where the algorithm allows.
pub trait Balancer: Debug + Send + Sync {
    /// Who is a member of this epoch, in the order of the choices' indices.
    fn members(&self) -> &[Member];

    /// Chooses for the first try of a request.
    ///
    /// # Errors
    /// [`NoChoice`] when there is nobody to pick or the epoch has ended.
    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice>;

    /// Chooses for another try, preferring members not yet tried. Never advances a sequence of first tries that promises
    /// anything.
    ///
    /// # Errors
    /// [`NoChoice`] when there is nobody to pick.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice>;

    /// Whether this epoch has ended, for those that then choose nobody any more: the next snapshot is about to be published, or
    /// is already.
    fn has_ended(&self) -> bool {
        false
    }

    /// What a member was owed when this epoch began, in requests.
    fn carried(&self, _member: usize) -> f64 {
        0.0
    }

    /// Prepares the epoch after this one, of the same algorithm. Picks from this one go on.
    fn succeed(&self, setup: Setup<'_>) -> Successor<'_>;

    /// Whether it wants to be told of the ends of attempts. Who does keeps its members in the setup's order, so that they are found.
    fn listens(&self) -> bool {
        false
    }

    /// An attempt at a member has ended. Its load has been counted out already.
    fn on_finish(&self, _member: usize, _ended: &Ended) {}
}

/// An epoch that is ready to begin after another one.
pub struct Successor<'a> {
    members: Box<[Member]>,
    begin: Box<dyn FnOnce() -> Box<dyn Balancer> + 'a>,
}

impl<'a> Successor<'a> {
    /// One that depends on nothing that may happen yet in the epoch before.
    pub fn ready(next: impl Balancer + 'static) -> Self {
        Self::from(Box::new(next) as Box<dyn Balancer>)
    }

    /// One that will have these members and that `begin` makes. Where it carries over what members of the epoch before are owed,
    /// that ends it: no later pick from it chooses anybody, so `begin` does what cannot be done before and no more.
    pub fn new<B: Balancer + 'static>(members: Box<[Member]>, begin: impl FnOnce() -> B + 'a) -> Self {
        Self { members, begin: Box::new(|| Box::new(begin())) }
    }

    /// Who will be its members, in the order of the choices' indices.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Begins it.
    pub fn begin(self) -> Box<dyn Balancer> {
        (self.begin)()
    }
}

impl From<Box<dyn Balancer>> for Successor<'_> {
    fn from(next: Box<dyn Balancer>) -> Self {
        Self { members: next.members().into(), begin: Box::new(|| next) }
    }
}

impl Debug for Successor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successor").field("members", &self.members).finish_non_exhaustive()
    }
}

/// The first epoch of each algorithm on the list is what its `new` makes.
macro_rules! first_epochs {
    ($($(#[$doc:meta])* $algorithm:ident = $name:literal, $promise:ident;)*) => {
        /// The first epoch of an Upstream.
        pub fn make(setup: Setup<'_>) -> Box<dyn Balancer> {
            match setup.recipe.algorithm {
                $(Algorithm::$algorithm => Box::new($algorithm::new(setup)),)*
            }
        }
    };
}
every_algorithm!(first_epochs);

impl Recipe {
    /// What `upstream` says, under these rules.
    pub fn new(upstream: &Upstream, rules: Rules) -> Self {
        let algorithm = match (upstream.algorithm, rules) {
            (Algorithm::RoundRobin, Rules::Kong) => Algorithm::Wheel,
            (algorithm, _) => algorithm,
        };
        let tuning = upstream.balancer.clone().unwrap_or_default();
        Self { algorithm, tuning, rules }
    }

    /// Whether the load of the whole Upstream matters.
    pub fn bounds_loads(&self) -> bool {
        self.algorithm == Algorithm::ConsistentHashing && self.tuning.hash_balance_factor > 0
    }
}

impl Setup<'_> {
    /// Without those that may not be picked: for balancers that share out their turns by weight.
    #[must_use]
    pub fn available(mut self) -> Self {
        let keep: Vec<_> = self.members.iter().map(|member| member.available).collect();
        retain(&mut self.members, &keep);
        retain(&mut self.loads, &keep);
        retain(&mut self.names, &keep);
        self
    }
}

/// Leaves of `items` those that `keep` says.
fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(false));
}

/// The greatest common divisor; of zero and n it is n.
const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_or_none_is_two_numbers() {
        // Only where one of the two is empty does the compiler hand them over as two numbers.
        assert_eq!((size_of::<Result<Choice, NoChoice>>(), size_of::<NoChoice>()), (16, 0));
        let last = (1 << 31) - 1;
        assert_eq!([Choice::of(0).member(), Choice::of(last).member()], [0, last]);
    }
}
