//! One Route with one of its paths, ready to be asked: everything it wants of a request beside the host and a literal prefix,
//! which the index has looked at before.

use regex::bytes::Regex;

use super::{Found, RowId};
use crate::entity::{PathHandling, Protocol, Route, compile, compile_header};
use crate::id::{RouteId, ServiceId};
use crate::request::Head;

/// What one row wants, and what the proxy is told when it wins.
#[derive(Debug)]
pub(super) struct Row {
    route: RouteId,
    service: Option<ServiceId>,
    path: PathMatcher,
    methods: Box<[String]>,
    headers: Box<[HeaderMatcher]>,
    strip_path: bool,
    preserve_host: bool,
    path_handling: PathHandling,
    needs_https: Option<u16>,
}

#[derive(Debug)]
enum PathMatcher {
    /// As long as this; the index compares it. A row without path has the empty one.
    Prefix(usize),
    /// Anchored at the start.
    Regex(Regex),
}

#[derive(Debug)]
struct HeaderMatcher {
    name: String,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    OneOf(Box<[String]>),
    Regex(Regex),
}

/// The regex of a path that is one.
pub(super) fn regex_of(path: &str) -> Option<&str> {
    path.strip_prefix('~')
}

impl Row {
    /// The row of a Route, which must break no rule, and of one of its paths.
    pub(super) fn new(id: RouteId, route: &Route, path: Option<&str>) -> Self {
        Self {
            route: id,
            service: route.service,
            path: PathMatcher::new(path),
            methods: route.methods.clone().into(),
            headers: route
                .headers
                .iter()
                .map(|(name, values)| HeaderMatcher {
                    name: name.to_ascii_lowercase(),
                    wanted: Wanted::new(values),
                })
                .collect(),
            strip_path: route.strip_path,
            preserve_host: route.preserve_host,
            path_handling: route.path_handling,
            needs_https: (!route.protocols.contains(&Protocol::Http))
                .then_some(route.https_redirect_status_code),
        }
    }

    /// When the row matches: how many bytes of the path it cuts off. Host and literal prefix are known to match.
    pub(super) fn matches(&self, head: &Head<'_>) -> Option<usize> {
        let method = self.methods.is_empty() || self.methods.iter().any(|method| method == head.method);
        if method && self.headers.iter().all(|header| header.matches(head)) {
            self.path.matches(head.path.as_bytes(), self.strip_path)
        } else {
            None
        }
    }

    /// What the group `name` of the row's regex matched.
    pub(super) fn capture<'a>(&self, path: &'a str, name: &str) -> Option<&'a str> {
        let PathMatcher::Regex(regex) = &self.path else { return None };
        let captures = regex.captures(path.as_bytes())?;
        let group = captures.name(name).or_else(|| captures.get(name.parse().ok()?))?;
        path.get(group.range())
    }

    /// What the proxy is told.
    pub(super) fn found(&self, row: RowId, stripped: usize) -> Found {
        Found {
            row,
            route: self.route,
            service: self.service,
            stripped,
            preserve_host: self.preserve_host,
            path_handling: self.path_handling,
            needs_https: self.needs_https,
        }
    }
}

impl PathMatcher {
    fn new(path: Option<&str>) -> Self {
        match path.and_then(regex_of) {
            Some(regex) => Self::Regex(compile(regex).expect("a Route's paths are checked")),
            None => Self::Prefix(path.map_or(0, str::len)),
        }
    }

    fn matches(&self, path: &[u8], strip: bool) -> Option<usize> {
        match self {
            Self::Prefix(length) => Some(if strip { *length } else { 0 }),
            Self::Regex(regex) if strip => regex.find(path).map(|found| found.end()),
            Self::Regex(regex) => regex.is_match(path).then_some(0),
        }
    }
}

impl Wanted {
    fn new(values: &[String]) -> Self {
        match values {
            [value] if value.starts_with("~*") => {
                Self::Regex(compile_header(&value[2..]).expect("a Route's headers are checked"))
            }
            _ => Self::OneOf(values.into()),
        }
    }
}

impl HeaderMatcher {
    fn matches(&self, head: &Head<'_>) -> bool {
        head.headers.any(&self.name, |value| match &self.wanted {
            Wanted::OneOf(values) => {
                values.iter().any(|wanted| value.eq_ignore_ascii_case(wanted.as_bytes()))
            }
            Wanted::Regex(regex) => regex.is_match(value),
        })
    }
}
