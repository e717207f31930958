//! ring: one circle of users after the other gets the new version, the smallest and most patient first; who is in a ring stays
//! in it. After the last ring everybody gets it.

use super::{Ring, Settings, Strategy, leave, point_at, route_for, start, unset_route};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "ring",
    shares_upstream: false,
    keys: &["header", "cookie", "rings", "drain", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks(), settings).into();
    let mut members = Vec::new();
    for Ring { values, soak } in &settings.rings {
        members.extend(values.iter().cloned());
        let route = settings.told.as_ref().map(|(field, _)| route_for(versions, settings, field, &members));
        steps.extend(route);
        steps.push(Action::Pause(*soak));
    }
    steps.extend([Action::Promote, point_at(versions, &versions.canary), unset_route(versions)]);
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, _: &Settings) -> Vec<Action> {
    vec![unset_route(versions), point_at(versions, &versions.stable)]
}
