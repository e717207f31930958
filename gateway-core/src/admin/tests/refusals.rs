//! What is wrong: each mistake has Kong's status and words, and no text whatever makes the Admin API panic.

use proptest::prelude::*;

use super::*;

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
