//! Which targets are there, by the steps that were made so far: what the way back has to know that began in the middle of one.

use crate::rollout::Action;
use crate::rollout::judge::Side;

/// What the steps have done to each mock.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    mocks: Vec<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    There,
    /// Taken out of rotation.
    Out,
    /// Its process was ended.
    Ended,
}

impl Presence {
    /// Nothing was done yet to so many mocks.
    pub(super) fn new(mocks: usize) -> Self {
        Self { mocks: vec![State::There; mocks] }
    }

    /// An action begins.
    pub(super) fn follow(&mut self, action: &Action) {
        let (mocks, state) = match action {
            Action::Drain { mocks, .. } => (mocks, State::Out),
            Action::Stop(mocks) => (mocks, State::Ended),
            Action::Start(mocks) => (mocks, State::There),
            _ => return,
        };
        for &mock in mocks {
            if let Some(of_mock) = self.mocks.get_mut(mock as usize) {
                *of_mock = state;
            }
        }
    }

    /// Whether this takes out targets while nobody of the old version is there.
    pub(super) fn leaves_nobody(&self, action: &Action, sides: &[Option<Side>]) -> bool {
        let mut old = sides.iter().zip(&self.mocks).filter(|(side, _)| **side == Some(Side::Stable));
        matches!(action, Action::Drain { .. } | Action::Stop(_))
            && old.all(|(_, state)| *state != State::There)
    }

    /// The same action, which starts only targets that are not running.
    pub(super) fn only_missing(&self, action: Action) -> Action {
        let is_missing = |mock: &u32| self.mocks.get(*mock as usize) == Some(&State::Ended);
        match action {
            Action::Start(mocks) => Action::Start(mocks.into_iter().filter(is_missing).collect()),
            other => other,
        }
    }
}
