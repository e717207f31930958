//! The bytes of each kind of request, prepared once: sending one is writing its digits into their place and one `write`.

use std::fmt::Write as _;

use crate::load::{RequestIds, RequestTemplate, ids};

/// The bytes of one kind of request.
#[derive(Clone, Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where the digits of the id stand.
    digits: std::ops::Range<usize>,
    /// Whether its answer has no body whatever its length says.
    pub(super) to_head: bool,
}

impl Template {
    /// The bytes of `request`, sent to `host` unless it names another.
    pub(super) fn new(request: &RequestTemplate, host: &str, ids: &RequestIds) -> Self {
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path);
        let says = |name: &str| request.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        if !says("host") {
            let _ = write!(head, "host: {host}\r\n");
        }
        for (name, value) in &request.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !request.body.is_empty() && !says("content-length") {
            let _ = write!(head, "content-length: {}\r\n", request.body.len());
        }
        let _ = write!(head, "{}: {}", ids::HEADER, ids.prefix());
        let digits = head.len()..head.len() + ids.width();
        let mut bytes = head.into_bytes();
        bytes.resize(digits.end, b'0');
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&request.body);
        Self { bytes, digits, to_head: request.method == "HEAD" }
    }

    /// The bytes of request `index`.
    pub(super) fn bytes(&mut self, index: u64) -> &[u8] {
        RequestIds::write_digits(index, &mut self.bytes[self.digits.clone()]);
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_prepared_whole_and_gets_its_number() {
        let request = RequestTemplate {
            method: "POST".into(),
            path: "/anything?x=1".into(),
            headers: vec![("accept".into(), "*/*".into())],
            body: b"order".to_vec(),
            weight: 1,
        };
        let mut template = Template::new(&request, "localhost", &RequestIds::new(42, 18_000));
        assert_eq!(
            String::from_utf8_lossy(template.bytes(6003)),
            "POST /anything?x=1 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-length: 5\r\n\
             x-request-id: 42-06003\r\n\r\norder"
        );
        assert!(template.bytes(7).windows(8).any(|bytes| bytes == b"42-00007"));
    }
}
