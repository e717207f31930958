//! dark: the new version runs, and only testers with the header field or the cookie reach it. Nobody else ever does; it ends as it began.

use super::{Settings, Strategy, leave, set_route, start, unset_route};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "dark",
    shares_upstream: false,
    keys: &["header", "cookie", "values", "every", "drain", "start_time", "progress_deadline"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks(), settings).into();
    steps.extend(set_route(versions, settings));
    steps.extend([Action::Pause(settings.every), unset_route(versions, settings)]);
    steps.extend(leave(versions.canary.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    vec![unset_route(versions, settings)]
}
