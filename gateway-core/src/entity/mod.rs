//! Kong's entities with Kong's fields, defaults and ranges; each checks its own fields and knows nothing of the others.
//! Links between them are checked by `config`.

mod name;
mod route;
mod service;
mod target;
mod upstream;

pub use name::{check_host, check_name};
pub use route::Route;
pub use service::{Protocol, Service, ServicePatch};
pub use target::{Address, Target};
pub use upstream::{Algorithm, Upstream};

/// A field that breaks its rule: which one, and the rule in Kong's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    /// `host`, `targets[0].weight`.
    pub field: String,
    /// What is wrong, in Kong's words where Kong has some.
    pub message: String,
}

impl FieldError {
    pub(crate) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}
