//! A Route: which requests belong to which Service. Matching itself is the router's.

use uuid::Uuid;

use super::{FieldError, check_name};
use crate::id::ServiceId;

/// A Route with Kong's fields and defaults, as far as the router serves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Kong's id.
    pub uuid: Uuid,
    /// Unique when given.
    pub name: Option<String>,
    /// Where its requests go; without one they are answered 503.
    pub service: Option<ServiceId>,
    /// Prefixes, each starting with `/`.
    pub paths: Vec<String>,
    /// Host names without port, lower case.
    pub hosts: Vec<String>,
    /// Upper-case methods.
    pub methods: Vec<String>,
    /// Whether the matched prefix is cut from the path; true by default.
    pub strip_path: bool,
    /// Whether the client's `Host` is sent on; false by default.
    pub preserve_host: bool,
    /// Free words.
    pub tags: Vec<String>,
    /// Seconds since 1970; between equals the older Route wins.
    pub created_at: u64,
    /// Seconds since 1970.
    pub updated_at: u64,
}

impl Route {
    /// A Route called `name` into `service` that matches nothing yet.
    pub fn new(name: &str, service: ServiceId) -> Self {
        Self {
            uuid: Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("routes:{name}").as_bytes()),
            name: Some(name.to_owned()),
            service: Some(service),
            paths: Vec::new(),
            hosts: Vec::new(),
            methods: Vec::new(),
            strip_path: true,
            preserve_host: false,
            tags: Vec::new(),
            created_at: 0,
            updated_at: 0,
        }
    }

    /// All fields that break their rule.
    pub fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if let Some(Err(message)) = self.name.as_deref().map(check_name) {
            errors.push(FieldError::new("name", message));
        }
        if self.paths.is_empty() && self.hosts.is_empty() && self.methods.is_empty() {
            errors.push(FieldError::new("paths", "must set one of 'methods', 'hosts', 'paths'"));
        }
        for (i, path) in self.paths.iter().enumerate() {
            if let Err(message) = check_route_path(path) {
                errors.push(FieldError::new(&format!("paths[{i}]"), message));
            }
        }
        for (i, host) in self.hosts.iter().enumerate() {
            if !super::name::is_dns_name(host) || host.chars().any(|c| c.is_ascii_uppercase()) {
                errors.push(FieldError::new(&format!("hosts[{i}]"), format!("invalid hostname: {host}")));
            }
        }
        for (i, method) in self.methods.iter().enumerate() {
            if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
                errors.push(FieldError::new(&format!("methods[{i}]"), format!("invalid value: {method}")));
            }
        }
        errors
    }
}

fn check_route_path(path: &str) -> Result<(), String> {
    if path.starts_with('~') {
        return Err("regex paths are not served yet; use a prefix".to_owned());
    }
    if !path.starts_with('/') {
        return Err("should start with: / (fixed path) or ~/ (regex path)".to_owned());
    }
    if path.contains("//") {
        return Err("must not have empty segments".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_needs_something_to_match_and_says_what_is_wrong() {
        let empty = Route::new("r", ServiceId(0));
        assert_eq!(empty.errors().len(), 1);
        let bad = Route {
            paths: vec!["x".into()],
            hosts: vec!["a b".into()],
            methods: vec!["get".into()],
            ..empty
        };
        let fields: Vec<_> = bad.errors().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["paths[0]", "hosts[0]", "methods[0]"]);
    }
}
