//! Which Route a request belongs to: built once for each configuration, asked for each request. Hosts, paths, methods, headers
//! and the order among several matches are Kong's. Leaves to others: the normal form of paths (`entity`), TLS, and what is
//! done with the answer.
//!
//! A Route competes once for each of its paths, and apart for hosts with and without a port. These rows are ranked when the
//! table is built. A request's host leads to a few tables of literal prefixes, its path to a few rows in each; those are asked
//! in the order of their rank. Regexes that begin alike are told apart by a literal further in.

mod hosts;
mod inner;
mod literals;
mod path;
mod prefixes;
mod priority;
mod row;

#[cfg(test)]
mod examples;
#[cfg(test)]
mod oracle;

pub use path::{write_escaped, write_target_path};

use std::cmp::Reverse;

use self::hosts::{Collected, HostEntry, Hosts};
use self::literals::Literals;
use self::prefixes::Prefixes;
use self::priority::priority;
use self::row::Row;
use crate::config::Config;
use crate::entity::{PathHandling, Protocol, Route};
use crate::id::{RouteId, ServiceId};
use crate::request::Head;

/// The port of a plain request whose `Host` names none.
const PORT_OF_HTTP: u16 = 80;

/// All Routes of a configuration.
#[derive(Debug, Default)]
pub struct Router {
    /// Best first.
    rows: Box<[Row]>,
    hosts: Hosts,
}

/// One Route with one of its paths, in the [`Router`] that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowId(u32);

/// The Route that a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The Route with the path that matched.
    pub row: RowId,
    /// The Route.
    pub route: RouteId,
    /// Its Service; a Route may have none.
    pub service: Option<ServiceId>,
    /// Bytes at the start of the normal path that the Route cuts off.
    pub stripped: usize,
    /// Whether the client's `Host` is sent on.
    pub preserve_host: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
    /// A Route that is not for plain requests: the status that tells the client so.
    pub needs_https: Option<u16>,
}

/// A row before it has its rank, with all that the rank depends on.
struct Draft<'a> {
    priority: u64,
    id: RouteId,
    route: &'a Route,
    path: Option<&'a str>,
    hosts: Vec<HostEntry>,
}

impl Router {
    /// The table of `config`. Routes of a Service that is switched off are left out, and those that no HTTP request is for.
    pub fn new(config: &Config) -> Self {
        let mut drafts: Vec<Draft<'_>> = config
            .routes()
            .filter(|(_, route)| is_served(config, route))
            .flat_map(|(id, route)| drafts_of(id, route))
            .collect();
        // Stable: paths of one Route that are equal in all this keep their order.
        drafts.sort_by_key(|draft| {
            (Reverse(draft.priority), draft.route.created_at, draft.route.name.as_deref(), draft.id)
        });
        let mut collected = Collected::default();
        for (rank, draft) in (0..).zip(&drafts) {
            let literals = Literals::of(draft.path);
            draft.hosts.iter().for_each(|entry| collected.add(rank, entry, &literals));
        }
        let rows = drafts.into_iter().map(|draft| Row::new(draft.id, draft.route, draft.path)).collect();
        Self { rows, hosts: collected.index() }
    }

    /// The best Route that matches in every kind it sets. Allocates nothing.
    pub fn find(&self, head: &Head<'_>) -> Option<Found> {
        let best = self.hosts.of(head.host).fold(None, |best, prefixes| self.better(prefixes, head, best));
        best.map(|(rank, stripped)| self.rows[rank as usize].found(RowId(rank), stripped))
    }

    /// What the group `name` (its name or its number) of the row's regex matched in the normal path. `None` when the row's path
    /// is no regex or the group took no part. Worked out anew each time; a row means something only to the router that found it.
    pub fn capture<'a>(&self, row: RowId, path: &'a str, name: &str) -> Option<&'a str> {
        self.rows.get(row.0 as usize)?.capture(path, name)
    }

    /// The best row of `prefixes` that matches, if it is better than `best`: its rank, and what it cuts off.
    fn better(
        &self,
        prefixes: &Prefixes,
        head: &Head<'_>,
        mut best: Option<(u32, usize)>,
    ) -> Option<(u32, usize)> {
        let beats = |rank: u32, best: Option<(u32, usize)>| best.is_none_or(|(best, _)| rank < best);
        if !beats(prefixes.best(), best) {
            return best;
        }
        let port = head.port.unwrap_or(PORT_OF_HTTP);
        for candidates in prefixes.of(head.path.as_bytes()) {
            let found = candidates
                .iter()
                .take_while(|candidate| beats(candidate.rank, best))
                .filter(|candidate| candidate.port.is_none_or(|only| only == port))
                .find_map(|candidate| {
                    let stripped = self.rows[candidate.rank as usize].matches(head)?;
                    Some((candidate.rank, stripped))
                });
            best = found.or(best);
        }
        best
    }
}

fn is_served(config: &Config, route: &Route) -> bool {
    let enabled = route.service.and_then(|id| config.service(id)).is_none_or(|service| service.enabled);
    enabled && route.protocols.iter().any(|protocol| matches!(protocol, Protocol::Http | Protocol::Https))
}

/// One for each path, and for each of the two groups of hosts that there are: with and without a port.
fn drafts_of(id: RouteId, route: &Route) -> Vec<Draft<'_>> {
    let entries = route.hosts.iter().map(|host| HostEntry::parse(host));
    let (with_port, without): (Vec<_>, Vec<_>) = entries.partition(|entry| entry.port.is_some());
    let without = if route.hosts.is_empty() { vec![HostEntry::ANY] } else { without };
    let paths: Vec<Option<&str>> = if route.paths.is_empty() {
        vec![None]
    } else {
        route.paths.iter().map(|path| Some(path.as_str())).collect()
    };
    let mut drafts = Vec::new();
    for (hosts, name_port) in [(with_port, true), (without, false)] {
        for path in paths.iter().copied().filter(|_| !hosts.is_empty()) {
            let priority = priority(route, path, name_port);
            drafts.push(Draft { priority, id, route, path, hosts: hosts.clone() });
        }
    }
    drafts
}
