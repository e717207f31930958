//! Targets that leave their Upstreams while they are alive, and come back: the fault `deregister`, as the calls it stands for.
//! A target leaves by losing its weight, as Kong takes one out without forgetting it, and comes back with the weight it had,
//! unless somebody has given it another meanwhile. Pure; the engines make the calls.

use std::collections::{BTreeMap, VecDeque};

use gateway_core::config::Config;
use gateway_core::time::Instant;

use super::action::TargetWeight;
use super::admin::{AdminCall, get_target, set_target};
use crate::mock::Faults;

/// A target of an Upstream is to leave or to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    at: Instant,
    upstream: String,
    target: String,
    returns: bool,
}

impl Move {
    /// The call that asks what its weight is now.
    pub fn question(&self) -> AdminCall {
        get_target(&self.upstream, &self.target)
    }
}

/// Who leaves when.
#[derive(Clone, Debug)]
pub struct Registry {
    moves: VecDeque<Move>,
    /// The weight that each had who is out, by Upstream and target.
    had: BTreeMap<(String, String), u16>,
}

impl Registry {
    /// What `faults` say of the targets called `names`, wherever `config` has them.
    pub fn new(faults: &Faults, names: &[&str], config: &Config) -> Self {
        let mut moves = VecDeque::new();
        for told in faults.registrations() {
            for (_, target) in config.targets() {
                let name = target.target.to_string();
                let upstream = config.upstream(target.upstream).map(|upstream| upstream.name.clone());
                if let Some(upstream) = upstream.filter(|_| name == names[told.mock]) {
                    moves.push_back(Move { at: told.at, upstream, target: name, returns: told.returns });
                }
            }
        }
        Self { moves, had: BTreeMap::new() }
    }

    /// When the next one is due; [`Instant::MAX`] is never.
    pub fn next_time(&self) -> Instant {
        self.moves.front().map_or(Instant::MAX, |next| next.at)
    }

    /// The next one, if it is due.
    pub fn due(&mut self, now: Instant) -> Option<Move> {
        if self.next_time() <= now { self.moves.pop_front() } else { None }
    }

    /// The call that carries out `due`, for a target whose weight is `now`; none when it is so already.
    pub fn call(&mut self, due: Move, now: u16) -> Option<AdminCall> {
        let key = (due.upstream, due.target);
        let weight = if due.returns {
            self.had.remove(&key).filter(|_| now == 0)?
        } else {
            self.had.insert(key.clone(), now);
            Some(0).filter(|_| now > 0)?
        };
        Some(set_target(&TargetWeight { upstream: key.0, target: key.1, weight }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gateway_core::entity::{Address, Target, Upstream};
    use gateway_core::weight::Weight;

    use super::*;
    use crate::mock::{Fault, FaultKind};

    fn registry() -> Registry {
        let mut config = Config::default();
        for upstream in ["blue", "both"] {
            let upstream = config.add_upstream(Upstream::new(upstream)).unwrap();
            for name in ["a:80", "b:80"] {
                let address = Address::parse(name).unwrap();
                config.add_target(Target::new(upstream, address, Weight::new(70))).unwrap();
            }
        }
        let fault = Fault {
            at: Duration::from_secs(1),
            lasts: Some(Duration::from_secs(2)),
            pattern: "b*".into(),
            mocks: vec![1],
            fraction: 1.0,
            kind: FaultKind::Deregister,
        };
        let names = ["a:80", "b:80"];
        Registry::new(&Faults::new(&[fault], &names, 1), &names, &config)
    }

    #[test]
    fn a_target_leaves_all_its_upstreams_and_comes_back_as_it_was() {
        let mut registry = registry();
        assert_eq!(registry.next_time(), Instant::from_millis(1000));
        assert!(registry.due(Instant::from_millis(999)).is_none());
        let mut weights = BTreeMap::from([("blue", 70), ("both", 30)]);
        let mut told = Vec::new();
        while let Some(due) = registry.due(Instant::MAX) {
            let now = weights.get_mut(due.upstream.as_str()).unwrap();
            told.push(registry.call(due, *now).unwrap().to_string());
            *now = 0;
        }
        let expected = [("blue", 0), ("both", 0), ("blue", 70), ("both", 30)].map(|(upstream, weight)| {
            format!("PATCH /upstreams/{upstream}/targets/b:80  {{\"weight\":{weight}}}")
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn whoever_was_given_another_weight_meanwhile_keeps_it() {
        let mut registry = registry();
        let mut due = || registry.due(Instant::MAX).unwrap();
        let [leaves, _, returns, _] = [due(), due(), due(), due()];
        assert_eq!(leaves.question().to_string(), "GET /upstreams/blue/targets/b:80");
        assert!(registry.call(leaves, 70).is_some());
        assert!(registry.call(returns, 5).is_none());
    }
}
