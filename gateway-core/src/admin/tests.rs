//! The Admin API as its users know it: curl's calls, decK's calls, and what is said when a call is wrong.

mod deck;
mod refusals;

use super::*;
use crate::gateway::Gateway;
use crate::time::Instant;

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

/// A gateway and everything that is said to it.
struct Api {
    gateway: Gateway,
    calls: u32,
}

impl Api {
    fn new() -> Self {
        Self { gateway: Gateway::new(Config::default()), calls: 0 }
    }

    fn call(&mut self, method: &str, path: &str, content_type: Option<&str>, body: &str) -> (u16, Value) {
        let reply = self.reply(method, path, content_type, body);
        assert_eq!(matches!(reply.status, 204 | 304), reply.body.is_empty());
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Value::Null))
    }

    /// A call carried out as the shell does.
    fn reply(&mut self, method: &str, path: &str, content_type: Option<&str>, body: &str) -> Reply {
        self.calls += 1;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let id = Uuid::from_u128(u128::from(self.calls));
        let stamp = Stamp { now_ms: 1_700_000_000_000 + u64::from(self.calls) * 1000, id };
        let call = Call { method, path, query, content_type, body: body.as_bytes(), stamp };
        let config = self.gateway.config();
        let world = World { gateway: &self.gateway, config: &config, status: &Status::default() };
        match decide(&world, &call) {
            Decision::Reply(reply) => reply,
            Decision::Change(change, then) => match self.gateway.apply(*change, Instant::ZERO) {
                Ok(_) => reply_after(&self.gateway.config(), then),
                Err(error) => refused(&error),
            },
            Decision::SetHealth(targets, healthy) => {
                for target in targets {
                    self.gateway.set_health(target, healthy, Instant::ZERO);
                }
                Reply::empty()
            }
        }
    }

    fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, None, "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn send(&mut self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.call(method, path, JSON, &body.to_string())
    }

    fn made(&mut self, path: &str, body: &Value) -> Value {
        let (status, body) = self.send("POST", path, body);
        assert_eq!(status, 201, "{path}: {body}");
        body
    }

    /// The how-to's entities.
    fn how_to() -> Self {
        let mut api = Self::new();
        for (name, targets) in [
            ("blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
            ("green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
        ] {
            api.made("/upstreams", &json!({ "name": name }));
            for (target, weight) in targets {
                let path = format!("/upstreams/{name}/targets");
                api.made(&path, &json!({ "target": target, "weight": weight }));
            }
        }
        api.made("/services", &json!({ "name": "example-service", "host": "blue" }));
        api.made("/services/example-service/routes", &json!({ "name": "r", "paths": ["/anything"] }));
        api
    }
}

#[test]
fn the_switch_is_a_patch_in_json_or_as_a_form_by_name_or_id() {
    let mut api = Api::how_to();
    let id = api.get("/services/example-service")["id"].as_str().unwrap().to_owned();
    let by_id = format!("/services/{id}/");
    let konnect =
        format!("/v2/control-planes/9524ec7d-36d9-465d-a8c5-83a3c9390458/core-entities/services/{id}");
    for (path, kind, body, host) in [
        ("/services/example-service", JSON, r#"{"host":"green"}"#, "green"),
        ("/services/example%2dservice", FORM, "host=blue", "blue"),
        (&by_id, JSON, r#"{"host":"green","port":8080}"#, "green"),
        (&konnect, JSON, r#"{"host":"blue"}"#, "blue"),
    ] {
        let (status, body) = api.call("PATCH", path, kind, body);
        assert_eq!((status, body["host"].as_str()), (200, Some(host)), "{path}");
        assert!(body["updated_at"].as_u64().unwrap() > body["created_at"].as_u64().unwrap());
        assert_eq!(api.get(path), body);
    }
}

#[test]
fn a_new_entity_has_every_field_and_a_put_starts_over() {
    let mut api = Api::new();
    let made = api.made("/services", &json!({ "name": "s", "url": "http://a.com:81/v1", "tags": ["x"] }));
    for (field, value) in [
        ("protocol", json!("http")),
        ("host", json!("a.com")),
        ("port", json!(81)),
        ("path", json!("/v1")),
        ("retries", json!(5)),
        ("read_timeout", json!(60_000)),
        ("enabled", json!(true)),
        ("tls_verify", Value::Null),
        ("tags", json!(["x"])),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let (status, put) = api.send("PUT", "/services/s", &json!({ "host": "b.com" }));
    assert_eq!((status, put["path"].clone(), put["tags"].clone()), (200, Value::Null, Value::Null));
    assert_eq!(
        (put["id"].clone(), put["created_at"].clone()),
        (made["id"].clone(), made["created_at"].clone())
    );
    let id = "4e5a5a5e-0000-4000-8000-000000000001";
    let (status, put) = api.send("PUT", &format!("/services/{id}"), &json!({ "name": "t", "host": "c" }));
    assert_eq!((status, put["id"].as_str(), put["port"].clone()), (200, Some(id), json!(80)));
    let (_, named) = api.send("PUT", "/upstreams/new-one", &json!({ "slots": 100 }));
    assert_eq!((named["name"].as_str(), named["slots"].clone()), (Some("new-one"), json!(100)));
}

#[test]
fn targets_are_known_by_address_or_id_and_listed_newest_first() {
    let mut api = Api::how_to();
    let list = api.get("/upstreams/blue/targets");
    let named: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|t| t["target"].as_str().unwrap()).collect();
    assert_eq!(named, ["httpbin.org:80", "httpbin.konghq.com:80"]);
    let (status, target) =
        api.send("PATCH", "/upstreams/blue/targets/httpbin.org:80", &json!({ "weight": 0 }));
    assert_eq!((status, target["weight"].clone()), (200, json!(0)));
    let path = format!("/upstreams/blue/targets/{}", target["id"].as_str().unwrap());
    let (status, moved) = api.send("PUT", &path, &json!({ "target": "elsewhere" }));
    assert_eq!(
        (status, moved["target"].as_str(), moved["weight"].clone()),
        (200, Some("elsewhere:8000"), json!(0))
    );
    assert_eq!(api.call("GET", "/upstreams/green/targets/elsewhere", None, "").0, 404);
    assert_eq!(api.call("DELETE", &path, None, "").0, 204);
    assert_eq!(api.call("GET", &path, None, "").0, 404);
    assert_eq!(api.call("DELETE", "/upstreams/blue", None, "").0, 204);
    assert_eq!(api.call("DELETE", "/upstreams/blue", None, "").0, 204, "deleting what is gone is fine");
}

#[test]
fn lists_come_in_pages_and_by_tag() {
    let mut api = Api::new();
    for i in 0..250 {
        let tags = if i % 2 == 0 { json!(["even", "all"]) } else { json!(["all"]) };
        api.made("/services", &json!({ "name": format!("s{i}"), "host": "h", "tags": tags }));
    }
    let (mut path, mut seen) = ("/services?size=100&tags=all".to_owned(), Vec::new());
    loop {
        let page = api.get(&path);
        seen.extend(page["data"].as_array().unwrap().iter().map(|s| s["name"].clone()));
        assert_eq!(page.get("offset").is_some(), page["next"].is_string());
        let Some(next) = page["next"].as_str() else { break };
        path = next.to_owned();
    }
    assert_eq!(seen, (0..250).map(|i| json!(format!("s{i}"))).collect::<Vec<_>>());
    assert_eq!(api.get("/services?tags=even,all&size=1000")["data"].as_array().unwrap().len(), 125);
    assert_eq!(api.get("/services?tags=even/all&size=1000")["data"].as_array().unwrap().len(), 250);
    assert_eq!(api.get("/services?tags=none"), json!({ "data": [], "next": null }));
    assert_eq!(api.get("/tags/even?size=1000")["data"].as_array().unwrap().len(), 125);
}
