//! blue-green: start the new version beside the old one, point the Service at it in one step, watch it, and keep the old one a
//! while for the way back.

use super::{Settings, Strategy, leave, point_at, start};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "blue-green",
    shares_upstream: false,
    keys: &["every", "scale_down_delay", "drain"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks()).into();
    steps.extend([
        point_at(versions, &versions.canary),
        Action::Pause(settings.every),
        Action::Promote,
        Action::Pause(settings.scale_down_delay),
    ]);
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, _: &Settings) -> Vec<Action> {
    vec![point_at(versions, &versions.stable)]
}
