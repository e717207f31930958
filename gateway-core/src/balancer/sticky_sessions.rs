//! Sticky sessions: a client that comes back with a cookie gets the member the cookie names, for as long as that one is listed
//! and available; also when it drains, which is what weight zero means here. Everybody else begins a session, in turn.
//!
//! The key is the name of the member that the request asks for. Whether a cookie is to be set is `gateway`'s business.
//!
//! A weight is a share of the sessions that begin.

use rustc_hash::FxHashMap;

use super::{Ask, Balancer, Choice, Member, NoChoice, RoundRobin, Setup, Successor};

/// The sessions of one epoch.
#[derive(Debug)]
pub struct StickySessions {
    /// Those who join in the turns, in the order in which these count them; then those who drain.
    members: Box<[Member]>,
    by_name: FxHashMap<u64, usize>,
    /// Who gets the sessions that begin.
    turns: RoundRobin,
}

impl StickySessions {
    /// A first epoch. Members of weight zero are draining.
    pub fn new(setup: Setup<'_>) -> Self {
        let (members, by_name, joining) = seat(setup);
        Self { members, by_name, turns: RoundRobin::of(joining) }
    }
}

impl Balancer for StickySessions {
    fn members(&self) -> &[Member] {
        &self.members
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        match ask.key.and_then(|key| self.by_name.get(&key)) {
            Some(&member) => Ok(Choice::of(member)),
            None => self.turns.pick(ask).map(|turn| Choice::of(turn.member())),
        }
    }

    /// The session moves to somebody else, in turn; its member has just failed.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        self.turns.pick_again(ask).map(|turn| Choice::of(turn.member()))
    }

    fn has_ended(&self) -> bool {
        self.turns.has_ended()
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let (members, by_name, joining) = seat(setup);
        let turns = self.turns.prepare(joining);
        Successor::new(members.clone(), || Self { members, by_name, turns: turns() })
    }
}

/// The members, where each is by its name, and who joins in the turns.
fn seat(setup: Setup<'_>) -> (Box<[Member]>, FxHashMap<u64, usize>, Vec<Member>) {
    let Setup { members, names, .. } = setup.available();
    let named = members.into_iter().zip(names);
    let (joining, draining): (Vec<_>, Vec<_>) = named.partition(|(member, _)| member.weight > 0);
    let turns = joining.iter().map(|(member, _)| *member).collect();
    let all = joining.into_iter().chain(draining).enumerate();
    let (members, by_name): (Vec<_>, _) = all.map(|(at, (member, name))| (member, (name, at))).unzip();
    (members.into(), by_name, turns)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, dice, members, recipe, setup};
    use super::super::{Recipe, hash};
    use super::*;
    use crate::entity::Algorithm;
    use crate::id::TargetId;
    use crate::rng::Rng;

    fn sticky() -> (Recipe, Rng) {
        (recipe(Algorithm::StickySessions), dice(1))
    }

    fn name(target: u32) -> u64 {
        hash(&target.to_le_bytes())
    }

    /// Which target a request with this key gets.
    fn target(balancer: &dyn Balancer, key: Option<u64>) -> Result<u32, NoChoice> {
        let choice = balancer.pick(&mut Ask { key, ..ask(&mut dice(0)) })?;
        Ok(balancer.members()[choice.member()].target.0)
    }

    #[test]
    fn sessions_begin_by_weight_and_stay() {
        let (recipe, mut rng) = sticky();
        let balancer = StickySessions::new(setup(members(&[2, 0, 1]), &recipe, &mut rng));
        let begun: Vec<_> = (0..6).map(|_| target(&balancer, None).unwrap()).collect();
        assert_eq!([0, 1, 2].map(|t| begun.iter().filter(|&&b| b == t).count()), [4, 0, 2]);
        for t in 0..3 {
            assert_eq!(
                (0..5).filter(|_| target(&balancer, Some(name(t))) == Ok(t)).count(),
                5,
                "{t}, draining or not"
            );
        }
    }

    #[test]
    fn a_session_moves_when_its_target_is_gone_or_ill_or_has_failed_it() {
        let (recipe, mut rng) = sticky();
        let first = StickySessions::new(setup(members(&[1, 1]), &recipe, &mut rng));
        let mut dice = dice(0);
        let mut again = Ask { key: Some(name(0)), tried: &[TargetId(0)], ..ask(&mut dice) };
        assert_eq!(first.pick_again(&mut again).unwrap().member(), 1);
        let mut ill = members(&[1, 1]);
        ill[0].available = false;
        let second = first.succeed(setup(ill, &recipe, &mut rng)).begin();
        assert_eq!(target(&*second, Some(name(0))), Ok(1));
        assert_eq!(target(&*second, Some(name(7))), Ok(1), "nobody has this name");
        assert_eq!((target(&first, None), first.has_ended()), (Err(NoChoice), true));
        let nobody = second.succeed(setup(members(&[0]), &recipe, &mut rng)).begin();
        assert_eq!((target(&*nobody, None), nobody.has_ended()), (Err(NoChoice), false));
        assert_eq!(target(&*nobody, Some(name(0))), Ok(0));
    }
}
