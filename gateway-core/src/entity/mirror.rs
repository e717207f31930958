//! A Service's mirror: which of its requests are copied to another Upstream, and what of the answers is compared. Kong has no
//! such thing; the words are Istio's and Envoy's. Who is copied when is decided in `gateway`.

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
    /// Header fields of the answers that are compared beside status and body, in lower case; none by default.
    pub compare_headers: Vec<String>,
}

impl Mirror {
    /// Copies all GETs and HEADs to `host`.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            percent: Percent::ALL,
            methods: vec!["GET".to_owned(), "HEAD".to_owned()],
            compare_headers: Vec::new(),
        }
    }

    /// All fields that break their rule.
    pub(super) fn errors(&self) -> Vec<FieldError> {
        let host = check_host(&self.host).err().map(|message| FieldError::new("mirror.host", message));
        let is_method = |method: &str| !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        let wrong = self.methods.iter().enumerate().filter(|(_, method)| !is_method(method));
        let methods = wrong.map(|(i, _)| {
            FieldError::new(&format!("mirror.methods[{i}]"), "expected a method in upper-case letters")
        });
        host.into_iter().chain(methods).collect()
    }
}
