//! recreate: end the old version, then start the new one. An outage by design, as long as the start takes.

use super::{Settings, Strategy, point_at, start};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "recreate",
    shares_upstream: false,
    keys: &["every", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps = vec![Action::Stop(versions.stable.mocks())];
    steps.extend(start(versions.canary.mocks(), settings));
    steps.extend([point_at(versions, &versions.canary), Action::Pause(settings.every), Action::Promote]);
    steps
}

/// A second outage.
fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps = vec![Action::Stop(versions.canary.mocks())];
    steps.extend(start(versions.stable.mocks(), settings));
    steps.push(point_at(versions, &versions.stable));
    steps
}
