//! The Admin API without a socket: a call in, a reply or a change out. Kong's paths, words and error objects. Whoever carries
//! it out applies the change and then asks for the reply that goes with it, so that curl, the live engine and tests share
//! one way in. Serves `GET /status` and `GET`, `PATCH` of `/services/{name or id}`.

mod json;
mod patch;

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::config::{Change, Config, ConfigError};
use crate::entity::FieldError;
use crate::id::ServiceId;

/// One call of the Admin API.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Upper case.
    pub method: &'a str,
    /// Without its query.
    pub path: &'a str,
    /// What the body is.
    pub content_type: Option<&'a str>,
    /// The whole body.
    pub body: &'a [u8],
    /// Seconds since 1970, for `updated_at`.
    pub now_s: u64,
}

/// What a call comes to.
#[derive(Debug)]
pub enum Decision {
    /// An answer, and nothing changes.
    Reply(Reply),
    /// A change. Once it is in force, [`reply_after`] has the answer; if it is refused, [`refused`] has.
    Change(Change, Then),
}

/// What the answer to a change shows.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// The Service as it is now.
    Service(ServiceId),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: String,
    /// The methods that would have been fine.
    pub allow: Option<&'static str>,
}

/// What `GET /status` tells of the proxy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    /// Since the start.
    pub connections_accepted: u64,
    /// Now.
    pub connections_active: u64,
    /// Since the start.
    pub total_requests: u64,
}

impl Reply {
    /// `{"message": ...}`.
    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, body: body.to_string(), allow: None }
    }

    fn not_allowed(allow: &'static str) -> Self {
        Self { allow: Some(allow), ..Self::message(405, "Method not allowed") }
    }

    fn not_found() -> Self {
        Self::message(404, "Not found")
    }
}

/// Decides what `call` comes to under `config`.
pub fn decide(config: &Config, status: &Status, call: &Call<'_>) -> Decision {
    let path = call.path.strip_suffix('/').unwrap_or(call.path);
    let parts: Vec<_> =
        path.split('/').skip(1).map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
    match parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()[..] {
        ["status"] => Decision::Reply(match call.method {
            "GET" | "HEAD" => Reply::json(200, &json::status(status)),
            _ => Reply::not_allowed("GET, HEAD"),
        }),
        ["services", name] => service(config, name, call),
        _ => Decision::Reply(Reply::not_found()),
    }
}

fn service(config: &Config, name_or_id: &str, call: &Call<'_>) -> Decision {
    let found = config.find_service(name_or_id);
    match (call.method, found) {
        ("GET" | "HEAD", Some((_, service))) => Decision::Reply(Reply::json(200, &json::service(service))),
        ("PATCH", Some((id, _))) => match patch::read(call) {
            Ok(patch) => Decision::Change(Change::PatchService(id, patch), Then::Service(id)),
            Err(reply) => Decision::Reply(reply),
        },
        ("GET" | "HEAD" | "PATCH", None) => Decision::Reply(Reply::not_found()),
        _ => Decision::Reply(Reply::not_allowed("GET, HEAD, PATCH")),
    }
}

/// The answer to a change that is in force.
pub fn reply_after(config: &Config, then: Then) -> Reply {
    match then {
        Then::Service(id) => config
            .service(id)
            .map_or_else(Reply::not_found, |service| Reply::json(200, &json::service(service))),
    }
}

/// The answer to a change that was refused.
pub fn refused(error: &ConfigError) -> Reply {
    match error {
        ConfigError::Schema(errors) => violation(errors),
        ConfigError::Unique { field, value } => Reply::json(
            409,
            &json!({
                "code": 5,
                "name": "unique constraint violation",
                "message": error.to_string(),
                "fields": { *field: value },
            }),
        ),
        ConfigError::Missing { .. } => Reply::not_found(),
    }
}

/// Kong's error object for fields that break their rules.
fn violation(errors: &[FieldError]) -> Reply {
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by(|a, b| a.field.cmp(&b.field));
    let listed = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let message = match errors.len() {
        1 => format!("schema violation ({listed})"),
        n => format!("{n} schema violations ({listed})"),
    };
    let fields: serde_json::Map<_, _> =
        errors.iter().map(|error| (error.field.clone(), error.message.clone().into())).collect();
    Reply::json(400, &json!({ "code": 2, "name": "schema violation", "message": message, "fields": fields }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Service, Upstream};

    fn config() -> Config {
        let mut config = Config::default();
        config.add_upstream(Upstream::new("blue")).unwrap();
        config.add_service(Service::new("example-service", "blue")).unwrap();
        config.add_service(Service::new("other", "blue")).unwrap();
        config
    }

    fn call<'a>(method: &'a str, path: &'a str, body: &'a str) -> Call<'a> {
        let content_type = Some(if body.starts_with('{') { "application/json" } else { FORM });
        Call { method, path, content_type, body: body.as_bytes(), now_s: 1_700_000_000 }
    }

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    /// Carries a call out as the shell does.
    fn answer(config: &mut Config, call: &Call<'_>) -> (u16, serde_json::Value) {
        let reply = match decide(config, &Status::default(), call) {
            Decision::Reply(reply) => reply,
            Decision::Change(change, then) => match config.with(change) {
                Ok(next) => {
                    *config = next;
                    reply_after(config, then)
                }
                Err(error) => refused(&error),
            },
        };
        (reply.status, serde_json::from_str(&reply.body).unwrap())
    }

    #[test]
    fn the_switch_is_a_patch_in_json_or_as_a_form_by_name_or_id() {
        let mut config = config();
        let id = config.find_service("example-service").unwrap().1.uuid.to_string();
        let by_id = format!("/services/{id}/");
        for (path, body, host) in [
            ("/services/example-service", r#"{"host":"green"}"#, "green"),
            ("/services/example%2dservice", "host=blue", "blue"),
            (by_id.as_str(), r#"{"host":"green","port":8080}"#, "green"),
        ] {
            let (status, body) = answer(&mut config, &call("PATCH", path, body));
            assert_eq!((status, body["host"].as_str()), (200, Some(host)));
            assert_eq!(body["updated_at"], 1_700_000_000);
            assert_eq!(answer(&mut config, &call("GET", path, "")).1, body);
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_kongs_words() {
        let mut config = config();
        for (method, path, body, status, message) in [
            ("GET", "/services/none", "", 404, "Not found"),
            ("PATCH", "/services/none", "host=x", 404, "Not found"),
            ("GET", "/nonsense", "", 404, "Not found"),
            ("POST", "/status", "", 405, "Method not allowed"),
            ("PUT", "/services/other", "", 405, "Method not allowed"),
            ("PATCH", "/services/other", "{", 400, "Cannot parse JSON body"),
            (
                "PATCH",
                "/services/other",
                "{\"port\":70000}",
                400,
                "schema violation (port: value should be between 0 and 65535)",
            ),
            ("PATCH", "/services/other", "port=x", 400, "schema violation (port: expected an integer)"),
            (
                "PATCH",
                "/services/other",
                "{\"host\":null}",
                400,
                "schema violation (host: required field missing)",
            ),
            ("PATCH", "/services/other", "{\"hots\":\"x\"}", 400, "schema violation (hots: unknown field)"),
            (
                "PATCH",
                "/services/other",
                "{\"port\":\"x\",\"host\":1}",
                400,
                "2 schema violations (host: expected a string; port: expected an integer)",
            ),
            (
                "PATCH",
                "/services/other",
                "name=example-service",
                409,
                "UNIQUE violation detected on '{name=\"example-service\"}'",
            ),
        ] {
            let (seen, body) = answer(&mut config, &call(method, path, body));
            assert_eq!((seen, body["message"].as_str()), (status, Some(message)), "{method} {path}");
        }
        let xml = Call { content_type: Some("text/xml"), ..call("PATCH", "/services/other", "<a/>") };
        assert_eq!(answer(&mut config, &xml).0, 415);
    }

    #[test]
    fn the_status_counts_what_the_proxy_did() {
        let status = Status { connections_accepted: 3, connections_active: 1, total_requests: 7 };
        let Decision::Reply(reply) = decide(&config(), &status, &call("GET", "/status", "")) else {
            panic!("a status changes nothing")
        };
        let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(body["server"]["total_requests"], 7);
        assert_eq!(body["server"]["connections_handled"], 3);
        assert_eq!(body["database"]["reachable"], true);
    }
}
