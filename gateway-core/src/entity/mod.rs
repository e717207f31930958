//! Kong's entities with Kong's fields, defaults and ranges; each checks its own fields and knows nothing of the others.
//! Links between them are checked by `config`.

mod algorithm;
mod healthchecks;
mod mirror;
mod name;
mod path;
mod percent;
mod protocol;
mod route;
mod service;
mod split;
mod target;
mod upstream;

pub(crate) use algorithm::every_algorithm;
pub use algorithm::{Algorithm, HashTable, Promise, SlowStart, Tuning};
pub use healthchecks::{Active, Healthchecks, Limits, OutlierDetection, ProbeKind, Statuses};
pub use mirror::Mirror;
pub use name::{check_host, check_name};
pub use path::{check_path, normalise};
pub use percent::Percent;
pub use protocol::Protocol;
pub use route::{PathHandling, Route, compile, compile_header, split_port};
pub use service::Service;
pub use split::{Split, SplitCookie, SplitKey};
pub use target::{Address, Target};
pub use upstream::{HashOn, Upstream};

/// A field that breaks its rule: which one, and the rule in Kong's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// `host`, `paths[0]`, `healthchecks.active.timeout`; `@entity` when the rule is about several fields.
    pub field: String,
    /// What is wrong, in Kong's words where Kong has some.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }

    /// A rule about several fields.
    pub(crate) fn entity(message: impl Into<String>) -> Self {
        Self::new("@entity", message)
    }
}
