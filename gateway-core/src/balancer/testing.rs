//! What the tests of all algorithms need: members, and a question with nothing special about it.

use std::sync::Arc;

use super::{Ask, Load, Member, Recipe, Setup, hash};
use crate::entity::{Algorithm, Upstream};
use crate::id::TargetId;
use crate::rng::{self, Rng};
use crate::rules::Rules;
use crate::time::Instant;

/// Members 0, 1, 2, ... with these weights, all available.
pub(super) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(i, &weight)| Member { target: TargetId(i as u32), weight, available: true };
    weights.iter().enumerate().map(member).collect()
}

/// A recipe for `algorithm` with everything else as it is by default.
pub(super) fn recipe(algorithm: Algorithm) -> Recipe {
    Recipe::new(&Upstream { algorithm, ..Upstream::new("u") }, Rules::Careful)
}

/// A setup of `members` that nobody has a load at yet, each called by its number.
pub(super) fn setup<'a>(members: Vec<Member>, recipe: &'a Recipe, rng: &'a mut Rng) -> Setup<'a> {
    let loads = members.iter().map(|_| Arc::new(Load::default())).collect();
    let names = members.iter().map(|member| hash(&member.target.0.to_le_bytes())).collect();
    Setup { members, loads, names, all: Arc::default(), recipe, rng }
}

/// A generator.
pub(super) fn dice(seed: u64) -> Rng {
    rng::stream(seed, "test", 0)
}

/// A first try at time zero, known by nothing.
pub(super) fn ask(rng: &mut Rng) -> Ask<'_> {
    Ask { now: Instant::ZERO, rng, key: None, tried: &[] }
}
