//! A Route as Kong's JSON.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Default::{Boolean, Integer, Text, Texts};
use super::service::PROTOCOLS;
use super::{
    CREATED_AT, Entity, Field, ID, Kind, NAME, Row, Stamp, TAGS, TEXTS, UPDATED_AT, reach, tag_errors,
    tags_json,
};
use crate::config::{Change, Config};
use crate::entity::{FieldError, PathHandling, Protocol, Route};
use crate::id::RouteId;

/// An address and a port, for streams.
const ENDPOINT: &[Field] = &[Field::new("ip", Kind::Text), Field::new("port", Kind::Integer(0, 65_535))];

impl Entity for Route {
    type Id = RouteId;
    const PLURAL: &'static str = "routes";
    const FIELDS: &'static [Field] = &[
        ID,
        CREATED_AT,
        UPDATED_AT,
        NAME,
        Field::new("protocols", Kind::Set(&Kind::Word(PROTOCOLS))).or(Texts(&["http", "https"])).required(),
        Field::new("https_redirect_status_code", Kind::OneOf(&[426, 301, 302, 307, 308]))
            .or(Integer(426))
            .required(),
        Field::new("strip_path", Kind::Boolean).or(Boolean(true)).required(),
        Field::new("preserve_host", Kind::Boolean).or(Boolean(false)).required(),
        Field::new("request_buffering", Kind::Boolean).or(Boolean(true)).required(),
        Field::new("response_buffering", Kind::Boolean).or(Boolean(true)).required(),
        TAGS,
        Field::new("service", Kind::Reference("services")),
        Field::new("snis", Kind::Set(&Kind::Text)),
        Field::new("sources", Kind::Set(&Kind::Record(ENDPOINT))),
        Field::new("destinations", Kind::Set(&Kind::Record(ENDPOINT))),
        Field::new("methods", Kind::Set(&Kind::Text)),
        Field::new("hosts", TEXTS),
        Field::new("paths", TEXTS),
        Field::new("headers", Kind::Map(&TEXTS)),
        Field::new("regex_priority", Kind::Integer(i32::MIN as i64, i32::MAX as i64)).or(Integer(0)),
        Field::new("path_handling", Kind::Word(&["v0", "v1"])).or(Text("v0")),
    ];

    fn from_row(row: Row<'_>, stamp: &Stamp, config: &Config) -> (Self, Vec<FieldError>) {
        let find = |link: &str| config.find_service(link).map(|(id, _)| id);
        let (service, mut errors) = match linked(row, "service", find) {
            Ok(service) => (service, Vec::new()),
            Err(error) => (None, vec![error]),
        };
        let lower = |texts: Vec<String>| texts.into_iter().map(|text| text.to_ascii_lowercase()).collect();
        let protocols = row.texts("protocols");
        let route = Self {
            uuid: row.uuid("id").unwrap_or(stamp.id),
            name: row.owned("name"),
            service,
            protocols: protocols.iter().filter_map(|word| Protocol::parse(word)).collect(),
            paths: row.texts("paths"),
            hosts: lower(row.texts("hosts")),
            methods: row.texts("methods"),
            headers: row.map("headers").into_iter().map(|(k, v)| (k.to_ascii_lowercase(), v)).collect(),
            snis: row.texts("snis"),
            regex_priority: row.integer("regex_priority").unwrap_or_default(),
            strip_path: row.flag("strip_path").unwrap_or(true),
            preserve_host: row.flag("preserve_host").unwrap_or(false),
            path_handling: match row.text("path_handling") {
                Some("v1") => PathHandling::V1,
                _ => PathHandling::V0,
            },
            https_redirect_status_code: row.integer("https_redirect_status_code").unwrap_or(426),
            request_buffering: row.flag("request_buffering").unwrap_or(true),
            response_buffering: row.flag("response_buffering").unwrap_or(true),
            tags: row.texts("tags"),
            created_at: row.integer("created_at").unwrap_or(stamp.now_ms / 1000),
            updated_at: stamp.now_ms / 1000,
        };
        for field in ["sources", "destinations"] {
            if row.raw(field).is_some() {
                let message =
                    "cannot set when 'protocols' is 'http' or 'https'; streams are not proxied here";
                errors.push(FieldError::new(field, message));
            }
        }
        errors.extend(route.errors());
        errors.extend(tag_errors(&route.tags));
        (route, errors)
    }

    fn to_json(&self, config: &Config) -> Map<String, Value> {
        let service = self.service.and_then(|id| config.service(id));
        let some = |texts: &[String]| (!texts.is_empty()).then(|| texts.to_vec());
        super::row::object(json!({
            "id": self.uuid,
            "name": self.name,
            "service": service.map(|service| json!({ "id": service.uuid })),
            "protocols": self.protocols.iter().map(|p| p.as_str()).collect::<Vec<_>>(),
            "paths": some(&self.paths),
            "hosts": some(&self.hosts),
            "methods": some(&self.methods),
            "headers": (!self.headers.is_empty()).then_some(&self.headers),
            "snis": some(&self.snis),
            "sources": null,
            "destinations": null,
            "regex_priority": self.regex_priority,
            "strip_path": self.strip_path,
            "preserve_host": self.preserve_host,
            "path_handling": match self.path_handling { PathHandling::V0 => "v0", PathHandling::V1 => "v1" },
            "https_redirect_status_code": self.https_redirect_status_code,
            "request_buffering": self.request_buffering,
            "response_buffering": self.response_buffering,
            "tags": tags_json(&self.tags),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }))
    }

    reach!(RouteId: CreateRoute, UpdateRoute, DeleteRoute, route, routes, Config::find_route);
}

/// The entity that the reference `field` names by `id` or `name`, found by `find`; `None` when it is null.
pub(super) fn linked<I>(
    row: Row<'_>,
    field: &'static str,
    find: impl Fn(&str) -> Option<I>,
) -> Result<Option<I>, FieldError> {
    let Some(link) = row.raw(field) else { return Ok(None) };
    let key = ["id", "name"].into_iter().find_map(|key| Some((key, link.get(key)?.as_str()?)));
    let Some((key, value)) = key else {
        return Err(FieldError::new(field, "expected a record with id or name"));
    };
    let unknown =
        format!("the foreign key '{{{key}=\"{value}\"}}' does not reference an existing '{field}s' entity.");
    find(value).map(Some).ok_or_else(|| FieldError::new(field, unknown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Service;

    #[test]
    fn a_route_reads_back_as_it_was_written_and_finds_its_service() {
        let mut config = Config::default();
        let id = config.add_service(Service::new("s", "blue")).unwrap();
        let route = Route {
            uuid: Uuid::nil(),
            paths: vec!["/a".into(), "~/b/\\d+".into()],
            hosts: vec!["*.a.com".into()],
            methods: vec!["GET".into()],
            headers: [("x-v".to_owned(), vec!["1".to_owned()])].into(),
            regex_priority: -3,
            path_handling: PathHandling::V1,
            protocols: vec![Protocol::Https],
            updated_at: 1,
            ..Route::new("r", id)
        };
        let stamp = Stamp { now_ms: 1000, id: Uuid::nil() };
        let json = route.to_json(&config);
        assert_eq!(super::super::read(&json, &stamp, &config), Ok(route.clone()));
        let by_name = json!({ "id": Uuid::nil(), "name": "r", "service": { "name": "s" }, "paths": ["/a"] });
        let read = |json| super::super::read::<Route>(&super::super::row::object(json), &stamp, &config);
        assert_eq!(read(by_name).unwrap().service, Some(id));
        let unknown = json!({ "service": { "name": "x" }, "paths": ["/a"] });
        assert!(read(unknown).unwrap_err()[0].message.starts_with("the foreign key '{name=\"x\"}'"));
    }
}
