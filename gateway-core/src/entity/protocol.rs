//! Kong's protocols: what a client may speak to a Route, and what a Service speaks to its targets.

/// What is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// gRPC over plain HTTP/2.
    Grpc,
    /// gRPC over HTTP/2 with TLS.
    Grpcs,
    /// Plain HTTP/1.1: what the proxy speaks.
    #[default]
    Http,
    /// HTTP with TLS.
    Https,
    /// A plain stream.
    Tcp,
    /// A stream with TLS.
    Tls,
    /// A stream whose TLS passes through.
    TlsPassthrough,
    /// Datagrams.
    Udp,
}

impl Protocol {
    /// All, in the order Kong lists them.
    pub const ALL: [Self; 8] = [
        Self::Grpc,
        Self::Grpcs,
        Self::Http,
        Self::Https,
        Self::Tcp,
        Self::Tls,
        Self::TlsPassthrough,
        Self::Udp,
    ];

    /// As Kong writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Grpcs => "grpcs",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::TlsPassthrough => "tls_passthrough",
            Self::Udp => "udp",
        }
    }

    /// Reads Kong's word, `None` when there is no such protocol.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.as_str() == word)
    }

    /// Whether requests have paths that a Service may put something before.
    pub const fn has_paths(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Protocols that one Route may mix have the same number.
    pub(super) const fn family(self) -> u8 {
        match self {
            Self::Http | Self::Https => 0,
            Self::Tcp | Self::Tls | Self::Udp => 1,
            Self::TlsPassthrough => 2,
            Self::Grpc | Self::Grpcs => 3,
        }
    }
}
