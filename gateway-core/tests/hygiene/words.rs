//! What the gateway says for itself: the form that the client likes, latencies, and the Route and Service for who may ask.

use crate::support::{Echo, OK, field, gate, plain, status};

async fn asked(gate: &crate::support::Gate, path: &str, fields: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{fields}\r\n");
    gate.until_close(request.as_bytes()).await
}

#[tokio::test]
async fn the_gateways_own_answers_follow_accept() {
    let gate = gate(Echo::start(OK).await.address, plain);
    for (accept, content_type, begin, end) in [
        ("", "application/json; charset=utf-8", "{\"message\":\"no Route matched", "\"}\n"),
        ("accept: */*\r\n", "application/json; charset=utf-8", "{\"message\":\"no Route matched", "\"}\n"),
        (
            "accept: text/plain\r\n",
            "text/plain; charset=utf-8",
            "no Route matched with those values\nrequest_id: ",
            "\n",
        ),
        ("accept: text/html, */*;q=0.8\r\n", "text/html; charset=utf-8", "<!doctype html>\n", "</html>\n"),
        (
            "accept: application/xml\r\n",
            "application/xml; charset=utf-8",
            "<?xml version=\"1.0\"",
            "</error>\n",
        ),
    ] {
        let answer = asked(&gate, "/elsewhere", accept).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((status(head), field(head, "content-type")), (404, Some(content_type)), "{accept}");
        assert!(body.starts_with(begin) && body.ends_with(end), "{accept}: {body}");
        assert!(body.contains("no Route matched with those values"));
        assert!(body.contains(field(head, "x-kong-request-id").unwrap()));
        assert_eq!(field(head, "content-length"), Some(body.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn latencies_say_who_answered() {
    let gate = gate(Echo::start(OK).await.address, plain);
    let number = |head: &str, name: &str| field(head, name).map(|value| value.parse::<u64>().is_ok());
    let (ours, theirs) = (asked(&gate, "/elsewhere", "").await, asked(&gate, "/shop", "").await);
    for (answer, response, upstream) in [(&ours, Some(true), None), (&theirs, None, Some(true))] {
        assert_eq!(number(answer, "x-kong-response-latency"), response, "{answer}");
        assert_eq!(number(answer, "x-kong-upstream-latency"), upstream, "{answer}");
        assert_eq!(number(answer, "x-kong-proxy-latency"), upstream, "{answer}");
    }
}

#[tokio::test]
async fn route_and_service_are_told_to_who_asks_where_that_is_allowed() {
    let target = Echo::start(OK).await;
    let (open, shut) =
        (gate(target.address, |settings, _| settings.allow_debug_header = true), gate(target.address, plain));
    for (gate, path, ask, told) in [
        (&open, "/shop", "kong-debug: 1\r\n", true),
        (&open, "/shop", "kong-debug: 0\r\n", false),
        (&open, "/shop", "", false),
        (&open, "/elsewhere", "kong-debug: 1\r\n", false),
        (&shut, "/shop", "kong-debug: 1\r\n", false),
    ] {
        let answer = asked(gate, path, ask).await;
        let expected = |value| if told { Some(value) } else { None };
        assert_eq!(field(&answer, "kong-route-name"), expected("r"), "{path} {ask}");
        assert_eq!(field(&answer, "kong-service-name"), expected("shop"), "{path} {ask}");
        for id in ["kong-route-id", "kong-service-id"] {
            assert_eq!(field(&answer, id).map(str::len), told.then_some(36), "{path} {ask}");
        }
    }
}

#[tokio::test]
async fn a_failure_tells_its_route_as_well() {
    let nobody = crate::support::listener().await.local_addr().unwrap();
    let gate = gate(nobody, |settings, _| settings.allow_debug_header = true);
    let answer = asked(&gate, "/shop", "kong-debug: 1\r\n").await;
    assert_eq!((status(&answer), field(&answer, "kong-route-name")), (502, Some("r")));
}
