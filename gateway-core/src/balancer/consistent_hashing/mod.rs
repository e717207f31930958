//! Consistent hashing: requests with the same key go to the same member, and a change of the members moves few of them. The
//! key is looked up in a [`Ring`] or a [`Maglev`] table, made when an epoch begins of those who are available. Where loads are
//! bounded, a member that is full passes the key on to whoever stands next.
//!
//! A weight is a share of the keys.
//!
//! A request without a key gets an exact turn of its own. Kong hashes the empty string instead, so that all such requests
//! crowd at one member; under [`Rules::Kong`] so do ours.

mod bound;
mod maglev;
mod owners;
mod ring;

use std::sync::Arc;

use self::bound::Bound;
use self::maglev::Maglev;
use self::ring::Ring;
use super::crew::Crew;
use super::hash::hash;
use super::{Ask, Balancer, Choice, Member, NoChoice, RoundRobin, Setup, Successor};
use crate::entity::HashTable;
use crate::id::TargetId;
use crate::rules::Rules;

/// The table of one epoch.
#[derive(Debug)]
pub struct ConsistentHashing {
    crew: Crew,
    /// `None` when there is nobody.
    table: Option<Table>,
    bound: Option<Bound>,
    /// Whose turn it is when there is no key; `None` under Kong's rules.
    turns: Option<RoundRobin>,
}

/// What keys are looked up in: places in a circle, each with a member.
#[derive(Debug)]
enum Table {
    Ring(Ring),
    Maglev(Maglev),
}

/// One of an Upstream's targets as a table sees it.
#[derive(Clone, Copy, Debug)]
struct Share {
    name: u64,
    weight: u32,
    /// Whether it may be picked. Who may not still counts for how large the shares of others are on a ring: it will be back.
    is_in: bool,
}

impl ConsistentHashing {
    /// A first epoch.
    pub fn new(setup: Setup<'_>) -> Self {
        let has_turns = setup.recipe.rules == Rules::Careful;
        let tables = Self::without_turns(setup);
        Self { turns: has_turns.then(|| RoundRobin::of(tables.members().to_vec())), ..tables }
    }

    fn without_turns(setup: Setup<'_>) -> Self {
        let (recipe, all) = (setup.recipe, Arc::clone(&setup.all));
        let share =
            |(member, &name): (&Member, &u64)| Share { name, weight: member.weight, is_in: member.available };
        let shares: Vec<_> = setup.members.iter().zip(&setup.names).map(share).collect();
        let crew = Crew::new(setup);
        let table = (crew.len() > 0).then(|| match recipe.tuning.hash_table {
            HashTable::Ring => Table::Ring(Ring::new(&shares)),
            HashTable::Maglev => Table::Maglev(Maglev::new(&shares)),
        });
        Self {
            table,
            bound: Bound::new(recipe.tuning.hash_balance_factor, crew.members(), all),
            turns: None,
            crew,
        }
    }

    /// The member that a key belongs to: the first from its place on that was not `tried` and is not full; when all that were not
    /// tried are full, the first of them; else the first.
    fn find(&self, key: u64, tried: &[TargetId]) -> Result<Choice, NoChoice> {
        let table = self.table.as_ref().ok_or(NoChoice)?;
        let is_untried =
            |&member: &usize| tried.is_empty() || !tried.contains(&self.crew.members()[member].target);
        let lap = || table.lap(key).filter(is_untried);
        let found = lap().find(|&member| self.admits(member)).or_else(|| lap().next());
        found.or_else(|| table.lap(key).next()).map(Choice::of).ok_or(NoChoice)
    }

    fn admits(&self, member: usize) -> bool {
        let admits = |bound: &Bound| bound.admits(self.crew.seat(member));
        self.bound.as_ref().is_none_or(admits)
    }

    /// For a request without a key, or one whose first member is full.
    #[inline(never)]
    fn pick_otherwise(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        match (&self.turns, ask.key) {
            (_, Some(key)) => self.find(key, &[]),
            (Some(turns), None) => self.without_key(turns.pick(ask)?),
            (None, None) => self.find(hash(b""), &[]),
        }
    }

    /// Whoever `turn` chose for a request without a key; when that one is full, whoever a key made of its turn belongs to.
    fn without_key(&self, turn: Choice) -> Result<Choice, NoChoice> {
        if self.admits(turn.member()) {
            return Ok(Choice::of(turn.member()));
        }
        self.find(hash(&turn.ticket.to_le_bytes()), &[])
    }
}

impl Balancer for ConsistentHashing {
    fn members(&self) -> &[Member] {
        self.crew.members()
    }

    fn pick(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        // What nearly always comes, and nothing else, in line.
        if let (Some(table), Some(key)) = (&self.table, ask.key) {
            let first = table.look_up(key);
            if self.admits(first) {
                return Ok(Choice::of(first));
            }
        }
        self.pick_otherwise(ask)
    }

    /// Passes over who was tried. Kong's does not: the same key leads to the same place again.
    fn pick_again(&self, ask: &mut Ask<'_>) -> Result<Choice, NoChoice> {
        match (&self.turns, ask.key) {
            (Some(_), Some(key)) => self.find(key, ask.tried),
            (Some(turns), None) => turns.pick_again(ask).map(|turn| Choice::of(turn.member())),
            (None, _) => self.pick(ask),
        }
    }

    fn has_ended(&self) -> bool {
        self.turns.as_ref().is_some_and(Balancer::has_ended)
    }

    fn succeed(&self, setup: Setup<'_>) -> Successor<'_> {
        let Some(turns) = &self.turns else { return Successor::ready(Self::new(setup)) };
        let tables = Self::without_turns(setup);
        let turns = turns.prepare(tables.members().to_vec());
        Successor::new(tables.members().into(), || Self { turns: Some(turns()), ..tables })
    }
}

impl Table {
    /// Whom a key belongs to.
    #[inline]
    fn look_up(&self, key: u64) -> usize {
        let member = match self {
            Self::Ring(ring) => ring.look_up(key),
            Self::Maglev(maglev) => maglev.look_up(key),
        };
        member as usize
    }

    /// Everybody from there on, once around; some more than once.
    fn lap(&self, key: u64) -> impl Iterator<Item = usize> {
        let (ring, maglev) = match self {
            Self::Ring(ring) => (Some(ring.lap(key)), None),
            Self::Maglev(maglev) => (None, Some(maglev.lap(key))),
        };
        ring.into_iter().flatten().chain(maglev.into_iter().flatten()).map(|member| member as usize)
    }
}

#[cfg(test)]
mod tests;
