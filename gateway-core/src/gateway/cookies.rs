//! Cookies as far as balancing reads and sets them. Strict (RFC 6265, 4.1.1 and 4.2.1): a pair whose value could not have been
//! set is no pair.

use std::fmt::Display;

use crate::request::Headers;

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

/// The value of a `Set-Cookie` field: for this browser session, for scripts out of reach, and sent along by links from
/// elsewhere.
pub(super) fn write(name: &str, value: impl Display, path: &str) -> Box<str> {
    format!("{name}={value}; Path={path}; SameSite=Lax; HttpOnly").into()
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
