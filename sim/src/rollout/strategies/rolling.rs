//! rolling: target by target, as a Deployment of Kubernetes does: start new ones as far as `max_surge` allows, take old ones out
//! as far as `max_unavailable` allows. There is no router's share: it is what the targets in rotation make it.

use super::{Settings, Strategy, start};
use crate::rollout::versions::Member;
use crate::rollout::{Action, TargetWeight, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "rolling",
    shares_upstream: true,
    keys: &["max_surge", "max_unavailable", "min_ready", "drain", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let (old, new) = (&versions.stable.members, &versions.canary.members);
    let (mut started, mut stopped, mut steps) = (0, 0, Vec::new());
    while started < new.len() || stopped < old.len() {
        let total = started + old.len() - stopped;
        // One of both limits is above zero, so each round does something.
        let room = (old.len() + settings.max_surge).saturating_sub(total);
        let starts = room.min(new.len() - started);
        steps.extend(bring_in(versions, &new[started..started + starts], settings));
        started += starts;
        let spare = (started + old.len() - stopped + settings.max_unavailable).saturating_sub(old.len());
        let stops = spare.min(old.len() - stopped);
        steps.extend(take_out(versions, &old[stopped..stopped + stops], settings));
        stopped += stops;
        if starts + stops == 0 {
            // As many new targets as old ones are needed to get any further.
            break;
        }
    }
    steps.push(Action::Promote);
    steps
}

pub(super) fn bring_in(versions: &Versions, members: &[Member], settings: &Settings) -> Vec<Action> {
    if members.is_empty() {
        return Vec::new();
    }
    let mocks: Vec<_> = members.iter().map(|member| member.mock).collect();
    let mut steps: Vec<_> = start(mocks, settings).into();
    if !settings.min_ready.is_zero() {
        steps.push(Action::Pause(settings.min_ready));
    }
    let weight = |member: &Member| TargetWeight {
        upstream: versions.upstream.clone(),
        target: member.target.clone(),
        weight: versions.stable.members.first().map_or(member.weight, |old| old.initial.max(1)),
    };
    steps.extend(members.iter().map(|member| Action::SetTarget(weight(member))));
    steps
}

pub(super) fn take_out(versions: &Versions, members: &[Member], settings: &Settings) -> Vec<Action> {
    if members.is_empty() {
        return Vec::new();
    }
    let mocks: Vec<_> = members.iter().map(|member| member.mock).collect();
    // Without a drain the process just ends, and the gateway learns it from refused connections.
    let drain = Action::Drain {
        mocks: mocks.clone(),
        weights: versions.out_of_rotation(members),
        at_most: settings.drain,
    };
    let stop = Action::Stop(mocks);
    if settings.drain.is_zero() { vec![stop, drain] } else { vec![drain, stop] }
}

/// The new targets go at once, as long as an old one is there to serve: an abort outranks `max_unavailable`. Then those that are
/// missing come back.
fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let (old, new) = (versions.stable.mocks(), versions.canary.mocks());
    let weights = versions.out_of_rotation(&versions.canary.members);
    vec![
        Action::Drain { mocks: new.clone(), weights, at_most: settings.drain },
        Action::Stop(new),
        Action::Start(old.clone()),
        Action::WaitReady { mocks: old, at_most: settings.progress_deadline },
        versions.all_to_stable(),
    ]
}
