//! Which member of an Upstream gets the next request. One file for each algorithm; pure: `now` and the generator are
//! arguments, in-flight counts are read from the members' slots. Leaves who is a member to `gateway`, which makes a new
//! epoch whenever members or weights change.

mod round_robin;
mod wheel;

pub use round_robin::RoundRobin;
pub use wheel::Wheel;

use crate::id::TargetId;
use crate::rng::Rng;
use crate::weight::Weight;

/// One target with a weight. Whoever has weight zero is no member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which target.
    pub target: TargetId,
    /// Its weight, above zero.
    pub weight: Weight,
    /// Whether it may be picked now.
    pub available: bool,
}

/// One choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index into the members.
    pub member: usize,
    /// Number of this first try within the epoch, from 0, without gaps; `u64::MAX` for a retry, which has none, and from a
    /// balancer that does not count.
    pub ticket: u64,
    /// What the member was owed when the epoch began, in requests.
    pub carried: f64,
}

/// Why there is no choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// There is nobody to pick.
    Empty,
    /// This epoch has ended; the next snapshot is about to be published, or is already.
    Closed,
}

/// Which balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exact shares in turn.
    RoundRobin,
    /// Kong's shuffled wheel.
    Wheel,
}

/// The balancer of one epoch of one Upstream.
#[derive(Debug)]
pub enum Balancer {
    /// Exact shares in turn.
    RoundRobin(RoundRobin),
    /// Kong's shuffled wheel.
    Wheel(Wheel),
}

impl Balancer {
    /// The first epoch of an Upstream.
    pub fn new(kind: Kind, members: Vec<Member>, rng: &mut Rng) -> Self {
        match kind {
            Kind::RoundRobin => Self::RoundRobin(RoundRobin::new(available(members))),
            Kind::Wheel => Self::Wheel(Wheel::new(members, rng)),
        }
    }

    /// The epoch after this one, of `kind`. Ends this one: from a balancer that carries over what its members are owed,
    /// every later pick is [`NoChoice::Closed`].
    #[must_use]
    pub fn succeed(&self, kind: Kind, members: Vec<Member>, rng: &mut Rng) -> Self {
        match (kind, self) {
            (Kind::RoundRobin, Self::RoundRobin(balancer)) => {
                Self::RoundRobin(balancer.succeed(available(members)))
            }
            (Kind::Wheel, Self::Wheel(balancer)) => Self::Wheel(balancer.succeed(members, rng)),
            (kind, _) => Self::new(kind, members, rng),
        }
    }

    /// Who is a member of this epoch, in the order of the choices' indices.
    pub fn members(&self) -> &[Member] {
        match self {
            Self::RoundRobin(balancer) => balancer.members(),
            Self::Wheel(balancer) => balancer.members(),
        }
    }

    /// Chooses for the first try of a request.
    ///
    /// # Errors
    /// [`NoChoice`] when there is nobody to pick or the epoch has ended.
    pub fn pick(&self) -> Result<Choice, NoChoice> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick(),
            Self::Wheel(balancer) => balancer.pick(),
        }
    }

    /// Chooses for another try, preferring members not yet `tried`. Never advances a sequence of first tries that promises
    /// anything.
    ///
    /// # Errors
    /// [`NoChoice::Empty`] when there is nobody to pick.
    pub fn pick_again(&self, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        match self {
            Self::RoundRobin(balancer) => balancer.pick_again(tried),
            Self::Wheel(balancer) => balancer.pick_again(tried),
        }
    }
}

/// Those that may be picked: for balancers that share out the turns of the others by weight.
fn available(mut members: Vec<Member>) -> Vec<Member> {
    members.retain(|member| member.available);
    members
}

/// The greatest common divisor; of zero and n it is n.
const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
