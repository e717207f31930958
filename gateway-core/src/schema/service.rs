//! A Service as Kong's JSON.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Default::{Boolean, Integer, Text};
use super::beyond::{MIRROR, SPLIT, mirror, mirror_json, split, split_json};
use super::{
    CREATED_AT, Entity, Field, ID, Kind, NAME, Row, Stamp, TAGS, UPDATED_AT, reach, tag_errors, tags_json,
};
use crate::config::{Change, Config};
use crate::entity::{FieldError, Protocol, Service};
use crate::id::ServiceId;

/// Kong's largest timeout, in milliseconds.
const TIMEOUT_MS_MAX: i64 = 2_147_483_646;
pub(super) const TIMEOUT: Kind = Kind::Integer(1, TIMEOUT_MS_MAX);
pub(super) const PROTOCOLS: &[&str] =
    &["grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"];

impl Entity for Service {
    type Id = ServiceId;
    const PLURAL: &'static str = "services";
    const FIELDS: &'static [Field] = &[
        ID,
        CREATED_AT,
        UPDATED_AT,
        NAME,
        Field::new("retries", Kind::Integer(0, 32_767)).or(Integer(5)),
        Field::new("protocol", Kind::Word(PROTOCOLS)).or(Text("http")).required(),
        Field::new("host", Kind::Text).required(),
        Field::new("port", Kind::Integer(0, 65_535)).or(Integer(80)).required(),
        Field::new("path", Kind::Text),
        Field::new("connect_timeout", TIMEOUT).or(Integer(60_000)),
        Field::new("write_timeout", TIMEOUT).or(Integer(60_000)),
        Field::new("read_timeout", TIMEOUT).or(Integer(60_000)),
        TAGS,
        Field::new("client_certificate", Kind::Reference("certificates")),
        Field::new("tls_verify", Kind::Boolean),
        Field::new("tls_verify_depth", Kind::Integer(0, 64)),
        Field::new("ca_certificates", Kind::List(&Kind::Id)),
        Field::new("enabled", Kind::Boolean).or(Boolean(true)).required(),
        Field::new("mirror", Kind::Record(MIRROR)),
        Field::new("split", Kind::Record(SPLIT)),
    ];

    fn prepare(fields: &mut Map<String, Value>) {
        expand_url(fields);
    }

    fn from_row(row: Row<'_>, stamp: &Stamp, _: &Config) -> (Self, Vec<FieldError>) {
        let service = Self {
            uuid: row.uuid("id").unwrap_or(stamp.id),
            name: row.owned("name"),
            protocol: row.text("protocol").and_then(Protocol::parse).unwrap_or_default(),
            host: row.owned("host").unwrap_or_default(),
            port: row.integer("port").unwrap_or_default(),
            path: row.owned("path"),
            retries: row.integer("retries").unwrap_or_default(),
            connect_timeout: row.millis("connect_timeout"),
            write_timeout: row.millis("write_timeout"),
            read_timeout: row.millis("read_timeout"),
            enabled: row.flag("enabled").unwrap_or(true),
            tls_verify: row.flag("tls_verify"),
            tls_verify_depth: row.integer("tls_verify_depth"),
            ca_certificates: row.uuids("ca_certificates"),
            client_certificate: row.reference("client_certificate"),
            mirror: row.raw("mirror").map(|_| mirror(row.record("mirror"))),
            split: row.raw("split").map(|_| split(row.record("split"))),
            tags: row.texts("tags"),
            created_at: row.integer("created_at").unwrap_or(stamp.now_ms / 1000),
            updated_at: stamp.now_ms / 1000,
        };
        let errors = service.errors().into_iter().chain(tag_errors(&service.tags)).collect();
        (service, errors)
    }

    fn to_json(&self, _: &Config) -> Map<String, Value> {
        let fields = json!({
            "id": self.uuid,
            "name": self.name,
            "protocol": self.protocol.as_str(),
            "host": self.host,
            "port": self.port,
            "path": self.path,
            "retries": self.retries,
            "connect_timeout": self.connect_timeout.as_millis() as u64,
            "write_timeout": self.write_timeout.as_millis() as u64,
            "read_timeout": self.read_timeout.as_millis() as u64,
            "enabled": self.enabled,
            "tls_verify": self.tls_verify,
            "tls_verify_depth": self.tls_verify_depth,
            "ca_certificates": self.ca_certificates,
            "client_certificate": self.client_certificate.map(|id| json!({ "id": id })),
            "tags": tags_json(&self.tags),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        });
        let mut fields = super::row::object(fields);
        // Who looks for Kong's fields finds no others unless they are used.
        if let Some(mirror) = &self.mirror {
            fields.insert("mirror".to_owned(), mirror_json(mirror));
        }
        if let Some(split) = &self.split {
            fields.insert("split".to_owned(), split_json(split));
        }
        fields
    }

    reach!(ServiceId: CreateService, UpdateService, DeleteService, service, services, Config::find_service);
}

/// Writes the shorthand `url` out: protocol, host, port and path. A port that is not said is that of the protocol; a path
/// that is not said is null, so that a PATCH clears it.
fn expand_url(fields: &mut Map<String, Value>) {
    let Some(Value::String(url)) = fields.get("url").cloned() else { return };
    fields.remove("url");
    let Some((scheme, rest)) = url.split_once("://") else {
        // As Kong reads it: all of it is a path.
        fields.insert("path".to_owned(), url.into());
        return;
    };
    let (authority, path) = rest.find('/').map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let (host, port) = crate::entity::split_port(authority);
    let standard = if scheme == "https" { 443 } else { 80 };
    let port = match port.map(str::parse::<i64>) {
        None => standard.into(),
        Some(Ok(port)) => port.into(),
        Some(Err(_)) => Value::from(port),
    };
    fields.insert("protocol".to_owned(), scheme.into());
    fields.insert("host".to_owned(), host.into());
    fields.insert("port".to_owned(), port);
    fields.insert("path".to_owned(), path.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::{Mirror, Percent, Split, SplitCookie, SplitKey};

    const STAMP: Stamp = Stamp { now_ms: 1_700_000_000_123, id: Uuid::nil() };

    fn read(fields: Value) -> Result<Service, Vec<String>> {
        let mut fields = super::super::row::object(fields);
        Service::prepare(&mut fields);
        super::super::read(&fields, &STAMP, &Config::default())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_service_reads_back_as_it_was_written() {
        let cookie = SplitCookie {
            name: "group".into(),
            max_age: std::time::Duration::from_secs(60),
            primary_sticky: false,
        };
        for key in [SplitKey::Header("x-user".into()), SplitKey::Cookie(cookie)] {
            let service = Service {
                uuid: Uuid::nil(),
                path: Some("/v1".into()),
                mirror: Some(Mirror {
                    percent: Percent::new(12.5),
                    compare_body: false,
                    timeout: Some(std::time::Duration::from_millis(250)),
                    ..Mirror::new("green")
                }),
                split: Some(Split {
                    host: "green".into(),
                    percent: Percent::new(5.0),
                    key,
                    salt: String::new(),
                }),
                tags: vec!["a".into()],
                created_at: 1_600_000_000,
                updated_at: 1_700_000_000,
                ..Service::new("s", "blue")
            };
            let json = Value::Object(service.to_json(&Config::default()));
            assert_eq!(read(json), Ok(service));
        }
    }

    #[test]
    fn a_copy_may_not_take_longer_than_a_request() {
        let errors = |timeout: i64| {
            let mirror = json!({ "host": "green", "timeout": timeout });
            read(json!({ "name": "s", "host": "blue", "read_timeout": 500, "mirror": mirror })).err()
        };
        assert_eq!([errors(1), errors(500)], [None, None]);
        let said = vec!["mirror.timeout: expected at least 1 and at most read_timeout".to_owned()];
        assert_eq!(errors(501), Some(said));
    }

    #[test]
    fn a_split_needs_a_header_field_or_a_cookie() {
        let split = |key: &str| {
            let split: Value = serde_json::from_str(&format!("{{\"host\":\"green\",{key}}}")).unwrap();
            read(json!({ "name": "s", "host": "blue", "split": split }))
                .map(|service| service.split.unwrap().key)
        };
        let cookie = |primary_sticky, max_age| {
            SplitKey::Cookie(SplitCookie { name: "group".into(), max_age, primary_sticky })
        };
        assert_eq!(split("\"cookie\":\"group\""), Ok(cookie(true, SplitCookie::MAX_AGE)));
        assert_eq!(split("\"header\":\"X-User\""), Ok(SplitKey::Header("x-user".into())));
        assert_eq!(
            split("\"percent\":5").unwrap_err(),
            ["split.header: expected the name of a header field"]
        );
        assert_eq!(split("\"cookie\":\"a b\"").unwrap_err(), ["split.cookie: expected the name of a cookie"]);
        let both = split("\"header\":\"x-user\",\"cookie\":\"group\"");
        assert_eq!(both, Ok(SplitKey::Header("x-user".into())), "the header field counts");
    }

    #[test]
    fn a_url_stands_for_four_fields() {
        for (url, protocol, host, port, path) in [
            ("http://a.com", "http", "a.com", 80, None),
            ("https://a.com/v1", "https", "a.com", 443, Some("/v1")),
            ("http://a.com:8080/", "http", "a.com", 8080, Some("/")),
        ] {
            let service = read(json!({ "url": url, "path": "/old" })).unwrap();
            assert_eq!((service.protocol.as_str(), service.host.as_str()), (protocol, host));
            assert_eq!((service.port, service.path.as_deref()), (port, path));
        }
        assert_eq!(
            read(json!({ "url": "invalid url" })).unwrap_err(),
            ["host: required field missing", "path: should start with: /"]
        );
    }

    #[test]
    fn every_mistake_is_said_once() {
        let errors = read(json!({ "name": "a b", "port": "x", "retries": -1, "tags": ["a/b"] })).unwrap_err();
        let fields: Vec<_> = errors.iter().map(|e| e.split(':').next().unwrap()).collect();
        assert_eq!(fields, ["retries", "host", "port", "name", "tags"]);
    }
}
