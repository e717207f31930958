//! The gateway's own answers, with Kong's status codes, words, headers and forms: the form follows the client's `Accept`. An
//! answer without a `Via` field is one of these.

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, LOCATION, SERVER, UPGRADE};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};

use super::body::AnswerBody;
use super::headers::{X_KONG_REQUEST_ID, X_KONG_RESPONSE_LATENCY};
use super::refusal::Refusal;
use crate::gateway::Rejection;
use crate::outcome::Failure;

/// What the gateway calls itself.
pub(super) const NAME: &str = concat!("gateway-core/", env!("CARGO_PKG_VERSION"));

/// Status and message of a rejection.
pub(super) const fn rejected(rejection: Rejection) -> Refusal {
    (rejection.status(), rejection.message())
}

/// What goes with the answer to a plain request for `uri` at `host` that only https will do for: how to switch, or where to
/// go instead.
pub(super) fn point_to_https(response: &mut Response<AnswerBody>, host: &str, uri: &Uri) {
    let is_upgrade = response.status() == StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    if is_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("TLS/1.2, HTTP/1.1"));
    } else {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        // Host and target are made of what may stand in a header: they came in one.
        headers.extend(HeaderValue::try_from(format!("https://{host}{target}")).map(|to| (LOCATION, to)));
    }
}

/// Status and message when the last try has failed.
pub(super) const fn failed(cause: Failure) -> Refusal {
    if cause.is_timeout() {
        (504, "The upstream server is timing out")
    } else {
        (502, "An invalid response was received from the upstream server")
    }
}

/// What an answer of the gateway's own depends on.
pub(super) struct Occasion<'a> {
    /// The request's.
    pub(super) headers: &'a HeaderMap,
    pub(super) request_id: Bytes,
    /// Milliseconds since the request came.
    pub(super) latency: HeaderValue,
}

/// An answer of the gateway's own.
pub(super) fn answer((status, message): Refusal, occasion: Occasion<'_>) -> Response<AnswerBody> {
    let form = Form::of(occasion.headers);
    let mut response = Response::new(AnswerBody::whole(form.write(message, &occasion.request_id)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    headers.insert(X_KONG_RESPONSE_LATENCY, occasion.latency);
    if let Ok(id) = HeaderValue::from_maybe_shared(occasion.request_id) {
        headers.insert(X_KONG_REQUEST_ID, id);
    }
    response
}

/// The forms of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Text,
    Html,
    Xml,
}

impl Form {
    /// The one the client likes best; between equals the first. JSON for whoever likes none of them.
    fn of(headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, Self::Json);
        for range in accept.split(',') {
            let mut words = range.split(';').map(str::trim);
            let form = Self::named(words.next().unwrap_or_default());
            let quality =
                words.find_map(|word| word.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse().ok());
            match (form, quality) {
                (Some(form), Some(quality)) if quality > best.0 => best = (quality, form),
                _ => {}
            }
        }
        best.1
    }

    fn named(media: &str) -> Option<Self> {
        let known = [
            ("application/json", Self::Json),
            ("*/*", Self::Json),
            ("text/plain", Self::Text),
            ("text/html", Self::Html),
            ("application/xml", Self::Xml),
        ];
        known.into_iter().find(|(name, _)| media.eq_ignore_ascii_case(name)).map(|(_, form)| form)
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Xml => "application/xml; charset=utf-8",
        }
    }

    /// Message and id in this form, escaped for it.
    fn write(self, message: &str, id: &[u8]) -> Vec<u8> {
        let parts = match self {
            Self::Json => ["{\"message\":\"", "\",\"request_id\":\"", "\"}\n"],
            Self::Text => ["", "\nrequest_id: ", "\n"],
            Self::Html => [
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  \
                 <body>\n    <h1>Error</h1>\n    <p>",
                ".</p>\n    <p>request_id: ",
                "</p>\n  </body>\n</html>\n",
            ],
            Self::Xml => [
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>",
                "</message>\n  <requestid>",
                "</requestid>\n</error>\n",
            ],
        };
        let mut text = Vec::with_capacity(256);
        text.extend_from_slice(parts[0].as_bytes());
        self.escape(message.as_bytes(), &mut text);
        text.extend_from_slice(parts[1].as_bytes());
        self.escape(id, &mut text);
        text.extend_from_slice(parts[2].as_bytes());
        text
    }

    /// No message and no id of ours needs it, and none that ever does shall do harm.
    fn escape(self, words: &[u8], out: &mut Vec<u8>) {
        for &byte in words {
            match (self, byte) {
                (Self::Html | Self::Xml, b'<') => out.extend_from_slice(b"&lt;"),
                (Self::Html | Self::Xml, b'>') => out.extend_from_slice(b"&gt;"),
                (Self::Html | Self::Xml, b'&') => out.extend_from_slice(b"&amp;"),
                (Self::Json, b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
                (_, 0..b' ') => out.push(b' '),
                _ => out.push(byte),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_the_client_likes_best() {
        for (accept, form) in [
            ("", Form::Json),
            ("*/*", Form::Json),
            ("image/png", Form::Json),
            ("text/plain", Form::Text),
            ("Text/HTML;level=1", Form::Html),
            ("application/xml", Form::Xml),
            ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", Form::Html),
            ("text/html;q=0.3, application/xml; q=0.9", Form::Xml),
            ("text/html;q=x, text/plain;q=0.1", Form::Text),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Form::of(&headers), form, "{accept}");
        }
        assert_eq!(Form::of(&HeaderMap::new()), Form::Json);
    }

    #[test]
    fn whatever_is_shown_is_escaped() {
        let shown = |form: Form| String::from_utf8(form.write("<b> & \"q\"\n", b"1")).unwrap();
        assert_eq!(shown(Form::Json), "{\"message\":\"<b> & \\\"q\\\" \",\"request_id\":\"1\"}\n");
        assert_eq!(shown(Form::Text), "<b> & \"q\" \nrequest_id: 1\n");
        assert!(shown(Form::Html).contains("<p>&lt;b&gt; &amp; \"q\" .</p>"));
        assert!(shown(Form::Xml).contains("<message>&lt;b&gt; &amp; \"q\" </message>"));
    }
}
