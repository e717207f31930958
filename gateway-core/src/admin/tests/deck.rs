//! decK's calls, what it fills its defaults from, and whole files.

use super::*;

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
