//! What is told of weights: stretches, their members, and lags over time.

use gateway_core::id::{TargetId, UpstreamId};
use gateway_core::time::Instant;

/// One stretch of one Upstream between two changes that bear on it.
#[derive(Clone, Debug)]
pub struct MeasuredWeights {
    /// The gateway's node, from 0: each keeps weights by itself.
    pub node: u16,
    /// The Upstream.
    pub upstream: UpstreamId,
    /// The balancer's epoch.
    pub epoch: u32,
    /// Since when it has been pointed to.
    pub from: Instant,
    /// Which switch brought that about; `None` at the start.
    pub switch: Option<usize>,
    /// First tries.
    pub picks: u64,
    /// Each member.
    pub members: Vec<MemberPicks>,
    /// Largest distance of any member from its exact share after any pick, in requests, what was carried in included.
    pub deviation_max: f64,
    /// When it was that far off, and at whose pick of whom.
    pub farthest: Option<(Instant, u64, TargetId)>,
    /// Largest distance of a rollout's new version, all of its targets together, from its exact share after any pick, in requests, what
    /// was carried in included.
    pub share_off: f64,
    /// When that was known to be so far off, and at whose pick.
    pub share_farthest: Option<(Instant, u64)>,
    /// How many members are of the new version, and how many are not.
    pub sides: (usize, usize),
    /// How many versions have members.
    pub versions: usize,
    /// Whether the gateway knows which targets are of which, for their tags say so.
    pub are_told: bool,
    /// Largest distance of any member from its exact share of its version's picks, after any of those, in requests, what was carried in
    /// included; where there are several versions, and it is known what all targets of one were owed.
    pub inside_off: Option<f64>,
    /// When it was that far off, and at whose pick; `None` where it was at the end.
    pub inside_farthest: Option<(Instant, u64)>,
    /// Tickets that never came, or came too late.
    pub missing: u64,
    /// Tickets that came twice, and picks of targets that are no members.
    pub wrong: u64,
}

/// One member in one stretch.
#[derive(Clone, Copy, Debug)]
pub struct MemberPicks {
    /// Which.
    pub target: TargetId,
    /// What it counted among the others.
    pub weight: u32,
    /// First tries it got.
    pub picks: u64,
    /// What it had had too much (or too little, below zero) at the end of the stretch, in requests.
    pub deviation: f64,
}

/// Smallest and largest lag in each bin of the series; `None` where nobody was picked.
pub type LagRange = Vec<Option<(f64, f64)>>;

/// Takes `lag` into a range.
#[inline]
pub(super) fn widen(range: &mut Option<(f64, f64)>, lag: f64) {
    let (low, high) = range.unwrap_or((lag, lag));
    *range = Some((low.min(lag), high.max(lag)));
}
