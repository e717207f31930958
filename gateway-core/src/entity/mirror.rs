//! A Service's mirror: which of its requests are copied to another Upstream, and what of the answers is compared. Kong has no
//! such thing; the words are Istio's and Envoy's. Who is copied when is decided in `gateway`.

use std::time::Duration;

use super::{FieldError, Percent, check_host};

/// Copies of a share of requests go to another host as well. Nobody waits for their answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The name of an Upstream, or else a host.
    pub host: String,
    /// How many of those that may be copied are; all by default.
    pub percent: Percent,
    /// Upper-case methods that may be copied; GET and HEAD by default. Requests with a body never are.
    pub methods: Vec<String>,
    /// Whether the statuses of both answers are compared; they are by default.
    pub compare_status: bool,
    /// The same of their bodies.
    pub compare_body: bool,
    /// Header fields of the answers that are compared as well, in lower case; none by default.
    pub compare_headers: Vec<String>,
    /// How long a copy may take, from its pick to the end of its answer; then it has failed. At most the Service's
    /// `read_timeout`, which is the limit where nothing is said.
    pub timeout: Option<Duration>,
}

impl Mirror {
    /// Copies all GETs and HEADs to `host`.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            percent: Percent::ALL,
            methods: vec!["GET".to_owned(), "HEAD".to_owned()],
            compare_status: true,
            compare_body: true,
            compare_headers: Vec::new(),
            timeout: None,
        }
    }

    /// All fields that break their rule, where answers to requests may take so long.
    pub(super) fn errors(&self, read_timeout: Duration) -> Vec<FieldError> {
        let host = check_host(&self.host).err().map(|message| FieldError::new("mirror.host", message));
        let is_method = |method: &str| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        let wrong = self.methods.iter().enumerate().filter(|(_, method)| !is_method(method));
        let methods = wrong.map(|(i, _)| {
            FieldError::new(&format!("mirror.methods[{i}]"), "expected a method in upper-case letters")
        });
        let is_long = self.timeout.is_some_and(|timeout| timeout.is_zero() || timeout > read_timeout);
        let timeout = is_long
            .then(|| FieldError::new("mirror.timeout", "expected at least 1 and at most read_timeout"));
        host.into_iter().chain(methods).chain(timeout).collect()
    }
}
