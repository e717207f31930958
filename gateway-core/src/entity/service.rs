//! A Service: where requests go. Its `host` is the name of an Upstream, or else of a host; changing it is the switch.

use std::time::Duration;

use uuid::Uuid;

use super::{FieldError, Mirror, Protocol, Split, check_host, check_name, check_path};

/// A Service with Kong's fields and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique when given.
    pub name: Option<String>,
    /// What is spoken to the targets; `http` by default, and the only one that the proxy speaks so far.
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
    /// Whether a target's certificate is verified; only with https or tls.
    pub tls_verify: Option<bool>,
    /// How long a chain of certificates may be, 0 to 64; only with https or tls.
    pub tls_verify_depth: Option<u8>,
    /// Ids of the certificates trusted; only with https or tls.
    pub ca_certificates: Option<Vec<Uuid>>,
    /// Id of the certificate shown to targets; only with https or tls.
    pub client_certificate: Option<Uuid>,
    /// Copies of its requests go elsewhere too; not one of Kong's fields.
    pub mirror: Option<Mirror>,
    /// Some of its keys go elsewhere instead; not one of Kong's fields.
    pub split: Option<Split>,
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
            tls_verify: None,
            tls_verify_depth: None,
            ca_certificates: None,
            client_certificate: None,
            mirror: None,
            split: None,
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
        if self.path.is_some() && !self.protocol.has_paths() {
            check("path", Err("value must be null".to_owned()));
        }
        for (field, is_set) in [
            ("tls_verify", self.tls_verify.is_some()),
            ("tls_verify_depth", self.tls_verify_depth.is_some()),
            ("ca_certificates", self.ca_certificates.is_some()),
            ("client_certificate", self.client_certificate.is_some()),
        ] {
            if is_set && !matches!(self.protocol, Protocol::Https | Protocol::Tls) {
                check(field, Err("value must be null".to_owned()));
            }
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
        errors.extend(self.mirror.iter().flat_map(|mirror| mirror.errors(self.read_timeout)));
        errors.extend(self.split.iter().flat_map(Split::errors));
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_service_breaks_no_rule() {
        assert_eq!(Service::new("example-service", "blue").errors(), vec![]);
    }

    #[test]
    fn what_only_tls_knows_needs_tls_and_what_has_no_paths_has_none() {
        let secure = Service { protocol: Protocol::Https, tls_verify: Some(true), ..Service::new("s", "h") };
        assert_eq!(secure.errors(), vec![]);
        let plain = Service { protocol: Protocol::Tcp, path: Some("/x".into()), ..secure };
        let fields: Vec<_> = plain.errors().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["path", "tls_verify"]);
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
}
