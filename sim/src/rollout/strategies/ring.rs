//! ring: one circle after the other gets the new version, the smallest and most patient first: of users, who are told apart by a header
//! field or a cookie, or of Services, which are pointed at the new version's Upstream. Who is in a ring stays in it. After the last
//! ring everybody gets it.

use super::{Pointed, Ring, Settings, Strategy, leave, point, point_at, route_for, start, unset_route};
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
    for Ring { values, services, soak } in &settings.rings {
        members.extend(values.iter().cloned());
        let told = settings.told.as_ref().filter(|_| !values.is_empty());
        steps.extend(told.map(|(field, _)| route_for(versions, settings, field, &members)));
        steps.extend(
            services.iter().map(|to| point(to.service, &to.name, super::host(versions, &versions.canary))),
        );
        steps.push(Action::Pause(*soak));
    }
    steps.push(Action::Promote);
    if pointed(settings).all(|to| to.service != versions.service) {
        steps.push(point_at(versions, &versions.canary));
    }
    steps.extend(has_users(settings).then(|| unset_route(versions, settings)));
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

/// Every Service is as it was, whether its ring had come or not; the rollout's own, which is the last to be switched, comes last.
fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> =
        has_users(settings).then(|| unset_route(versions, settings)).into_iter().collect();
    steps.extend(start(versions.stable.mocks(), settings));
    let others = pointed(settings).filter(|to| to.service != versions.service);
    steps.extend(others.map(|to| point(to.service, &to.name, to.host.clone())));
    steps.push(point_at(versions, &versions.stable));
    steps
}

fn pointed(settings: &Settings) -> impl Iterator<Item = &Pointed> {
    settings.rings.iter().flat_map(|ring| &ring.services)
}

fn has_users(settings: &Settings) -> bool {
    settings.rings.iter().any(|ring| !ring.values.is_empty())
}
