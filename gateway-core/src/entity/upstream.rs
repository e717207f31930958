//! An Upstream: a named set of Targets, how to choose among them, and how to tell which of them are well.

use uuid::Uuid;

use super::{Algorithm, FieldError, Healthchecks, OutlierDetection, Tuning, check_host};

/// What a request is known by, for algorithms that send the same one to the same Target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashOn {
    /// By nothing.
    #[default]
    None,
    /// By the consumer that was authenticated; there are none here, so it is always missing.
    Consumer,
    /// By the client's address.
    Ip,
    /// By this header.
    Header(String),
    /// By this cookie, which is set when it is missing.
    Cookie(String),
    /// By the path.
    Path,
    /// By this argument of the query.
    QueryArg(String),
    /// By this group, named or numbered, of the Route's regex.
    UriCapture(String),
}

impl HashOn {
    /// Kong's words, in Kong's order.
    pub const WORDS: [&'static str; 8] =
        ["none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"];

    /// As Kong writes it, without what it names.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Consumer => "consumer",
            Self::Ip => "ip",
            Self::Header(_) => "header",
            Self::Cookie(_) => "cookie",
            Self::Path => "path",
            Self::QueryArg(_) => "query_arg",
            Self::UriCapture(_) => "uri_capture",
        }
    }

    /// What it names.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Header(name) | Self::Cookie(name) | Self::QueryArg(name) | Self::UriCapture(name) => {
                Some(name)
            }
            Self::None | Self::Consumer | Self::Ip | Self::Path => None,
        }
    }
}

/// An Upstream with Kong's fields and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Upstream {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique; a host name, no address and no port.
    pub name: String,
    /// How a Target is chosen.
    pub algorithm: Algorithm,
    /// What a request is known by.
    pub hash_on: HashOn,
    /// By what instead when that is missing.
    pub hash_fallback: HashOn,
    /// The path of the cookie that `hash_on` sets; `/` by default.
    pub hash_on_cookie_path: String,
    /// Cells of a hash ring, 10 to 65536; 10000 by default. Kept and shown: ours always has a million.
    pub slots: u32,
    /// How Targets are known to be well.
    pub healthchecks: Healthchecks,
    /// Our addition to them.
    pub outlier_detection: Option<OutlierDetection>,
    /// What there is to set about choosing beyond Kong's fields; `None` is all by default.
    pub balancer: Option<Tuning>,
    /// Name of the cookie of `sticky-sessions`; `sticky_session` when nothing is said.
    pub sticky_sessions_cookie: Option<String>,
    /// The path of that cookie; `/` by default.
    pub sticky_sessions_cookie_path: String,
    /// The `Host` sent to its Targets instead of their names.
    pub host_header: Option<String>,
    /// Whether the name of an SRV record is sent as `Host`; kept for those who ask.
    pub use_srv_name: bool,
    /// Id of the certificate shown to targets; kept for those who ask.
    pub client_certificate: Option<Uuid>,
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
            hash_on: HashOn::None,
            hash_fallback: HashOn::None,
            hash_on_cookie_path: "/".to_owned(),
            slots: 10_000,
            healthchecks: Healthchecks::default(),
            outlier_detection: None,
            balancer: None,
            sticky_sessions_cookie: None,
            sticky_sessions_cookie_path: "/".to_owned(),
            host_header: None,
            use_srv_name: false,
            client_certificate: None,
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
        let name = reason.map(|reason| FieldError::new("name", format!("Invalid name ('{name}'); {reason}")));
        let host_header = self.host_header.as_deref().filter(|host| {
            let (name, port) = super::split_port(host);
            check_host(name).is_err() || port.is_some_and(|port| port.parse::<u16>().is_err())
        });
        let host_header =
            host_header.map(|host| FieldError::new("host_header", format!("invalid value: {host}")));
        let slots = (!(10..=65_536).contains(&self.slots))
            .then(|| FieldError::new("slots", "value should be between 10 and 65536"));
        let factor = self.balancer.as_ref().map_or(0, |tuning| tuning.hash_balance_factor);
        let factor = (factor > 0 && factor <= 100).then(|| {
            FieldError::new("balancer.hash_balance_factor", "value should be 0 or between 101 and 10000")
        });
        let single = name.into_iter().chain(host_header).chain(slots).chain(factor);
        single.chain(self.healthchecks.errors()).chain(self.hash_errors()).collect()
    }

    /// Kong's rules about both hash inputs together.
    fn hash_errors(&self) -> Vec<FieldError> {
        use HashOn::{Consumer, Cookie, Header, Ip, None, Path, QueryArg, UriCapture};
        let conditional = |message: &str| {
            vec![
                FieldError::entity("failed conditional validation given value of field 'hash_on'"),
                FieldError::new("hash_fallback", message),
            ]
        };
        let distinct = |fields: &str| {
            vec![FieldError::entity(format!("values of these fields must be distinct: {fields}"))]
        };
        match (&self.hash_on, &self.hash_fallback) {
            (None | Cookie(_), fallback) if *fallback != None => conditional("expected one of: none"),
            (Consumer, Consumer) | (Ip, Ip) | (Path, Path) => {
                let others = HashOn::WORDS.iter().filter(|&&word| word != self.hash_on.as_str());
                let others: Vec<_> = others.copied().collect();
                conditional(&format!("expected one of: {}", others.join(", ")))
            }
            (Header(on), Header(fallback)) if on.eq_ignore_ascii_case(fallback) => {
                distinct("'hash_on_header', 'hash_fallback_header'")
            }
            (QueryArg(on), QueryArg(fallback)) if on == fallback => {
                distinct("'hash_on_query_arg', 'hash_fallback_query_arg'")
            }
            (UriCapture(on), UriCapture(fallback)) if on == fallback => {
                distinct("'hash_on_uri_capture', 'hash_fallback_uri_capture'")
            }
            _ => vec![],
        }
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

    #[test]
    fn the_two_hash_inputs_must_go_together() {
        let both = |hash_on, hash_fallback| {
            let fields = Upstream { hash_on, hash_fallback, ..Upstream::new("u") }.errors();
            fields.into_iter().map(|e| e.field).collect::<Vec<_>>()
        };
        let header = |name: &str| HashOn::Header(name.to_owned());
        assert!(both(header("a"), header("b")).is_empty());
        assert!(both(header("a"), HashOn::Ip).is_empty());
        assert_eq!(both(header("a"), header("A")), ["@entity"]);
        assert_eq!(both(HashOn::Ip, HashOn::Ip), ["@entity", "hash_fallback"]);
        assert_eq!(both(HashOn::Cookie("c".into()), HashOn::Ip), ["@entity", "hash_fallback"]);
        assert_eq!(both(HashOn::None, HashOn::Ip), ["@entity", "hash_fallback"]);
    }
}
