//! Where the body of an answer ends (RFC 9112, section 6). Strict: an answer that could be read in two ways is refused, since
//! somebody behind us might read it the other way.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, StatusCode};

use crate::outcome::Failure;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many bytes.
    Length(u64),
    /// With a chunk of length zero.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// The framing of an answer.
pub(super) fn framing_of(headers: &HeaderMap, status: StatusCode, to_head: bool) -> Result<Framing, Failure> {
    let length = content_length(headers)?;
    let chunked = is_chunked(headers)?;
    if length.is_some() && chunked {
        return Err(Failure::BadResponse);
    }
    let no_body = to_head
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    Ok(match (no_body, chunked, length) {
        (true, ..) | (_, _, Some(0)) => Framing::Empty,
        (_, true, _) => Framing::Chunked,
        (_, _, Some(length)) => Framing::Length(length),
        _ => Framing::UntilClose,
    })
}

/// One `Content-Length` of digits only. Two of them, or a list, are refused even when they agree.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().map_err(|_| Failure::BadResponse)?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if values.next().is_some() || !plain {
        return Err(Failure::BadResponse);
    }
    digits.parse().map(Some).map_err(|_| Failure::BadResponse)
}

/// `Transfer-Encoding: chunked` and nothing else.
fn is_chunked(headers: &HeaderMap) -> Result<bool, Failure> {
    let mut values = headers.get_all(TRANSFER_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(Failure::BadResponse),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(fields: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn an_answer_that_could_be_read_in_two_ways_is_refused() {
        let ok = StatusCode::OK;
        for (fields, expected) in [
            (vec![], Some(Framing::UntilClose)),
            (vec![(CONTENT_LENGTH, "5")], Some(Framing::Length(5))),
            (vec![(CONTENT_LENGTH, "0")], Some(Framing::Empty)),
            (vec![(TRANSFER_ENCODING, "chunked")], Some(Framing::Chunked)),
            (vec![(TRANSFER_ENCODING, "Chunked")], Some(Framing::Chunked)),
            (vec![(TRANSFER_ENCODING, "gzip, chunked")], None),
            (vec![(CONTENT_LENGTH, "5"), (TRANSFER_ENCODING, "chunked")], None),
            (vec![(CONTENT_LENGTH, "5"), (CONTENT_LENGTH, "5")], None),
            (vec![(CONTENT_LENGTH, "5, 5")], None),
            (vec![(CONTENT_LENGTH, "+5")], None),
            (vec![(CONTENT_LENGTH, "99999999999999999999")], None),
        ] {
            let headers: HeaderMap = {
                let mut map = HeaderMap::new();
                for (name, value) in &fields {
                    map.append(name.clone(), HeaderValue::from_static(value));
                }
                map
            };
            assert_eq!(framing_of(&headers, ok, false).ok(), expected, "{fields:?}");
        }
        let five = headers(&[(CONTENT_LENGTH, "5")]);
        assert_eq!(framing_of(&five, ok, true), Ok(Framing::Empty));
        assert_eq!(framing_of(&five, StatusCode::NOT_MODIFIED, false), Ok(Framing::Empty));
    }
}
