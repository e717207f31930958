//! A Target: one address an Upstream may send to, with its weight.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use uuid::Uuid;

use super::name::is_dns_name;
use crate::id::UpstreamId;
use crate::weight::Weight;

/// Kong's port for a Target that names none.
const DEFAULT_PORT: u16 = 8000;

/// A host and a port, as Kong normalises them: `httpbin.org:80`, `10.0.0.1:8000`, `[0000:…:0001]:8000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// A host (name or address, already checked) and a port.
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_ascii_lowercase(), port }
    }

    /// Reads `name[:port]`, `ipv4[:port]`, `ipv6` or `[ipv6][:port]`; without a port it is 8000.
    ///
    /// # Errors
    /// Kong's sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        const BAD: &str = "Invalid target; not a valid hostname or ip address";
        if let Ok(v6) = text.parse::<Ipv6Addr>() {
            return Ok(Self { host: expanded(v6), port: DEFAULT_PORT });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse::<u16>().map_err(|_| BAD)?),
            _ => (text, DEFAULT_PORT),
        };
        if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            let v6 = inner.parse::<Ipv6Addr>().map_err(|_| BAD)?;
            return Ok(Self { host: expanded(v6), port });
        }
        if !is_dns_name(host) {
            return Err(BAD.to_owned());
        }
        let numbers_only = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if numbers_only && host.parse::<IpAddr>().is_err() {
            return Err(BAD.to_owned());
        }
        Ok(Self::new(host, port))
    }

    /// The name or address; an IPv6 address stands in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a `Host` header says: the port is left out when it is 80.
    pub fn host_header(&self) -> String {
        if self.port == 80 { self.host.clone() } else { self.to_string() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Kong stores IPv6 addresses as eight groups of four digits in brackets.
fn expanded(v6: Ipv6Addr) -> String {
    let groups: Vec<_> = v6.segments().iter().map(|group| format!("{group:04x}")).collect();
    format!("[{}]", groups.join(":"))
}

/// A Target of one Upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Kong's id.
    pub uuid: Uuid,
    /// Whose Target it is.
    pub upstream: UpstreamId,
    /// Where it listens; unique within its Upstream.
    pub target: Address,
    /// Its share among the Upstream's Targets.
    pub weight: Weight,
    /// Free words.
    pub tags: Vec<String>,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Milliseconds since 1970.
    pub updated_at_ms: u64,
}

impl Target {
    /// A Target of `upstream` at `target`.
    pub fn new(upstream: UpstreamId, target: Address, weight: Weight) -> Self {
        let uuid = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("targets:{upstream}:{target}").as_bytes());
        Self { uuid, upstream, target, weight, tags: Vec::new(), created_at_ms: 0, updated_at_ms: 0 }
    }

    /// The version it is of, by the first of its tags that says one: `version:v2`. An addition of ours.
    pub fn version(&self) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(Self::VERSION))
    }

    /// What a tag begins with that says of which version a Target is.
    pub const VERSION: &'static str = "version:";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_the_version() {
        let tagged = |tags: &[&str]| {
            let target = Target::new(UpstreamId(0), Address::new("a", 80), Weight::DEFAULT);
            Target { tags: tags.iter().map(|&tag| tag.to_owned()).collect(), ..target }
        };
        assert_eq!(tagged(&["blue", "version:v2", "version:v3"]).version(), Some("v2"));
        assert_eq!(tagged(&["versions:v2"]).version(), None);
    }

    #[test]
    fn addresses_are_normalised_as_kong_does() {
        for (text, normal) in [
            ("httpbin.org:80", "httpbin.org:80"),
            ("Blue", "blue:8000"),
            ("10.0.0.1", "10.0.0.1:8000"),
            ("::1", "[0000:0000:0000:0000:0000:0000:0000:0001]:8000"),
            ("[::1]:81", "[0000:0000:0000:0000:0000:0000:0000:0001]:81"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), normal);
        }
        for bad in ["", ":80", "a:70000", "a b:80", "1.2.3:80", "[x]:80", "a:80:81"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
