//! A Service: where requests go. Its `host` is the name of an Upstream, or else of a host; changing it is the switch.

use std::time::Duration;

use uuid::Uuid;

use super::{FieldError, check_host, check_name};

/// What is spoken to the targets. Only `http` is served so far; the rest is refused when a config is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Plain HTTP/1.1.
    Http,
}

impl Protocol {
    /// As Kong writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
        }
    }

    /// Reads Kong's word.
    ///
    /// # Errors
    /// Kong's sentence for words Kong does not know, our own for those we do not serve.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "http" => Ok(Self::Http),
            "grpc" | "grpcs" | "https" | "tcp" | "tls" | "tls_passthrough" | "udp" => {
                Err(format!("{word} is not served by this gateway; use http"))
            }
            _ => Err("expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp".to_owned()),
        }
    }
}

/// A Service with Kong's fields and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique when given.
    pub name: Option<String>,
    /// `http`.
    pub protocol: Protocol,
    /// The name of an Upstream, or else a host.
    pub host: String,
    /// Used when `host` is not an Upstream; 0 to 65535, 80 by default.
    pub port: u16,
    /// Put before the path of each request; starts with `/`.
    pub path: Option<String>,
    /// Tries after the first; 0 to 32767, 5 by default.
    pub retries: u16,
    /// 1 ms to 2147483646 ms, 60 s by default.
    pub connect_timeout: Duration,
    /// Between two writes to the target; range and default as above.
    pub write_timeout: Duration,
    /// Between two reads from the target; range and default as above.
    pub read_timeout: Duration,
    /// `false` takes all its Routes out of the router.
    pub enabled: bool,
    /// Free words.
    pub tags: Vec<String>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970.
    pub updated_at: u64,
}

/// Kong's default for the three timeouts.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Kong's largest timeout, in milliseconds.
const TIMEOUT_MS_MAX: u128 = 2_147_483_646;

impl Service {
    /// A Service called `name` that points at `host`, everything else as Kong has it by default.
    pub fn new(name: &str, host: &str) -> Self {
        Self {
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("services:{name}").as_bytes()),
            name: Some(name.to_owned()),
            protocol: Protocol::Http,
            host: host.to_owned(),
            port: 80,
            path: None,
            retries: 5,
            connect_timeout: TIMEOUT,
            write_timeout: TIMEOUT,
            read_timeout: TIMEOUT,
            enabled: true,
            tags: Vec::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    /// All fields that break their rule.
    pub fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |field: &str, result: Result<(), String>| {
            if let Err(message) = result {
                errors.push(FieldError::new(field, message));
            }
        };
        if let Some(name) = &self.name {
            check("name", check_name(name));
        }
        check("host", check_host(&self.host));
        if let Some(path) = &self.path {
            check("path", check_path(path));
        }
        if self.retries > 32_767 {
            check("retries", Err("value should be between 0 and 32767".to_owned()));
        }
        for (field, timeout) in [
            ("connect_timeout", self.connect_timeout),
            ("write_timeout", self.write_timeout),
            ("read_timeout", self.read_timeout),
        ] {
            if !(1..=TIMEOUT_MS_MAX).contains(&timeout.as_millis()) {
                check(field, Err("value should be between 1 and 2147483646".to_owned()));
            }
        }
        errors
    }
}

/// What a `PATCH` of a Service changes; `None` leaves a field alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServicePatch {
    /// New name.
    pub name: Option<Option<String>>,
    /// New host: the switch.
    pub host: Option<String>,
    /// New port.
    pub port: Option<u16>,
    /// New path; `Some(None)` clears it.
    pub path: Option<Option<String>>,
    /// New number of retries.
    pub retries: Option<u16>,
    /// New connect timeout.
    pub connect_timeout: Option<Duration>,
    /// New write timeout.
    pub write_timeout: Option<Duration>,
    /// New read timeout.
    pub read_timeout: Option<Duration>,
    /// Switched on or off.
    pub enabled: Option<bool>,
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// The moment of the change, seconds since 1970.
    pub updated_at: Option<u64>,
}

impl ServicePatch {
    /// The switch: only the host changes.
    pub fn host(host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..Self::default() }
    }

    /// `service` with this patch laid over it.
    pub fn apply_to(self, service: &Service) -> Service {
        let old = service.clone();
        Service {
            uuid: old.uuid,
            name: self.name.unwrap_or(old.name),
            protocol: old.protocol,
            host: self.host.unwrap_or(old.host),
            port: self.port.unwrap_or(old.port),
            path: self.path.unwrap_or(old.path),
            retries: self.retries.unwrap_or(old.retries),
            connect_timeout: self.connect_timeout.unwrap_or(old.connect_timeout),
            write_timeout: self.write_timeout.unwrap_or(old.write_timeout),
            read_timeout: self.read_timeout.unwrap_or(old.read_timeout),
            enabled: self.enabled.unwrap_or(old.enabled),
            tags: self.tags.unwrap_or(old.tags),
            created_at: old.created_at,
            updated_at: self.updated_at.unwrap_or(old.updated_at),
        }
    }
}

/// Kong's rule for a Service's path.
fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err("should start with: /".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&b);
    if !path.bytes().all(allowed) {
        return Err(format!(
            "invalid path: '{path}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_service_breaks_no_rule() {
        assert_eq!(Service::new("example-service", "blue").errors(), vec![]);
    }

    #[test]
    fn all_broken_fields_are_reported_at_once() {
        let service = Service {
            name: Some("a b".into()),
            host: "blue:80".into(),
            path: Some("x".into()),
            read_timeout: Duration::ZERO,
            ..Service::new("x", "y")
        };
        let fields: Vec<_> = service.errors().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["name", "host", "path", "read_timeout"]);
    }

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let before = Service::new("s", "blue");
        let after = ServicePatch::host("green").apply_to(&before);
        assert_eq!(after, Service { host: "green".into(), ..before });
    }
}
