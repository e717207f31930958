//! Cookies as far as balancing reads and sets them. Strict (RFC 6265, 4.1.1 and 4.2.1): a pair whose value could not have been
//! set is no pair.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use rand::RngExt as _;
use uuid::Uuid;

use crate::request::Headers;
use crate::rng::Rng;

/// What `read` makes of the first cookie called `name` that it makes something of.
pub(super) fn find<T>(headers: Headers<'_>, name: &str, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut found = None;
    headers.any("cookie", |field| {
        let mut values = pairs(field).filter(|(named, _)| *named == name.as_bytes()).map(|(_, value)| value);
        found = values.find_map(&read);
        found.is_some()
    });
    found
}

/// The value of a `Set-Cookie` field: for so many whole seconds or else for this browser session, for scripts out of reach, and
/// sent along by links from elsewhere.
pub(super) fn write(name: &str, value: impl Display, path: &str, max_age: Option<Duration>) -> Box<str> {
    let mut text = format!("{name}={value}; Path={path}");
    if let Some(max_age) = max_age {
        // A string takes everything.
        let _ = write!(text, "; Max-Age={}", max_age.as_secs());
    }
    text.push_str("; SameSite=Lax; HttpOnly");
    text.into()
}

/// A key for somebody who has none.
pub(super) fn new_key(rng: &mut Rng) -> String {
    let uuid = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
    uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// Names and values of a `Cookie` field.
fn pairs(field: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.split(|&b| b == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let (name, value) = (pair.split(|&b| b == b'=').next()?, pair);
        let value = value.get(name.len() + 1..)?;
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        let value = quoted.unwrap_or(value);
        value.iter().all(|&b| is_octet(b)).then_some((name, value))
    })
}

/// Visible ASCII but for quotes, comma, semicolon and backslash.
const fn is_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_could_have_been_set_is_a_cookie() {
        let read = |field: &'static str| {
            let text = |bytes: &'static [u8]| std::str::from_utf8(bytes).unwrap();
            pairs(field.as_bytes()).map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>()
        };
        assert_eq!(read("a=1; b=2;c= ;d=x=y"), [("a", "1"), ("b", "2"), ("c", ""), ("d", "x=y")]);
        assert_eq!(read("a=\"1\"; b=\""), [("a", "1")]);
        assert_eq!(read("a; =; b=1 2; c=1,2; d=\u{e4}; e=\\; ;"), [("", "")]);
    }
}
