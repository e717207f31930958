//! The path sent on to a target: the Service's path and what the Route leaves of the request's, joined as Kong joins them and
//! escaped again. Pure; which part the Route cuts off is known from the match.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::entity::PathHandling;

/// What may not stand in a path (RFC 3986, 3.3). `[` and `]` stay, as in Kong; so does `%`, which always begins an escape.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'%')
    .remove(b'[')
    .remove(b']');

/// Appends to `out` the path for a request to `path` (in its normal form) of which the Route cuts the first `stripped` bytes,
/// when the Service's own path is `service`. Kong's default router knows only v0; here v1 holds for whoever sets it.
pub fn write_target_path(
    out: &mut Vec<u8>,
    service: Option<&str>,
    path: &str,
    stripped: usize,
    handling: PathHandling,
) {
    let service = service.unwrap_or("/").as_bytes();
    let path = path.as_bytes();
    let rest = without_dots(path.get(stripped..).unwrap_or_default());
    match handling {
        PathHandling::V0 => write_joined(out, service, path, stripped, rest),
        PathHandling::V1 => write_as_they_are(out, service, stripped, rest),
    }
}

/// Appends a piece of a normal form, escaped.
pub fn write_escaped(out: &mut Vec<u8>, path: &[u8]) {
    for piece in percent_encode(path, ESCAPED) {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// v0: exactly one slash between the two.
fn write_joined(out: &mut Vec<u8>, service: &[u8], path: &[u8], stripped: usize, rest: &[u8]) {
    let rest = if stripped == 0 && path == b"/" { b"" } else { rest };
    let base = service.strip_suffix(b"/").unwrap_or(service);
    out.extend_from_slice(base);
    if rest.is_empty() {
        // The whole path was matched: a slash at the end stays if the request or a bare "/" asks for it.
        let slash = service.ends_with(b"/");
        let of_request = stripped > 0 && path.ends_with(b"/") && (path.len() > 1 || slash);
        if base.is_empty() || of_request || (stripped == 0 && slash) {
            out.push(b'/');
        }
        return;
    }
    out.push(b'/');
    write_escaped(out, rest.strip_prefix(b"/").unwrap_or(rest));
}

/// v1: nothing is put between them, and a whole path comes without its first slash.
fn write_as_they_are(out: &mut Vec<u8>, service: &[u8], stripped: usize, rest: &[u8]) {
    let is_double = service.ends_with(b"/") && rest.starts_with(b"/");
    let rest = if stripped == 0 || is_double { rest.strip_prefix(b"/").unwrap_or(rest) } else { rest };
    out.extend_from_slice(service);
    write_escaped(out, rest);
}

/// What follows a cut must not climb: a leading `./` or `../` goes, and a lone `.` or `..` becomes nothing.
fn without_dots(rest: &[u8]) -> &[u8] {
    match rest {
        b"." | b".." => b"",
        _ => rest.strip_prefix(b"../").or_else(|| rest.strip_prefix(b"./")).unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::normalise;

    fn target_path(service: Option<&str>, path: &str, stripped: usize, handling: PathHandling) -> String {
        let mut out = Vec::new();
        write_target_path(&mut out, service, path, stripped, handling);
        String::from_utf8(out).unwrap()
    }

    /// Kong's worked rows. Service path, matched part, `strip_path` (`None`: either), request, result of v0 and of v1.
    type Row = (&'static str, &'static str, Option<bool>, &'static str, &'static str, &'static str);

    const ROWS: &[Row] = &[
        ("/", "/route", Some(true), "/route", "/", "/"),
        ("/", "/route", Some(true), "/route/", "/", "/"),
        ("/", "/route", Some(true), "/routereq", "/req", "/req"),
        ("/srv", "/rou", Some(false), "/roureq", "/srv/roureq", "/srvroureq"),
        ("/srv", "/rou", Some(true), "/roureq", "/srv/req", "/srvreq"),
        ("/srv/", "/rou", Some(true), "/rou", "/srv", "/srv/"),
        ("/service", "/", None, "/", "/service", "/service"),
        ("/service", "/", None, "/route", "/service/route", "/serviceroute"),
        ("/service", "/route", Some(true), "/route", "/service", "/service"),
        ("/service", "/route", Some(true), "/route/", "/service/", "/service/"),
        ("/service", "/route/", Some(true), "/route/req", "/service/req", "/servicereq"),
        ("/service/", "/route", Some(true), "/route/", "/service/", "/service/"),
        ("/service/", "/route", Some(false), "/route", "/service/route", "/service/route"),
        ("/service", "", None, "/route/", "/service/route/", "/serviceroute/"),
        ("/service", "/route", Some(true), "/route../req", "/service/req", "/servicereq"),
        ("/service", "/route", Some(true), "/route%2E%2E/req", "/service/req", "/servicereq"),
        (
            "/service",
            "/route",
            Some(false),
            "/route%2e%2E/req",
            "/service/route../req",
            "/serviceroute../req",
        ),
        // What follows from the rules beside the rows.
        ("/service/", "", None, "/", "/service/", "/service/"),
        ("/service/", "/", Some(true), "/", "/service/", "/service/"),
        ("/", "/route", Some(true), "/route.", "/", "/"),
        ("/", "", None, "/a/b", "/a/b", "/a/b"),
    ];

    #[test]
    fn paths_are_joined_as_kong_joins_them() {
        for &(service, matched, strip, request, v0, v1) in ROWS {
            let path = normalise(request);
            for strip in [true, false].into_iter().filter(|&s| strip.is_none_or(|strip| s == strip)) {
                let stripped = if strip { matched.len() } else { 0 };
                for (handling, expected) in [(PathHandling::V0, v0), (PathHandling::V1, v1)] {
                    let seen = target_path(Some(service), &path, stripped, handling);
                    assert_eq!(seen, expected, "{service} {matched} {strip} {request} {handling:?}");
                }
            }
        }
        assert_eq!(target_path(None, "/anything/x", 0, PathHandling::V0), "/anything/x");
    }

    #[test]
    fn what_was_decoded_is_escaped_again() {
        for (request, sent) in [
            ("/a%20b", "/a%20b"),
            ("/a%2fb/%e9", "/a%2Fb/%E9"),
            ("/a%0d%0aX:1", "/a%0D%0AX:1"),
            ("/a%22%3C%7b|", "/a%22%3C%7B%7C"),
            ("/\u{e9}", "/%C3%A9"),
            ("/%", "/%25"),
            ("/a;b=1,2@c[d]!$&'()*+~", "/a;b=1,2@c[d]!$&'()*+~"),
        ] {
            assert_eq!(target_path(None, &normalise(request), 0, PathHandling::V0), sent, "{request}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_cut_the_result_is_a_path(path: String, stripped: usize, v1: bool) {
            let handling = if v1 { PathHandling::V1 } else { PathHandling::V0 };
            for stripped in [stripped, stripped % (path.len() + 1)] {
                let sent = target_path(Some("/srv"), &path, stripped, handling);
                assert!(sent.starts_with("/srv") && sent.bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
