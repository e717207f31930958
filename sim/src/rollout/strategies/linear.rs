//! linear: a canary whose share grows by the same step each time.

use super::canary::{by_shares, way_back};
use super::{Settings, Strategy};
use crate::rollout::{Action, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "linear",
    shares_upstream: true,
    keys: &[
        "step",
        "every",
        "until",
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
    let Settings { step, every, until, .. } = *settings;
    // What is missing to the end by rounding is no step of its own.
    let count = ((until / step) - 1e-9).ceil() as usize;
    let share = |number: usize| (step * (number + 1) as f64).min(until);
    let shares: Vec<_> = (0..count).map(|number| (share(number), every)).collect();
    by_shares(versions, settings, &shares)
}
