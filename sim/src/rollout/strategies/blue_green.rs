//! blue-green: start the new version beside the old one, point the Service at it in one step, watch it, and keep the old one a
//! while for the way back. Testers have it first where something tells them apart, a smaller set of targets is enough until then,
//! and whoever promotes may take time for it; all targets are there before the switch.

use super::{
    Question, Settings, Strategy, back_to_stable, leave, point_at, set_route, start, unset_route, weight_each,
};
use crate::rollout::{Action, Member, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "blue-green",
    shares_upstream: false,
    keys: &[
        "every",
        "scale_down_delay",
        "drain",
        "header",
        "cookie",
        "values",
        "preview",
        "preview_replicas",
        "auto_promote",
        "promote_after",
        "pre_analysis",
        "post_analysis",
        "start_time",
        "progress_deadline",
    ],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let (first, rest) = before_the_switch(versions, settings);
    let mocks = |members: &[Member]| members.iter().map(|member| member.mock).collect::<Vec<_>>();
    // Whoever does not run yet gets nothing, wherever its Upstream is asked.
    let mut steps = weight_each(versions, rest, |_| 0);
    steps.extend(start(mocks(first), settings));
    let preview = set_route(versions, settings);
    let has_preview = preview.is_some();
    steps.extend(preview.into_iter().flat_map(|route| [route, Action::Pause(settings.preview)]));
    steps.extend(settings.pre_analysis.map(Question::ask));
    if !settings.promote_after.is_zero() {
        steps.push(Action::Pause(settings.promote_after));
    }
    if !rest.is_empty() {
        steps.extend(start(mocks(rest), settings));
        steps.extend(weight_each(versions, rest, |member| member.initial));
    }
    steps.push(point_at(versions, &versions.canary));
    steps.push(settings.post_analysis.map_or(Action::Pause(settings.every), Question::ask));
    steps.push(Action::Promote);
    steps.extend(has_preview.then(|| unset_route(versions, settings)));
    steps.push(Action::Pause(settings.scale_down_delay));
    steps.extend(leave(versions.stable.mocks(), settings));
    steps
}

fn way_back(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let preview = settings.told.is_some().then(|| unset_route(versions, settings));
    let mut steps: Vec<_> = preview.into_iter().chain(back_to_stable(versions, settings)).collect();
    // Nobody is sent there any more; what is left is as it was.
    steps.extend(weight_each(versions, before_the_switch(versions, settings).1, |member| member.initial));
    steps
}

/// The new version's targets that run before the switch, and the others.
fn before_the_switch<'a>(versions: &'a Versions, settings: &Settings) -> (&'a [Member], &'a [Member]) {
    let all = &versions.canary.members;
    all.split_at(settings.preview_targets.unwrap_or(all.len()).min(all.len()))
}
