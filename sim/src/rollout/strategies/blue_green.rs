//! blue-green: start the new version beside the old one, point the Service at it in one step, watch it, and keep the old one a
//! while for the way back. Where a header says who may, testers have the new version first.

use super::{Settings, Strategy, leave, point_at, set_route, start, unset_route};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "blue-green",
    shares_upstream: false,
    keys: &["every", "scale_down_delay", "drain", "header", "values", "preview"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut steps: Vec<_> = start(versions.canary.mocks()).into();
    let preview = set_route(versions, settings);
    let has_preview = preview.is_some();
    steps.extend(preview.into_iter().flat_map(|route| [route, Action::Pause(settings.preview)]));
    steps.extend([point_at(versions, &versions.canary), Action::Pause(settings.every), Action::Promote]);
    steps.extend(has_preview.then(|| unset_route(versions)));
    steps.push(Action::Pause(settings.scale_down_delay));
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let preview = settings.header.is_some().then(|| unset_route(versions));
    preview.into_iter().chain([point_at(versions, &versions.stable)]).collect()
}
