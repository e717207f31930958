//! What passes between the machine and those who drive it: the match, the ticket of one try, and the refusals.

use crate::entity::PathHandling;
use crate::id::{Epoch, Revision, RouteId, ServiceId, TargetId, UpstreamId};
use crate::outcome::Outcome;
use crate::router::RowId;
use crate::time::Instant;

/// Which Route a request belongs to, and what that Route says about passing it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteMatch {
    /// Number of the worker whose view it was matched in, or 0 when all share one.
    pub(super) view: usize,
    /// The configuration it was matched under.
    pub revision: Revision,
    /// The Route with the path that matched, in that configuration's router.
    pub row: RowId,
    /// The Route.
    pub route: RouteId,
    /// Its Service; a Route may have none.
    pub service: Option<ServiceId>,
    /// Bytes at the start of the normal path that the Route cuts off.
    pub stripped: usize,
    /// Whether the client's `Host` is sent on.
    pub preserve_host: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
}

/// One try of one request at one target: a ticket that must be handed back to `finish`. It carries ids, not references,
/// and all that is needed to prove afterwards that the balancer kept its promise.
// Handed from room to room by value, so that nobody can finish it twice: kept small, with what is rare apart.
#[must_use = "an attempt counts as in flight until it is finished"]
#[derive(Debug)]
pub struct Attempt {
    /// As the match's.
    pub(super) view: u32,
    /// Whose: [`Options::node`](super::Options::node).
    pub node: u16,
    /// The configuration it was made under.
    pub revision: Revision,
    /// The change that made the routing it was sent by: Routes and Services, of which a worker may learn late. Whom it could be
    /// sent to there is a matter of the epoch.
    pub routed: Revision,
    /// The Route.
    pub route: RouteId,
    /// The Service.
    pub service: ServiceId,
    /// The Upstream; `None` when the Service's host is no Upstream.
    pub upstream: Option<UpstreamId>,
    /// The target.
    pub target: TargetId,
    /// The balancer's epoch.
    pub epoch: Epoch,
    /// Number of this first try within the epoch, from 0, without gaps over all workers; `u64::MAX` for a retry.
    pub ticket: u64,
    /// What the target was owed when the epoch began, in requests.
    pub carried: f64,
    /// 0 for the first try, then 1, 2, ...
    pub number: u16,
    /// When it was made.
    pub began: Instant,
    /// The request's first try: this one, or the one that it follows in the end.
    pub first: FirstTry,
    /// Whether it is a copy for another host, whose answer no client gets.
    pub is_copy: bool,
    /// Index of the target among the members of its epoch.
    pub(super) member: u32,
    /// What the request is known by.
    pub(super) key: Option<u64>,
    /// Whether it counts for the load of its whole Upstream, and not for its target's alone.
    pub(super) is_counted: bool,
    /// When the head of the answer came.
    pub(super) head_at: Option<Instant>,
    /// Tries left after this one.
    pub(super) retries_left: u16,
    /// Whether the request may be sent again after some of it was sent.
    pub(super) repeatable: bool,
    /// Nothing, and so without an allocation, on most first tries.
    pub(super) rare: Option<Box<Rare>>,
}

/// What few attempts carry.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) set_cookie: Option<Box<str>>,
    /// The cookie that keeps the client among those it was divided to.
    pub(super) split_cookie: Option<Box<str>>,
    /// Targets that failed this request before.
    pub(super) tried: Vec<TargetId>,
}

impl Rare {
    /// One that is carried only when there is a cookie to set.
    pub(super) fn with(set_cookie: Option<Box<str>>) -> Option<Box<Self>> {
        set_cookie.map(|cookie| Box::new(Self { set_cookie: Some(cookie), ..Self::default() }))
    }
}

impl Attempt {
    /// The head of the target's answer came at `now`: what balancers that learn response times go by.
    pub fn answered(&mut self, now: Instant) {
        self.head_at = Some(now);
    }

    /// What to add to the answer as `Set-Cookie` fields, so that the client comes back to the same target, and to the same
    /// side of a split.
    pub fn set_cookies(&self) -> impl Iterator<Item = &str> {
        let rare = self.rare.iter();
        rare.flat_map(|rare| rare.set_cookie.iter().chain(&rare.split_cookie)).map(AsRef::as_ref)
    }

    /// What is told of it once it came to `outcome` at `at`. Whether another try follows is for
    /// [`finish`](super::Gateway::finish) to say; until then it counts as the last one.
    pub fn finished(&self, outcome: Outcome, at: Instant) -> Finished {
        let Self { node, service, upstream, target, epoch, number, began, first, is_copy, .. } = *self;
        let is_last = true;
        Finished {
            node,
            service,
            upstream,
            target,
            epoch,
            number,
            began,
            first,
            is_copy,
            outcome,
            at,
            is_last,
        }
    }
}

/// The first try of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstTry {
    /// Its target.
    pub target: TargetId,
    /// The balancer's epoch.
    pub epoch: Epoch,
    /// When it was made.
    pub began: Instant,
}

/// An attempt that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// As the attempt's, like all up to `is_copy`.
    pub node: u16,
    /// The Service.
    pub service: ServiceId,
    /// The Upstream.
    pub upstream: Option<UpstreamId>,
    /// The target.
    pub target: TargetId,
    /// The balancer's epoch.
    pub epoch: Epoch,
    /// 0 for the first try, then 1, 2, ...
    pub number: u16,
    /// When it was made.
    pub began: Instant,
    /// The request's first try.
    pub first: FirstTry,
    /// Whether it was a copy.
    pub is_copy: bool,
    /// What it came to.
    pub outcome: Outcome,
    /// When it ended.
    pub at: Instant,
    /// Whether the request is over with it: what it came to is what the client is told.
    pub is_last: bool,
}

/// What follows an attempt.
#[derive(Debug)]
#[must_use = "a retry is in flight already"]
pub enum Next {
    /// Nothing: the request has its answer, or its error.
    Done,
    /// Another try, in flight already.
    Retry(Attempt),
}

/// Why a request is sent nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No Route matched.
    NoRoute,
    /// The Route is not for plain requests; the status says whether the client is sent elsewhere or told to upgrade.
    NeedsHttps(u16),
    /// The Route has no Service.
    NoService,
    /// The Service's Upstream has no target to pick.
    NoTarget,
}

impl Rejection {
    /// The status a client is told.
    pub const fn status(self) -> u16 {
        match self {
            Self::NoRoute => 404,
            Self::NeedsHttps(status) => status,
            Self::NoService | Self::NoTarget => 503,
        }
    }

    /// What a client is told, in Kong's words.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NoRoute => "no Route matched with those values",
            Self::NeedsHttps(_) => "Please use HTTPS protocol",
            Self::NoService => "no Service found with those values",
            Self::NoTarget => "failure to get a peer from the ring-balancer",
        }
    }
}
