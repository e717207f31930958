//! What the recorder has to know of its plan: how many requests of which kinds, until when, who is behind which target, and what is
//! waited for. Looked up here so that what is done for each request finds it at hand; leaves everything that changes to the
//! recorder.

use gateway_core::entity::SplitKey;
use gateway_core::id::ServiceId;
use gateway_core::time::Instant;

use crate::load::{Numbering, RequestTemplate};
use crate::mock::Behind;
use crate::plan::Plan;
use crate::rollout::{self, Step};

/// What a recorder must know of its plan.
pub(in crate::measure) struct RunFacts {
    pub(in crate::measure) plan: Plan,
    pub(in crate::measure) numbering: Numbering,
    /// Requests of the schedule; in a closed loop the most there may be.
    pub(in crate::measure) count: u64,
    pub(in crate::measure) warmup: Instant,
    pub(in crate::measure) end: Instant,
    /// The mock of each target, by the target's id.
    pub(in crate::measure) mocks: Behind,
    /// The Service that all requests are for, if there is only one.
    pub(super) only_service: Option<ServiceId>,
    /// Whether some step may be a switch.
    pub(super) switches: bool,
    /// Whether every step is a call of the Admin API at a time of its own: then each is waited for.
    pub(super) holds: bool,
}

impl RunFacts {
    pub(in crate::measure) fn new(plan: &Plan) -> Self {
        let is_awaited = |step: &Step| step.at().is_some() && !rollout::calls(&step.action).is_empty();
        Self {
            count: plan.load.total(),
            numbering: Numbering::new(&plan.load, plan.seed),
            warmup: Instant::ZERO + plan.load.warmup,
            end: Instant::ZERO + plan.load.duration(),
            mocks: plan.mocks_of_targets(),
            only_service: only(plan.gateway.config.services().map(|(id, _)| id)),
            switches: plan.switches_max() > 0,
            holds: plan.steps.iter().all(is_awaited) && !plan.rollout.is_some(),
            plan: plan.clone(),
        }
    }

    /// From when on what happens waits until a step is known to have been carried out; never where none is waited for.
    pub(super) fn waits_from(&self, step: usize) -> Instant {
        let due = self.plan.steps.get(step).and_then(Step::at).filter(|_| self.holds);
        due.map_or(Instant::MAX, |due| Instant::ZERO + due)
    }

    /// The user of a request, where the rollout divides users and its stream says who they are: by a key of their own, or by one that
    /// they are given and keep.
    pub(in crate::measure) fn divided_user(&self, request: u64) -> Option<(usize, u64)> {
        let key = self.plan.rollout.key.as_ref().filter(|_| request < self.count)?;
        let stream = self.numbering.stream(request);
        let users = &self.plan.load.streams[stream].users;
        let has_one = match key {
            SplitKey::Header(name) => users.header.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(name)),
            SplitKey::Cookie(cookie) => users.cookies || users.cookie.as_ref() == Some(&cookie.name),
        };
        has_one.then(|| (stream, self.numbering.user(request)))
    }

    /// What is sent for a request; nothing for one that is none of the schedule.
    pub(in crate::measure) fn template_of(&self, request: u64) -> Option<&RequestTemplate> {
        let kind = (request < self.count).then(|| self.numbering.kind(request))?;
        self.plan.load.templates().nth(kind).map(|(_, template)| template)
    }
}

/// The one there is, if there are no more.
fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
