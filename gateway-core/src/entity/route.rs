//! A Route: which requests belong to which Service. Matching itself is the router's.

use std::collections::BTreeMap;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;
use uuid::Uuid;

use super::name::{check_name, is_dns_name};
use super::path::{check_characters, normalise};
use super::{FieldError, Protocol};
use crate::id::ServiceId;

/// The largest compiled form of one regex, in bytes; the engine is linear in the path whatever the regex is.
const REGEX_SIZE_MAX: usize = 256 * 1024;
/// The longest regex, in bytes.
const REGEX_LENGTH_MAX: usize = 4096;

/// A Route with Kong's fields and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kong's fields")]
pub struct Route {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique when given.
    pub name: Option<String>,
    /// Where its requests go; without one they are answered 503.
    pub service: Option<ServiceId>,
    /// What a client may speak; http and https by default. A Route without http answers plain requests as
    /// `https_redirect_status_code` says.
    pub protocols: Vec<Protocol>,
    /// Prefixes, each starting with `/`, and regexes, each starting with `~/`.
    pub paths: Vec<String>,
    /// Host names in lower case, each with an optional port and at most one `*` as its first or last label.
    pub hosts: Vec<String>,
    /// Upper-case methods.
    pub methods: Vec<String>,
    /// Header names in lower case, each with the values of which one suffices; a single value `~*re` is a regex.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Server names of TLS. They count in the order among Routes and match every plain request.
    pub snis: Vec<String>,
    /// Between regex paths the higher goes first; 0 by default.
    pub regex_priority: i32,
    /// Whether the matched part is cut from the path; true by default.
    pub strip_path: bool,
    /// Whether the client's `Host` is sent on; false by default.
    pub preserve_host: bool,
    /// How the Service's path and the request's are joined.
    pub path_handling: PathHandling,
    /// What a plain request is told when only https will do: 426 (the default), 301, 302, 307 or 308.
    pub https_redirect_status_code: u16,
    /// Kept for those who ask; the proxy always streams and keeps small bodies for retries.
    pub request_buffering: bool,
    /// Kept for those who ask; answers always stream.
    pub response_buffering: bool,
    /// Free words.
    pub tags: Vec<String>,
    /// Seconds since 1970; between equals the older Route wins.
    pub created_at: u64,
    /// Seconds since 1970.
    pub updated_at: u64,
}

/// How the Service's path and the request's are joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathHandling {
    /// With exactly one slash between them.
    #[default]
    V0,
    /// As they are.
    V1,
}

impl Route {
    /// A Route called `name` into `service` that matches nothing yet.
    pub fn new(name: &str, service: ServiceId) -> Self {
        Self {
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("routes:{name}").as_bytes()),
            name: Some(name.to_owned()),
            service: Some(service),
            protocols: vec![Protocol::Http, Protocol::Https],
            paths: Vec::new(),
            hosts: Vec::new(),
            methods: Vec::new(),
            headers: BTreeMap::new(),
            snis: Vec::new(),
            regex_priority: 0,
            strip_path: true,
            preserve_host: false,
            path_handling: PathHandling::V0,
            https_redirect_status_code: 426,
            request_buffering: true,
            response_buffering: true,
            tags: Vec::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    /// All fields that break their rule.
    pub fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(Err(message)) = self.name.as_deref().map(check_name) {
            errors.push(FieldError::new("name", message));
        }
        let mut check_each = |field: &str, values: &[String], rule: fn(&str) -> Result<(), String>| {
            for (i, value) in values.iter().enumerate() {
                if let Err(message) = rule(value) {
                    errors.push(FieldError::new(&format!("{field}[{i}]"), message));
                }
            }
        };
        check_each("paths", &self.paths, check_route_path);
        check_each("hosts", &self.hosts, check_route_host);
        check_each("methods", &self.methods, check_method);
        for (name, values) in &self.headers {
            if let Err(message) = check_header(name, values) {
                errors.push(FieldError::new(&format!("headers.{name}"), message));
            }
        }
        errors.extend(self.check_protocols().err());
        errors
    }

    fn check_protocols(&self) -> Result<(), FieldError> {
        const FAMILIES: &str = "these sets are mutually exclusive: ('http', 'https'), ('tcp', 'tls', 'udp'), \
                                ('tls_passthrough'), ('grpc', 'grpcs')";
        let Some(first) = self.protocols.first() else {
            return Err(FieldError::new("protocols", "length must be at least 1"));
        };
        if self.protocols.iter().any(|protocol| protocol.family() != first.family()) {
            return Err(FieldError::new("protocols", FAMILIES));
        }
        if !self.protocols.iter().any(|p| matches!(p, Protocol::Http | Protocol::Https)) {
            return Ok(());
        }
        let nothing = self.paths.is_empty()
            && self.hosts.is_empty()
            && self.methods.is_empty()
            && self.headers.is_empty();
        let (secure, snis) = (self.protocols.contains(&Protocol::Https), !self.snis.is_empty());
        match (nothing, secure) {
            (true, true) if !snis => Err(FieldError::entity(
                "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'",
            )),
            (true, false) => Err(FieldError::entity(
                "must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'",
            )),
            (_, false) if snis => {
                Err(FieldError::new("snis", "length must be 0 when 'protocols' has no 'https'"))
            }
            _ => Ok(()),
        }
    }
}

/// A path that is a regex (`~/...`, given without its `~`), anchored at the start. Classes such as `\d` and `\w` are ASCII's.
///
/// # Errors
/// Why it is none, or too large a one.
pub fn compile(regex: &str) -> Result<Regex, String> {
    build(regex, &format!("^(?:{regex})"), false)
}

/// A header's value that is a regex (`~*...`, given without its `~*`): found anywhere in a value, without regard to case.
///
/// # Errors
/// Why it is none, or too large a one.
pub fn compile_header(regex: &str) -> Result<Regex, String> {
    build(regex, regex, true)
}

fn build(regex: &str, whole: &str, case_insensitive: bool) -> Result<Regex, String> {
    let refused = |why: &str| format!("invalid regex: '{regex}' (regex returned: {why})");
    if regex.len() > REGEX_LENGTH_MAX {
        return Err(refused("it is too long"));
    }
    // On its own, too: `a)|(b` would close the group it is put in.
    ParserBuilder::new().build().parse(regex).map_err(|error| refused(error.kind().to_string().trim()))?;
    // Requests are bytes: without Unicode a `.` is any byte, and no tables are needed.
    RegexBuilder::new(whole)
        .unicode(false)
        .case_insensitive(case_insensitive)
        .size_limit(REGEX_SIZE_MAX)
        .dfa_size_limit(REGEX_SIZE_MAX)
        .build()
        .map_err(|error| {
            refused(error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: "))
        })
}

fn check_route_path(path: &str) -> Result<(), String> {
    if let Some(regex) = path.strip_prefix('~').filter(|regex| regex.starts_with('/')) {
        return compile(regex).map(|_| ());
    }
    if !path.starts_with('/') {
        return Err("should start with: / (fixed path) or ~/ (regex path)".to_owned());
    }
    check_characters(path)?;
    let normal = normalise(path);
    if normal != path {
        return Err(format!("non-normalized path, consider use '{normal}' instead"));
    }
    Ok(())
}

fn check_route_host(host: &str) -> Result<(), String> {
    let invalid = || format!("invalid hostname: {host}");
    let (name, port) = split_port(host);
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("invalid port number".to_owned());
    }
    if name.matches('*').count() > 1 {
        return Err("invalid wildcard: must have at most one wildcard".to_owned());
    }
    let plain = if name.contains('*') {
        let plain = name.strip_prefix("*.").or_else(|| name.strip_suffix(".*"));
        plain.ok_or("invalid wildcard: must be placed at leftmost or rightmost label")?
    } else {
        name
    };
    let is_address = plain.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    if is_address || is_dns_name(plain) { Ok(()) } else { Err(invalid()) }
}

/// A host and the port it names, if it names one: `a.com`, `a.com:8080`, `[::1]:8080`.
pub fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && (!name.contains(':') || name.ends_with(']')) => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

fn check_method(method: &str) -> Result<(), String> {
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(format!("invalid value: {method}"));
    }
    Ok(())
}

fn check_header(name: &str, values: &[String]) -> Result<(), String> {
    if name.eq_ignore_ascii_case("host") {
        return Err(
            "cannot contain 'host' header, which must be specified in the 'hosts' attribute".to_owned()
        );
    }
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(format!("bad header name '{name}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"));
    }
    if values.is_empty() {
        return Err("length must be at least 1".to_owned());
    }
    match values {
        [regex] => regex.strip_prefix("~*").map_or(Ok(()), |regex| compile_header(regex).map(|_| ())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str], hosts: &[&str], methods: &[&str]) -> Route {
        let owned = |list: &[&str]| list.iter().map(|&entry| entry.to_owned()).collect();
        Route {
            paths: owned(paths),
            hosts: owned(hosts),
            methods: owned(methods),
            ..Route::new("r", ServiceId(0))
        }
    }

    #[test]
    fn a_route_needs_something_to_match_and_says_what_is_wrong() {
        let nothing = Route::new("r", ServiceId(0)).errors();
        assert_eq!(nothing[0].field, "@entity");
        assert!(nothing[0].message.contains("'snis' when 'protocols' is 'https'"));
        let bad = of(&["x"], &["a b"], &["get"]);
        let fields: Vec<_> = bad.errors().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["paths[0]", "hosts[0]", "methods[0]"]);
        let mixed = Route { protocols: vec![Protocol::Http, Protocol::Tcp], ..of(&["/"], &[], &[]) };
        assert!(mixed.errors()[0].message.starts_with("these sets are mutually exclusive"));
    }

    #[test]
    fn hosts_and_paths_follow_kongs_rules() {
        for host in ["a.com", "*.a.com", "a.*", "a.com:8080", "*.a.com:123", "10.0.0.1", "[::1]:80"] {
            assert_eq!(of(&[], &[host], &[]).errors(), vec![], "{host}");
        }
        for (host, why) in [
            ("*.*.com", "at most one wildcard"),
            ("a.*.com", "leftmost or rightmost"),
            ("a*.com", "leftmost or rightmost"),
            ("a.com:x", "invalid port number"),
            ("a com", "invalid hostname"),
        ] {
            assert!(of(&[], &[host], &[]).errors()[0].message.contains(why), "{host}");
        }
        for path in ["/", "/a", "/a%2Fb", "~/u/\\d+", "~/(?<id>[a-z]+)/x$"] {
            assert_eq!(of(&[path], &[], &[]).errors(), vec![], "{path}");
        }
        for (path, why) in [
            ("a", "should start with: / (fixed path) or ~/"),
            ("~a", "should start with: / (fixed path) or ~/"),
            ("/a//b", "must not have empty segments"),
            ("/h%65llo", "consider use '/hello' instead"),
            ("/a/../b", "consider use '/b' instead"),
            ("~/(", "invalid regex: '/(' (regex returned: "),
            ("~/a)|(b", "invalid regex: '/a)|(b' (regex returned: unopened group)"),
            ("~/a{5000}{5000}", "invalid regex"),
        ] {
            assert!(of(&[path], &[], &[]).errors()[0].message.contains(why), "{path}");
        }
    }

    #[test]
    fn regexes_know_ascii_classes_and_any_byte() {
        // Aim: the classes that people write need none of the engine's Unicode tables, which are left out of the build.
        let path = compile(r"/u/\d+/\w{36}/[^/]+$").unwrap();
        let id = "x".repeat(36);
        assert!(path.is_match(format!("/u/12/{id}/\u{e9}").as_bytes()));
        assert!(!path.is_match(format!("/x/u/12/{id}/y").as_bytes()), "anchored");
        assert!(compile_header("v[12]").unwrap().is_match(b"of V2!"));
    }

    #[test]
    fn header_matchers_follow_kongs_rules() {
        let with = |name: &str, values: &[&str]| Route {
            headers: [(name.to_owned(), values.iter().map(|&v| v.to_owned()).collect())].into(),
            ..of(&[], &[], &[])
        };
        assert_eq!(with("x-v", &["1", "2"]).errors(), vec![]);
        assert_eq!(with("x-v", &["~*v[12]"]).errors(), vec![]);
        for (name, values) in [("Host", &["a"][..]), ("x v", &["a"]), ("x", &[]), ("x", &["~*("])] {
            assert_eq!(with(name, values).errors().len(), 1, "{name} {values:?}");
        }
    }
}
