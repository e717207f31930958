//! An Upstream: a named set of Targets and how to choose among them.

use uuid::Uuid;

use super::{FieldError, check_host};

/// How a Target is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Exact shares in turn.
    #[default]
    RoundRobin,
}

impl Algorithm {
    /// Every algorithm there is, in the order documentation lists them.
    pub const ALL: [Self; 1] = [Self::RoundRobin];

    /// As Kong and scenario files write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
        }
    }

    /// Reads the word, `None` when there is no such algorithm.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }
}

/// An Upstream with Kong's fields and defaults, as far as they are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique; a host name, no address and no port.
    pub name: String,
    /// How a Target is chosen.
    pub algorithm: Algorithm,
    /// The `Host` sent to its Targets instead of their names.
    pub host_header: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970.
    pub updated_at: u64,
}

impl Upstream {
    /// An Upstream called `name`, everything else as Kong has it by default.
    pub fn new(name: &str) -> Self {
        Self {
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("upstreams:{name}").as_bytes()),
            name: name.to_owned(),
            algorithm: Algorithm::default(),
            host_header: None,
            tags: Vec::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    /// All fields that break their rule.
    pub fn errors(&self) -> Vec<FieldError> {
        let name = &self.name;
        let reason = if name.parse::<std::net::IpAddr>().is_ok()
            || (!name.is_empty() && name.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        {
            Some("no ip addresses allowed")
        } else if name.contains(':') {
            Some("no port allowed")
        } else if check_host(name).is_err() {
            Some("must be a valid hostname")
        } else {
            None
        };
        reason
            .map(|reason| FieldError::new("name", format!("Invalid name ('{name}'); {reason}")))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstreams_name_is_a_hostname() {
        assert_eq!(Upstream::new("blue").errors(), vec![]);
        for (bad, why) in
            [("a b", "valid hostname"), ("10.0.0.1", "no ip"), ("blue:80", "no port"), ("12", "no ip")]
        {
            assert!(Upstream::new(bad).errors()[0].message.contains(why), "{bad}");
        }
    }
}
