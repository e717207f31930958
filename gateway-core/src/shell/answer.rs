//! The gateway's own answers, with Kong's status codes, words and headers. An answer without a `Via` field is one of these.

use std::io::Write as _;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Response, StatusCode};

use super::body::AnswerBody;
use super::headers::X_KONG_REQUEST_ID;
use super::refusal::Refusal;
use crate::gateway::Rejection;
use crate::outcome::Failure;

/// What the gateway calls itself.
pub(super) const NAME: &str = concat!("gateway-core/", env!("CARGO_PKG_VERSION"));

/// Status and message of a rejection.
pub(super) const fn rejected(rejection: Rejection) -> Refusal {
    (rejection.status(), rejection.message())
}

/// Status and message when the last try has failed.
pub(super) const fn failed(cause: Failure) -> Refusal {
    if cause.is_timeout() {
        (504, "The upstream server is timing out")
    } else {
        (502, "An invalid response was received from the upstream server")
    }
}

/// An answer of the gateway's own.
pub(super) fn answer((status, message): Refusal, request_id: Bytes) -> Response<AnswerBody> {
    let mut text = Vec::with_capacity(128);
    // Neither message nor id holds a character that JSON would want escaped; a Vec takes whatever is written.
    let _ = write!(text, "{{\"message\":\"{message}\",\"request_id\":\"");
    text.extend_from_slice(&request_id);
    text.extend_from_slice(b"\"}\n");
    let mut response = Response::new(AnswerBody::whole(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(SERVER, HeaderValue::from_static(NAME));
    if let Ok(id) = HeaderValue::from_maybe_shared(request_id) {
        headers.insert(X_KONG_REQUEST_ID, id);
    }
    response
}
