//! Which member of an Upstream gets the next request. One file for each algorithm; pure: `now` and the generator are
//! arguments, in-flight counts are read from the members' slots. Leaves who is a member to `gateway`, which makes a new
//! epoch whenever members or weights change.

mod round_robin;

pub use round_robin::RoundRobin;

use crate::entity::Algorithm;
use crate::id::TargetId;
use crate::weight::Weight;

/// One target that may be picked. Its weight is never zero: whoever has weight zero is no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which target.
    pub target: TargetId,
    /// Its weight, above zero.
    pub weight: Weight,
}

/// One choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index into the members.
    pub member: usize,
    /// Number of this first try within the epoch, from 0, without gaps; a retry repeats no ticket and gets `u64::MAX`.
    pub ticket: u64,
    /// What the member was owed when the epoch began, in requests.
    pub carried: f64,
}

/// Why there is no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There is no member.
    Empty,
    /// This epoch has ended; the next snapshot is about to be published, or is already.
    Closed,
}

/// The balancer of one epoch of one Upstream.
#[derive(Debug)]
pub enum Balancer {
    /// Exact shares in turn.
    RoundRobin(RoundRobin),
}

impl Balancer {
    /// The first epoch of an Upstream.
    pub fn new(algorithm: Algorithm, members: Vec<Member>) -> Self {
        match algorithm {
            Algorithm::RoundRobin | Algorithm::Wheel => Self::RoundRobin(RoundRobin::new(members)),
        }
    }

    /// Ends this epoch (every later pick from it is [`NoChoice::Closed`]) and begins the next one with what its members
    /// are owed.
    #[must_use]
    pub fn succeed(&self, members: Vec<Member>) -> Self {
        match self {
            Self::RoundRobin(balancer) => Self::RoundRobin(balancer.succeed(members)),
        }
    }

    /// Who is a member of this epoch.
    pub fn members(&self) -> &[Member] {
        match self {
            Self::RoundRobin(balancer) => balancer.members(),
        }
    }

    /// Chooses for the first try of a request.
    ///
    /// # Errors
    /// [`NoChoice`] when there is no member or the epoch has ended.
    pub fn pick(&self) -> Result<Choice, NoChoice> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick(),
        }
    }

    /// Chooses for another try, preferring members not yet `tried`. Never advances the sequence of first tries.
    ///
    /// # Errors
    /// [`NoChoice::Empty`] when there is no member at all.
    pub fn pick_again(&self, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick_again(tried),
        }
    }
}
