//! The rollout as it happened: its marks, its steps, both versions' picks and answers, who was hurt, and the promises that were
//! not kept. Knows nothing of how steps come about.

use std::sync::Arc;

use gateway_core::config::Config;
use gateway_core::id::{Revision, ServiceId, TargetId};
use gateway_core::time::Instant;
use rustc_hash::{FxHashMap, FxHashSet};

use super::breach::{Breach, Promise};
use super::capacity::{self, Capacity};
use super::cells::Attempts;
use super::flips::Flips;
use super::keys::Keys;
use super::leftovers;
use super::limits::{self, Meanwhile, Outranked};
use super::promises::Promises;
use super::recorder::RunFacts;
use super::revisions::Revisions;
use super::{Copied, Ending, Pick, Record, StepMoments};
use crate::load::Key;
use crate::plan::Plan;
use crate::rollout::judge::Side;
use crate::rollout::{Action, Mark, MarkKind};

/// Everything about the rollout of a run.
#[derive(Clone, Debug, Default)]
pub struct MeasuredRollout {
    /// What happened, in order of time.
    pub marks: Vec<Mark>,
    /// Each step that was a call of the Admin API.
    pub steps: Vec<StepMoments>,
    /// The old version.
    pub stable: SideTally,
    /// The new one.
    pub canary: SideTally,
    /// Fresh targets of the old one, where there are any.
    pub baseline: SideTally,
    /// Users, each of a stream, with at least one request that was dropped or answered with an error.
    pub hurt: FxHashSet<(usize, u64)>,
    /// Users who were answered by another version than before.
    pub flips: Flips,
    /// Promises that were not kept.
    pub breaches: Vec<Breach>,
    /// Fewer targets served on the way back than a rolling update allows.
    pub outranked: Option<Outranked>,
    /// What it took in targets.
    pub capacity: Capacity,
    /// When each node of the gateway was sending requests to which version.
    pub nodes: Vec<SideTimes>,
    /// The same of each Service that is switched, where there are several.
    pub services: Vec<(ServiceId, SideTimes)>,
    sides: Vec<Option<Side>>,
    promises: Promises,
    revisions: Revisions,
    keys: Keys,
    meanwhile: Meanwhile,
    /// Users divided by their keys who were sent to the new version: by which node, under which revision at first.
    pub moved: FxHashMap<(usize, u64), (u16, Revision)>,
    /// Those of them that were sent to the old version again.
    pub back: FxHashSet<(usize, u64)>,
}

/// When requests of a node, or of a Service, were sent to which version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTimes {
    /// The first and the last first try at the new version.
    pub canary: Option<(Instant, Instant)>,
    /// The last one at the old version.
    pub stable: Option<Instant>,
}

/// One version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideTally {
    /// First tries picked.
    pub picks: u64,
    /// The first of them.
    pub first_pick: Option<Instant>,
    /// The last of them.
    pub last_pick: Option<Instant>,
    /// Requests it answered.
    pub answered: u64,
    /// When it did so last.
    pub last_answer: Option<Instant>,
    /// Of those, with a 5xx status.
    pub errors: u64,
    /// Requests whose last try was picked for it, and that got no answer.
    pub dropped: u64,
    /// How often the requests were sent to targets, of any version, whose first try was picked for it.
    pub attempts: Attempts,
}

impl MeasuredRollout {
    pub(super) fn new(plan: &Plan) -> Self {
        let sides = plan.rollout.sides.clone();
        let lags = (plan.gateway.routing_lag(), plan.gateway.target_lag());
        let ends_some = |action: &Action| matches!(action, Action::Stop(_));
        let goes_dark = plan.rollout.way_back.iter().flatten().any(ends_some);
        let new = (new_hosts(plan), plan.rollout.initial_share > 0.0);
        Self {
            promises: Promises::new(sides.len(), lags, goes_dark, new),
            revisions: Revisions::new(plan),
            nodes: vec![SideTimes::default(); plan.gateway.nodes.into()],
            services: switched(plan),
            flips: Flips::new(plan),
            keys: Keys::new(plan),
            sides,
            ..Self::default()
        }
    }

    /// The calls of a step were made.
    pub(super) fn stepped(&mut self, moments: StepMoments, action: Option<&Action>) {
        self.steps.push(moments);
        if let Some(at) = moments.in_force() {
            self.meanwhile.begin(at);
        }
        self.promises.stepped(moments, action);
    }

    /// A node has put a configuration in force.
    pub(super) fn configured(
        &mut self,
        facts: &RunFacts,
        node: u16,
        revision: Revision,
        config: &Arc<Config>,
    ) {
        self.revisions.configured((node, revision, config), facts, &mut self.promises.breaches);
    }

    /// Everything has been seen: for requests `outsiders` were picked who could not be.
    pub(super) fn finish(&mut self, facts: &RunFacts, outsiders: &[(u64, TargetId, Instant)]) {
        let (plan, breaches) = (&facts.plan, &mut self.promises.breaches);
        self.revisions.finish(facts, breaches);
        for &(request, target, at) in outsiders {
            breaches.name(Promise::RevisionIsKept, (request, facts.mocks.get(target)), at);
        }
        self.promises.finish();
        let end = Instant::ZERO + plan.load.duration();
        self.capacity = capacity::capacity(plan, &self.marks, &self.steps, end);
        let (breaches, outranked) = limits::check(plan, &self.marks, &self.steps, &self.meanwhile);
        self.breaches = std::mem::take(&mut self.promises.breaches.0);
        self.breaches.extend(breaches);
        self.outranked = outranked;
    }

    fn side(&mut self, mock: Option<u32>) -> Option<(Side, &mut SideTally)> {
        let side = self.sides.get(mock? as usize).copied().flatten()?;
        let tally = match side {
            Side::Stable => &mut self.stable,
            Side::Canary => &mut self.canary,
            Side::Baseline => &mut self.baseline,
        };
        Some((side, tally))
    }

    /// Something happened; `action` is that of the step it is about.
    pub(super) fn marked(&mut self, facts: &RunFacts, mark: &Mark, action: Option<&Action>) {
        let may_pick = |mock: u32| {
            let targets = facts.mocks.iter().filter(|(_, behind)| *behind == mock);
            self.revisions.may_pick(&targets.map(|(target, _)| target).collect::<Vec<_>>())
        };
        self.promises.marked((mark, action), &facts.plan.gateway.config, may_pick);
        if mark.kind == MarkKind::RolledBack
            && let Some(config) = self.revisions.in_force()
        {
            let left = leftovers::of(&facts.plan, config);
            if !left.is_empty() {
                self.promises.left_behind(left.join(", "), mark.at);
            }
        }
        self.meanwhile.begin(mark.at);
        self.marks.push(mark.clone());
    }

    /// A first try was picked for a user, where users are divided by their keys. Who is given one may be sent back all the same: who
    /// asks twice before it has one is given another, and who keeps it until it is over too.
    fn picked_for(&mut self, user: (usize, u64), pick: &Pick, mock: Option<u32>) {
        let has_moved = self.moved.get(&user).copied();
        match (self.side(mock).map(|(side, _)| side), has_moved) {
            (Some(Side::Canary), None) => {
                self.moved.insert(user, (pick.node, pick.routed));
            }
            // Each node learns of steps for itself.
            (Some(Side::Stable), Some((node, since)))
                if node == pick.node && pick.routed >= since && !self.is_given_up() =>
            {
                self.back.insert(user);
            }
            _ => {}
        }
    }

    /// The client sent a request with a key, or was given one with its answer.
    pub(super) fn keyed(&mut self, request: u64, key: Key, is_given: bool) {
        self.keys.keyed(request, key, is_given);
    }

    fn is_given_up(&self) -> bool {
        self.marks.iter().any(|mark| matches!(mark.kind, MarkKind::Aborted(_)))
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, facts: &RunFacts, pick: &Pick, mock: Option<u32>) {
        let at = pick.at;
        let found = self.side(mock).map(|(side, tally)| {
            tally.picks += 1;
            tally.first_pick = Some(tally.first_pick.map_or(at, |first| first.min(at)));
            tally.last_pick = tally.last_pick.max(Some(at));
            side
        });
        if let Some(node) = self.nodes.get_mut(usize::from(pick.node)) {
            node.picked(found, at);
        }
        if let Some((_, of_service)) = self.services.iter_mut().find(|(id, _)| *id == pick.service) {
            of_service.picked(found, at);
        }
        self.promises.picked(pick, (mock, found));
        self.meanwhile.picked(pick.request, at);
        self.revisions.picked(pick, facts, &mut self.promises.breaches);
        if let Some(at) = self.keys.picked(pick, found, facts) {
            self.promises.came_back(pick.request, mock, at);
        }
        if let Some(user) = facts.divided_user(pick.request) {
            self.picked_for(user, pick, mock);
        }
    }

    /// Something happened to a copy.
    pub(super) fn copied(&mut self, facts: &RunFacts, copied: &Copied) {
        if let Copied::Sent(pick) = copied {
            let mock = facts.mocks.get(pick.target);
            if self.side(mock).is_some_and(|(side, _)| side == Side::Canary) {
                self.promises.copied(pick, mock);
            }
        }
        self.revisions.copied(copied, facts, &mut self.promises.breaches);
    }

    /// A request whose first try was picked for `mock` came to its end after so many attempts.
    pub(super) fn attempted(&mut self, mock: Option<u32>, attempts: u32) {
        if let Some((_, tally)) = self.side(mock) {
            tally.attempts.count(attempts);
        }
    }

    /// A request of `user` in that stream came to its end; `mock` answered it, or was picked for it last.
    pub(super) fn ended(
        &mut self,
        record: &Record,
        (stream, user): (usize, impl Fn() -> (usize, u64)),
        mock: Option<u32>,
    ) {
        self.promises.ended(record);
        if let Some(at) = self.keys.ended(record.index) {
            self.promises.came_back(record.index, mock, at);
        }
        let is_bad = match record.ending {
            Ending::Answered(status) => status >= 500,
            Ending::Dropped(_) => true,
        };
        if is_bad {
            self.hurt.insert(user());
        }
        let Some((side, tally)) = self.side(mock) else { return };
        match record.ending {
            Ending::Answered(status) => {
                tally.answered += 1;
                tally.last_answer = tally.last_answer.max(Some(record.done));
                tally.errors += u64::from(status >= 500);
                if self.flips.watch(stream) {
                    self.flips.answered(user(), side);
                }
            }
            Ending::Dropped(_) => tally.dropped += 1,
        }
    }
}

impl SideTimes {
    fn picked(&mut self, side: Option<Side>, at: Instant) {
        match side {
            Some(Side::Canary) => {
                let (first, last) = self.canary.unwrap_or((at, at));
                self.canary = Some((first.min(at), last.max(at)));
            }
            Some(Side::Stable) => self.stable = self.stable.max(Some(at)),
            Some(Side::Baseline) | None => {}
        }
    }

    /// From the first first try at the new version to the last one at either, while there were both; below zero where the old one
    /// was left before.
    pub fn mixed(&self) -> Option<(Instant, Instant)> {
        let (first, last) = self.canary?;
        Some((first, self.stable?.min(last)))
    }
}

/// The Services that steps point elsewhere, where there are several.
fn switched(plan: &Plan) -> Vec<(ServiceId, SideTimes)> {
    let mut services = Vec::new();
    for step in &plan.steps {
        if let Action::SetHost { service, .. } = step.action
            && !services.contains(&service)
        {
            services.push(service);
        }
    }
    let are_several = services.len() > 1;
    services.into_iter().filter(|_| are_several).map(|service| (service, SideTimes::default())).collect()
}

/// The Upstreams whose targets are all of the new version.
fn new_hosts(plan: &Plan) -> Vec<String> {
    let (config, new) = (&plan.gateway.config, plan.targets_of(Side::Canary));
    let is_new = |upstream| {
        let mut targets = config.targets_of(upstream).peekable();
        targets.peek().is_some() && targets.all(|(target, _)| new.contains(&target))
    };
    let hosts = config.upstreams().filter(|(id, _)| is_new(*id));
    hosts.map(|(_, upstream)| upstream.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::rehearsal::{how_to, pick};

    #[test]
    fn who_has_moved_and_comes_back_is_counted_unless_all_come_back() {
        let mut plan = how_to(10.0, 1, &[]);
        plan.rollout.sides = vec![Some(Side::Stable), Some(Side::Canary)];
        let mut rollout = MeasuredRollout::new(&plan);
        let mut pick = |request, user, mock, revision| {
            let pick = Pick { routed: Revision(revision), ..pick(request) };
            rollout.picked_for((0, user), &pick, Some(mock));
            rollout.back.len()
        };
        assert_eq!([pick(1, 7, 1, 3), pick(2, 7, 1, 3), pick(3, 8, 0, 3)], [0, 0, 0]);
        assert_eq!(pick(4, 7, 0, 2), 0, "picked before the step was in force, told later");
        assert_eq!([pick(5, 7, 0, 4), pick(6, 7, 0, 4)], [1, 1]);
        assert_eq!(pick(7, 9, 1, 4), 1);
        let at = Instant::from_millis(6);
        let facts = RunFacts::new(&plan);
        rollout.marked(&facts, &Mark { at, step: None, kind: MarkKind::Aborted("bad".into()) }, None);
        rollout.picked_for((0, 9), &Pick { routed: Revision(9), ..self::pick(8) }, Some(0));
        assert_eq!((rollout.back.len(), rollout.moved.len()), (1, 2));
    }
}
