//! What each revision of the configuration allows, and whether first tries and copies went by it: where a pick was sent, which users
//! are divided how, who is led where by what its request carries, and how many requests were copied. Goes by the configurations the gateway says it put in force and by what each
//! pick says it was made under, never by time; knows nothing of how steps come about.

mod led;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use gateway_core::config::Config;
use gateway_core::entity::{Percent, Split, SplitKey};
use gateway_core::id::{Revision, TargetId, UpstreamId};
use gateway_core::time::Instant;

use self::led::Told;
use self::rules::{Divided, Rules};
use super::breach::{Breaches, Promise};
use super::carried::Carried;
use super::recorder::RunFacts;
use super::{Copied, Pick};
use crate::plan::{Engine, Plan};
use crate::rollout::Field;
use crate::words;

/// Picks that may wait to hear of their revision; those beyond are held against the one before it.
const WAITING_MAX: usize = 65_536;

/// The checker.
#[derive(Clone, Debug, Default)]
pub(super) struct Revisions {
    /// What divides users, where something does, and what requests carry of it.
    key: Option<(SplitKey, Carried)>,
    /// The header Routes that steps set.
    told: Vec<Told>,
    /// In order.
    known: Vec<(Revision, Rules)>,
    /// What each node has in force.
    nodes: Vec<Option<Arc<Config>>>,
    /// Which of `known` the last pick went by.
    last: usize,
    /// Picks, and whether they are of copies, whose revision nobody has told of yet.
    waiting: Vec<(Pick, bool)>,
    /// Periods of an unchanged mirror, each at each node.
    mirrored: Vec<Vec<Mirrored>>,
    /// Copies that were due and not sent.
    unsent: u64,
    /// Requests that may be counted on the wrong side of a change: those that a worker decides about while it is made.
    slack: u64,
}

/// What one node copied in a period of an unchanged mirror.
#[derive(Clone, Debug)]
struct Mirrored {
    percent: Percent,
    /// Where copies go.
    host: String,
    /// Requests that could be copied.
    eligible: u64,
    copies: u64,
    /// The first of those, and when it was picked.
    first: Option<(u64, Instant)>,
}

impl Revisions {
    /// Nothing but the configuration at the start is known.
    pub(super) fn new(plan: &Plan) -> Self {
        if !plan.rollout.is_some() {
            return Self::default();
        }
        let nodes = usize::from(plan.gateway.nodes);
        let config = Arc::new(plan.gateway.config.clone());
        let slack = match plan.engine {
            Engine::Model => 0,
            Engine::Live => 2 * plan.gateway.options.workers as u64,
        };
        let key = plan.rollout.key.clone().map(|key| {
            let carried = Carried::new(plan, &Field::from(&key));
            (key, carried)
        });
        let told = Told::all(plan);
        let mut revisions = Self { key, told, nodes: vec![None; nodes], slack, ..Self::default() };
        for node in 0..plan.gateway.nodes {
            revisions.learn(node, Revision(0), &config);
        }
        revisions
    }

    /// Whether anything is checked.
    fn is_on(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// A node has put a configuration in force.
    pub(super) fn configured(
        &mut self,
        (node, revision, config): (u16, Revision, &Arc<Config>),
        facts: &RunFacts,
        breaches: &mut Breaches,
    ) {
        self.learn(node, revision, config);
        if !self.waiting.is_empty() {
            for (pick, is_copy) in std::mem::take(&mut self.waiting) {
                self.take(&pick, is_copy, facts, breaches);
            }
        }
    }

    fn learn(&mut self, node: u16, revision: Revision, config: &Arc<Config>) {
        let Some(of_node) = self.nodes.get_mut(usize::from(node)) else { return };
        let before = of_node.replace(Arc::clone(config));
        if before.is_some_and(|before| before.differs_in_targets_only(config)) {
            // No routing is made by it.
            return;
        }
        let Err(place) = self.known.binary_search_by_key(&revision, |(known, _)| *known) else { return };
        let before = place.checked_sub(1).map(|before| &self.known[before].1);
        let key = self.key.as_ref().map(|(key, _)| key);
        let rules = Rules::new(config, (key, &self.told), before);
        for mirror in &rules.mirrors {
            if self.mirrored.len() <= mirror.period {
                let (percent, host) = (mirror.percent, mirror.host().to_owned());
                let of_node = Mirrored { percent, host, eligible: 0, copies: 0, first: None };
                self.mirrored.resize_with(mirror.period + 1, || vec![of_node.clone(); self.nodes.len()]);
            }
        }
        self.known.insert(place, (revision, rules));
    }

    /// The configuration that the node which takes changes has in force.
    pub(super) fn in_force(&self) -> Option<&Arc<Config>> {
        self.nodes.first()?.as_ref()
    }

    /// Whether some node may still pick one of these targets, by the configuration it has in force.
    pub(super) fn may_pick(&self, targets: &[TargetId]) -> bool {
        self.nodes.iter().flatten().any(|config| {
            let rules = Rules::new(config, (None, &[]), None);
            targets.iter().any(|target| {
                let target = config.target(*target);
                target.is_some_and(|it| it.weight.get() > 0 && rules.lead_to(Some(it.upstream)))
            })
        })
    }

    /// A first try was picked.
    pub(super) fn picked(&mut self, pick: &Pick, facts: &RunFacts, breaches: &mut Breaches) {
        if self.is_on() {
            self.take(pick, false, facts, breaches);
        }
    }

    /// Something happened to a copy.
    pub(super) fn copied(&mut self, copied: &Copied, facts: &RunFacts, breaches: &mut Breaches) {
        match copied {
            Copied::Sent(pick) if self.is_on() => self.take(pick, true, facts, breaches),
            Copied::Overflow | Copied::NoTarget => self.unsent += 1,
            _ => {}
        }
    }

    /// Whoever still waits is held against the newest revision before its own, and copies are counted up.
    pub(super) fn finish(&mut self, facts: &RunFacts, breaches: &mut Breaches) {
        self.give_up_waiting(facts, breaches);
        for mirrored in self.mirrored.iter().flatten() {
            let Some((first, at)) = mirrored.first else { continue };
            if !mirrored.is_exact(self.unsent, self.slack) {
                let breach = breaches.count(Promise::CopiesAreExact, at);
                breach.name(first);
                breach.what.get_or_insert_with(|| mirrored.in_words());
            }
        }
    }

    fn give_up_waiting(&mut self, facts: &RunFacts, breaches: &mut Breaches) {
        for (pick, is_copy) in std::mem::take(&mut self.waiting) {
            let place = self.known.partition_point(|(known, _)| *known <= pick.routed).saturating_sub(1);
            self.check(place, &pick, is_copy, facts, breaches);
        }
    }

    fn take(&mut self, pick: &Pick, is_copy: bool, facts: &RunFacts, breaches: &mut Breaches) {
        let is_it = |place: usize| self.known.get(place).is_some_and(|(known, _)| *known == pick.routed);
        let place = if is_it(self.last) {
            Some(self.last)
        } else {
            self.known.binary_search_by_key(&pick.routed, |(known, _)| *known).ok()
        };
        let Some(place) = place else {
            self.waiting.push((*pick, is_copy));
            if self.waiting.len() > WAITING_MAX {
                self.give_up_waiting(facts, breaches);
            }
            return;
        };
        self.last = place;
        self.check(place, pick, is_copy, facts, breaches);
    }

    fn check(&mut self, place: usize, pick: &Pick, is_copy: bool, facts: &RunFacts, breaches: &mut Breaches) {
        let rules = &self.known[place].1;
        for mirror in rules.mirrors.iter().filter(|mirror| mirror.concerns(pick.upstream, is_copy)) {
            let Some(of_node) = self.mirrored[mirror.period].get_mut(usize::from(pick.node)) else {
                continue;
            };
            if is_copy {
                of_node.copies += 1;
            } else if facts.template_of(pick.request).is_some_and(|request| mirror.may_copy(request)) {
                of_node.eligible += 1;
            } else {
                continue;
            }
            of_node.first.get_or_insert((pick.request, pick.at));
        }
        if is_copy {
            return;
        }
        let sent = (pick.request, facts.mocks.get(pick.target));
        if !rules.lead_to(pick.upstream) {
            breaches.name(Promise::RevisionIsKept, sent, pick.at);
        }
        if pick.request >= facts.count {
            return;
        }
        if let Some(Divided { split, from, to }) = &rules.divided
            && is_either(pick.upstream, (*from, *to))
            && let Some((_, carried)) = &mut self.key
            && takes(split, carried.first(pick.request, facts))
                .is_some_and(|goes| goes != (pick.upstream == *to))
        {
            breaches.name(Promise::KeysGoByShare, sent, pick.at);
        }
        if !led::is_right((&rules.led, &mut self.told), pick.upstream, pick.request, facts) {
            breaches.name(Promise::CarriersAreLed, sent, pick.at);
        }
    }
}

impl Mirrored {
    /// `412 copies to v2 of 1,000 requests, of which 40 % were asked`
    fn in_words(&self) -> String {
        let Self { percent, host, eligible, copies, .. } = self;
        let asked = words::percent(f64::from(percent.hundredths()) / f64::from(Percent::WHOLE), 2);
        let (copies, eligible) = (words::count(*copies), words::count(*eligible));
        format!("{copies} copies to {host} of {eligible} requests, of which {asked} were asked")
    }

    /// Whether there are as many as the share of those that could be, rounded down or up, but for `unsent` that were due; and but for
    /// `slack` on either side.
    fn is_exact(&self, unsent: u64, slack: u64) -> bool {
        let due = u128::from(self.eligible) * u128::from(self.percent.hundredths());
        let (down, up) = (due / u128::from(Percent::WHOLE), due.div_ceil(u128::from(Percent::WHOLE)));
        let (copies, slack) = (u128::from(self.copies), u128::from(slack));
        copies + u128::from(unsent) + slack >= down && copies <= up + slack
    }
}

fn is_either(upstream: Option<UpstreamId>, (one, other): (Option<UpstreamId>, Option<UpstreamId>)) -> bool {
    upstream == one || upstream == other
}

/// Whether a split takes a request that carries this key. What keys the gateway gives to those without one is not known here, nor
/// what it makes of cookies that are more than a word.
fn takes(split: &Split, key: Option<&str>) -> Option<bool> {
    let is_word = |key: &str| {
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match (key, &split.key) {
        (None, SplitKey::Header(_)) => Some(false),
        (Some(key), SplitKey::Cookie(_)) if !is_word(key) => None,
        (Some(key), _) => Some(split.takes(key.as_bytes())),
        (None, SplitKey::Cookie(_)) => None,
    }
}
