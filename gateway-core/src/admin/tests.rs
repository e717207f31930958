//! The Admin API as its users know it: curl's calls, decK's calls, and what is said when a call is wrong.

use proptest::prelude::*;

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
fn what_is_wrong_is_said_in_kongs_words() {
    let mut api = Api::how_to();
    api.made("/services", &json!({ "name": "other", "host": "blue" }));
    let service = "/services/other";
    for (method, path, kind, body, status, message) in [
        ("GET", "/services/none", None, "", 404, "Not found"),
        ("PATCH", "/services/none", FORM, "host=x", 404, "Not found"),
        ("GET", "/nonsense", None, "", 404, "Not found"),
        ("GET", "/targets", None, "", 404, "Not found"),
        ("POST", "/status", None, "", 405, "Method not allowed"),
        ("DELETE", "/routes/r/service", None, "", 405, "Method not allowed"),
        ("PATCH", "/upstreams/blue/targets", JSON, "{}", 405, "Method not allowed"),
        ("PUT", "/upstreams/blue/targets/none:1", JSON, "{}", 404, "Not found"),
        ("DELETE", "/upstreams/blue/targets/none:1", None, "", 404, "Not found"),
        ("PATCH", service, JSON, "{", 400, "Cannot parse JSON body"),
        ("PATCH", service, Some("text/xml"), "<a/>", 415, "Unsupported Media Type"),
        (
            "PATCH",
            service,
            JSON,
            r#"{"port":70000}"#,
            400,
            "schema violation (port: value should be between 0 and 65535)",
        ),
        ("PATCH", service, FORM, "port=x", 400, "schema violation (port: expected an integer)"),
        ("PATCH", service, JSON, r#"{"host":null}"#, 400, "schema violation (host: required field missing)"),
        ("PATCH", service, JSON, r#"{"hots":"x"}"#, 400, "schema violation (hots: unknown field)"),
        (
            "PATCH",
            service,
            JSON,
            r#"{"port":"x","host":1}"#,
            400,
            "2 schema violations (host: expected a string; port: expected an integer)",
        ),
        (
            "PATCH",
            service,
            FORM,
            "name=example-service",
            409,
            "UNIQUE violation detected on '{name=\"example-service\"}'",
        ),
        (
            "DELETE",
            "/services/example-service",
            None,
            "",
            400,
            "an existing 'routes' entity references this 'services' entity",
        ),
        (
            "POST",
            "/routes",
            JSON,
            r#"{"name":"x"}"#,
            400,
            "schema violation (@entity: must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when \
             'protocols' is 'https')",
        ),
        (
            "POST",
            "/routes",
            JSON,
            r#"{"paths":["/"],"service":{"name":"none"}}"#,
            400,
            "the foreign key '{name=\"none\"}' does not reference an existing 'services' entity.",
        ),
        (
            "POST",
            "/upstreams/blue/targets",
            JSON,
            r#"{"target":"httpbin.org:80"}"#,
            409,
            "UNIQUE violation detected on '{target=\"httpbin.org:80\"}'",
        ),
        (
            "POST",
            "/upstreams/blue/targets",
            JSON,
            r#"{"target":"a b"}"#,
            400,
            "schema violation (target: Invalid target; not a valid hostname or ip address)",
        ),
        (
            "PUT",
            "/upstreams/blue/targets/httpbin.org:80/unhealthy",
            None,
            "",
            400,
            "no healthchecker found for blue",
        ),
        ("GET", "/services?size=x", None, "", 400, "size must be a number"),
        ("GET", "/services?offset=%25", None, "", 400, "'%' is not a valid offset: bad base64 encoding"),
        ("GET", "/services?tags=a,b/c", None, "", 400, "invalid option (tags: invalid filter syntax)"),
        ("GET", "/services?tags=", None, "", 400, "invalid option (tags: cannot be null)"),
        ("GET", "/schemas/none", None, "", 404, "No entity named 'none'"),
    ] {
        let (seen, reply) = api.call(method, path, kind, body);
        assert_eq!((seen, reply["message"].as_str()), (status, Some(message)), "{method} {path}");
    }
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

#[test]
fn deck_plays_the_how_to_call_by_call() {
    // Aim: decK's own sequence works: version, reads, schemas, then PUTs with its own ids, Targets by PUT, 404, POST, and the
    // switch as one PUT of the whole Service. Method: its calls in its order, each answer as decK needs it.
    let mut api = Api::new();
    assert_eq!(api.get("/")["version"], KONG_VERSION);
    for kind in ["services", "routes", "plugins", "certificates", "snis", "upstreams", "consumers"] {
        assert_eq!(api.get(&format!("/{kind}?size=1000"))["data"], json!([]), "{kind}");
    }
    for kind in ["ca_certificates", "consumer_groups", "vaults", "keys", "acls", "filter-chains"] {
        assert_eq!(api.call("GET", &format!("/{kind}?size=1000"), None, "").0, 404, "{kind}");
    }
    for kind in ["services", "routes", "upstreams", "targets"] {
        assert!(api.get(&format!("/schemas/{kind}"))["fields"].as_array().unwrap().len() > 5);
    }
    let id = |n: u128| Uuid::from_u128(0x4000_8000_0000_0000_0000 + n).to_string();
    for (n, name, targets) in [
        (1, "blue", [("httpbin.konghq.com:80", 100), ("httpbin.org:80", 50)]),
        (2, "green", [("any.httpbun.com:80", 100), ("httpbun.com:80", 100)]),
    ] {
        let upstream = json!({ "id": id(n), "name": name, "algorithm": "round-robin", "slots": 10000 });
        assert_eq!(api.send("PUT", &format!("/upstreams/{}", id(n)), &upstream).0, 200);
        for (i, (target, weight)) in (10 * n..).zip(targets) {
            let body =
                json!({ "id": id(i), "target": target, "weight": weight, "upstream": { "id": id(n) } });
            assert_eq!(api.send("PUT", &format!("/upstreams/{}/targets/{}", id(n), id(i)), &body).0, 404);
            let made = api.made(&format!("/upstreams/{}/targets", id(n)), &body);
            assert_eq!(made["id"], json!(id(i)));
            assert_eq!(api.send("PUT", &format!("/upstreams/{}/targets/{}", id(n), id(i)), &body).0, 200);
        }
    }
    let service = |host: &str| {
        json!({
            "id": id(3), "name": "example-service", "host": host, "protocol": "http", "port": 80, "retries": 5,
            "connect_timeout": 60000, "write_timeout": 60000, "read_timeout": 60000, "enabled": true,
        })
    };
    let service_path = format!("/services/{}", id(3));
    assert_eq!(api.send("PUT", &service_path, &service("blue")).0, 200);
    let route = json!({
        "id": id(4), "name": "example-route", "paths": ["/anything"], "service": { "id": id(3) },
        "protocols": ["http", "https"], "strip_path": true, "preserve_host": false, "regex_priority": 0,
        "https_redirect_status_code": 426, "path_handling": "v0",
        "request_buffering": true, "response_buffering": true,
    });
    assert_eq!(api.send("PUT", &format!("/routes/{}", id(4)), &route).0, 200);
    assert_eq!(api.send("PUT", &service_path, &service("green")).1["host"], "green");
    assert_eq!(
        api.get(&format!("/upstreams/{}/targets?size=1000", id(1)))["data"].as_array().unwrap().len(),
        2
    );
    // `deck sync` deletes leaves first.
    for path in
        [format!("/routes/{}", id(4)), format!("/upstreams/{}/targets/{}", id(1), id(10)), service_path]
    {
        assert_eq!(api.call("DELETE", &path, None, "").0, 204, "{path}");
    }
    let (status, said) = api.send("POST", "/schemas/services/validate", &json!({ "host": "x" }));
    assert_eq!((status, said["message"].as_str()), (200, Some("schema validation successful")));
    assert_eq!(api.send("POST", "/schemas/services/validate", &json!({})).0, 400);
}

#[test]
fn what_a_schema_says_is_what_a_new_entity_has() {
    // Aim: decK fills its defaults from `/schemas`; one that differs from what is served is a diff that never ends.
    let mut api = Api::how_to();
    for (kind, path) in [
        ("services", "/services/example-service"),
        ("routes", "/routes/r"),
        ("upstreams", "/upstreams/blue"),
        ("targets", "/upstreams/green/targets/httpbun.com:80"),
    ] {
        let schema = api.get(&format!("/schemas/{kind}"));
        let entity = api.get(path);
        agree(&schema["fields"], &entity);
    }
}

#[test]
fn everything_can_be_read_and_replaced_as_one_file() {
    let mut api = Api::how_to();
    let text = api.get("/config")["config"].as_str().unwrap().to_owned();
    assert!(text.contains("httpbin.konghq.com:80"), "{text}");
    let yaml = Some("application/yaml");
    assert_eq!(api.call("POST", "/config?check_hash=1", yaml, &text).0, 304);
    let service = api.get("/services/example-service");
    let (status, all) = api.call("POST", "/config", yaml, &text.replace("host: blue", "host: green"));
    assert_eq!(status, 201);
    let id = service["id"].as_str().unwrap();
    assert_eq!(all["services"][id]["host"], "green", "{all}");
    assert_eq!(api.get("/services/example-service")["created_at"], service["created_at"]);
    let (status, said) = api.send(
        "POST",
        "/config",
        &json!({ "config": "_format_version: \"3.0\"\nservices: [{name: x}]\n" }),
    );
    assert_eq!((status, said["code"].clone()), (400, json!(14)));
    assert_eq!(said["fields"]["services"], json!([{ "host": "required field missing" }]));
    assert_eq!(
        api.get("/services/example-service")["host"],
        "green",
        "a file that is refused changes nothing"
    );
}

#[test]
fn every_path_says_which_methods_it_has() {
    let mut api = Api::how_to();
    for (path, expected) in [
        ("/", Some("GET, HEAD, OPTIONS")),
        ("/services", Some("GET, HEAD, OPTIONS, POST")),
        ("/services/example-service", Some("DELETE, GET, HEAD, OPTIONS, PATCH, PUT")),
        ("/upstreams/blue/targets", Some("GET, HEAD, OPTIONS, POST")),
        ("/upstreams/blue/health", Some("GET, HEAD, OPTIONS")),
        ("/nonsense", None),
    ] {
        let reply = api.reply("OPTIONS", path, None, "");
        assert_eq!(
            (reply.status, reply.allow),
            (if expected.is_some() { 204 } else { 404 }, expected),
            "{path}"
        );
    }
}

proptest! {
    #[test]
    fn no_body_makes_the_admin_api_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 0..3) {
        let mut api = Api::how_to();
        let body = String::from_utf8_lossy(&bytes);
        let kind = [JSON, FORM, Some("application/yaml")][kind as usize];
        for path in ["/services", "/routes", "/upstreams", "/upstreams/blue/targets", "/config"] {
            api.call("POST", path, kind, &body);
        }
        api.call("PATCH", "/services/example-service", kind, &body);
    }

    #[test]
    fn no_damage_to_a_body_makes_the_admin_api_panic_or_break_its_config(
        at in 0_usize..900, length in 0_usize..30, put in "[\\[\\]{}:,\"a-z0-9.&=%-]{0,12}",
    ) {
        let mut api = Api::how_to();
        let body = api.get("/upstreams/blue").to_string();
        let down = |at: usize| (0..=at.min(body.len())).rev().find(|&at| body.is_char_boundary(at)).unwrap();
        let damaged = format!("{}{put}{}", &body[..down(at)], &body[down(at + length)..]);
        let (status, _) = api.call("PUT", "/upstreams/blue", JSON, &damaged);
        prop_assert!(matches!(status, 200 | 400 | 409), "{status} {damaged}");
        let again = api.get("/upstreams?size=1000")["data"][0].clone();
        prop_assert_eq!(api.send("PUT", "/upstreams/blue", &again).0, 200);
    }

    #[test]
    fn no_path_makes_the_admin_api_panic(path in "(/[a-z0-9%{}\\[\\] .:?&=-]{0,12}){0,6}", method in "[A-Z]{3,7}") {
        let mut api = Api::how_to();
        api.call(&method, &path, None, "");
    }
}

/// Each default of `fields` is the value in `entity`, records within included.
fn agree(fields: &Value, entity: &Value) {
    for field in fields.as_array().unwrap() {
        for (name, spec) in field.as_object().unwrap() {
            let value = entity.get(name).unwrap_or_else(|| {
                let ours = [
                    "mirror",
                    "split",
                    "outlier_detection",
                    "balancer",
                    "sticky_sessions_cookie",
                    "sticky_sessions_cookie_path",
                ];
                assert!(ours.contains(&name.as_str()), "{name} is not served");
                &Value::Null
            });
            if let Some(default) = spec.get("default") {
                assert_eq!(value, default, "{name}");
            }
            if spec["type"] == "record" && !value.is_null() {
                agree(&spec["fields"], value);
            }
        }
    }
}
