//! Whether who has moved to the new version because of a key stays there, by the key that each request carries: its user's own, by
//! the load; one that the gateway has given it, by what the client says it sent and was given. A user whose key is over, or who asked
//! twice before it had one, is somebody new with the next.

use gateway_core::entity::SplitKey;
use gateway_core::id::Revision;
use gateway_core::time::Instant;
use rustc_hash::FxHashMap;

use super::Pick;
use super::carried::Carried;
use super::recorder::RunFacts;
use crate::load::Key;
use crate::plan::Plan;
use crate::rollout::Field;
use crate::rollout::judge::Side;

/// Requests under way of which it is noted who sent them where; beyond that those so far are forgotten, and not held to anything.
const UNDER_WAY_MAX: usize = 65_536;

/// The checker.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// What requests carry of the key, where users are divided by one.
    own: Option<Carried>,
    /// Whether the gateway gives keys to users that keep them.
    are_given: bool,
    /// Keys of those who were sent to the new version: by which node, under which revision at first.
    moved: FxHashMap<Key, (u16, Revision)>,
    /// Requests without a key of their own, by their numbers.
    under_way: FxHashMap<u64, UnderWay>,
}

/// What is known of a request under way.
#[derive(Clone, Copy, Debug, Default)]
struct UnderWay {
    /// First tries: one for each time the client sends it.
    tries: u32,
    sent: Option<Sent>,
    carried: Option<Key>,
    given: Option<Key>,
}

/// Where a first try was sent.
#[derive(Clone, Copy, Debug)]
struct Sent {
    side: Side,
    node: u16,
    routed: Revision,
    at: Instant,
}

impl Keys {
    pub(super) fn new(plan: &Plan) -> Self {
        let Some(key) = &plan.rollout.key else { return Self::default() };
        let keeps = plan.load.streams.iter().any(|stream| stream.users.cookies);
        Self {
            own: Some(Carried::new(plan, &Field::from(key))),
            are_given: keeps && matches!(key, SplitKey::Cookie(_)),
            ..Self::default()
        }
    }

    /// A first try was picked. When it is that of somebody who had moved and is sent back, that moment.
    pub(super) fn picked(&mut self, pick: &Pick, side: Option<Side>, facts: &RunFacts) -> Option<Instant> {
        let own = self.own.as_mut().filter(|_| pick.request < facts.count)?;
        let sent = side.map(|side| Sent { side, node: pick.node, routed: pick.routed, at: pick.at });
        if let Some(key) = own.first(pick.request, facts) {
            let key = Key::of(key.as_bytes());
            return self.sends_back(key, sent?);
        }
        if self.are_given {
            let request = self.under_way(pick.request);
            request.tries += 1;
            request.sent = sent;
        }
        None
    }

    /// The client sent a request with a key that it was given before, or was given one with the answer.
    pub(super) fn keyed(&mut self, request: u64, key: Key, is_given: bool) {
        if self.are_given {
            let request = self.under_way(request);
            *(if is_given { &mut request.given } else { &mut request.carried }) = Some(key);
        }
    }

    /// A request came to its end. When somebody who had moved was sent back with it, the moment of its pick.
    pub(super) fn ended(&mut self, request: u64) -> Option<Instant> {
        let UnderWay { tries, sent, carried, given } = self.under_way.remove(&request)?;
        // Of several nobody knows which one was answered.
        let sent = sent.filter(|_| tries == 1)?;
        if let (Some(given), Side::Canary) = (given, sent.side) {
            self.moved.entry(given).or_insert((sent.node, sent.routed));
        }
        self.sends_back(carried?, sent)
    }

    fn under_way(&mut self, request: u64) -> &mut UnderWay {
        if self.under_way.len() >= UNDER_WAY_MAX && !self.under_way.contains_key(&request) {
            self.under_way.clear();
        }
        self.under_way.entry(request).or_default()
    }

    /// Notes who moves; the moment when somebody who had moved is sent back.
    fn sends_back(&mut self, key: Key, sent: Sent) -> Option<Instant> {
        let has_moved = self.moved.get(&key).copied();
        match (sent.side, has_moved) {
            (Side::Canary, None) => {
                self.moved.insert(key, (sent.node, sent.routed));
                None
            }
            // Each node learns of steps for itself.
            (Side::Stable, Some((node, since))) if node == sent.node && sent.routed >= since => Some(sent.at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_core::entity::SplitCookie;

    use super::*;
    use crate::load::Users;
    use crate::measure::rehearsal::{self, how_to};

    const COOKIE: SplitCookie =
        SplitCookie { name: String::new(), max_age: SplitCookie::MAX_AGE, primary_sticky: true };

    /// The how-to with users divided by a key, a header field of their own or a cookie that is given.
    fn keys(key: SplitKey) -> (Keys, RunFacts) {
        let mut plan = how_to(1000.0, 10, &[]);
        plan.rollout.key = Some(key);
        plan.load.streams[0].users = Users::new(10, None);
        plan.load.streams[0].users.header = Some("x-user".into());
        plan.load.streams[0].users.cookies = true;
        (Keys::new(&plan), RunFacts::new(&plan))
    }

    fn pick(request: u64, (node, routed): (u16, u64)) -> Pick {
        Pick { node, routed: Revision(routed), ..rehearsal::pick(request) }
    }

    #[test]
    fn a_user_with_a_key_of_its_own_that_comes_back_is_seen_at_the_pick() {
        // Aim: by node and revision, not by time. Method: one user's requests here, there and back.
        let (mut keys, facts) = keys(SplitKey::Header("x-user".into()));
        let of_one: Vec<u64> = (0..1000).filter(|request| facts.numbering.user(*request) == 7).collect();
        let mut sent = |nth: usize, side, by| keys.picked(&pick(of_one[nth], by), Some(side), &facts);
        assert_eq!(sent(0, Side::Stable, (0, 3)), None);
        assert_eq!(sent(1, Side::Canary, (0, 3)), None);
        assert_eq!(sent(2, Side::Stable, (0, 2)), None, "picked before the step was in force, told later");
        assert_eq!(sent(3, Side::Stable, (1, 4)), None, "another node may not have learnt of it");
        assert_eq!(sent(4, Side::Canary, (0, 4)), None);
        assert_eq!(sent(5, Side::Stable, (0, 4)), Some(Instant::from_millis(of_one[5])));
        assert_eq!(keys.ended(of_one[5]), None, "it was seen already");
    }

    /// One request: the key it carries, the one it is given, and where it goes, once for each time it is sent.
    fn asked(
        (keys, facts): (&mut Keys, &RunFacts),
        request: u64,
        (carried, given): (Option<&str>, Option<&str>),
        sides: &[Side],
    ) -> bool {
        for side in sides {
            if let Some(key) = carried {
                keys.keyed(request, Key::of(key.as_bytes()), false);
            }
            assert_eq!(keys.picked(&pick(request, (0, 1)), Some(*side), facts), None);
        }
        if let Some(key) = given {
            keys.keyed(request, Key::of(key.as_bytes()), true);
        }
        keys.ended(request).is_some()
    }

    #[test]
    fn a_key_that_was_given_holds_for_as_long_as_requests_carry_it() {
        // Aim: who moved with a key stays while it has it, and only then. Method: a key given by the new version, carried back; and
        // what is no move: another key, two keys at once, and a request that was sent twice.
        let (mut keys, facts) = keys(SplitKey::Cookie(SplitCookie { name: "group".into(), ..COOKIE }));
        let mut ask = |request, key, sides: &[Side]| asked((&mut keys, &facts), request, key, sides);
        assert!(!ask(1, (None, Some("a")), &[Side::Canary]));
        assert!(!ask(2, (Some("a"), None), &[Side::Canary]));
        assert!(ask(3, (Some("a"), None), &[Side::Stable]), "it had moved with the answer that gave it");
        assert!(!ask(4, (None, Some("b")), &[Side::Stable]), "the first key is over");
        assert!(!ask(5, (Some("b"), None), &[Side::Stable]));
        assert!(!ask(6, (Some("b"), None), &[Side::Canary]), "the share has grown");
        assert!(ask(7, (Some("b"), None), &[Side::Stable]));
        assert!(!ask(8, (None, Some("c")), &[Side::Canary, Side::Stable]), "who gave it, nobody knows");
        assert!(!ask(9, (Some("c"), None), &[Side::Stable]));
    }
}
