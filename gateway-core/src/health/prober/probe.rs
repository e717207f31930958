//! What passes between the prober and those who drive it: what is to be watched, the ticket of one probe, and its end.

use std::sync::Arc;

use crate::entity::Active;
use crate::health::Observation;
use crate::id::{TargetId, UpstreamId};
use crate::outcome::Failure;
use crate::weight::Weight;

/// An Upstream as the prober is to know it from now on.
#[derive(Clone, Debug)]
pub struct Watch<'a> {
    /// Which Upstream.
    pub upstream: UpstreamId,
    /// Its active checks.
    pub checks: &'a Active,
    /// Its `host_header`.
    pub host_header: Option<&'a str>,
    /// All its targets.
    pub targets: Vec<WatchedTarget>,
}

/// One target of a [`Watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchedTarget {
    /// Which target.
    pub target: TargetId,
    /// Its weight; with weight zero it is not probed.
    pub weight: Weight,
    /// Whether it is in rotation, which says by which of the two intervals it is probed.
    pub is_healthy: bool,
}

/// What the probes of one Upstream are like.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Kind, path, header fields, TLS and timeout.
    pub checks: Active,
    /// The `Host` to send instead of the target's name.
    pub host_header: Option<String>,
}

/// One probe, to be sent now: a ticket that must be handed back with its result, even when nobody wants to know any
/// more. It counts as under way until then.
#[must_use = "a probe counts as under way until its result is reported"]
#[derive(Debug)]
pub struct Probe {
    /// Its number, from 0, over all Upstreams: a name for it.
    pub id: u64,
    /// The Upstream.
    pub upstream: UpstreamId,
    /// Whom to probe.
    pub target: TargetId,
    /// How.
    pub plan: Arc<Plan>,
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The connection was accepted, and no more was asked for.
    Connected,
    /// The target answered.
    Answered {
        /// With this status.
        status: u16,
    },
    /// It did not; a failure of TLS is [`Failure::Refused`].
    Failed(Failure),
}

impl Plan {
    pub(super) fn of(watch: &Watch<'_>) -> Self {
        Self { checks: watch.checks.clone(), host_header: watch.host_header.map(str::to_owned) }
    }

    pub(super) fn is_of(&self, watch: &Watch<'_>) -> bool {
        self.checks == *watch.checks && self.host_header.as_deref() == watch.host_header
    }
}

impl ProbeResult {
    /// What it says about the target. As in Kong an answer that is not HTTP counts as an unhealthy status.
    pub(super) fn observation(self) -> Observation {
        match self {
            Self::Connected => Observation::Connected,
            Self::Answered { status } => Observation::Status(status),
            Self::Failed(Failure::BadResponse) => Observation::Status(0),
            Self::Failed(cause) if cause.is_timeout() => Observation::Timeout,
            Self::Failed(_) => Observation::TcpFailure,
        }
    }
}
