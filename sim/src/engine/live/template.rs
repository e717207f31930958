//! The bytes of each kind of request, prepared once: sending one is overwriting what differs and one `write`.

use std::fmt::Write as _;
use std::ops::Range;

use gateway_core::rng;

use crate::load::{COOKIE, Pattern, Piece, RequestIds, RequestTemplate, Users, Value, ids};

/// The bytes of one kind of request.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    bytes: Vec<u8>,
    /// What differs from one to the next, and where it stands.
    places: Vec<(Range<usize>, Value)>,
    /// Where cookies go: behind those it has itself, else where its last header field ends.
    cookies_at: usize,
    /// Whether it has some.
    has_cookies: bool,
    /// Whether its answer has no body whatever its length says.
    pub(super) to_head: bool,
}

/// Where a template of a run is sent, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    pub(super) users: &'a Users,
    /// Whether each request is the last of its connection.
    pub(super) closes: bool,
    /// The gateway.
    pub(super) host: &'a str,
    pub(super) ids: &'a RequestIds,
    pub(super) seed: u64,
}

impl Template {
    /// The bytes of `request`, sent to the host of `setting` unless it names another.
    pub(super) fn new(request: &RequestTemplate, setting: Setting<'_>) -> Self {
        let mut template = Self { to_head: request.method == "HEAD", ..Self::default() };
        let fields = request.fields(setting.users);
        let says = |name: &str| fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        template.text(format_args!("{} ", request.method));
        template.pattern(&request.path, setting);
        template.text(format_args!(" HTTP/1.1\r\n"));
        if !says("host") {
            template.field("host", &setting.host.into(), setting);
        }
        for (name, value) in &fields {
            template.field(name, value, setting);
            if name.eq_ignore_ascii_case(COOKIE) {
                template.has_cookies = true;
                template.cookies_at = template.bytes.len() - b"\r\n".len();
            }
        }
        if setting.closes {
            template.field("connection", &"close".into(), setting);
        }
        if !request.body.is_empty() {
            let mut body = Self::default();
            body.pattern(&request.body, setting);
            template.text(format_args!("content-length: {}\r\n", body.bytes.len()));
        }
        template.text(format_args!("{}: {}", ids::HEADER, setting.ids.prefix()));
        template.pattern(&Value::Index.into(), setting);
        template.text(format_args!("\r\n"));
        if !template.has_cookies {
            template.cookies_at = template.bytes.len();
        }
        template.text(format_args!("\r\n"));
        template.pattern(&request.body, setting);
        template
    }

    /// The bytes of request `index` of `user`.
    pub(super) fn bytes(&mut self, index: u64, user: u64, seed: u64) -> &[u8] {
        for (place, value) in &self.places {
            let digits = &mut self.bytes[place.clone()];
            match value {
                Value::Index => RequestIds::write_digits(index, digits),
                Value::User => RequestIds::write_digits(user, digits),
                Value::Random => hex(rng::draw(seed, const { rng::fnv1a("load/random") }, index), digits),
                Value::Seed => {}
            }
        }
        &self.bytes
    }

    /// Puts the same bytes, with `cookies` of its user, into `buffer`. There is one field for all cookies (RFC 6265, 5.4).
    pub(super) fn with_cookies(&self, cookies: &[u8], buffer: &mut Vec<u8>) {
        let (head, rest) = self.bytes.split_at(self.cookies_at);
        let (before, after): (&[u8], &[u8]) =
            if self.has_cookies { (b"; ", b"") } else { (b"cookie: ", b"\r\n") };
        buffer.clear();
        for part in [head, before, cookies, after, rest] {
            buffer.extend_from_slice(part);
        }
    }

    fn field(&mut self, name: &str, value: &Pattern, setting: Setting<'_>) {
        self.text(format_args!("{name}: "));
        self.pattern(value, setting);
        self.text(format_args!("\r\n"));
    }

    fn text(&mut self, text: std::fmt::Arguments<'_>) {
        let mut line = String::new();
        // A string takes everything.
        let _ = line.write_fmt(text);
        self.bytes.extend_from_slice(line.as_bytes());
    }

    fn pattern(&mut self, pattern: &Pattern, Setting { users, ids, seed, .. }: Setting<'_>) {
        for piece in pattern.pieces() {
            let (value, width) = match piece {
                Piece::Bytes(bytes) => {
                    self.bytes.extend_from_slice(bytes);
                    continue;
                }
                Piece::Place(Value::Seed) => {
                    self.text(format_args!("{seed}"));
                    continue;
                }
                Piece::Place(value @ Value::Index) => (*value, ids.width()),
                Piece::Place(value @ Value::User) => (*value, users.width()),
                Piece::Place(value @ Value::Random) => (*value, 16),
            };
            let place = self.bytes.len()..self.bytes.len() + width;
            self.bytes.resize(place.end, b'0');
            self.places.push((place, value));
        }
    }
}

fn hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(request: &RequestTemplate, users: &Users, closes: bool) -> Template {
        let ids = RequestIds::new(42, 18_000);
        Template::new(request, Setting { users, closes, host: "localhost", ids: &ids, seed: 42 })
    }

    #[test]
    fn a_request_is_prepared_whole_and_gets_its_number() {
        let request = RequestTemplate {
            method: "POST".into(),
            headers: vec![("accept".into(), "*/*".into())],
            body: "order".into(),
            ..RequestTemplate::get("/anything?x=1")
        };
        let mut template = template(&request, &Users::new(1, None), false);
        assert_eq!(
            String::from_utf8_lossy(template.bytes(6003, 0, 42)),
            "POST /anything?x=1 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\ncontent-length: 5\r\n\
             x-request-id: 42-06003\r\n\r\norder"
        );
        assert!(template.bytes(7, 0, 42).windows(8).any(|bytes| bytes == b"42-00007"));
    }

    #[test]
    fn places_users_and_cookies_are_written_into_it() {
        let request = RequestTemplate {
            path: Pattern::parse("/${user}/${seed}").unwrap(),
            headers: vec![("x-n".into(), Pattern::parse("n${index}").unwrap())],
            body: Pattern::parse("${random}").unwrap(),
            ..RequestTemplate::get("/")
        };
        let mut users = Users::new(1000, None);
        (users.header, users.cookie) = (Some("x-user".into()), Some("uid".into()));
        let mut template = template(&request, &users, true);
        template.bytes(1, 999, 42);
        template.bytes(3, 7, 42);
        let mut buffer = Vec::new();
        template.with_cookies(b"a=1; b=2", &mut buffer);
        assert_eq!(
            String::from_utf8_lossy(&buffer),
            "GET /007/42 HTTP/1.1\r\nhost: localhost\r\nx-n: n00003\r\nx-user: 007\r\ncookie: uid=007; a=1; b=2\r\n\
             connection: close\r\ncontent-length: 16\r\nx-request-id: 42-00003\r\n\r\n2147ab5f3f8c74df"
        );
        users.cookie = None;
        let template = self::template(&RequestTemplate::get("/"), &users, false);
        template.with_cookies(b"a=1", &mut buffer);
        assert_eq!(
            String::from_utf8_lossy(&buffer),
            "GET / HTTP/1.1\r\nhost: localhost\r\nx-user: 000\r\nx-request-id: 42-00000\r\ncookie: a=1\r\n\r\n"
        );
    }
}
