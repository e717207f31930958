//! shadow: the new version gets copies of requests, and nobody its answers. What it would have said is compared with what the old
//! version did say; it ends as it began, and another strategy may follow.

use super::{Settings, Strategy, leave, set_mirror, start, unset_mirror};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "shadow",
    shares_upstream: false,
    keys: &["fraction", "methods", "compare", "timeout", "every", "drain", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks(), settings).into();
    steps.extend([set_mirror(versions, settings), Action::Pause(settings.every), unset_mirror(versions)]);
    steps.extend(leave(versions.canary.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, _: &Settings) -> Vec<Action> {
    vec![unset_mirror(versions)]
}
