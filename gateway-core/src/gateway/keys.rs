//! What a request is known by, for the algorithms that send the same one to the same target: Kong's inputs of `hash_on` and
//! `hash_fallback`, and the cookie of a sticky session. Worked out only where the algorithm asks for it; a value that stands in
//! the request as it is is hashed where it stands.

use std::borrow::Cow;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::slots::Slot;
use super::{RouteMatch, Snapshot, cookies};
use crate::balancer::hash;
use crate::entity::{Algorithm, HashOn, Upstream};
use crate::request::{Head, Headers};
use crate::rng::Rng;

/// Kong's name for the cookie of a sticky session.
const SESSION: &str = "sticky_session";

/// What an Upstream's algorithm wants to know of a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Keys {
    /// The first of these that the request has; the path is that of the cookie, should one be made.
    Hash([HashOn; 2], String),
    /// Which target its cookie names: the name and the path of the cookie.
    Session(String, String),
}

/// A request as keys look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) head: &'a Head<'a>,
    pub(super) matched: &'a RouteMatch,
    pub(super) view: &'a Snapshot,
}

/// What one request is known by.
#[derive(Debug, Default)]
pub(super) struct Key {
    pub(super) hash: Option<u64>,
    /// The cookie that was made for it.
    pub(super) set_cookie: Option<Box<str>>,
}

impl Keys {
    /// What `upstream` wants to know.
    pub(super) fn new(upstream: &Upstream) -> Option<Self> {
        match upstream.algorithm {
            Algorithm::ConsistentHashing => {
                let inputs = [&upstream.hash_on, &upstream.hash_fallback].map(prepared);
                Some(Self::Hash(inputs, upstream.hash_on_cookie_path.clone()))
            }
            Algorithm::StickySessions => {
                let cookie = upstream.sticky_sessions_cookie.as_deref().unwrap_or(SESSION);
                Some(Self::Session(cookie.to_owned(), upstream.sticky_sessions_cookie_path.clone()))
            }
            _ => None,
        }
    }

    /// What `slot` is called among these keys.
    pub(super) fn name_of(keys: Option<&Self>, slot: &Slot) -> u64 {
        match keys {
            Some(Self::Session(..)) => session(slot.uuid()),
            _ => slot.name(),
        }
    }

    /// The key of one request.
    pub(super) fn of(&self, known: Known<'_>, rng: &mut Rng) -> Key {
        let headers = known.head.headers;
        match self {
            Self::Hash(inputs, path) => first_of(inputs, path, known, rng),
            Self::Session(name, _) => {
                let read = |value: &[u8]| Uuid::try_parse_ascii(value).ok().map(session);
                Key { hash: cookies::find(headers, name, read), set_cookie: None }
            }
        }
    }

    /// The cookie to set when a request with this key goes to `slot`; `made` is the one that was made with the key.
    pub(super) fn set_cookie(
        &self,
        key: Option<u64>,
        slot: &Slot,
        made: Option<Box<str>>,
    ) -> Option<Box<str>> {
        match self {
            Self::Hash(..) => made,
            Self::Session(name, path) => {
                (key != Some(session(slot.uuid()))).then(|| cookies::write(name, slot.uuid(), path, None))
            }
        }
    }
}

impl Known<'_> {
    /// The hash of one input, `None` when the request does not have it.
    fn by(&self, input: &HashOn) -> Option<u64> {
        match input {
            HashOn::None | HashOn::Consumer => None,
            HashOn::Ip => self.head.client.map(|client| match client.to_canonical() {
                IpAddr::V4(v4) => hash(&v4.octets()),
                IpAddr::V6(v6) => hash(&v6.octets()),
            }),
            HashOn::Header(name) => header(self.head.headers, name),
            HashOn::Cookie(name) => cookies::find(self.head.headers, name, |value| Some(hash(value))),
            HashOn::Path => Some(hash(&Cow::from(percent_decode_str(self.head.path)))),
            HashOn::QueryArg(name) => query_arg(self.head.query?, name),
            HashOn::UriCapture(name) => {
                let value = self.view.capture(self.matched, self.head, name)?;
                Some(hash(value.as_bytes()))
            }
        }
    }
}

/// The first input that the request has. A cookie that is missing is made, so it is never missing.
fn first_of(inputs: &[HashOn], path: &str, known: Known<'_>, rng: &mut Rng) -> Key {
    for input in inputs {
        match (known.by(input), input) {
            (None, HashOn::Cookie(name)) => {
                let value = cookies::new_key(rng);
                let set_cookie = Some(cookies::write(name, &value, path, None));
                return Key { hash: Some(hash(value.as_bytes())), set_cookie };
            }
            (None, _) => {}
            (hash, _) => return Key { hash, set_cookie: None },
        }
    }
    Key::default()
}

/// What a target is called where its id names it.
fn session(uuid: Uuid) -> u64 {
    hash(uuid.as_bytes())
}

/// An input as it is looked up: headers in lower case.
fn prepared(input: &HashOn) -> HashOn {
    match input {
        HashOn::Header(name) => HashOn::Header(name.to_ascii_lowercase()),
        other => other.clone(),
    }
}

/// The values of a header, joined with `, `.
fn header(headers: Headers<'_>, name: &str) -> Option<u64> {
    let (mut first, mut several) = (None, false);
    headers.any(name, |value| {
        several = first.is_some();
        first = first.or_else(|| Some(hash(value)));
        several
    });
    if !several {
        return first;
    }
    let mut joined = Vec::new();
    headers.any(name, |value| {
        joined.extend_from_slice(if joined.is_empty() { b"" } else { b", " });
        joined.extend_from_slice(value);
        false
    });
    Some(hash(&joined))
}

/// The values of an argument, sorted and joined with `,`; one without `=` is `true`.
fn query_arg(query: &str, name: &str) -> Option<u64> {
    let mut values = query.split('&').filter_map(|piece| {
        let (named, value) = form_urlencoded::parse(piece.as_bytes()).next()?;
        (named == name).then(|| if piece.contains('=') { value } else { "true".into() })
    });
    let first = values.next()?;
    let Some(second) = values.next() else { return Some(hash(first.as_bytes())) };
    let mut all: Vec<Cow<'_, str>> = [first, second].into_iter().chain(values).collect();
    all.sort_unstable();
    Some(hash(all.join(",").as_bytes()))
}

#[cfg(test)]
mod tests;
