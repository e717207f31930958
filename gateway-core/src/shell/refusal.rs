//! Requests that no careful proxy passes on although they can be parsed, and the answer they get. What cannot be parsed is
//! answered by hyper itself; what frames its body in two ways is found by `screen`.

use http::header::{EXPECT, HOST};
use http::request::Parts;
use http::{Method, Version};

/// Status and message of a refusal.
pub(super) type Refusal = (u16, &'static str);

/// For whatever could be read in two ways.
pub(super) const BAD_REQUEST: Refusal = (400, "Bad request");
/// For a body that did not come in time.
pub(super) const REQUEST_TIMEOUT: Refusal = (408, "Request timeout");
const EXPECTATION_FAILED: Refusal = (417, "Expectation failed");

/// Why a request is not even routed; `None` for one that is.
pub(super) fn refusal(parts: &Parts) -> Option<Refusal> {
    if !has_one_host(parts) || !has_path(parts) {
        return Some(BAD_REQUEST);
    }
    let understood = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    let expects = parts.version == Version::HTTP_11 && parts.headers.contains_key(EXPECT);
    (expects && !parts.headers.get_all(EXPECT).iter().all(understood)).then_some(EXPECTATION_FAILED)
}

/// HTTP/1.1 names exactly one host, HTTP/1.0 at most one (RFC 9112, section 3.2); a name is made of what names are made of.
fn has_one_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host.as_bytes()),
        (None, _) => parts.version == Version::HTTP_10,
        (Some(_), Some(_)) => false,
    };
    named && parts.uri.authority().is_none_or(|authority| is_host(authority.as_str().as_bytes()))
}

/// Letters, digits and the marks of names and addresses (RFC 3986, section 3.2.2), and a port; no user, no path, no space.
fn is_host(host: &[u8]) -> bool {
    host.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(b))
}

/// A path of its own, or an `http` address with one. Not `*`, which asks about a server, and not the `host:port` of CONNECT.
fn has_path(parts: &Parts) -> bool {
    let scheme = parts.uri.scheme_str().is_none_or(|scheme| scheme.eq_ignore_ascii_case("http"));
    scheme && parts.method != Method::CONNECT && parts.uri.path().starts_with('/')
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn refused(version: Version, method: &str, uri: &str, fields: &[(&str, &str)]) -> Option<u16> {
        let mut request = Request::builder().version(version).method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        refusal(&request.body(()).unwrap().into_parts().0).map(|(status, _)| status)
    }

    #[test]
    fn hosts_paths_and_expectations_are_as_the_standard_wants_them() {
        let (old, new) = (Version::HTTP_10, Version::HTTP_11);
        let x = ("host", "x");
        for (version, method, uri, fields, status) in [
            (new, "GET", "/", &[x][..], None),
            (new, "GET", "/", &[("host", "[::1]:80")], None),
            (new, "GET", "/", &[("host", "")], None),
            (old, "GET", "/", &[], None),
            (old, "GET", "/", &[x], None),
            (new, "GET", "http://y/", &[x], None),
            (new, "POST", "/", &[x, ("expect", "100-Continue")], None),
            (old, "POST", "/", &[x, ("expect", "miracles")], None),
            (new, "POST", "/", &[x, ("expect", "miracles")], Some(417)),
            (new, "POST", "/", &[x, ("expect", "100-continue"), ("expect", "miracles")], Some(417)),
            (new, "GET", "/", &[], Some(400)),
            (new, "GET", "/", &[x, x], Some(400)),
            (old, "GET", "/", &[x, x], Some(400)),
            (new, "GET", "http://y/", &[], Some(400)),
            (new, "GET", "http://me@y/", &[x], Some(400)),
            (new, "GET", "ftp://y/", &[x], Some(400)),
            (new, "GET", "/", &[("host", "x/y")], Some(400)),
            (new, "GET", "/", &[("host", "x y")], Some(400)),
            (new, "OPTIONS", "*", &[x], Some(400)),
            (new, "CONNECT", "y:80", &[x], Some(400)),
        ] {
            assert_eq!(refused(version, method, uri, fields), status, "{method} {uri} {fields:?}");
        }
    }
}
