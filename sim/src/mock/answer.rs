//! What a mock says: the body of its answer to a request, by its answer form. Pure.

use serde_json::{Map, Value, json};

use super::Respond;

/// The JSON form holds at most so much of a request's body.
const BODY_SHOWN_MAX: usize = 64 * 1024;

/// A request as a mock sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Upper case.
    pub method: &'a str,
    /// The path.
    pub path: &'a str,
    /// What follows `?`.
    pub query: Option<&'a str>,
    /// Names in lower case, with their values, in the order they came.
    pub headers: &'a [(&'a str, &'a str)],
    /// The whole body.
    pub body: &'a [u8],
}

/// A body and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// The bytes.
    pub body: Vec<u8>,
}

/// The answer to `seen`.
pub fn answer(respond: Respond, seen: &Seen<'_>) -> Answer {
    match respond {
        Respond::Anything => {
            Answer { content_type: "application/json", body: anything(seen).to_string().into_bytes() }
        }
        Respond::Echo => Answer { content_type: "application/octet-stream", body: seen.body.to_vec() },
        Respond::Bytes(size) => Answer { content_type: "application/octet-stream", body: vec![b'x'; size] },
    }
}

/// httpbin's `/anything`: the request, described.
fn anything(seen: &Seen<'_>) -> Value {
    let header = |name: &str| seen.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    let text = String::from_utf8_lossy(&seen.body[..seen.body.len().min(BODY_SHOWN_MAX)]);
    let is_form =
        header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let (data, form) = if is_form { ("", pairs(&text)) } else { (text.as_ref(), Map::new()) };
    let host = header("x-forwarded-host").or(header("host")).unwrap_or_default();
    let query = seen.query.map(|query| format!("?{query}")).unwrap_or_default();
    json!({
        "args": pairs(seen.query.unwrap_or_default()),
        "data": data,
        "files": {},
        "form": form,
        "headers": headers(seen.headers),
        "json": serde_json::from_str::<Value>(data).unwrap_or(Value::Null),
        "method": seen.method,
        "origin": header("x-forwarded-for").unwrap_or("127.0.0.1"),
        "url": format!("{}://{host}{}{query}", header("x-forwarded-proto").unwrap_or("http"), seen.path),
    })
}

/// Names in title case, without those that proxies add, as httpbin shows them.
fn headers(fields: &[(&str, &str)]) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, _)| {
            !(name.starts_with("x-forwarded-")
                || matches!(*name, "x-real-ip" | "x-request-id" | "x-mirror" | "via"))
        })
        .map(|(name, value)| (title_case(name), Value::from(*value)))
        .collect()
}

fn title_case(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|c| {
            let cased = if start { c.to_ascii_uppercase() } else { c };
            start = c == '-';
            cased
        })
        .collect()
}

/// Name and value of each pair; a list where a name comes more than once.
fn pairs(text: &str) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let value = Value::from(value.into_owned());
        match all.get_mut(name.as_ref()) {
            None => {
                all.insert(name.into_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_describes_the_request_as_httpbin_does() {
        let headers = [
            ("host", "httpbin.org"),
            ("x-forwarded-host", "shop.example"),
            ("x-forwarded-for", "10.0.0.1"),
            ("accept", "*/*"),
        ];
        let seen = Seen {
            method: "POST",
            path: "/anything/x",
            query: Some("a=1&a=2&b=%20"),
            headers: &headers,
            body: b"{\"n\":1}",
        };
        let answer = answer(Respond::Anything, &seen);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.content_type, "application/json");
        assert_eq!(body["args"], json!({"a": ["1", "2"], "b": " "}));
        assert_eq!(body["headers"], json!({"Host": "httpbin.org", "Accept": "*/*"}));
        assert_eq!((&body["data"], &body["json"]), (&json!("{\"n\":1}"), &json!({"n": 1})));
        assert_eq!((&body["method"], &body["origin"]), (&json!("POST"), &json!("10.0.0.1")));
        assert_eq!(body["url"], "http://shop.example/anything/x?a=1&a=2&b=%20");
    }

    #[test]
    fn echo_and_bytes_say_what_they_are_told() {
        let seen = Seen { method: "POST", path: "/", query: None, headers: &[], body: b"hello" };
        assert_eq!(answer(Respond::Echo, &seen).body, b"hello");
        assert_eq!(answer(Respond::Bytes(7), &seen).body, b"xxxxxxx");
    }
}
