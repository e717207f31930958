//! Which header fields pass through, which are the gateway's own, and the head that a target is sent. Follows Kong: fields
//! that belong to one hop stay on it, `X-Forwarded-*` is overwritten because no client is trusted.

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE, SET_COOKIE, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use super::answer::NAME;
use super::answer_head::Asked;
use super::upload::Upload;
use crate::config::Config;
use crate::gateway::RouteMatch;
use crate::router::{write_escaped, write_target_path};

/// The gateway's id of a request, told to target and client.
pub(super) const X_KONG_REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
/// Milliseconds until the head of the target's answer.
pub(super) const X_KONG_UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
/// Milliseconds until an answer of the gateway's own.
pub(super) const X_KONG_RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");
/// Milliseconds within the gateway.
pub(super) const X_KONG_PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");

/// The header that says that a request is a copy whose answer nobody waits for. What clients say of it is not passed on.
pub const MIRROR_HEADER: &str = "x-mirror";
const X_MIRROR: HeaderName = HeaderName::from_static(MIRROR_HEADER);

const KONG_DEBUG: HeaderName = HeaderName::from_static("kong-debug");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED: &str = "x-forwarded-";

/// What the head of a request to a target is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a str,
    /// The Service's own path.
    pub(super) service_path: Option<&'a str>,
    /// The request's path in its normal form.
    pub(super) path: &'a str,
    /// The same as the client sent it.
    pub(super) raw_path: &'a str,
    /// What follows `?`, as sent; empty when nothing follows it.
    pub(super) query: Option<&'a str>,
    /// What the Route says about the path.
    pub(super) matched: &'a RouteMatch,
    /// What `Host` says.
    pub(super) host: &'a [u8],
    /// The host the client asked for, without port.
    pub(super) client_host: &'a str,
    pub(super) client: &'a str,
    /// The port the client connected to.
    pub(super) port: &'a str,
    pub(super) request_id: &'a [u8],
    pub(super) is_copy: bool,
    pub(super) asked: Asked,
}

/// What a request asks of its answer, beyond an answer.
pub(super) fn asked(parts: &Parts) -> Asked {
    let headers = &parts.headers;
    let says = |name: HeaderName, word: &[u8]| {
        headers
            .get_all(name)
            .iter()
            .flat_map(|value| value.as_bytes().split(|&b| b == b','))
            .any(|found| found.trim_ascii().eq_ignore_ascii_case(word))
    };
    let new = parts.version == Version::HTTP_11;
    Asked {
        head_only: parts.method == Method::HEAD,
        upgrade: new
            && headers.contains_key(UPGRADE)
            && says(UPGRADE, b"websocket")
            && says(CONNECTION, b"upgrade"),
        trailers: new && headers.contains_key(TE) && says(TE, b"trailers"),
    }
}

/// Whether a request wants to be told its Route and Service.
pub(super) fn asks_debug(headers: &HeaderMap) -> bool {
    headers.get(KONG_DEBUG).is_some_and(|value| value == "1")
}

/// Tells a client the Route and Service of its request.
pub(super) fn add_debug(headers: &mut HeaderMap, config: &Config, matched: &RouteMatch) {
    let route = config.routes().find(|(id, _)| *id == matched.route).map(|(_, route)| route);
    let service = matched.service.and_then(|id| config.service(id));
    let fields = [
        ("kong-route-id", route.map(|route| route.uuid.to_string())),
        ("kong-route-name", route.and_then(|route| route.name.clone())),
        ("kong-service-id", service.map(|service| service.uuid.to_string())),
        ("kong-service-name", service.and_then(|service| service.name.clone())),
    ];
    for (name, value) in fields {
        // A name that does not fit into a header is not told.
        if let Some(Ok(value)) = value.map(HeaderValue::try_from) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Writes the whole head of a request to a target.
pub(super) fn write_head(out: &mut Vec<u8>, outgoing: &Outgoing<'_>, headers: &HeaderMap, upload: &Upload) {
    out.extend_from_slice(outgoing.method.as_bytes());
    out.push(b' ');
    let RouteMatch { stripped, path_handling, .. } = *outgoing.matched;
    write_target_path(out, outgoing.service_path, outgoing.path, stripped, path_handling);
    if let Some(query) = outgoing.query {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(outgoing.host);
    out.extend_from_slice(b"\r\n");
    upload.write_framing(out);
    if outgoing.asked.upgrade {
        out.extend_from_slice(b"connection: keep-alive, Upgrade\r\nupgrade: websocket\r\n");
    } else if outgoing.asked.trailers {
        out.extend_from_slice(b"connection: TE\r\nte: trailers\r\n");
    }
    let named = Named::new(headers);
    for (name, value) in headers {
        if !stays_on_hop(name) && !is_ours(name) && !named.contains(name) {
            field(out, name.as_str(), value.as_bytes());
        }
    }
    forwarded(out, outgoing, headers);
    out.extend_from_slice(b"\r\n");
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// What the gateway adds for the target. Plain copies: formatting would cost more than all the rest.
fn forwarded(out: &mut Vec<u8>, outgoing: &Outgoing<'_>, headers: &HeaderMap) {
    let mut put = |texts: &[&[u8]]| texts.iter().for_each(|text| out.extend_from_slice(text));
    put(&[b"x-real-ip: ", outgoing.client.as_bytes(), b"\r\nx-forwarded-for: "]);
    for value in headers.get_all(&X_FORWARDED_FOR) {
        put(&[value.as_bytes(), b", "]);
    }
    put(&[outgoing.client.as_bytes(), b"\r\nx-forwarded-proto: http\r\nx-forwarded-host: "]);
    put(&[outgoing.client_host.as_bytes(), b"\r\nx-forwarded-port: ", outgoing.port.as_bytes()]);
    put(&[b"\r\nx-forwarded-path: ", outgoing.raw_path.as_bytes()]);
    if outgoing.matched.stripped > 1 {
        let prefix = outgoing.path.as_bytes().get(..outgoing.matched.stripped).unwrap_or_default();
        out.extend_from_slice(b"\r\nx-forwarded-prefix: ");
        write_escaped(out, prefix);
    }
    let mut put = |texts: &[&[u8]]| texts.iter().for_each(|text| out.extend_from_slice(text));
    put(&[b"\r\nvia: "]);
    for value in headers.get_all(VIA) {
        put(&[value.as_bytes(), b", "]);
    }
    put(&[b"1.1 ", NAME.as_bytes(), b"\r\n"]);
    field(out, X_KONG_REQUEST_ID.as_str(), outgoing.request_id);
    if outgoing.is_copy {
        field(out, MIRROR_HEADER, b"1");
    }
}

/// Takes out of an answer what belongs to the hop it came over. The names of trailers stay when the trailers do; hyper
/// passes on those that were named.
pub(super) fn strip_hop(headers: &mut HeaderMap, trailers: bool) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = Named::new(headers).names().collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    if !trailers {
        headers.remove(TRAILER);
    }
}

/// Tells a client that its connection speaks another protocol from here on.
pub(super) fn add_upgrade(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}

/// Adds what the client is told about the way its answer took.
pub(super) fn add_ours(
    headers: &mut HeaderMap,
    request_id: HeaderValue,
    upstream: HeaderValue,
    proxy: HeaderValue,
) {
    headers.append(VIA, HeaderValue::from_static(concat!("1.1 gateway-core/", env!("CARGO_PKG_VERSION"))));
    headers.insert(X_KONG_UPSTREAM_LATENCY, upstream);
    headers.insert(X_KONG_PROXY_LATENCY, proxy);
    headers.insert(X_KONG_REQUEST_ID, request_id);
}

/// Adds the cookie by which a client comes back to its target.
pub(super) fn add_cookie(headers: &mut HeaderMap, cookie: &str) {
    // A name or a path that does not fit into a header sets no cookie.
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// Fields of one hop (RFC 9110, 7.6.1), and those whose place in the new head is elsewhere.
fn stays_on_hop(name: &HeaderName) -> bool {
    [
        &CONNECTION,
        &KEEP_ALIVE,
        &PROXY_CONNECTION,
        &PROXY,
        &PROXY_AUTHENTICATE,
        &TE,
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
        &CONTENT_LENGTH,
        &HOST,
        &EXPECT,
    ]
    .contains(&name)
}

/// Fields that the gateway writes itself.
fn is_ours(name: &HeaderName) -> bool {
    [&VIA, &X_REAL_IP, &X_KONG_REQUEST_ID, &X_MIRROR].contains(&name)
        || name.as_str().starts_with(X_FORWARDED)
}

/// The fields that `Connection` names.
struct Named<'a>(Option<&'a HeaderMap>);

impl<'a> Named<'a> {
    fn new(headers: &'a HeaderMap) -> Self {
        Self(headers.contains_key(CONNECTION).then_some(headers))
    }

    fn words(&self) -> impl Iterator<Item = &'a [u8]> {
        let values = self.0.map(|headers| headers.get_all(CONNECTION).iter());
        values
            .into_iter()
            .flatten()
            .flat_map(|value| value.as_bytes().split(|&b| b == b','))
            .map(<[u8]>::trim_ascii)
    }

    /// The names; `keep-alive` and `close` are almost always the only words, and go anyway.
    fn names(&self) -> impl Iterator<Item = HeaderName> {
        let usual =
            |word: &[u8]| word.eq_ignore_ascii_case(b"keep-alive") || word.eq_ignore_ascii_case(b"close");
        self.words().filter(move |word| !usual(word)).filter_map(|word| HeaderName::from_bytes(word).ok())
    }

    fn contains(&self, name: &HeaderName) -> bool {
        self.words().any(|word| word.eq_ignore_ascii_case(name.as_str().as_bytes()))
    }
}
