//! Entities as Kong's JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::Status;
use crate::entity::Service;

/// A Service with every field of Kong's.
pub(super) fn service(service: &Service) -> Value {
    json!({
        "id": service.uuid.to_string(),
        "name": service.name,
        "protocol": service.protocol.as_str(),
        "host": service.host,
        "port": service.port,
        "path": service.path,
        "retries": service.retries,
        "connect_timeout": millis(service.connect_timeout),
        "write_timeout": millis(service.write_timeout),
        "read_timeout": millis(service.read_timeout),
        "enabled": service.enabled,
        "tags": (!service.tags.is_empty()).then_some(&service.tags),
        "created_at": service.created_at,
        "updated_at": service.updated_at,
        "client_certificate": null,
        "ca_certificates": null,
        "tls_verify": null,
        "tls_verify_depth": null,
    })
}

/// `GET /status`, as far as it means anything here.
pub(super) fn status(status: &Status) -> Value {
    json!({
        "database": { "reachable": true },
        "server": {
            "connections_accepted": status.connections_accepted,
            "connections_active": status.connections_active,
            "connections_handled": status.connections_accepted,
            "total_requests": status.total_requests,
        },
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
