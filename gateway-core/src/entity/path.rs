//! Paths as Kong compares them: normalised (RFC 3986, section 6), and the rules for those that entities hold. Pure.

use std::borrow::Cow;

/// Escapes of these characters stay as they are: decoded, they would mean something else.
const RESERVED: &[u8] = b"!*'();:@&=+$,/?%#[]";

/// `path` as Kong compares it: escapes of unreserved ASCII characters decoded, those that stay in upper case, `//` merged,
/// `.` and `..` segments resolved. Costs one look at a path that is normal already. Escapes of bytes beyond ASCII stay, so
/// that the result is text; Kong decodes them. A `%` that begins no escape becomes `%25`, so that each `%` of the result begins
/// one and nothing decoded can join it to a new one. Doing it twice changes nothing.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if is_normal(path) { Cow::Borrowed(path) } else { Cow::Owned(resolve(&decode(path))) }
}

fn is_normal(path: &str) -> bool {
    let mut last = 0;
    !path.bytes().any(|b| {
        let odd = b == b'%' || (last == b'/' && (b == b'/' || b == b'.'));
        last = b;
        odd
    })
}

fn decode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            out.push_str("%25");
            rest = &rest[at + 1..];
            continue;
        };
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if byte.is_ascii() && !RESERVED.contains(&byte) => out.push(byte.into()),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}

/// Merges slashes and resolves dots.
fn resolve(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut ends_in_slash = false;
    for segment in path.split('/').skip(1) {
        ends_in_slash = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => {
                out.pop();
            }
            segment => out.push(segment),
        }
    }
    let mut path = String::with_capacity(path.len());
    for segment in &out {
        path.push('/');
        path.push_str(segment);
    }
    if ends_in_slash || out.is_empty() {
        path.push('/');
    }
    path
}

/// Kong's rule for the path of a Service, of a probe, or of a Route's prefix.
///
/// # Errors
/// Kong's sentence.
pub fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err("should start with: /".to_owned());
    }
    check_characters(path)
}

pub(super) fn check_characters(path: &str) -> Result<(), String> {
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%[]".contains(&b);
    if !path.bytes().all(allowed) {
        return Err(format!(
            "invalid path: '{path}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        let escape = &rest[at..rest.len().min(at + 3)];
        if escape.len() < 3 || !escape.bytes().skip(1).all(|b| b.is_ascii_hexdigit()) {
            return Err(format!("invalid url-encoded value: '{escape}'"));
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_as_kong_compares_them() {
        for (path, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/h%65llo", "/hello"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/foo/x/../bar", "/foo/bar"),
            ("/foo//bar", "/foo/bar"),
            ("/foo/./bar", "/foo/bar"),
            ("/route%2E%2E/req", "/route../req"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("/a%", "/a%25"),
            ("/a%zz", "/a%25zz"),
            ("/a%2", "/a%252"),
            ("/a/%%32e%%32e/b", "/a/%252e%252e/b"),
            ("/%c3%a9", "/%C3%A9"),
            ("/a%20b", "/a b"),
            ("/.hidden", "/.hidden"),
            ("/%2e%2e/a", "/a"),
        ] {
            assert_eq!(normalise(path), normal, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_is_its_own(path in "/([%/.a2e?\u{e9} ]|%2[0-9a-fA-F]){0,12}") {
            let once = normalise(&path).into_owned();
            assert_eq!(normalise(&once), once);
        }
    }

    #[test]
    fn rules_say_what_is_wrong_in_kongs_words() {
        assert_eq!(check_path("/v1"), Ok(()));
        for (path, why) in [
            ("v1", "should start with: /"),
            ("/a//b", "must not have empty segments"),
            ("/a b", "characters outside of the reserved list"),
            ("/a%2w", "invalid url-encoded value: '%2w'"),
            ("/a%2", "invalid url-encoded value: '%2'"),
        ] {
            assert!(check_path(path).unwrap_err().contains(why), "{path}");
        }
    }
}
