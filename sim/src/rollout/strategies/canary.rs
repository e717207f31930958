//! canary: more and more of the requests go to the new version, and each share is watched for a while. Exact: the weights of
//! the targets divide requests, whatever the number of targets. Sticky: keys divide users, and who has moved stays.

use super::{Scaling, Settings, Strategy, leave, point_at, replicas, start};
use crate::rollout::{Action, Shares, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "canary",
    shares_upstream: true,
    keys: &[
        "steps",
        "sticky",
        "sticky_cookie",
        "max_age",
        "primary_sticky",
        "salt",
        "scale",
        "max_surge",
        "max_unavailable",
        "min_ready",
        "drain",
        "start_time",
        "progress_deadline",
        "baseline",
    ],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    by_shares(versions, settings, &settings.steps)
}

/// The same for any list of shares; the last one is everything.
pub(super) fn by_shares(
    versions: &Versions,
    settings: &Settings,
    shares: &[(f64, std::time::Duration)],
) -> Vec<Action> {
    if settings.scale == Scaling::Replicas {
        return replicas::steps(versions, settings, shares);
    }
    let all = versions.canary.members.len();
    let mut weights = Shares::new(versions);
    let mut steps = Vec::new();
    if settings.scale == Scaling::Full {
        steps.extend(start(versions.fresh(), settings));
    }
    let mut running = 0;
    let mut to = |share: f64, steps: &mut Vec<Action>| {
        let targets = settings.scale.targets(share, all).filter(|&targets| targets != running);
        if let Some(targets) = targets {
            steps.extend(weights.scale(targets, settings.progress_deadline, settings.drain));
            running = targets;
        }
        steps.push(weights.set(share));
    };
    for &(share, pause) in shares {
        to(share, &mut steps);
        steps.push(Action::Pause(pause));
    }
    if shares.last().is_none_or(|&(share, _)| share < 1.0) {
        to(1.0, &mut steps);
    }
    steps.push(Action::Promote);
    if versions.by_key.is_some() {
        // Who has no key follows now, and nobody is divided any more.
        steps.extend([point_at(versions, &versions.canary), versions.all_to_stable()]);
    }
    steps.extend(leave(versions.old(), settings));
    steps
}

pub(super) fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    if settings.scale == Scaling::Replicas {
        return replicas::WAY_BACK(versions, settings);
    }
    vec![versions.all_to_stable()]
}
