//! Users who are answered by another version than before: what a session that only one of them knows, a page with the other's script or
//! a token of the other's would have met. Each answer is held against the user's last one, in the order in which they end.

use rustc_hash::FxHashMap;

use crate::plan::Plan;
use crate::rollout::judge::Side;

/// A user: of which stream, and who there.
type User = (usize, u64);

/// How often, so far.
#[derive(Clone, Debug, Default)]
pub struct Flips {
    /// Answers of the new version to somebody whom the old one had answered before.
    pub to_new: u64,
    /// The other way round.
    pub to_old: u64,
    /// Which streams say who asks.
    knows_users: Vec<bool>,
    /// Whether the new version answered each one last, and whether that has ever changed.
    last: FxHashMap<User, (bool, bool)>,
}

impl Flips {
    /// Nobody was answered yet; without a rollout nobody is watched.
    pub(super) fn new(plan: &Plan) -> Self {
        let streams = plan.load.streams.iter().map(|stream| stream.users.count() > 1);
        Self { knows_users: streams.filter(|_| plan.rollout.is_some()).collect(), ..Self::default() }
    }

    /// Whether anybody is watched in this stream.
    pub(super) fn watch(&self, stream: usize) -> bool {
        self.knows_users.get(stream) == Some(&true)
    }

    /// Somebody was answered by that side.
    pub(super) fn answered(&mut self, user: User, side: Side) {
        let is_new = side == Side::Canary;
        let (last, has_flipped) = self.last.entry(user).or_insert((is_new, false));
        if *last != is_new {
            (*last, *has_flipped) = (is_new, true);
            *(if is_new { &mut self.to_new } else { &mut self.to_old }) += 1;
        }
    }

    /// Users who were at least once; nothing where nobody is watched.
    pub fn users(&self) -> Option<u64> {
        let flipped = self.last.values().filter(|(_, has_flipped)| *has_flipped).count() as u64;
        self.knows_users.contains(&true).then_some(flipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_held_against_the_last_one_of_the_same_user() {
        let (old, fresh, new) = (Side::Stable, Side::Baseline, Side::Canary);
        let mut flips = Flips { knows_users: vec![true], ..Flips::default() };
        for (user, side) in [(1, old), (2, new), (1, fresh), (1, new), (2, new), (1, old), (1, new), (3, old)]
        {
            flips.answered((0, user), side);
        }
        assert_eq!((flips.to_new, flips.to_old, flips.users()), (2, 1, Some(1)));
        assert_eq!(Flips::default().users(), None);
    }
}
