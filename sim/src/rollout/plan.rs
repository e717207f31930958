//! What is known of a rollout beside its steps.

use gateway_core::entity::SplitKey;
use gateway_core::id::UpstreamId;

use super::action::{Action, Step};
use super::judge::{Analysis, Side};

/// What is known of a rollout beside its steps. Without one, a step that fails is just a step that failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// The strategy's name; empty where there is no rollout.
    pub strategy: String,
    /// Which version each mock is of, by its number; `None` for those that have no part in it.
    pub sides: Vec<Option<Side>>,
    /// The Upstream whose weights divide requests between the versions.
    pub shared: Option<UpstreamId>,
    /// The new version's share there at the start, 0 to 1.
    pub initial_share: f64,
    /// What users are divided by, where they are.
    pub key: Option<SplitKey>,
    /// What a rolling update may do to the number of targets.
    pub limits: Option<Limits>,
    /// Who judges.
    pub analyses: Vec<Analysis>,
    /// What an abort does, in this order: everything that leads to the new version is taken away. `None` when a failed rollout
    /// just stops.
    pub way_back: Option<Vec<Action>>,
}

/// How far a rolling update may go from the number of targets at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many more may run.
    pub surge: usize,
    /// So many fewer may serve.
    pub unavailable: usize,
}

impl Rollout {
    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        !self.strategy.is_empty()
    }

    /// The cookie that users are divided by, where they are by one.
    pub fn key_cookie(&self) -> Option<&str> {
        match self.key.as_ref()? {
            SplitKey::Cookie(cookie) => Some(&cookie.name),
            SplitKey::Header(_) => None,
        }
    }

    /// The action of one of its steps: those of the way back follow `steps`.
    pub fn action<'a>(&'a self, steps: &'a [Step], step: usize) -> Option<&'a Action> {
        match step.checked_sub(steps.len()) {
            None => Some(&steps[step].action),
            Some(back) => self.way_back.as_ref()?.get(back),
        }
    }

    /// How many switches of a Service's host there may be.
    pub fn switches_max(&self, steps: &[Step]) -> usize {
        let planned = steps.iter().map(|step| &step.action).chain(self.way_back.iter().flatten());
        planned.filter(|action| matches!(action, Action::SetHost { .. })).count()
    }
}
