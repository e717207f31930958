//! Which targets are there, by the steps that were made so far: what the way back has to know that began in the middle of one.

use crate::rollout::Action;
use crate::rollout::judge::Side;

/// What the steps have done to each mock.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    mocks: Vec<State>,
    /// Those that the way back has started again.
    again: Vec<u32>,
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
        Self { mocks: vec![State::There; mocks], again: Vec::new() }
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

    /// The same action on the way back, which starts only targets that are not running, and waits for those alone; `None` where all
    /// are.
    pub(super) fn only_missing(&mut self, action: Action) -> Option<Action> {
        match action {
            Action::Start(mocks) => {
                let is_missing = |mock: &u32| self.mocks.get(*mock as usize) == Some(&State::Ended);
                self.again = mocks.into_iter().filter(is_missing).collect();
                (!self.again.is_empty()).then(|| Action::Start(self.again.clone()))
            }
            Action::WaitReady { mocks, at_most } => {
                let mocks: Vec<_> = mocks.into_iter().filter(|mock| self.again.contains(mock)).collect();
                (!mocks.is_empty()).then_some(Action::WaitReady { mocks, at_most })
            }
            other => Some(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_who_was_ended_is_started_and_waited_for_again() {
        let mut presence = Presence::new(3);
        let wait = |mocks| Action::WaitReady { mocks, at_most: Duration::ZERO };
        let again = |presence: &mut Presence| {
            [Action::Start(vec![0, 1]), wait(vec![0, 1])].map(|action| presence.only_missing(action))
        };
        assert_eq!(again(&mut presence), [None, None]);
        presence.follow(&Action::Stop(vec![1, 2]));
        assert_eq!(again(&mut presence), [Some(Action::Start(vec![1])), Some(wait(vec![1]))]);
        assert_eq!(presence.only_missing(Action::Promote), Some(Action::Promote));
    }
}
