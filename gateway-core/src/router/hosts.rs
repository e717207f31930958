//! Rows by the hosts they are for: plain names, names that begin or end with a wildcard, and those for any host. A host is
//! looked up as it is and at each border of its labels; ports are told from each other by the candidates.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use rustc_hash::FxHashMap;

use super::literals::Literals;
use super::prefixes::{Candidate, Filed, Prefixes};
use crate::entity::split_port;

/// One of a Route's hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostEntry {
    name: HostName,
    /// The only port it is for.
    pub(super) port: Option<u16>,
}

/// A host, or what is fixed about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum HostName {
    Any,
    Plain(String),
    /// `*.a.com`: ends with `.a.com`, and something stands before that.
    Ending(String),
    /// `a.*`: begins with `a.`, and something follows.
    Beginning(String),
}

/// Rows while they are collected.
#[derive(Debug, Default)]
pub(super) struct Collected(BTreeMap<HostName, Filed>);

/// All rows, by host and then by the beginning of their path.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    plain: Names,
    ending: Names,
    beginning: Names,
    any: Option<Prefixes>,
}

/// Rows by one kind of name.
#[derive(Debug, Default)]
struct Names {
    by_name: FxHashMap<Box<str>, Prefixes>,
    /// The longest name: a bound on what is looked up, whatever a client sends.
    longest: usize,
}

impl HostEntry {
    /// For any host at any port.
    pub(super) const ANY: Self = Self { name: HostName::Any, port: None };

    /// Reads one of a Route's hosts.
    pub(super) fn parse(host: &str) -> Self {
        let (name, port) = split_port(host);
        Self { name: HostName::parse(name), port: port.and_then(|port| port.parse().ok()) }
    }
}

impl HostName {
    fn parse(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        if let Some(end) = name.strip_prefix('*') {
            Self::Ending(end.to_owned())
        } else if let Some(beginning) = name.strip_suffix('*') {
            Self::Beginning(beginning.to_owned())
        } else if name.parse::<Ipv6Addr>().is_ok() {
            // As it stands in a request.
            Self::Plain(format!("[{name}]"))
        } else {
            Self::Plain(name)
        }
    }
}

impl Collected {
    /// Adds a row for the hosts of `entry` and for paths that have its literals.
    pub(super) fn add(&mut self, rank: u32, entry: &HostEntry, literals: &Literals) {
        let filed = self.0.entry(entry.name.clone()).or_default();
        let rows = filed.entry(literals.lead.clone()).or_default();
        rows.push((Candidate { rank, port: entry.port }, literals.inner.clone()));
    }

    pub(super) fn index(self) -> Hosts {
        let mut hosts = Hosts::default();
        for (name, filed) in self.0 {
            let prefixes = Prefixes::new(filed);
            match name {
                HostName::Any => hosts.any = Some(prefixes),
                HostName::Plain(name) => hosts.plain.insert(name, prefixes),
                HostName::Ending(end) => hosts.ending.insert(end, prefixes),
                HostName::Beginning(beginning) => hosts.beginning.insert(beginning, prefixes),
            }
        }
        hosts
    }
}

impl Hosts {
    /// The rows for `host`, part by part: plain, ending in a name (the longest first), beginning with one, for any host.
    pub(super) fn of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Prefixes> {
        let ending = self
            .ending
            .if_any(host)
            .flat_map(|names| dots(host).filter(|&at| at > 0).filter_map(|at| names.get(&host[at..])));
        let beginning = self.beginning.if_any(host).flat_map(|names| {
            dots(host).filter(|&at| at + 1 < host.len()).filter_map(|at| names.get(&host[..=at]))
        });
        let plain = self.plain.if_any(host).filter_map(|names| names.get(host));
        plain.chain(ending).chain(beginning).chain(&self.any)
    }
}

fn dots(host: &str) -> impl Iterator<Item = usize> {
    host.bytes().enumerate().filter(|&(_, b)| b == b'.').map(|(at, _)| at)
}

impl Names {
    fn insert(&mut self, name: String, prefixes: Prefixes) {
        self.longest = self.longest.max(name.len());
        self.by_name.insert(name.into(), prefixes);
    }

    /// Itself, when it holds names and there is a host to look up.
    fn if_any(&self, host: &str) -> std::option::IntoIter<&Self> {
        (self.longest > 0 && !host.is_empty()).then_some(self).into_iter()
    }

    fn get(&self, name: &str) -> Option<&Prefixes> {
        if name.len() > self.longest { None } else { self.by_name.get(name) }
    }
}
