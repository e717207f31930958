//! feature-flag: a flag is on for a share of the users, then for all. Both versions run all along and no router's weights change:
//! the gateway stands for the flag's library here, and the new version's targets for the code behind the flag. Nothing is drained
//! or stopped, and the way back is a flag that is off.

use super::{Settings, Strategy};
use crate::rollout::{Action, Shares, Versions};

pub(super) const STRATEGY: Strategy = Strategy {
    name: "feature-flag",
    shares_upstream: false,
    keys: &["sticky", "sticky_cookie", "max_age", "primary_sticky", "salt", "percent", "every"],
    steps,
    way_back,
};

fn steps(versions: &Versions, settings: &Settings) -> Vec<Action> {
    let mut flag = Shares::new(versions);
    vec![flag.set(settings.percent), Action::Pause(settings.every), Action::Promote, flag.set(1.0)]
}

fn way_back(versions: &Versions, _: &Settings) -> Vec<Action> {
    vec![versions.all_to_stable()]
}
