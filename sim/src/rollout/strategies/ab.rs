//! ab: whoever has the header field or the cookie gets the new version, everybody else the old one, for so many times
//! `every`; then the new one is promoted.

use super::{Settings, Strategy, back_to_stable, leave, point_at, set_route, start, unset_route};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "ab",
    shares_upstream: false,
    keys: &["header", "cookie", "values", "every", "iterations", "drain", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks(), settings).into();
    steps.extend(set_route(versions, settings));
    steps.extend((0..settings.iterations).map(|_| Action::Pause(settings.every)));
    steps.extend([Action::Promote, point_at(versions, &versions.canary), unset_route(versions, settings)]);
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    [vec![unset_route(versions, settings)], back_to_stable(versions, settings)].concat()
}
