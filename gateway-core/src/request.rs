//! What a decision may know of a request: its head, borrowed, without a byte of its body. Leaves parsing to the shell.

use std::net::IpAddr;

/// The head of a request, as far as routing and balancing look at it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Upper case, as sent.
    pub method: &'a str,
    /// The host of the request without its port, in lower case; empty when the request names none.
    pub host: &'a str,
    /// The port that the request's `Host` names, if it names one.
    pub port: Option<u16>,
    /// The request target up to `?` in its normal form (`entity::normalise`): the shell makes it once, and matching and the
    /// path sent on both start from it.
    pub path: &'a str,
    /// What follows `?`, as sent.
    pub query: Option<&'a str>,
    /// The headers a decision may look up.
    pub headers: Headers<'a>,
    /// Who asks.
    pub client: Option<IpAddr>,
}

/// Headers by name, without choosing a container for them.
#[derive(Clone, Copy)]
pub struct Headers<'a>(Option<&'a dyn HeaderLookup>);

/// What decisions ask of headers.
pub trait HeaderLookup {
    /// The first value of the header `name` (lower case), when there is one and it is text.
    fn header(&self, name: &str) -> Option<&str>;

    /// Whether any value of the header `name` (lower case) is one that `wanted` says yes to. It may stop at the first.
    fn any(&self, name: &str, wanted: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

impl<'a> Headers<'a> {
    /// No headers at all.
    pub const NONE: Self = Self(None);

    /// The headers that `lookup` knows.
    pub const fn new(lookup: &'a dyn HeaderLookup) -> Self {
        Self(Some(lookup))
    }

    /// The first value of the header `name` (lower case).
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.and_then(|lookup| lookup.header(name))
    }

    /// Whether any value of the header `name` (lower case) is one that `wanted` says yes to.
    pub fn any(&self, name: &str, mut wanted: impl FnMut(&[u8]) -> bool) -> bool {
        self.0.is_some_and(|lookup| lookup.any(name, &mut wanted))
    }
}

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

impl<'a> Head<'a> {
    /// A request with nothing but a method and a path: for tests and examples.
    pub const fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, host: "", port: None, path, query: None, headers: Headers::NONE, client: None }
    }

    /// Whether the request may be sent twice without harm (RFC 9110, 9.2.2), so that an answer that never came
    /// may be asked for again.
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}
